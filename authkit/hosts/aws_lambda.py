"""AWS Lambda: API Gateway REST (v1), HTTP (v2) and WebSocket, Function URL, ALB, VPC Lattice, Lambda@Edge, Netlify.

Whoever may invoke the function directly writes the whole event, the source address included: see SECURITY.md.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64

from .._state import State, current
from ..errors import BodyTooLarge, MalformedRequest
from ..http import Headers, Request, Response
from . import _lambda_answer as answer
from ._host import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._host import Args, Kwargs

V1, V2, ALB, WEBSOCKET, EDGE, LATTICE, LATTICE_V1, NETLIFY = "v1", "v2", "alb", "websocket", "edge", "lattice", "lattice1", "netlify"


class LambdaRequest(Request):
    """An event; `context` is Lambda's own, None where the caller gave none. `kind` is the event's shape."""

    __slots__ = ("kind", "context")
    kind: str
    context: Any

    def _read_headers(self) -> Headers:
        event, kind = self.native, self.kind
        if kind == EDGE:
            listed = event["Records"][0]["cf"]["request"].get("headers") or {}
            return Headers([(name, entry["value"]) for name, lines in listed.items() for entry in lines])
        if kind != V2 and kind != LATTICE_V1:
            multi = event.get("multiValueHeaders")
            if multi:
                return Headers([(name, str(value)) for name, values in multi.items() for value in values or ()])
        single = event.get("headers")
        if not single:
            lowered: dict[str, list[str]] = {}
        else:
            lowered = {name.lower(): [value] if type(value) is str else _texts(value) for name, value in single.items()}
            if len(lowered) != len(single):  # one name in two spellings: both values count
                return Headers([(name, text) for name, value in single.items() for text in _texts(value)])
        if kind == V2:
            cookies = event.get("cookies")
            if cookies:
                lowered.setdefault("cookie", []).append("; ".join(map(str, cookies)))
        return Headers.of(lowered)

    def _read_query(self) -> tuple[tuple[str, str], ...]:
        event = self.native
        if self.kind in (V2, EDGE):
            return super()._read_query()
        if self.kind == LATTICE_V1:
            parameters, multi = event.get("query_string_parameters"), None
        else:
            parameters, multi = event.get("queryStringParameters"), event.get("multiValueQueryStringParameters")
        pairs: list[tuple[str, str]]
        if multi:
            pairs = [(name, str(value)) for name, values in multi.items() for value in values or ()]
        else:
            pairs = [(name, text) for name, value in (parameters or {}).items() for text in _texts(value)]
        if self.kind == ALB:  # the load balancer hands parameters on as they were sent, still encoded
            from urllib.parse import unquote_plus

            pairs = [(unquote_plus(name), unquote_plus(value)) for name, value in pairs]
        return tuple(pairs)

    def _read_params(self) -> Mapping[str, Any]:
        found = self.native.get("pathParameters")
        return found if isinstance(found, dict) else {}

    def _read_route(self) -> str | None:
        event = self.native
        found = event.get("routeKey") or event.get("resource") or _mapping(event.get("requestContext")).get("routeKey")
        return found if isinstance(found, str) else None

    async def _read_body(self, limit: int) -> bytes:
        event = self.native
        if self.kind == EDGE:
            sent = _mapping(event["Records"][0]["cf"]["request"].get("body"))
            if sent.get("inputTruncated"):
                raise BodyTooLarge("body_truncated_by_cloudfront")
            data, encoded = sent.get("data"), sent.get("encoding", "base64") == "base64"
        else:
            data = event.get("body")
            encoded = event.get("is_base64_encoded" if self.kind == LATTICE_V1 else "isBase64Encoded") is True
        if data is None:
            return b""
        if not isinstance(data, str):
            raise MalformedRequest("body_not_text")
        if len(data) * 3 // 4 > limit if encoded else len(data) > limit:
            raise BodyTooLarge
        try:
            return a2b_base64(data, strict_mode=True) if encoded else data.encode()
        except (Base64Error, ValueError):  # ValueError: not ASCII, or a lone surrogate
            raise MalformedRequest("body_not_base64" if encoded else "body_not_text") from None


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]


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
    peer: str | None
    if isinstance(http, dict):  # HTTP API v2 and Function URL
        path = str(event.get("rawPath") or "/")
        request = LambdaRequest(
            str(http.get("method", "")), path, host="aws_lambda", raw_path=path, query_string=str(event.get("rawQueryString") or ""),
            peer=_text(http.get("sourceIp")), peer_is_socket=False, native=event,
        )  # fmt: skip
        request.kind = V2
        return request
    method = event.get("httpMethod")
    if isinstance(method, str):
        kind, peer = (ALB, None) if "elb" in about else (V1, _text(_mapping(about.get("identity")).get("sourceIp")))
    elif "connectionId" in about and "eventType" in about:
        kind, method, peer = WEBSOCKET, "GET", _text(_mapping(about.get("identity")).get("sourceIp"))
    elif "serviceArn" in about or "serviceNetworkArn" in about:
        kind, method, peer = LATTICE, str(event.get("method", "")), None
    else:
        return None
    path = str(event.get("path") or "/")
    request = LambdaRequest(
        method, path, host="aws_lambda", raw_path=path, peer=peer, peer_is_socket=False, websocket=kind == WEBSOCKET, native=event
    )
    request.kind = kind
    if kind == ALB or kind == LATTICE:  # neither tells the address in the event; the last entry is the one it appended itself
        request.peer = _last_forwarded(request)
        request.scheme = request.headers.get("x-forwarded-proto", "https") or "https"
    return request


def _without_request_context(event: dict[str, Any]) -> LambdaRequest | None:
    records = event.get("Records")
    if isinstance(records, list) and records and isinstance(records[0], dict):
        sent = _mapping(_mapping(records[0].get("cf")).get("request"))
        if not isinstance(sent.get("method"), str) or not isinstance(sent.get("uri"), str):
            return None
        path = sent["uri"]
        request = LambdaRequest(
            sent["method"], path, host="aws_lambda", raw_path=path, query_string=str(sent.get("querystring") or ""),
            peer=_text(sent.get("clientIp")), peer_is_socket=False, native=event,
        )  # fmt: skip
        request.kind = EDGE
        return request
    if isinstance(event.get("raw_path"), str) and isinstance(event.get("method"), str):
        path = event["raw_path"].partition("?")[0]
        kind, method = LATTICE_V1, event["method"]
    elif isinstance(event.get("httpMethod"), str) and isinstance(event.get("path"), str):
        path = event["path"]
        kind, method = NETLIFY, event["httpMethod"]
    else:
        return None
    request = LambdaRequest(method, path, host="aws_lambda", raw_path=path, peer_is_socket=False, native=event)
    request.kind = kind
    if kind == LATTICE_V1:
        request.peer = _last_forwarded(request)
    return request


def _last_forwarded(request: LambdaRequest) -> str | None:
    lines = request.headers.get_all("x-forwarded-for")
    return lines[-1].rpartition(",")[2].strip() or None if lines else None


class AwsLambda(Host):
    name = "aws_lambda"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        place = self._place(args)
        if place is None:
            return None
        event = args[place]
        if "methodArn" in event or "routeArn" in event:
            raise TypeError("this event is for a Lambda authorizer: use the guard's .authorizer() as the handler")
        request = read_event(event)
        if request is not None:
            request.context = args[place + 1]
        return request

    @staticmethod
    def _place(args: Args) -> int | None:
        """Where the event stands: first, or second in a method that was decorated directly."""
        if len(args) == 2 and isinstance(args[0], dict) and not callable(args[1]):
            return 0
        return 1 if len(args) == 3 and isinstance(args[1], dict) and not isinstance(args[0], dict) else None

    def find_state(self, request: Request) -> State | None:
        state = current.get()  # an event has no place of its own that the handler would not see
        return state if state is not None and state.native is request.native else None

    def keep_state(self, request: Request, state: State) -> None:
        state.native = request.native

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        event = answer.without_headers(request.native, names)
        request.state.native = event
        place = self._place(args) or 0
        return (*args[:place], event, *args[place + 1 :]), kwargs

    def refuse(self, request: Request, response: Response) -> Any:
        assert isinstance(request, LambdaRequest)
        return answer.from_response(request.kind, response, multi_value=_is_multi_value(request))

    def view(self, request: Request, result: Any) -> Response:
        assert isinstance(request, LambdaRequest)
        return answer.view(request.kind, result)

    def update(self, request: Request, result: Any, response: Response) -> Any:
        assert isinstance(request, LambdaRequest)
        return answer.update(request.kind, result, response, multi_value=_is_multi_value(request))


def _is_multi_value(request: LambdaRequest) -> bool:
    """Whether the answer must use `multiValueHeaders`: an ALB in that mode ignores `headers`."""
    return request.kind == ALB and "multiValueHeaders" in request.native and "headers" not in request.native


HOST = AwsLambda()
