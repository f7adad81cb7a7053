"""The events of AWS's front doors and Netlify's functions, with the members that their documents name, and Lambda's context."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import parse_qsl, unquote

from ._calls import HOST, PEER, as_bytes, pairs, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal, TypeAlias

    from ._calls import Headers

    Kind: TypeAlias = Literal[
        "v1", "v2", "function_url", "alb", "alb_multi", "edge", "edge_origin", "lattice", "lattice1", "websocket", "netlify"
    ]

_TIME = 1_800_000_000_000  # milliseconds since the epoch
_TARGET_GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/app/0123456789abcdef"
_WHEN = "15/Jan/2027:08:00:00 +0000"


class LambdaContext:
    """The second argument of a Lambda handler, with the members of AWS's own."""

    def __init__(
        self,
        *,
        aws_request_id: str = "7d0c6f0e-0c1b-4a8f-8a1e-3f0d2a9b5c11",
        remaining_ms: int = 3000,
        function_name: str = "function",
    ) -> None:
        self.aws_request_id = aws_request_id
        self.function_name = function_name
        self.function_version = "$LATEST"
        self.invoked_function_arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{function_name}"
        self.memory_limit_in_mb = "128"
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = "2027/01/15/[$LATEST]0123456789abcdef0123456789abcdef"
        self.identity: Any = None
        self.client_context: Any = None
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended by force."""
        return self._remaining_ms


class _Sent:
    """One request, as the event builders read it."""

    def __init__(
        self, method: str, path: str, headers: Headers, body: bytes | str | None, query: str, peer: str | None,
        params: Mapping[str, str] | None,
    ) -> None:  # fmt: skip
        self.method = method
        self.path, self.query = split(path, query)
        self.lines = pairs(headers)
        if not any(name.lower() == "host" for name, _ in self.lines):
            self.lines.insert(0, ("host", HOST))
        self.peer = peer
        self.params = dict(params) if params else None
        self.encoded = False
        if body is None:
            self.body: str | None = None
            return
        raw = as_bytes(body)
        try:
            self.body = raw.decode()
        except UnicodeDecodeError:
            self.body, self.encoded = b64encode(raw).decode(), True

    def parameters(self, *, decoded: bool = True) -> list[tuple[str, str]]:
        if decoded:
            return parse_qsl(self.query, keep_blank_values=True)
        return [(name, value) for name, _, value in (item.partition("=") for item in self.query.split("&") if item)]

    def forwarded(self) -> list[tuple[str, str]]:
        """The lines with the client's address appended to X-Forwarded-For, as load balancers do."""
        before = [value for name, value in self.lines if name.lower() == "x-forwarded-for"]
        others = [line for line in self.lines if line[0].lower() != "x-forwarded-for"]
        chain = ", ".join([*before, *([] if self.peer is None else [self.peer])])
        return [
            *others,
            *([("x-forwarded-for", chain)] if chain else []),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "443"),
        ]


def _multi(lines: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in lines:
        found.setdefault(name, []).append(value)
    return found


def _last(lines: list[tuple[str, str]]) -> dict[str, str]:
    return dict(lines)


def _joined(lines: list[tuple[str, str]], separator: str = ",") -> dict[str, str]:
    return {name: separator.join(values) for name, values in _multi([(name.lower(), value) for name, value in lines]).items()}


def _v1(sent: _Sent) -> dict[str, Any]:
    """API Gateway REST. Nothing sent is null; the single-value maps keep the last."""
    parameters = sent.parameters()
    return {
        "resource": "/{proxy+}",
        "path": unquote(sent.path),
        "httpMethod": sent.method,
        "headers": _last(sent.lines) or None,
        "multiValueHeaders": _multi(sent.lines) or None,
        "queryStringParameters": _last(parameters) or None,
        "multiValueQueryStringParameters": _multi(parameters) or None,
        "pathParameters": sent.params,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012", "apiId": "api1234567", "resourceId": "abc123", "resourcePath": "/{proxy+}",
            "stage": "prod", "httpMethod": sent.method, "path": f"/prod{sent.path}", "protocol": "HTTP/1.1",
            "requestId": "request-id", "requestTime": _WHEN, "requestTimeEpoch": _TIME, "domainName": HOST,
            "identity": {"sourceIp": sent.peer, "userAgent": None, "accountId": None, "caller": None, "user": None},
        },
        "body": sent.body,
        "isBase64Encoded": sent.encoded,
    }  # fmt: skip


