"""The neutral HTTP that guards see: `Request`, `Response`, `Headers`. No host, no socket, no framework."""

from __future__ import annotations

from .errors import BodyTooLarge, BodyUnavailable, MalformedRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, overload

MAX_BODY = 1_048_576  # bytes; what a guard that needs the body reads at most, unless it asks for another limit


def _pairs(items: Any) -> Iterable[tuple[str, str]]:
    return items.items() if hasattr(items, "items") else items  # type: ignore[no-any-return]


class Headers:
    """Case-insensitive, multi-valued, read-only header fields.

    `headers["x"]` and `get` join repeated fields with ", " (RFC 9110 section 5.3), so that a second value smuggled in
    changes what is compared. `get_all` gives them one by one.
    """

    __slots__ = ("_map",)
    _map: dict[str, list[str]]

    def __init__(self, items: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._map = {}
        for name, value in _pairs(items):
            self._map.setdefault(name.lower(), []).append(value)

    @classmethod
    def of(cls, lowered: dict[str, list[str]]) -> Headers:
        """Headers over a map that already has lower-case names; it is not copied."""
        headers = cls.__new__(cls)
        headers._map = lowered
        return headers

    def get_all(self, name: str) -> list[str]:
        """Every value of the field, in the order received; empty if it was not sent."""
        return self._map.get(name.lower(), [])

    def names(self) -> Iterable[str]:
        """The field names in lower case, each once."""
        return self._map.keys()

    if TYPE_CHECKING:

        @overload
        def get(self, name: str, default: str) -> str: ...
        @overload
        def get(self, name: str, default: None = None) -> str | None: ...

    def get(self, name: str, default: str | None = None) -> str | None:
        """The field's value, repeated fields joined; `default` if it was not sent."""
        values = self.get_all(name)
        if not values:
            return default
        return values[0] if len(values) == 1 else ", ".join(values)

    def items(self) -> Iterator[tuple[str, str]]:
        """Every field line as (lower-case name, value)."""
        for name in self.names():
            for value in self.get_all(name):
                yield name, value

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(list(self.names()))

    def __eq__(self, other: object) -> bool:
        return sorted(self.items()) == sorted(other.items()) if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:  # values may be credentials
        return f"<{type(self).__name__} {sorted(self.names())}>"


def check_field(name: str, value: str) -> None:
    """Raises `ValueError` for a response header that not every host could send as it is (RFC 9110 section 5.5): a value with a
    control character, a line break above all, or one outside latin-1; a name that is not ASCII letters, digits, "-" and "_"."""
    if not (value.isascii() and value.isprintable()) and any(_is_unfit(character) for character in value):
        raise ValueError(f"the value of response header {name!r} holds a line break, another control or what is not latin-1")
    if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError("a response header name is ASCII letters, digits, '-' and '_'")


def _is_unfit(character: str) -> bool:
    return (character < " " and character != "\t") or character == "\x7f" or character > "\xff"


class MutableHeaders(Headers):
    """Response headers. What `check_field` refuses raises `ValueError`."""

    __slots__ = ()

    def __init__(self, items: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._map = {}
        for name, value in _pairs(items):
            self.add(name, value)

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self.lines())

    def lines(self) -> list[tuple[str, str]]:
        """Every field line as (lower-case name, value), as they are now."""
        return [(name, value) for name, values in self._map.items() for value in values] if self._map else []

    def add(self, name: str, value: str) -> None:
        """Add one field line, beside those that are there."""
        check_field(name, value)
        self._map.setdefault(name.lower(), []).append(value)

    def __setitem__(self, name: str, value: str) -> None:
        kept = self._map.pop(name.lower(), None)
        try:
            self.add(name, value)
        except ValueError:
            if kept is not None:
                self._map[name.lower()] = kept
            raise

    def __delitem__(self, name: str) -> None:
        del self._map[name.lower()]

    def setdefault(self, name: str, value: str) -> None:
        """Set the field unless it is there."""
        if name not in self:
            self[name] = value


class Request:
    """What a guard sees of a request, on whatever host.

    `path` is what the host gives to its router (decoded once); `raw_path` is as sent, where the host tells. `peer` is the
    address that the host itself vouches for, None where it has none; `peer_is_socket` says that it is a socket's other end
    (perhaps a proxy), not a platform's word. `params` are path parameters, `route` the route's pattern, both where the host
    gives them. `native` is the host's own object (event, scope, environ, framework request).
    """

    __slots__ = (
        "host", "method", "path", "raw_path", "query_string", "peer", "peer_is_socket", "scheme", "websocket", "native",
        "state",
        "_headers", "_query", "_body",
    )  # fmt: skip
    answered = False  # True where the platform has answered the client before it called us: nothing can be refused any more
    lifespan = False  # True for an ASGI app's start-up and shut-down. A class attribute: no client can set it.
    # What `_read_body` gives and raises, without waiting, where the host was handed the body with the call.
    _body_at_hand: Any = None  # a method: (limit) -> bytes
    host: str
    method: str
    path: str
    raw_path: str | None
    query_string: str
    peer: str | None
    peer_is_socket: bool
    scheme: str
    websocket: bool
    native: Any
    state: Any  # the chain's own record of this request; None outside a chain
    _headers: Headers | None
    _query: tuple[tuple[str, str], ...] | None
    _body: bytes | None

    def __init__(
        self,
        method: str,
        path: str,
        *,
        host: str = "function",
        raw_path: str | None = None,
        query_string: str = "",
        headers: Headers | None = None,
        peer: str | None = None,
        peer_is_socket: bool = True,
        scheme: str = "https",
        websocket: bool = False,
        native: Any = None,
        body: bytes | None = None,
    ) -> None:
        self.host = host
        self.method = method
        self.path = path
        self.raw_path = raw_path
        self.query_string = query_string
        self.peer = peer
        self.peer_is_socket = peer_is_socket
        self.scheme = scheme
        self.websocket = websocket
        self.native = native
        self.state = None
        self._headers = headers
        self._query = None
        self._body = body

    @classmethod
    def build(
        cls,
        method: str = "GET",
        path: str = "/",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        peer: str | None = None,
        *,
        scheme: str = "https",
    ) -> Request:
        """A request of your own: for plain functions, for `chain.decide`, and for tests. `path` may carry a query."""
        path, _, query = path.partition("?")
        return cls(
            method, path, raw_path=path, query_string=query, headers=Headers(headers), peer=peer, scheme=scheme, body=body
        )

    def clone(self, headers: Headers) -> Request:
        """This request with other headers."""
        other = Request.__new__(Request)
        for name in Request.__slots__:
            setattr(other, name, getattr(self, name))
        other._headers = headers
        return other

    # What a host reads only when somebody asks. Host files override these and `_read_body`.

    def _read_headers(self) -> Headers:
        return Headers()

    def _read_query(self) -> tuple[tuple[str, str], ...]:
        if not self.query_string:
            return ()
        from urllib.parse import parse_qsl

        try:
            return tuple(parse_qsl(self.query_string, keep_blank_values=True, max_num_fields=1000))
        except ValueError:
            raise MalformedRequest("too_many_parameters") from None

    def _read_params(self) -> Mapping[str, Any]:
        return {}

    def _read_route(self) -> str | None:
        return None

    @property
    def whole_path(self) -> str:
        """`path`, and before it what it is mounted below: what the client asked for, decoded once."""
        return self.path

    @property
    def headers(self) -> Headers:
        headers = self._headers
        if headers is None:
            headers = self._headers = self._read_headers()
        return headers

    def field(self, name: str) -> list[str]:
        """Every value of one header, in order; what `headers.get_all(name)` gives."""
        return self.headers.get_all(name)

    @property
    def params(self) -> Mapping[str, Any]:
        return self._read_params()

    @property
    def route(self) -> str | None:
        return self._read_route()

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query parameters in order, decoded; repeated names stay repeated."""
        query = self._query
        if query is None:
            query = self._query = self._read_query()
        return query

    @property
    def cookies(self) -> dict[str, list[str]]:
        """Cookies by name, every value of a repeated name kept (RFC 6265 section 5.4 sends the most specific first)."""
        found: dict[str, list[str]] = {}
        for line in self.headers.get_all("cookie"):
            for pair in line.split(";"):
                name, separator, value = pair.strip().partition("=")
                if separator:
                    found.setdefault(name, []).append(value)
        return found

    @property
    def body(self) -> bytes:
        """The raw body. A guard that reads it says so with `@guard(body=True)`; otherwise it raises `BodyUnavailable`."""
        if self._body is None:
            raise BodyUnavailable("the body was not read: a guard that needs it says so with @guard(body=True)")
        return self._body

    async def load_body(self, limit: int = MAX_BODY) -> bytes:
        """Read the body once, at most `limit` bytes, and keep it for everybody in this request.

        Raises: `BodyTooLarge` past the limit, `BodyUnavailable` where the host's own code has consumed it.
        """
        body = self._body
        if body is None:
            body = await self._read_body(limit)
        if len(body) > limit:
            raise BodyTooLarge
        self._body = body
        if self.state is not None:
            self.state.body = body  # for a chain further in, which has a request object of its own
        return body

    async def _read_body(self, limit: int) -> bytes:
        return b""

    def seconds_left(self) -> float | None:
        """How long the host lets the handler run from now on; None where it does not say."""
        return None

    @property
    def principal(self) -> Any:
        """The `Principal` that the guards so far have established, or None."""
        return self.state.principal if self.state is not None else None

    def __repr__(self) -> str:  # no query and no header values: they may be credentials
        return f"<Request {self.method} on {self.host}>"


class Response:
    """A response in no host's form. `headers` may be changed by response hooks."""

    __slots__ = ("status", "headers", "body")
    status: int
    headers: MutableHeaders
    body: bytes

    def __init__(
        self, status: int = 200, headers: Mapping[str, str] | Iterable[tuple[str, str]] = (), body: bytes | str = b""
    ) -> None:
        self.status = status
        self.headers = MutableHeaders(headers)
        self.body = body.encode() if isinstance(body, str) else body

    @classmethod
    def json(cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """A response whose body is `value` as JSON. `Cache-Control: no-store` unless `headers` says otherwise."""
        import json

        response = cls(status, headers or {}, json.dumps(value, separators=(",", ":")).encode())
        response.headers.setdefault("content-type", "application/json")
        response.headers.setdefault("cache-control", "no-store")
        return response

    def __repr__(self) -> str:
        return f"<Response {self.status}>"
