"""Whether guards cover a route: for every path that the route may be asked for, and for real, not in shadow."""

from __future__ import annotations

import re

from .._chain import Chain
from .._compose import PUBLIC_MARK, HookGuard
from .._guard import Guard
from .._wrap import mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeAlias

    from .._paths import Paths

    # A guard, and the mount below which it stands: it sees paths relative to that.
    Cover: TypeAlias = tuple[Guard, str]

_PARAMETER = re.compile(r"\{[^{}]*\}|<[^<>]*>")  # Starlette's, and those of Flask and Django
_ANYTHING, _SOMETHING, _DIGITS = "/*", "*", "0"  # what a segment of a pattern stands for, where it is no literal


def why_open(covers: Iterable[Cover], path: str) -> str | None:
    """None if one of the guards covers every request to the route `path`; else what an honest reader would be told."""
    reasons: list[str] = []
    for guard, base in covers:
        reason = _why_not(guard, path.removeprefix(base) or "/")
        if reason is None:
            return None
        if reason not in reasons:
            reasons.append(reason)
    return "; ".join(reasons) or "no guard covers it"


def _why_not(guard: Guard, path: str) -> str | None:
    if isinstance(guard, HookGuard):
        return "a response hook lets everything through"
    if not isinstance(guard, Chain):
        return None
    if guard._shadow:
        return "its guard is only a shadow"
    if guard._exempt is not None and _may_be_exempt(guard._exempt, path):
        return "except_for leaves it open"
    reasons = [_why_not(item, path) for item in guard.guards]
    return None if None in reasons else reasons[0]


def _may_be_exempt(exempt: Paths, pattern: str) -> bool:
    """Whether a path of this route may be one that `except_for` names: a parameter may have any value."""
    segments = [_kind_of(segment) for segment in _split(pattern)]
    exact = any(_fits(segments, path.split("/")[1:], prefix=False) for path in exempt._exact)
    return exact or any(_fits(segments, stem.split("/")[1:-1], prefix=True) for stem in exempt._below)


def _split(pattern: str) -> list[str]:
    """The segments of a pattern; a slash inside a parameter (a regular expression, say) parts nothing."""
    inside = _PARAMETER.sub(lambda found: found.group().replace("/", "\0"), pattern)
    return [segment.replace("\0", "/") for segment in inside.lstrip("/").split("/")]


def _kind_of(segment: str) -> str:
    if re.search(r"[\\^$()\[\]+?|]", segment):  # Django's re_path: whatever it says
        return _ANYTHING
    found = _PARAMETER.search(segment)
    if found is None:
        return segment
    parameter = found.group()
    inner = parameter[1:-1]
    converter = inner.partition(":")[2] if parameter[0] == "{" else inner.rpartition(":")[0]
    if converter.partition("(")[0] not in ("", "str", "string", "int", "float", "uuid", "slug", "any"):
        return _ANYTHING  # `path`, or one of the program's own
    return _DIGITS if converter == "int" and segment == parameter else _SOMETHING


def _fits(segments: list[str], named: list[str], *, prefix: bool) -> bool:
    for place, kind in enumerate(segments):
        if kind == _ANYTHING:
            return True
        if place >= len(named):
            return prefix
        if kind == _DIGITS and not named[place].isdigit():
            return False
        if kind not in (_SOMETHING, _DIGITS, named[place]):
            return False
    return len(segments) == len(named) and not prefix


def guards_on(handler: object) -> list[Guard]:
    """The guards that a call of `handler` passes, foreign decorators in between (by `__wrapped__`) included."""
    return [guard for layer in layers(handler) for guard in _at(layer)]


def layers(handler: object) -> Iterator[object]:
    """`handler`, and what it wraps, as far as that can be told."""
    seen: set[int] = set()
    while handler is not None and id(handler) not in seen:
        seen.add(id(handler))
        yield handler
        mark = mark_of(handler)
        if mark is not None:
            handler = mark.handler
        else:
            wrapped = getattr(handler, "__wrapped__", None)
            handler = getattr(handler, "func", None) if wrapped is None else wrapped  # functools.partial


def _at(layer: object) -> list[Guard]:
    mark = mark_of(layer)
    if mark is not None:
        return [mark.chain]
    scope = getattr(layer, "__globals__", None)
    if scope is not None and scope.get("__name__") == "django.utils.decorators":
        return _of_method_decorator(layer)
    return []


def _of_method_decorator(wrapper: Any) -> list[Guard]:
    """`method_decorator` decorates at every call, and keeps its decorators in the closure of what stands in the class."""
    cells = dict(zip(wrapper.__code__.co_freevars, wrapper.__closure__ or (), strict=True))
    if "decorators" not in cells:
        return []
    found = cells["decorators"].cell_contents
    return [item for item in (found if isinstance(found, (list, tuple)) else [found]) if isinstance(item, Guard)]


def is_public(handler: object) -> bool:
    """Whether `@public` names it. A class passes its mark on to no subclass."""
    return any(PUBLIC_MARK in getattr(layer, "__dict__", ()) for layer in layers(handler))


def name_of(handler: Any) -> str:
    """How the program calls it: module and name."""
    while hasattr(handler, "func") and not hasattr(handler, "__qualname__"):
        handler = handler.func
    if not hasattr(handler, "__qualname__"):
        handler = type(handler)
    return f"{handler.__module__}.{handler.__qualname__}"


def open_methods(
    names: Iterable[str], handler_of: Callable[[str], object], covers: list[Cover], base: str, path: str
) -> dict[str, str]:
    """HTTP method -> why it is open, of a class that has a function for each."""
    found: dict[str, str] = {}
    for name in names:
        handler = handler_of(name)
        if handler is None or is_public(handler):
            continue
        why = why_open([*covers, *((guard, base) for guard in guards_on(handler))], path)
        if why is not None:
            found[name.upper()] = why
    return found