def _v2(sent: _Sent, route_key: str = "ANY /{proxy+}") -> dict[str, Any]:
    """API Gateway HTTP, format 2.0. Names in lower case, repeated ones joined, cookies in a list of their own."""
    cookies = [value for name, value in sent.lines if name.lower() == "cookie"]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": unquote(sent.path),
        "rawQueryString": sent.query,
        "headers": _joined([line for line in sent.lines if line[0].lower() != "cookie"]),
        "requestContext": {
            "accountId": "123456789012", "apiId": "api1234567", "domainName": HOST, "domainPrefix": "app",
            "requestId": "request-id", "routeKey": route_key, "stage": "$default", "time": _WHEN, "timeEpoch": _TIME,
            "http": {
                "method": sent.method, "path": unquote(sent.path), "protocol": "HTTP/1.1",
                "sourceIp": sent.peer, "userAgent": "",
            },
        },
        "isBase64Encoded": sent.encoded,
    }  # fmt: skip
    if cookies:
        event["cookies"] = [part.strip() for line in cookies for part in line.split(";")]
    if sent.query:
        event["queryStringParameters"] = _joined_exactly(sent.parameters())
    if sent.params:
        event["pathParameters"] = sent.params
    if sent.body is not None:
        event["body"] = sent.body
    return event


def _joined_exactly(parameters: list[tuple[str, str]]) -> dict[str, str]:
    return {name: ",".join(values) for name, values in _multi(parameters).items()}


def _function_url(sent: _Sent) -> dict[str, Any]:
    """A Function URL: format 2.0, with the route `$default`."""
    return _v2(sent, "$default")


def _alb(sent: _Sent) -> dict[str, Any]:
    """A load balancer's target group: parameters still encoded, the client's address only in X-Forwarded-For."""
    event = _alb_multi(sent)
    multi, query = event.pop("multiValueHeaders"), event.pop("multiValueQueryStringParameters")
    return {
        **event,
        "headers": {name: values[-1] for name, values in multi.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()},
    }


def _alb_multi(sent: _Sent) -> dict[str, Any]:
    """The same with multi-value headers turned on: then there is no `headers` at all."""
    return {
        "requestContext": {
            "elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/app/0123456789abcdef"}
        },
        "httpMethod": sent.method,
        "path": sent.path,
        "multiValueQueryStringParameters": _multi(sent.parameters(decoded=False)),
        "multiValueHeaders": _multi([(name.lower(), value) for name, value in sent.forwarded()]),
        "body": sent.body or "",
        "isBase64Encoded": sent.encoded,
    }


def _edge(sent: _Sent) -> dict[str, Any]:
    """CloudFront, viewer request, with the body included; CloudFront always encodes it."""
    headers: dict[str, list[dict[str, str]]] = {}
    for name, value in sent.lines:
        headers.setdefault(name.lower(), []).append({"key": name, "value": value})
    request: dict[str, Any] = {
        "clientIp": sent.peer, "method": sent.method, "uri": sent.path, "querystring": sent.query, "headers": headers
    }  # fmt: skip
    if sent.body is not None:
        data = sent.body if sent.encoded else b64encode(sent.body.encode()).decode()
        request["body"] = {"inputTruncated": False, "action": "read-only", "encoding": "base64", "data": data}
    config = {"distributionDomainName": "d111111abcdef8.cloudfront.net", "distributionId": "EDFDVBD6EXAMPLE",
              "eventType": "viewer-request", "requestId": "request-id"}  # fmt: skip
    return {"Records": [{"cf": {"config": config, "request": request}}]}


def _edge_origin(sent: _Sent) -> dict[str, Any]:
    """CloudFront, origin request: after its cache was asked, and with where it would go."""
    event = _edge(sent)
    cf = event["Records"][0]["cf"]
    cf["config"]["eventType"] = "origin-request"
    cf["request"]["origin"] = {
        "custom": {
            "customHeaders": {}, "domainName": "origin.example", "keepaliveTimeout": 5, "path": "", "port": 443,
            "protocol": "https", "readTimeout": 30, "sslProtocols": ["TLSv1.2"],
        }
    }  # fmt: skip
    return event


