"""The API keys that a command is about: those of a table that a URL or a setting names, or those of a program."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ._exits import NotFound, Wrong
from ._store import shown
from ._table import table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..apikeys import ApiKeys

SETTING = "AUTHKIT_APIKEYS"


def keys_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """What says which keys are meant."""
    keys = click.option("--keys", "url", metavar="URL", help=f"sqlite:///PATH or dynamodb://TABLE; default {SETTING}.")
    app = click.option(
        "--app", metavar="MODULE[:NAME]", help="The program that has the keys: its ApiKeys, a guard, or its module."
    )
    return keys(app(command))


@contextmanager
def opened(
    url: str | None, app: str | None = None, prefix: str | None = None, *, make: bool = False
) -> Iterator[tuple[str, ApiKeys]]:
    """Where the keys are, and they. `make`: a file that is not there is made.

    Raises: `Wrong`, `NotFound`, `ConfigurationError`.
    """
    from ..apikeys import ApiKeys, open_keys

    if app is not None:
        if url is not None or prefix is not None:
            raise Wrong("--keys and --prefix go without --app: a program says its own")
        yield app, _of_program(app)
        return
    stated, table = table_of(url, SETTING, "API keys", "--keys, --app", open_keys, None if make else "authkit apikeys new")
    try:
        yield shown(stated), ApiKeys(table, prefix=prefix or "ak")
    finally:
        close = getattr(table, "close", None)
        if close is not None:
            close()


def _of_program(app: str) -> ApiKeys:
    from ._program import guards_in, things_of

    things = things_of(app)
    found = list({id(keys): keys for keys in (*_keys(things), *_in_guards(guards_in(things)))}.values())
    if not found:
        raise NotFound("the program has no ApiKeys there")
    if len(found) > 1:
        raise Wrong("the program has several ApiKeys there: say which, as module:name")
    if found[0].in_place:
        raise Wrong("the program keeps its API keys in memory: nothing outside its process can look")
    return found[0]


def _keys(things: Iterable[Any]) -> Iterator[ApiKeys]:
    from ..apikeys import ApiKeys

    for thing in things:
        if isinstance(thing, ApiKeys):
            yield thing


def _in_guards(guards: Iterable[Any]) -> Iterator[ApiKeys]:
    """The keys of `require_api_key` and `require_auth`."""
    for guard in guards:
        for one in (getattr(guard, "_at", None), *getattr(guard, "_authenticators", ())):
            yield from _keys([getattr(one, "keys", None), one])
