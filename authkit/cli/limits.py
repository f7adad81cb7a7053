"""`authkit limits show | reset`: what a rate limit has left for somebody, looked at without taking any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ._ages import span
from ._exits import Wrong
from ._frame import Command, Lazy
from ._limits import Asked, Limit, chosen, names_of, spelled
from ._options import OneOf, Whole, json_option, value_option
from ._output import Output
from ._store import store_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..stores._store import Taken

ALGORITHMS = ("token-bucket", "sliding-window", "fixed-window")  # those of authkit.stores, which --help does not load

group = Lazy(
    "limits",
    "Say what a limit has left for somebody, or forget what was used.",
    {
        "show": ("limits:show", "Say what a limit has left for a key, and take nothing."),
        "reset": ("limits:reset", "Forget what a key has used of a limit."),
    },
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What says which limit and which key are meant."""
    for option in reversed((
        click.argument("key", nargs=-1),
        click.option("--app", metavar="MODULE[:NAME]", help="The program that has the limits: a guard, handler or module."),
        click.option("--name", metavar="NAME", help="The limit's name=."),
        click.option("--limit", "limits", multiple=True, metavar="LIMIT", help="Without --app: 100/minute, as in the program."),
        click.option("--algorithm", type=OneOf(ALGORITHMS), help="With --limit; default token-bucket."),
        click.option("--burst", type=Whole(1, 999_999_999), help="With --limit, of a token bucket."),
        store_option,
        click.option("--issuer", metavar="URL", help='Of a principal; default AUTHKIT_ISSUER, "" for none.'),
        value_option,
        json_option,
    )):  # fmt: skip
        command = option(command)
    return command


class Seen(NamedTuple):
    """What is left of a limit for somebody: of its rates, and how many requests are being handled at this moment."""

    taken: Taken | None
    held: int | None


@click.command(cls=Command)
@options
def show(key: tuple[str, ...], issuer: str | None, value_from: str | None, as_json: bool, **asked: Any) -> None:
    """Say what a limit has left for a key, and take nothing.

    KEY is ip:ADDRESS, principal:SUBJECT, account:NAME (of the logins of Accounts), global, header (its value with
    --value-from), key:TEXT for what a callable returns, or raw:TEXT; one for each part of a key of several. Without it, the
    limits of --app are listed. What a process holds by lease counts as used.
    """
    out = Output(as_json)
    limits = chosen(Asked(**asked))
    if not key:
        out.table(("name", "limits", "algorithm", "counts by"), [_listed(limit) for limit in limits])
        out.document({"limits": [_document(limit) for limit in limits]})
        return
    found = []
    for limit, place in _fitting(limits, key, issuer, value_from):
        with out.progress("asking the store"):
            found.append((limit, _seen(limit, place)))
    out.table(("name", "limit", "left", "one more in"), [row for limit, seen in found for row in _rows(limit, seen)])
    out.document({"limits": [_document(limit, seen) for limit, seen in found]})


@click.command(cls=Command)
@options
def reset(key: tuple[str, ...], issuer: str | None, value_from: str | None, as_json: bool, **asked: Any) -> None:
    """Forget what a key has used of a limit.

    KEY as in show. It has all its permits again, at once where it was not refused before: a process that has refused it goes on
    until the Retry-After that it told, or for a minute at most. Places are free, but for requests that are still being handled:
    their process takes one again within ten seconds, if there is room.
    """
    out = Output(as_json)
    limits = chosen(Asked(**asked))
    if not key:
        raise Wrong("whose? give a KEY, such as ip:203.0.113.7")
    [(limit, place), *others] = _fitting(limits, key, issuer, value_from)
    if others:
        raise Wrong(f"which one? --name is one of {names_of([limit, *(other for other, _ in others)])}")
    with out.progress("asking the store"):
        before = _seen(limit, place)
        for counting in limit.counted():
            if counting is not None:
                counting.reset(place)
    left = [left for left, _ in before.taken[1]] if before.taken is not None else []
    if left:
        had = ", ".join(f"{one} of {rate.burst}" for one, rate in zip(left, limit.rates, strict=True))
        out.line(f"{limit.name}: all permits are there again ({had} were left)", "good")
    if before.held is not None:
        out.line(f"{limit.name}: all places are free again ({before.held} of {limit.at_once} were held)", "good")
    out.document({"name": limit.name, "algorithm": limit.algorithm, "left_before": left, "held_before": before.held})


def _seen(limit: Limit, place: str) -> Seen:
    limiter, gate = limit.counted()
    return Seen(None if limiter is None else limiter.take(place, 0), None if gate is None else gate.held(place))


def _fitting(
    limits: list[Limit], words: tuple[str, ...], issuer: str | None, value_from: str | None
) -> list[tuple[Limit, str]]:
    """The limits that count by such a key, and the key of each; at least one. Raises: `Wrong`."""
    from functools import cache

    from ..settings import get
    from ._limit_key import key_of

    @cache  # a pipe is read once
    def value() -> str:
        return _header(value_from)

    issuer = get("AUTHKIT_ISSUER") if issuer is None else issuer
    found, misfit = [], None
    for limit in limits:
        try:
            limit.counted()
            found.append((limit, key_of(words, limit.parts, prefix=limit.prefix, issuer=issuer, value=value)))
        except Wrong as error:  # it cannot be looked at, or counts by something else
            misfit = error
    if misfit is not None and not found:
        raise misfit
    return found


def _header(value_from: str | None) -> str:
    from ._values import given

    if value_from is None:
        raise Wrong("the header's value comes with --value-from")
    found = given(value_from, "the header")()
    return found if isinstance(found, str) else found.decode("latin-1")


def _listed(limit: Limit) -> tuple[str, str, str, str]:
    from ._limit_key import sort_of

    texts = [spelled(rate) for rate in limit.rates] + ([f"{limit.at_once} concurrent"] if limit.at_once else [])
    by = "-" if limit.parts is None else ", ".join(map(sort_of, limit.parts))
    return limit.name or "-", ", ".join(texts), limit.algorithm if limit.rates else "-", by


def _rows(limit: Limit, seen: Seen) -> list[tuple[str, str, str, str]]:
    rows = []
    for rate, (left, following) in zip(limit.rates, seen.taken[1] if seen.taken is not None else (), strict=True):
        more = "-" if left >= rate.burst else span(following) if following >= 1 else "less than 1s"
        rows.append((limit.name or "-", spelled(rate), f"{left} of {rate.burst}", more))
    if limit.at_once is not None and seen.held is not None:
        free = max(0, limit.at_once - seen.held)
        rows.append((limit.name or "-", f"{limit.at_once} concurrent", f"{free} of {limit.at_once}", "-"))
    return rows


def _document(limit: Limit, seen: Seen | None = None) -> dict[str, Any]:
    rates: list[dict[str, Any]] = [{"count": rate.count, "period": rate.period, "burst": rate.burst} for rate in limit.rates]
    said = {"name": limit.name, "algorithm": limit.algorithm, "concurrent": limit.at_once, "rates": rates}
    if seen is None:
        return said
    for rate, (left, following) in zip(rates, seen.taken[1] if seen.taken is not None else (), strict=True):
        rate |= {"left": left, "next": following}
    return said | {"held": seen.held}