def _lattice(sent: _Sent) -> dict[str, Any]:
    """VPC Lattice, event version 2.0."""
    return {
        "version": "2.0",
        "path": sent.path + (f"?{sent.query}" if sent.query else ""),
        "method": sent.method,
        "headers": _multi([(name.lower(), value) for name, value in sent.forwarded()]),
        "queryStringParameters": _multi(sent.parameters()),
        "body": sent.body or "",
        "isBase64Encoded": sent.encoded,
        "requestContext": {
            "serviceNetworkArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:servicenetwork/sn-0123456789abcdef0",
            "serviceArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:service/svc-0123456789abcdef0",
            "targetGroupArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0",
            "identity": {"sourceVpcArn": "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0123456789abcdef0"},
            "region": "eu-west-1", "timeEpoch": str(_TIME * 1000),
        },
    }  # fmt: skip


def _lattice1(sent: _Sent) -> dict[str, Any]:
    """VPC Lattice, event version 1.0."""
    return {
        "raw_path": sent.path + (f"?{sent.query}" if sent.query else ""),
        "method": sent.method,
        "headers": _joined(sent.forwarded(), ", "),
        "query_string_parameters": _last(sent.parameters()),
        "body": sent.body or "",
        "is_base64_encoded": sent.encoded,
    }


def _websocket(sent: _Sent) -> dict[str, Any]:
    """API Gateway WebSocket, route `$connect`: neither method nor path."""
    parameters = sent.parameters()
    event: dict[str, Any] = {
        "headers": _last(sent.lines),
        "multiValueHeaders": _multi(sent.lines),
        "requestContext": {
            "routeKey": "$connect", "eventType": "CONNECT", "messageDirection": "IN", "connectionId": "L0SM9cOFvHcCIhw=",
            "requestId": "request-id", "extendedRequestId": "request-id", "apiId": "api1234567", "stage": "prod",
            "domainName": HOST, "requestTime": _WHEN, "requestTimeEpoch": _TIME, "connectedAt": _TIME,
            "identity": {"sourceIp": sent.peer},
        },
        "isBase64Encoded": sent.encoded,
    }  # fmt: skip
    if parameters:
        event.update(queryStringParameters=_last(parameters), multiValueQueryStringParameters=_multi(parameters))
    return event


def _netlify(sent: _Sent) -> dict[str, Any]:
    """Netlify Functions: like REST, without a request context."""
    lines = [(name.lower(), value) for name, value in sent.lines]
    if sent.peer is not None:
        lines.append(("x-nf-client-connection-ip", sent.peer))
    parameters = sent.parameters()
    return {
        "path": sent.path,
        "httpMethod": sent.method,
        "rawUrl": f"https://{HOST}{sent.path}" + (f"?{sent.query}" if sent.query else ""),
        "rawQuery": sent.query,
        "headers": _joined(lines, ", "),
        "multiValueHeaders": _multi(lines),
        "queryStringParameters": _joined_exactly(parameters),
        "multiValueQueryStringParameters": _multi(parameters),
        "body": sent.body or "",
        "isBase64Encoded": sent.encoded,
    }


_KINDS = {
    "v1": _v1, "v2": _v2, "function_url": _function_url, "alb": _alb, "alb_multi": _alb_multi, "edge": _edge,
    "edge_origin": _edge_origin, "lattice": _lattice, "lattice1": _lattice1, "websocket": _websocket, "netlify": _netlify,
}  # fmt: skip


def lambda_event(
    kind: Kind = "v2",
    method: str = "GET",
    path: str = "/",
    headers: Headers = (),
    body: bytes | str | None = None,
    *,
    query: str = "",
    peer: str | None = PEER,
    params: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The event for this request. `path` is as a client sends it, and may carry the query; `params` are the path parameters.

    `kind`: API Gateway REST "v1", HTTP "v2" and "websocket" (its `$connect`), "function_url", a load balancer's "alb" and
    "alb_multi", CloudFront's "edge" (viewer request) and "edge_origin" (origin request), VPC Lattice's "lattice" (version 2.0)
    and "lattice1", or "netlify". A body that is no UTF-8 is sent as base64, as the platforms do. `peer`: the client's address,
    where that kind of event tells it.
    """
    build = _KINDS.get(kind)
    if build is None:
        raise ValueError(f"kind is one of {', '.join(_KINDS)}")
    return build(_Sent(method, path, headers, body, query, peer, params))
