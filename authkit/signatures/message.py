"""`Message`: the parts of a request that a signature may cover, and where it was sent to."""

from __future__ import annotations

from ..errors import InvalidSignature, RequestError
from ..http import Headers
from .structured import parse_dictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from ..http import Request
    from .structured import Member

    Pairs: TypeAlias = tuple[tuple[str, str], ...]
    AnyHeaders: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]]

_PORTS = {"http": ":80", "https": ":443"}
_AS_SENT = "/!$&'()*+,;=:@-._~"  # of a path: RFC 3986 section 3.3


class Target:
    """Where a request was sent to (RFC 9110 section 7.1), each part as it was sent.

    `scheme` and `authority` (lower case, without the scheme's own port) are None where nobody said them; `path` and `query`
    (without its "?") are None where the host hands them on in another spelling than they were sent in.
    """

    __slots__ = ("scheme", "authority", "path", "query", "_pairs", "_parameters")

    def __init__(
        self,
        scheme: str | None,
        authority: str | None,
        path: str | None,
        query: str | None,
        pairs: Callable[[], Pairs] | None = None,
    ) -> None:
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.query = query
        self._pairs = pairs
        self._parameters: dict[str, list[str]] | None = None

    def url(self) -> str:
        """The whole of it, or what follows the authority where that is not known. Raises: `InvalidSignature` where the host
        tells a part in another spelling than it was sent in."""
        if self.path is None or self.query is None:
            raise InvalidSignature("path_not_exact" if self.path is None else "query_not_exact")
        origin = "" if self.authority is None else f"{self.scheme}://{self.authority}"
        return origin + self.path + (f"?{self.query}" if self.query else "")

    def parameters(self) -> dict[str, list[str]]:
        """The decoded values of each parameter of the query, by its name as section 2.2.8 spells it. Raises: `InvalidSignature`
        with `query_malformed`."""
        found = self._parameters
        if found is None:
            found = {}
            for name, value in self._read():
                found.setdefault(encoded(name), []).append(value)
            self._parameters = found  # read once, however many of them are covered: strangers choose how many
        return found

    def _read(self) -> Pairs:
        from urllib.parse import parse_qsl

        try:
            if self._pairs is not None:
                return self._pairs()
            return tuple(parse_qsl(self.query or "", keep_blank_values=True, max_num_fields=1000))
        except (RequestError, ValueError):
            raise InvalidSignature("query_malformed") from None


def encoded(text: str) -> str:
    """A name or value of the query as section 2.2.8 spells it. What could not be decoded is never the same as anything."""
    if "\ufffd" in text:
        raise InvalidSignature("query_malformed")
    from urllib.parse import quote

    return quote(text, safe="*", errors="surrogatepass").replace("~", "%7E")


def target_of(url: str) -> Target:
    """The parts of an absolute URL, none of them decoded; a fragment is never sent. Raises: `ValueError` if it is none."""
    if not isinstance(url, str) or not _is_plain(url):
        raise ValueError("a target is an absolute URL in printable ASCII, encoded as it is sent")
    scheme, separator, rest = url.partition("#")[0].partition("://")
    scheme = scheme.lower()
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    authority = authority.lower().removesuffix(_PORTS.get(scheme, ""))
    if not separator or scheme not in _PORTS or not authority or "@" in authority or "\\" in authority:
        raise ValueError("a target is an absolute http or https URL, without user and password")
    return Target(scheme, authority, slash + path or "/", query)


def target_at(base: Target | None, request: Request) -> Target:
    """Where `request` was sent to, below `base`, which is configured: a Host or forwarded header has no say."""
    path = _sent_path(request)
    if base is None:
        return Target(None, None, path, _sent_query(request), lambda: request.query)
    prefix = (base.path or "").rstrip("/")
    joined = None if path is None else prefix + path
    return Target(base.scheme, base.authority, joined, _sent_query(request), lambda: request.query)


def _sent_path(request: Request) -> str | None:
    path = request.raw_path
    if path is None:
        # The host decodes once and does not say of what. What encodes to that, mount and all, and was signed, is
        # what was meant; any other spelling is refused because its signature does not hold.
        path = request.whole_path
        if any(character == "\ufffd" or "\ud800" <= character <= "\udfff" for character in path):
            return None
        from urllib.parse import quote

        path = quote(path, safe=_AS_SENT)
    elif request.host == "aws_lambda" and "%" in path:  # some events hold it decoded, some as sent
        return None
    if path == "":
        return "/"
    return path if path[:1] == "/" and "?" not in path and _is_plain(path) else None


def _sent_query(request: Request) -> str | None:
    query = request.query_string
    if not query:
        return None if request.query else ""  # where events hold decoded parameters only
    return query if _is_plain(query) else None


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


class Message:
    """What may be covered: the method, the target, and header fields."""

    __slots__ = ("method", "target", "headers", "_dictionaries")

    def __init__(self, method: str, target: Target, headers: AnyHeaders) -> None:
        self.method = method
        self.target = target
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self._dictionaries: dict[str, dict[str, Member]] = {}

    def dictionary(self, name: str) -> dict[str, Member]:
        """The members of a dictionary field. Raises: `InvalidSignature` with `component_malformed`."""
        found = self._dictionaries.get(name)
        if found is None:
            found = parse_dictionary(", ".join(line.strip(" \t") for line in self.headers.get_all(name)), "component_malformed")
            self._dictionaries[name] = found  # once, as above
        return found
