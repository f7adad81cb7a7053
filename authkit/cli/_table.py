"""The table that a command is about, of users or of API keys: named by a URL, or by a setting."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ._exits import NotFound, Wrong

if TYPE_CHECKING:
    from collections.abc import Callable


def table_of(
    url: str | None, setting: str, noun: str, options: str, open_: Callable[[str], Any], maker: str | None
) -> tuple[str, Any]:
    """The URL, and the table that `open_` makes of it. `options`: how a URL is given. `maker`: the command that makes a file;
    None: this one does.

    Raises: `Wrong` where none is named, or one of another process's memory; `NotFound` for a file that is not there;
    `ConfigurationError` for what is no such URL.
    """
    from ..settings import get
    from ..stores._open import path_in

    stated = get(setting) if url is None else url
    if stated is None:
        raise Wrong(f"no {noun} are named: give {options}, or set {setting}")
    if stated.startswith("memory:"):
        raise Wrong(f"{noun} in memory are those of one process: nothing outside it can look")
    table = open_(stated)
    path = path_in(stated.removeprefix("sqlite:")) if stated.startswith("sqlite:") else None
    if path is not None and maker is not None and not os.path.lexists(path):
        raise NotFound(f"there is no {noun} file of that name: {maker} makes it")
    return stated, table
