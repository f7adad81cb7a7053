"""What a program has, found by importing it: `module:name`, or all that stands in `module`."""

from __future__ import annotations

import importlib
import os
import re
import sys
from contextlib import redirect_stdout
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from ._exits import NotFound, Wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._guard import Guard

_PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?", re.ASCII)


def things_of(place: str) -> list[Any]:
    """The object of that name, or every one that stands in a module.

    The working directory is looked in first, as `python -m` does. What the program prints goes to stderr.
    Raises: `Wrong` for a program that cannot be imported, whatever the reason; `NotFound` for a name that is not in it.
    """
    if not _PLACE.fullmatch(place):
        raise Wrong("--app is module:name, or a module")
    module, _, path = place.partition(":")
    found: Any = _imported(module)
    for name in path.split(".") if path else ():
        if not hasattr(found, name):
            raise NotFound("there is nothing of the name that --app gives in its module")
        found = getattr(found, name)
    return [found] if path else list(vars(found).values())


def guards_in(things: Iterable[Any]) -> list[Guard]:
    """Every guard among them, each once: of a guard, a chain, a guarded handler or app."""
    guards = (guard for thing in things for guard in _within(_outermost(thing)))
    return list({id(guard): guard for guard in guards}.values())


def _imported(module: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):
            return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # its words may hold anything: its kind and its place are enough
        steps = extract_tb(error.__traceback__)
        place = f" ({os.path.basename(steps[-1].filename)}, line {steps[-1].lineno})" if steps else ""
        raise Wrong(f"the program that --app names cannot be imported: {type(error).__name__}{place}") from None


def _outermost(thing: Any) -> tuple[Guard, ...]:
    from .._guard import Guard
    from .._wrap import mark_of

    if isinstance(thing, Guard):
        return (thing,)
    mark = mark_of(thing)
    return () if mark is None else (mark.chain,)


def _within(guards: Iterable[Guard]) -> Iterator[Guard]:
    for guard in guards:
        inner = getattr(guard, "guards", ())
        if inner:
            yield from _within(inner)
        else:
            yield guard
