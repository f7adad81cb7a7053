"""The `Forwarded` header field (RFC 7239 section 4), read strictly: a line that is not its grammar names nobody."""

from __future__ import annotations

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_UNQUOTED = _TOKEN | frozenset(":[]")  # real proxies write for=[2001:db8::1] and for=192.0.2.1:80 without the quotes due


def nodes(line: str) -> list[str]:
    """The `for` of each element of one field line, in order; "" where an element has none, or cannot be read.

    A line with an open quote is one unreadable element: a client could otherwise swallow what a proxy appended to it.
    """
    found: list[str] = []
    pairs: dict[str, str] = {}
    place, length, good = 0, len(line), True
    while place <= length:
        place = _skip_space(line, place)
        name, place = _run(line, place, _TOKEN)
        if name:
            if line[place : place + 1] != "=":
                return [""]
            value, place = _value(line, place + 1)
            if value is None:
                return [""]
            good = good and name.lower() not in pairs
            pairs[name.lower()] = value
        place = _skip_space(line, place)
        if place < length and line[place] not in ",;":
            return [""]
        if place >= length or line[place] == ",":
            found.append(_node(pairs.get("for", "")) if good else "")
            pairs, good = {}, True
        place += 1
    return found


def _node(value: str) -> str:
    """A node with an obfuscated port (`192.0.2.1:_http`) without it; the address itself is judged by who asked."""
    host, colon, port = value.rpartition(":_")
    return host if colon and port and _TOKEN.issuperset(port) else value


def _skip_space(line: str, place: int) -> int:
    while line[place : place + 1] in (" ", "\t"):
        place += 1
    return place


def _run(line: str, place: int, allowed: frozenset[str]) -> tuple[str, int]:
    start = place
    while place < len(line) and line[place] in allowed:
        place += 1
    return line[start:place], place


def _value(line: str, place: int) -> tuple[str | None, int]:
    if line[place : place + 1] != '"':
        return _run(line, place, _UNQUOTED)
    kept: list[str] = []
    place += 1
    while place < len(line):
        char = line[place]
        if char == '"':
            return "".join(kept), place + 1
        if char == "\\":
            place += 1
            char = line[place : place + 1]
        kept.append(char)
        place += 1
    return None, place
