"""What proxies say in headers about who came to them: `X-Forwarded-For`, `Forwarded`, and those that hold one address.

Lists are read from the right, as far as somebody asks: what a client wrote stands left of what a proxy appended, and changes
nothing about that. `Forwarded` (RFC 7239 section 4) is read strictly: where its grammar ends, going left, is nobody.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .http import Headers

LISTS = ("x-forwarded-for", "forwarded")  # every proxy appends to these; any other header holds one address
_FARTHEST = 4096  # characters from the right: some hundred proxies; what is left of them is not looked at
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_UNQUOTED = _TOKEN | frozenset(":[]")  # real proxies write for=[2001:db8::1] and for=192.0.2.1:80 without the quotes due
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def entries(headers: Headers, name: str) -> Iterator[str] | None:
    """What the header holds, the nearest first; None if it was not sent, or sent empty. "" is nobody's address."""
    lines = [line for line in headers.get_all(name) if line.strip(" \t")]
    if not lines:
        return None
    if name not in LISTS:
        return iter(lines)
    return _from_the_right(lines, nodes if name == "forwarded" else _parts)


def _from_the_right(lines: list[str], read: Callable[[str], Iterator[str]]) -> Iterator[str]:
    """The entries of all lines, the last first; then, if it was too far, "" for all that is left of there."""
    budget = _FARTHEST
    for line in reversed(lines):
        if budget <= 0:
            yield ""
            return
        if len(line) <= budget:
            yield from read(line)
        else:
            *whole, _cut = read(line[-budget:])
            yield from whole
            yield ""
            return
        budget -= len(line)


def _parts(line: str) -> Iterator[str]:
    return reversed(line.split(","))


def nodes(line: str) -> Iterator[str]:
    """The `for` of each element of one field line, the last first; "" for one that has none, or has a name twice.

    The first that cannot be read is "", and so is all that is left of it: a quote that a client left open there swallows
    nothing, as what a proxy appended has been read by then.
    """
    end = len(line)
    pairs: dict[str, str] = {}
    good = True
    while True:
        pair = _pair(line, _skip_space(line, end))
        if pair is None:
            yield ""
            return
        name, value, end = pair
        if name:
            good = good and name not in pairs
            pairs[name] = value
        end = _skip_space(line, end)
        if end and line[end - 1] not in ",;":
            yield ""
            return
        if not end or line[end - 1] == ",":
            yield _node(pairs.get("for", "")) if good else ""
            pairs, good = {}, True
        if not end:
            return
        end -= 1


def _node(value: str) -> str:
    """A node with an obfuscated port (`192.0.2.1:_http`) without it; the address itself is judged by who asked."""
    host, colon, port = value.rpartition(":_")
    return host if colon and port and _TOKEN.issuperset(port) else value


def _pair(line: str, end: int) -> tuple[str, str, int] | None:
    """The name, in lower case, and the value of the pair that ends there, and where it begins; no name: there is no pair."""
    if end and line[end - 1] == '"':
        start = _opening(line, end - 1)
        if start is None:
            return None
        value = _ESCAPED.sub(r"\1", line[start + 1 : end - 1])
    else:
        start = _run(line, end, _UNQUOTED)
        value = line[start:end]
    if not start or line[start - 1] != "=":
        return None if value or start != end else ("", "", end)
    end = start - 1
    start = _run(line, end, _TOKEN)
    return (line[start:end].lower(), value, start) if start != end else None


def _opening(line: str, closing: int) -> int | None:
    """The place of the quote that the one at `closing` closes: the next to the left that is not escaped."""
    if _is_escaped(line, closing):
        return None
    place = line.rfind('"', 0, closing)
    while place >= 0 and _is_escaped(line, place):
        place = line.rfind('"', 0, place)
    return place if place >= 0 else None


def _is_escaped(line: str, place: int) -> bool:
    start = place
    while start and line[start - 1] == "\\":
        start -= 1
    return (place - start) % 2 == 1


def _skip_space(line: str, end: int) -> int:
    while end and line[end - 1] in " \t":
        end -= 1
    return end


def _run(line: str, end: int, allowed: frozenset[str]) -> int:
    """Where what is allowed begins, that ends there."""
    while end and line[end - 1] in allowed:
        end -= 1
    return end
