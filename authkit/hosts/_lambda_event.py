"""The request in an event that API Gateway, a load balancer, CloudFront, VPC Lattice or Netlify hands to a Lambda function.

Nothing here believes an event to be well formed. A member of the wrong type makes the request malformed (400) when a guard
asks for it; a method or path of the wrong type is empty, which no guard takes for a safe method or an exempt path.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64

from ..errors import BodyTooLarge, MalformedRequest
from ..http import Headers, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

V1, V2, WEBSOCKET = "v1", "v2", "websocket"  # API Gateway: REST; HTTP and Function URL; WebSocket
ALB, EDGE, NETLIFY = "alb", "edge", "netlify"
LATTICE_V1, LATTICE = "lattice1", "lattice"

_MALFORMED = "malformed_event"


class EventHeaders(Headers):
    """Over a map of the event itself, names in whatever spelling: a field is looked at when somebody asks for it.

    One name in two spellings is a repeated field, so a look-up passes every name; the length tells nearly all of them apart.
    """

    __slots__ = ("_values", "_cookies")

    def __init__(self, values: Mapping[str, Any], cookies: object = None) -> None:
        self._values = values
        self._cookies = cookies  # HTTP APIs and Function URLs keep them in a list of their own

    def get_all(self, name: str) -> list[str]:
        if name.lower() != "cookie":
            return _field(self._values, name)
        texts = [text for key in self._values if key.lower() == "cookie" for text in _texts(self._values[key])]
        if self._cookies:
            texts.append("; ".join(_texts(self._cookies)))
        return texts

    def names(self) -> Iterable[str]:
        names = dict.fromkeys(name.lower() for name, value in self._values.items() if value is not None)
        return {**names, "cookie": None} if self._cookies else names


class LambdaRequest(Request):
    """An event; `context` is Lambda's own, None where the caller gave none. `kind` is the event's shape."""

    __slots__ = ("kind", "context")
    host = "aws_lambda"
    peer_is_socket = False
    kind: str
    context: Any

    # This object is made for every request: what most guards never ask for is read when one does, and nothing of `Request` is
    # called to set what is set here.

    def __init__(self, kind: str, event: dict[str, Any], method: object, path: object) -> None:
        self.kind = kind
        self.native = event
        self.method = method if isinstance(method, str) else ""
        self.path = path if isinstance(path, str) else ""
        self.state = self.context = self._headers = self._query = self._body = None

    @property
    def raw_path(self) -> str | None:  # type: ignore[override]
        return self.path

    @property
    def whole_path(self) -> str:
        """With the stage, or a custom domain's base path: REST APIs may leave it out of `path`."""
        told = _mapping(self.native.get("requestContext")).get("path") if self.kind is V1 else None
        return _text(told) or self.path

    @property
    def websocket(self) -> bool:  # type: ignore[override]
        return self.kind is WEBSOCKET

    @property
    def scheme(self) -> str:  # type: ignore[override]
        return _scheme(self) if self.kind is ALB else "https"

    @property
    def answered(self) -> bool:  # type: ignore[override]
        """Netlify runs a function of such a name in the background, after a 202 (docs.netlify.com, "Background Functions")."""
        return self.kind is NETLIFY and self.path.endswith("-background")

    @property
    def query_string(self) -> str:  # type: ignore[override]
        if self.kind is V2:
            return _text(self.native.get("rawQueryString")) or ""
        return _text(self.native["Records"][0]["cf"]["request"].get("querystring")) or "" if self.kind is EDGE else ""

    @property
    def peer(self) -> str | None:  # type: ignore[override]
        event, kind = self.native, self.kind
        if kind is V2:
            return _text(event["requestContext"]["http"].get("sourceIp"))
        if kind is V1 or kind is WEBSOCKET:
            return _text(_mapping(_mapping(event.get("requestContext")).get("identity")).get("sourceIp"))
        if kind is EDGE:
            return _text(event["Records"][0]["cf"]["request"].get("clientIp"))
        if kind is NETLIFY:
            return None
        return _last_forwarded(self)  # the event has no address; the last entry is the one that the platform appended

    def field(self, name: str) -> list[str]:
        if self._headers is None and (self.kind is V2 or self.kind is V1) and name != "cookie":
            event = self.native  # one look at the map itself costs less than a view of it
            sent = (self.kind is V1 and event.get("multiValueHeaders")) or event.get("headers")
            if type(sent) is dict:
                return _field(sent, name)
        return self.headers.get_all(name)

    def _read_headers(self) -> Headers:
        event, kind = self.native, self.kind
        try:
            if kind is EDGE:
                listed = event["Records"][0]["cf"]["request"].get("headers") or {}
                return Headers([(name, _text_of(line["value"])) for name, lines in listed.items() for line in lines])
            if kind is V2:
                return _fields(event.get("headers") or {}, event.get("cookies"))
            if kind is not LATTICE_V1:
                fields = event.get("multiValueHeaders")
                if fields:
                    return _fields(fields)
            return _fields(event.get("headers") or {})
        except (AttributeError, KeyError, TypeError):  # what should be a map, a list or a text is something else
            raise MalformedRequest(_MALFORMED) from None

    def _read_query(self) -> tuple[tuple[str, str], ...]:
        event, kind = self.native, self.kind
        if kind is V2 or kind is EDGE:
            return super()._read_query()
        try:
            if kind is LATTICE_V1:
                found = event.get("query_string_parameters")
            else:
                found = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
            pairs = _lines(found or {})
        except (AttributeError, TypeError):
            raise MalformedRequest(_MALFORMED) from None
        if kind is ALB:  # the load balancer hands parameters on as they were sent, still encoded
            from urllib.parse import unquote_plus

            pairs = [(unquote_plus(name), unquote_plus(value)) for name, value in pairs]
        return tuple(pairs)

    def _read_params(self) -> Mapping[str, Any]:
        return _mapping(self.native.get("pathParameters"))

    def _read_route(self) -> str | None:
        event = self.native
        found = event.get("routeKey") or event.get("resource") or _mapping(event.get("requestContext")).get("routeKey")
        return _text(found)

    def seconds_left(self) -> float | None:
        ask = getattr(self.context, "get_remaining_time_in_millis", None)
        left = ask() if callable(ask) else None
        return left / 1000 if isinstance(left, (int, float)) else None

    async def _read_body(self, limit: int) -> bytes:
        return self._body_at_hand(limit)

    def _body_at_hand(self, limit: int) -> bytes:
        event = self.native
        encoded: object
        if self.kind is EDGE:
            sent = _mapping(event["Records"][0]["cf"]["request"].get("body"))
            if sent.get("inputTruncated"):
                raise BodyTooLarge("body_truncated_by_cloudfront")
            data, encoded = sent.get("data"), {"base64": True, "text": False}.get(str(sent.get("encoding", "base64")))
        else:
            data = event.get("body")
            encoded = event.get("is_base64_encoded" if self.kind is LATTICE_V1 else "isBase64Encoded", False)
        if data is None:
            return b""
        if not isinstance(data, str):
            raise MalformedRequest("body_not_text")
        if encoded is not True and encoded is not False and encoded is not None:
            # "false" is true to a handler that asks `if event["isBase64Encoded"]`: it would read another body than we do.
            raise MalformedRequest(_MALFORMED)
        if (len(data) * 3 // 4 - 2 if encoded else len(data)) > limit:
            raise BodyTooLarge
        try:
            return a2b_base64(data, strict_mode=True) if encoded else data.encode()
        except (Base64Error, ValueError):  # ValueError: not ASCII, or a lone surrogate
            raise MalformedRequest("body_not_base64" if encoded else "body_not_text") from None


def _field(values: Mapping[str, Any], name: str) -> list[str]:
    """Every value of the field of that name, in whatever spelling."""
    wanted, length = name.lower(), len(name)
    keys = []
    for key in values:  # a comprehension would be one call more
        if len(key) == length and key.lower() == wanted:
            keys.append(key)
    if len(keys) == 1:
        value = values[keys[0]]
        if type(value) is str:
            return [value]
        if type(value) is list and len(value) == 1 and type(value[0]) is str:  # a REST API's, nearly always
            return value
    return [text for key in keys for text in _texts(values[key])]


def _fields(fields: object, cookies: object = None) -> Headers:
    if not isinstance(fields, dict):
        raise MalformedRequest(_MALFORMED)
    return EventHeaders(fields, cookies)


def _lines(fields: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, text) for name, value in fields.items() for text in _texts(value)]


