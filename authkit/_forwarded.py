"""What proxies say in headers about who came to them: `X-Forwarded-For`, `Forwarded`, and those that hold one address.

`Forwarded` (RFC 7239 section 4) is read strictly: a line that is not its grammar names nobody.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .http import Headers

LISTS = ("x-forwarded-for", "forwarded")  # every proxy appends to these; any other header holds one address
_LONGEST_LIST = 4096  # characters in all lines: some hundred proxies; reading a hostile list costs what it costs to send
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_UNQUOTED = _TOKEN | frozenset(":[]")  # real proxies write for=[2001:db8::1] and for=192.0.2.1:80 without the quotes due


def entries(headers: Headers, name: str) -> Iterator[str] | None:
    """What the header holds, the nearest first; None if it was not sent, or sent empty. "" is nobody's address."""
    lines = [line for line in headers.get_all(name) if line.strip(" \t")]
    if not lines:
        return None
    if name not in LISTS:
        return iter(lines)
    if sum(map(len, lines)) > _LONGEST_LIST:
        return iter(("",))
    if name == "forwarded":
        return (node for line in reversed(lines) for node in reversed(nodes(line)))
    return (entry for line in reversed(lines) for entry in reversed(line.split(",")))


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
