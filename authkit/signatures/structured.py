"""Structured fields (RFC 9651), as far as signed requests need them: dictionaries of items and inner lists.

Strict: no decimals, dates or display strings, one spelling of base64, and no key twice, where the RFC lets the last one win.
Nothing that is sent raises anything but `InvalidSignature`.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64

from ..errors import InvalidSignature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Bare: TypeAlias = "str | int | bool | bytes | Token"
    Parameters: TypeAlias = tuple[tuple[str, Bare], ...]
    Member: TypeAlias = "Item | InnerList"

MAX_FIELD = 16_384  # characters of one field, its lines combined
MAX_MEMBERS = 64  # of a dictionary, an inner list, or a set of parameters

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_SPACES = re.compile(r" *")


class Token(str):
    """A token, which is another value than the string of the same letters."""

    __slots__ = ()


class Item:
    """A value with its parameters."""

    __slots__ = ("value", "parameters")

    def __init__(self, value: Bare, parameters: Parameters = ()) -> None:
        self.value = value
        self.parameters = parameters

    def __str__(self) -> str:
        return _bare_text(self.value) + parameters_text(self.parameters)


class InnerList:
    """Items in parentheses, with parameters of the list."""

    __slots__ = ("items", "parameters")

    def __init__(self, items: tuple[Item, ...], parameters: Parameters = ()) -> None:
        self.items = items
        self.parameters = parameters

    def __str__(self) -> str:
        return "(" + " ".join(str(item) for item in self.items) + ")" + parameters_text(self.parameters)


def parse_dictionary(text: str, reason: str = "field_malformed") -> dict[str, Member]:
    """The members of a dictionary field, in order. Raises: `InvalidSignature` with `reason` for anything else."""
    if not isinstance(text, str) or len(text) > MAX_FIELD:
        raise InvalidSignature(reason)
    reader = _Reader(text.strip(" "), reason)
    members: dict[str, Member] = {}
    while not reader.at_end():
        key = reader.matched(_KEY).group()
        if key in members or len(members) == MAX_MEMBERS:
            raise InvalidSignature(reason)
        members[key] = reader.member() if reader.has("=") else Item(True, reader.parameters())
        if reader.at_end():
            break
        reader.matched(_COMMA)
        if reader.at_end():  # a comma, and nothing after it
            raise InvalidSignature(reason)
    return members


def dictionary_text(members: dict[str, Member]) -> str:
    """A dictionary as it is sent (RFC 9651 section 4.1.2)."""
    return ", ".join(key + _member_text(member) for key, member in members.items())


def parameters_text(parameters: Parameters) -> str:
    """Parameters as they are sent. Raises: `ValueError` for what cannot be."""
    return "".join(f";{key}" if value is True else f";{key}={_bare_text(value)}" for key, value in parameters)


def is_key(text: object) -> bool:
    """Whether `text` may name a member or a parameter."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def _member_text(member: Member) -> str:
    if isinstance(member, Item) and member.value is True:
        return parameters_text(member.parameters)
    return f"={member}"


def _bare_text(value: Bare) -> str:
    if isinstance(value, str):
        if isinstance(value, Token):
            return str(value)
        if not (value.isascii() and value.isprintable()):
            raise ValueError("a string of a structured field is printable ASCII")
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return "?1" if value else "?0"
    if isinstance(value, int):
        if not -(10**15) < value < 10**15:
            raise ValueError("an integer of a structured field has at most 15 digits")
        return str(value)
    if isinstance(value, bytes):
        return f":{b2a_base64(value, newline=False).decode()}:"
    raise ValueError("a structured field has texts, integers, truth values and bytes")


class _Reader:
    """Where we are in a field."""

    __slots__ = ("_text", "_at", "_reason")

    def __init__(self, text: str, reason: str) -> None:
        self._text = text
        self._at = 0
        self._reason = reason

    def at_end(self) -> bool:
        return self._at == len(self._text)

    def has(self, character: str) -> bool:
        """Whether `character` comes next; it is taken."""
        found = self._text.startswith(character, self._at)
        self._at += found
        return found

    def matched(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise InvalidSignature(self._reason)
        self._at = found.end()
        return found

    def member(self) -> Member:
        if not self.has("("):
            return self._item()
        items: list[Item] = []
        self.matched(_SPACES)
        while not self.has(")"):
            items.append(self._item())
            if len(items) > MAX_MEMBERS or not self._text.startswith((" ", ")"), self._at):
                raise InvalidSignature(self._reason)
            self.matched(_SPACES)
        return InnerList(tuple(items), self.parameters())

    def _item(self) -> Item:
        return Item(self._bare(), self.parameters())

    def parameters(self) -> Parameters:
        found: dict[str, Bare] = {}
        while self.has(";"):
            self.matched(_SPACES)
            key = self.matched(_KEY).group()
            if key in found or len(found) == MAX_MEMBERS:
                raise InvalidSignature(self._reason)
            found[key] = self._bare() if self.has("=") else True
        return tuple(found.items())

    def _bare(self) -> Bare:
        first = self._text[self._at : self._at + 1]
        if first == '"':
            text = self.matched(_STRING)[1]
            return re.sub(r"\\(.)", r"\1", text) if "\\" in text else text
        if first == ":":
            raw = a2b_base64_or_none(self.matched(_BYTES)[1])
            if raw is None:
                raise InvalidSignature(self._reason)
            return raw
        if first == "?":
            self._at += 1
            if self.has("1"):
                return True
            if self.has("0"):
                return False
            raise InvalidSignature(self._reason)
        if first == "-" or first.isdigit():
            return int(self.matched(_INTEGER).group())
        return Token(self.matched(_TOKEN).group())


def a2b_base64_or_none(text: str) -> bytes | None:
    """What base64 says, if it is in its one spelling: padded, and with no bits left over."""
    try:
        raw = a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return raw if b2a_base64(raw, newline=False).decode() == text else None
