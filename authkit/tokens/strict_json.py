"""JSON as signed data needs it: one reading only. What two parsers could read differently is refused (RFC 8725 section 2.4).

Refused: anything but UTF-8, a byte order mark, duplicate members at any level, NaN and Infinity (spelt out or as 1e999),
lone surrogates, integers of thousands of digits, nesting deeper than `MAX_DEPTH`, anything after the object.
"""

from __future__ import annotations

import sys

from ..decision import FrozenDict, FrozenList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

MAX_DEPTH = 16  # arrays and objects within each other, the outermost included

_WHITESPACE = " \t\r\n"  # RFC 8259 section 2
_INFINITY = float("inf")


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not -_INFINITY < number < _INFINITY:
        raise ValueError("a number out of range")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a duplicate member")
    return members


def _scanner(pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None) -> Callable[[str, int], tuple[Any, int]]:
    try:  # the C scanner by itself: importing json would import re with it, on the cold path
        from _json import make_scanner
    except ImportError:  # not CPython
        import json

        return json.JSONDecoder(object_pairs_hook=pairs_hook, parse_float=_finite, parse_constant=_constant).raw_decode

    class Context:
        strict = True
        object_hook = None
        object_pairs_hook = staticmethod(pairs_hook) if pairs_hook else None
        parse_float = staticmethod(_finite)
        parse_int = int
        parse_constant = staticmethod(_constant)

    return make_scanner(Context)  # type: ignore[arg-type]


_scan = _scanner(None)
_scan_pairs = _scanner(_unique)


def parse_object(raw: bytes) -> FrozenDict:
    """The one object that `raw` is, deeply immutable.

    Raises: `ValueError` for whatever is not exactly one JSON object with one possible reading.
    """
    text = str(raw, "utf-8")
    if text[:1] != "{":
        text = text.lstrip(_WHITESPACE)
    escaped = "\\" in text
    try:
        value, end = (_scan_pairs if escaped else _scan)(text, 0)
    except StopIteration:
        raise ValueError("not JSON") from None
    except SystemError:  # the scanner's own error is of json.decoder, and it loads nothing: then it has none to raise
        if "json.decoder" in sys.modules:
            raise
        raise ValueError("not JSON") from None
    except RecursionError:
        if _depth_exceeds(text, MAX_DEPTH):
            raise ValueError("nested too deeply") from None
        raise  # the program itself has no stack left
    if type(value) is not dict or (end != len(text) and text[end:].strip(_WHITESPACE)):
        raise ValueError("not one object")
    # Without escapes every string in the text has exactly two quotation marks, and a duplicate member is a string that the
    # parsed object no longer has. Counting is cheaper than a hook that is called for every object.
    claims, strings = _freeze_object(value, MAX_DEPTH)
    if escaped:
        _refuse_surrogates(claims)
    elif text.count('"') != 2 * strings:
        raise ValueError("a duplicate member")
    return claims


def _freeze_object(value: dict[str, Any], depth: int) -> tuple[FrozenDict, int]:
    """The frozen form of `value`, and how many strings are in it, names included."""
    strings = len(value)
    for name, item in value.items():
        kind = type(item)
        if kind is str:
            strings += 1
        elif kind is list or kind is dict:
            if depth == 1:
                raise ValueError("nested too deeply")
            value[name], inner = _freeze_array(item, depth - 1) if kind is list else _freeze_object(item, depth - 1)
            strings += inner
    return FrozenDict(value), strings


def _freeze_array(value: list[Any], depth: int) -> tuple[FrozenList, int]:
    strings = 0
    for index, item in enumerate(value):
        kind = type(item)
        if kind is str:
            strings += 1
        elif kind is list or kind is dict:
            if depth == 1:
                raise ValueError("nested too deeply")
            value[index], inner = _freeze_array(item, depth - 1) if kind is list else _freeze_object(item, depth - 1)
            strings += inner
    return FrozenList(value), strings


def _refuse_surrogates(value: object) -> None:
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError is a ValueError
    elif isinstance(value, dict):
        for name, item in value.items():
            name.encode()
            _refuse_surrogates(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_surrogates(item)


def _depth_exceeds(text: str, limit: int) -> bool:
    """Whether brackets outside strings nest deeper than `limit`."""
    depth = 0
    in_string = skip = False
    for character in text:
        if skip:
            skip = False
        elif in_string:
            if character == '"':
                in_string = False
            elif character == "\\":
                skip = True
        elif character == '"':
            in_string = True
        elif character in "{[":
            depth += 1
            if depth > limit:
                return True
        elif character in "}]":
            depth -= 1
    return False
