"""The store that a command is about: named by a URL, or by `AUTHKIT_STORE`, and shown without credentials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import click

from ._exits import NotFound, Wrong

if TYPE_CHECKING:
    from ..stores import Store

SETTING = "AUTHKIT_STORE"
_SQLITE = "sqlite:///"

store_option = click.option(
    "--store",
    "url",
    metavar="URL",
    help=f"sqlite:///PATH, redis://HOST or dynamodb://TABLE; default {SETTING}, the place for a URL with a password.",
)


class Place(NamedTuple):
    """`kind`: "memory", "sqlite", "redis" or "dynamodb". `shown`: its URL without credentials and options."""

    store: Store
    kind: str
    shown: str

    @property
    def shared(self) -> bool:
        """Whether other processes have the same store."""
        return self.kind != "memory"


def place(url: str | None, *, make: bool = False) -> Place:
    """The store at `url`, or at the setting's if None. Does no I/O but to look for a file, which only `make` makes.

    Raises: `Wrong` for a URL on the command line that has credentials, and where there is none at all; `NotFound` for a file
    that is not there; `ConfigurationError` for what is no store.
    """
    from ..settings import get
    from ..stores import open_store

    if url is not None and not url.startswith(_SQLITE) and ("@" in url or "password" in url):
        raise Wrong(f"other users see a command line: put a URL with credentials into {SETTING}")
    stated = get(SETTING) if url is None else url
    if stated is None:
        raise Wrong(f"no store is named: give its URL, or set {SETTING}")
    store = open_store(stated)
    found = Place(store, kind_of(stated), shown(stated))
    if found.kind == "sqlite" and not make and not os.path.lexists(_path(stated)):
        raise NotFound("there is no store file of that name: the first process that counts or notes something makes it")
    return found


def kind_of(url: str) -> str:
    scheme = url.partition(":")[0].partition("+")[0]
    return "redis" if scheme == "rediss" else scheme


def shown(url: str) -> str:
    """`url` without user, password and query. What is not clearly free of them is not shown."""
    if url.startswith(_SQLITE):
        return url
    scheme, _, rest = url.partition("://")
    if not rest:
        return url.partition(":")[0] + ":"
    rest = rest.partition("?")[0].partition("#")[0]
    credentials, at, place = rest.rpartition("@")
    if "@" in credentials or (at and "/" in credentials):
        return f"{scheme}://..."
    return f"{scheme}://{place}"


def _path(url: str) -> str:
    from urllib.parse import unquote

    return unquote(url.removeprefix(_SQLITE), errors="surrogateescape")
