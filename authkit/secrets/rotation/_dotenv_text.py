"""The text of a `.env` file with some names changed in it, and every other byte as it was."""

from __future__ import annotations

import re
from io import StringIO

from ..versions import sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from ..versions import Sealed

_BOM = b"\xef\xbb\xbf"
_LEAD = re.compile(r"\s*")
_HEAD = re.compile(r"(export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*")
_END = re.compile(r"(?:\r\n|\n|\r)?\Z")
_TAIL = re.compile(r"[^\S\r\n]*(?:#[^\r\n]*)?\Z")
_PLAIN = re.compile(r"[A-Za-z0-9_./+=:@%,-]+")  # what no shell and no other reader of such files gives a meaning to
# Whatever follows a value in a file must not be taken for a part of it: a later quote, a comment.
_AFTER = '\n# \'x\' "y"\nL=\'x\' "y"\nM="z"\n'


def bindings(text: str) -> list[Any]:
    """The text cut into the pieces that python-dotenv reads; joined they give the text."""
    from dotenv.parser import parse_stream

    return list(parse_stream(StringIO(text, newline="")))


def names(data: Sealed) -> list[str] | None:
    """The names that a file defines, in its order; None if it cannot be read. It raises nothing: its locals hold the text."""
    text = _decoded(data)
    return None if text is None else [piece.key for piece in bindings(str(text())) if piece.key is not None and not piece.error]


def edited(data: Sealed, name: str, changes: Mapping[str, Sealed | None]) -> Sealed | str:
    """The file with every name of `changes` set to its value, or dropped (None); or what is in the way.

    A name that is there is changed where it stands, with its `export`, its comment, and its quotes if the value allows them. A
    new one comes after `name`, in the order of `changes`; `name` itself at the end. It raises nothing: locals hold the text.
    """
    behind = _decoded(data)
    if behind is None:
        return "is not UTF-8"
    text = behind()
    assert isinstance(text, str)
    pieces = bindings(text)
    if "".join(piece.original.string for piece in pieces) != text:
        return "cannot be cut into lines"
    found = {piece.key for piece in pieces if not piece.error}
    new = {key: value for key, value in changes.items() if value is not None and key not in found}
    ending = "\r\n" if "\r\n" in text else "\n"
    parts: list[str] = []
    for piece in pieces:
        part: str | None = piece.original.string
        if not piece.error and piece.key in changes:
            value = changes[piece.key]
            part = _without(piece) if value is None else _with(piece, value)
        if part is None:
            return f"has a line for {piece.key} that cannot be changed, or its new value cannot be written in such a file"
        parts.append(part)
        if piece.key == name and not piece.error and new:
            head = _HEAD.match(piece.original.string, _lead(piece))
            added = _added(new, (head.group(1) or "") if head else "", ending, parts[-1])
            if added is None:
                return f"cannot hold the new value of {name}"
            parts.append(added)
            new = {}
    if new:
        added = _added(new, "", ending, "".join(parts))
        if added is None:
            return f"cannot hold the new value of {name}"
        parts.append(added)
    result = "".join(parts)
    if text and not text.endswith(("\n", "\r")):  # it had no final newline, and gets none
        result = _END.sub("", result)
    return sealed((_BOM if data().startswith(_BOM) else b"") + result.encode())  # type: ignore[arg-type]


def _decoded(data: Sealed) -> Sealed | None:
    raw = data()
    assert isinstance(raw, bytes)
    try:
        return sealed(raw.removeprefix(_BOM).decode())
    except UnicodeDecodeError:  # not passed on: the exception holds the text
        return None


def _lead(piece: Any) -> int:
    match = _LEAD.match(piece.original.string)
    return match.end() if match else 0


def _without(piece: Any) -> str:
    """What stays of a line that is dropped: the blank lines before it; all of it, if it holds no value anyway."""
    original: str = piece.original.string
    if not (piece.value or "").strip():
        return original
    lead = original[: _lead(piece)]
    return lead[: max(lead.rfind("\n"), lead.rfind("\r")) + 1]


def _with(piece: Any, value: Sealed) -> str | None:
    original: str = piece.original.string
    head = _HEAD.match(original, _lead(piece))
    ending = _END.search(original)
    if head is None or ending is None or piece.value is None:
        return None
    rest = original[head.end() : ending.start()]
    length = _value_length(rest, piece.value)
    if length is None:
        return None
    style = rest[0] if length and rest[0] in "'\"" else ""
    quoted = quote(value, style)
    if quoted is None:
        return None
    tail = rest[length:]
    gap = " " if tail.startswith("#") else ""
    return original[: head.end()] + quoted + gap + tail + ending.group()


def _value_length(rest: str, value: str) -> int | None:
    """Where in `rest` (all after the `=`) the value ends and the comment begins; None if it cannot be told.

    A wrong answer would keep a part of the old value, as a comment.
    """
    if rest[:1] not in ("'", '"'):
        return len(value) if rest.startswith(value) and _TAIL.match(rest, len(value)) else None
    for closing in (at for at in range(1, len(rest)) if rest[at] == rest[0]):
        if _TAIL.match(rest, closing + 1) and _reads_as(rest[: closing + 1], value):
            return closing + 1
    return None


def _added(new: Mapping[str, Sealed | None], export: str, ending: str, before: str) -> str | None:
    lines = []
    for key, value in new.items():
        quoted = None if value is None else quote(value, "")
        if quoted is None:
            return None
        lines.append(f"{export}{key}={quoted}{ending}")
    return ("" if not before or before.endswith(("\n", "\r")) else ending) + "".join(lines)


def quote(value: Sealed, style: str = "") -> str | None:
    """The value as it stands after the `=`: in `style` (a quote, or none) if that gives it back, else in one that does.

    First the forms that shells and JavaScript's dotenv read the same way, then those that only python-dotenv reads exactly.
    None for bytes that are no text, and for text that no form gives back. It raises nothing: its locals hold the value.
    """
    text = value()
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    if not text or "\0" in text:
        return None
    forms = dict(_forms(text))
    chosen = sorted(forms, key=lambda form: form != style)  # the style that was there first, else in their order
    return next((forms[form] for form in chosen if _reads_as(forms[form], text)), None)


def _forms(text: str) -> Iterator[tuple[str, str]]:
    if _PLAIN.fullmatch(text):
        yield "", text
    if not set(text) & set("'\r") and not text.endswith("\\") and "\\\\" not in text:
        yield "'", f"'{text}'"
    if not set(text) & set('"\\$`\r'):
        yield '"', f'"{text}"'
    escaped = text.replace("\\", "\\\\")
    if not set(text) & set("$`"):
        yield "escaped double", '"' + escaped.replace('"', '\\"').replace("\r", "\\r") + '"'
    if "\r" not in text:
        yield "escaped single", "'" + escaped.replace("'", "\\'") + "'"
    if text[0] not in "'\"`" and not set(text) & set("\r\n"):
        yield "raw", text  # for python-dotenv before 1.2, which takes a quote after a backslash for a part of the value
    yield "escaped", '"' + escaped.replace('"', '\\"').replace("\r", "\\r") + '"'


def _reads_as(quoted: str, text: str) -> bool:
    read = {piece.key: piece.value for piece in bindings(f"K={quoted}{_AFTER}") if not piece.error}
    return read.get("K") == text and read.get("M") == "z"
