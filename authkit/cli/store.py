"""`authkit store show | adopt`: the store that limits, revocations and replays are kept in."""

from __future__ import annotations

import sys
import time

import click

from ._ages import moment
from ._exits import EXITS, Refused, Wrong
from ._frame import Command, Lazy
from ._options import json_option
from ._output import Output

group = Lazy(
    "store",
    "Look at the store that processes share, or take one into use.",
    {
        "show": ("store:show", "Say whether the store answers, and since when it has its data."),
        "adopt": ("store:adopt", "Take a store into use as of now: what was issued before is over."),
    },
)

url_argument = click.argument("url", required=False)


@click.command(cls=Command)
@url_argument
@json_option
def show(url: str | None, as_json: bool) -> int:
    """Say whether the store answers, and since when it has its data.

    URL is sqlite:///PATH, redis://HOST or dynamodb://TABLE; without it the store is the one that AUTHKIT_STORE names. Its epoch
    is when it was created or adopted; a store that has none yet gets one by being asked. Exits with 5 if it does not answer.
    """
    from ..errors import Unavailable
    from ._store import place

    out = Output(as_json)
    found = place(url)
    epoch, why = None, None
    with out.progress(f"asking {found.shown}"):
        try:
            epoch = found.store.epoch() if found.shared else None
        except Unavailable as error:
            why = str(error)
        finally:
            found.store.close()
    state = "no" if why else "yes" if found.shared else "by its own process"
    out.table(("store", "kind", "reachable", "epoch"), [(found.shown, found.kind, state, moment(epoch, time.time()))])
    if why is not None:
        click.echo(f"authkit: {why}", err=True)
    reachable = None if not found.shared else why is None
    out.document({"store": found.shown, "kind": found.kind, "shared": found.shared, "reachable": reachable, "epoch": epoch})
    return EXITS["ok" if why is None else "unavailable"][0]


@click.command(cls=Command)
@url_argument
@click.option("--force", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@json_option
def adopt(url: str | None, force: bool, as_json: bool) -> None:
    """Take a store into use as of now: what was issued before is over.

    For a store that was restored from a copy, or that belonged to something else: what it knows of revoked tokens may be out of
    date, so every token issued before now is refused (reason store_reset), and everybody logs in again. Nothing in the store is
    deleted. A store that is new needs it not: its epoch is when it was first used.
    """
    from ._store import place

    out = Output(as_json)
    found = place(url, make=True)
    try:
        if not found.shared:
            raise Wrong("memory: is made anew by each process: there is nothing to take into use")
        before = found.store.epoch()
        if not force:
            _ask(found.shown, before)
        epoch = found.store.adopt()
    finally:
        found.store.close()
    out.line(f"{found.shown} is in use as of {moment(epoch, time.time())}", "good")
    out.line("tokens issued before are refused", "faint")
    out.document({"store": found.shown, "kind": found.kind, "epoch": epoch, "previous_epoch": before})


def _ask(shown: str, before: float) -> None:
    if not sys.stdin.isatty():
        raise Refused("every token issued before now would be refused: --force does it")
    since = moment(before, time.time())
    question = f"{shown} has its data since {since}. Every token issued before now will be refused. Adopt it?"
    if not click.confirm(question, err=True):
        raise Refused("nothing was changed")