def _texts(value: object) -> list[str]:
    """One value or a list of them. Raises: `MalformedRequest` for anything else."""
    if value is None:
        return []
    return [_text_of(item) for item in value] if isinstance(value, list) else [_text_of(value)]


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):  # events written by hand say {"content-length": 5}
        return str(value)
    raise MalformedRequest(_MALFORMED)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def read_event(event: dict[str, Any]) -> LambdaRequest | None:
    """The request in an HTTP-shaped event, or None if the event is not one."""
    about = event.get("requestContext")
    if not isinstance(about, dict):
        return _without_request_context(event)
    http = about.get("http")
    if isinstance(http, dict):  # HTTP API v2 and Function URL
        return LambdaRequest(V2, event, http.get("method"), event.get("rawPath"))
    if "elb" in about:
        return LambdaRequest(ALB, event, event.get("httpMethod"), event.get("path"))
    if "connectionId" in about and "eventType" in about:
        route = _text(about.get("routeKey"))  # what the platform routes by
        return LambdaRequest(WEBSOCKET, event, "GET", route and f"/{route}")
    if "httpMethod" in event:
        return LambdaRequest(V1, event, event["httpMethod"], event.get("path"))
    if "serviceArn" in about or "serviceNetworkArn" in about:
        return LambdaRequest(LATTICE, event, event.get("method"), _without_query(event.get("path")))
    return None


def _without_request_context(event: dict[str, Any]) -> LambdaRequest | None:
    records = event.get("Records")
    if isinstance(records, list) and records:
        cf = _mapping(_mapping(records[0]).get("cf"))
        sent = cf.get("request")
        if not isinstance(sent, dict) or "response" in cf:  # what CloudFront sends on the way back is no request
            return None
        return LambdaRequest(EDGE, event, sent.get("method"), sent.get("uri"))
    if "raw_path" in event and "method" in event:
        return LambdaRequest(LATTICE_V1, event, event["method"], _without_query(event["raw_path"]))
    if "httpMethod" in event and "path" in event:
        return LambdaRequest(NETLIFY, event, event["httpMethod"], event["path"])
    return None


def _without_query(path: object) -> str | None:
    return path.partition("?")[0] if isinstance(path, str) else None


def _last_forwarded(request: LambdaRequest) -> str | None:
    try:
        lines = request.headers.get_all("x-forwarded-for")
    except MalformedRequest:
        return None
    return lines[-1].rpartition(",")[2].strip() or None if lines else None


def _scheme(request: LambdaRequest) -> str:
    try:
        return "http" if request.headers.get("x-forwarded-proto") == "http" else "https"
    except MalformedRequest:
        return "https"
