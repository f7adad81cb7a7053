"""Each host: how a guarded handler is made for it, and how a request is sent to that in this process."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from authkit import Guard, Principal, Request, Response

from . import asgi_client, wsgi_client
from .exchange import Got, Handler, Sent


class Host(NamedTuple):
    """`make` gives what the host calls: a function, a Lambda handler, an ASGI or a WSGI app. `call` is the host's part."""

    make: Callable[[Guard, Handler], Any]
    call: Callable[[Any, Sent], Got]


HOSTS: dict[str, Host] = {}


def host(call: Callable[[Any, Sent], Got]) -> Callable[[Callable[[Guard, Handler], Any]], Callable[[Guard, Handler], Any]]:
    def add(make: Callable[[Guard, Handler], Any]) -> Callable[[Guard, Handler], Any]:
        HOSTS[make.__name__] = Host(make, call)
        return make

    return add


def _got(response: Response) -> Got:
    headers = {name: response.headers.get_all(name) for name in response.headers}
    return Got(status=response.status, headers=headers, body=response.body)


def _request(sent: Sent) -> Request:
    target = sent.path + (f"?{sent.query}" if sent.query else "")
    return Request.build(sent.method, target, [("Host", "api.example"), *sent.headers], sent.body, sent.peer)


def _function(endpoint: Any, sent: Sent) -> Got:
    try:
        return _got(endpoint(_request(sent)))
    except Exception as error:
        return Got(status=None, error=type(error).__name__)


def _async_function(endpoint: Any, sent: Sent) -> Got:
    try:
        return _got(asgi_client.on_loop(endpoint(_request(sent))))
    except Exception as error:
        return Got(status=None, error=type(error).__name__)


@host(_function)
def function_sync(guard: Guard, handler: Handler) -> Any:
    @guard
    def endpoint(request: Request, principal: Principal | None) -> Response:
        return Response.json(handler.sees(principal, {n: request.headers.get(n) for n in request.headers}, request.body))

    return endpoint


@host(_async_function)
def function_async(guard: Guard, handler: Handler) -> Any:
    @guard
    async def endpoint(request: Request, principal: Principal | None) -> Response:
        await asyncio.sleep(0)
        return Response.json(handler.sees(principal, {n: request.headers.get(n) for n in request.headers}, request.body))

    return endpoint


# AWS Lambda: one handler, and events of every shape.


def _multi(pairs: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _query(sent: Sent, *, decoded: bool = True) -> dict[str, list[str]]:
    """The parameters; a load balancer hands them on as they were sent."""
    pairs = parse_qsl(sent.query) if decoded else [tuple(pair.split("=", 1)) for pair in sent.query.split("&") if pair]
    return _multi(tuple((name, value) for name, value in pairs))


def _body(sent: Sent) -> tuple[str | None, bool]:
    try:
        return (sent.body.decode() if sent.body else None), False
    except UnicodeDecodeError:
        return base64.b64encode(sent.body).decode(), True


def rest_v1(sent: Sent) -> dict[str, Any]:
    body, encoded = _body(sent)
    return {
        "resource": "/{proxy+}", "path": sent.path, "httpMethod": sent.method, "headers": dict(sent.headers) or None,
        "multiValueHeaders": _multi(sent.headers) or None, "queryStringParameters": None,
        "multiValueQueryStringParameters": _query(sent) or None, "pathParameters": None,
        "requestContext": {"identity": {"sourceIp": sent.peer}, "stage": "prod"}, "body": body, "isBase64Encoded": encoded,
    }  # fmt: skip


def http_v2(sent: Sent) -> dict[str, Any]:
    body, encoded = _body(sent)
    cookies = [cookie for name, value in sent.headers if name.lower() == "cookie" for cookie in value.split("; ")]
    headers = {name.lower(): ",".join(values) for name, values in _multi(sent.headers).items() if name.lower() != "cookie"}
    event: dict[str, Any] = {
        "version": "2.0", "routeKey": "$default", "rawPath": sent.path, "rawQueryString": sent.query, "headers": headers,
        "requestContext": {"http": {"method": sent.method, "path": sent.path, "sourceIp": sent.peer}},
        "isBase64Encoded": encoded,
    }  # fmt: skip
    if cookies:
        event["cookies"] = cookies
    if body is not None:
        event["body"] = body
    return event


def _alb(sent: Sent) -> dict[str, Any]:
    body, encoded = _body(sent)
    return {"requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/t/1"}},
            "httpMethod": sent.method, "path": sent.path, "body": body or "", "isBase64Encoded": encoded}  # fmt: skip


def _forwarded(sent: Sent) -> tuple[tuple[str, str], ...]:
    return sent.headers if sent.peer is None else (*sent.headers, ("X-Forwarded-For", sent.peer))


def alb(sent: Sent) -> dict[str, Any]:
    headers = {name.lower(): ",".join(values) for name, values in _multi(_forwarded(sent)).items()}
    query = {name: values[-1] for name, values in _query(sent, decoded=False).items()}
    return {**_alb(sent), "headers": headers, "queryStringParameters": query}


def alb_multi(sent: Sent) -> dict[str, Any]:
    headers = {name.lower(): values for name, values in _multi(_forwarded(sent)).items()}
    return {**_alb(sent), "multiValueHeaders": headers, "multiValueQueryStringParameters": _query(sent, decoded=False)}


def lattice(sent: Sent) -> dict[str, Any]:
    body, encoded = _body(sent)
    headers = {name.lower(): values for name, values in _multi(_forwarded(sent)).items()}
    return {"version": "2.0", "path": sent.path, "method": sent.method, "headers": headers,
            "queryStringParameters": _query(sent), "body": body, "isBase64Encoded": encoded,
            "requestContext": {"serviceArn": "arn:aws:vpc-lattice:eu-west-1:1:service/s"}}  # fmt: skip


def edge(sent: Sent) -> dict[str, Any]:
    headers: dict[str, list[dict[str, str]]] = {}
    for name, value in sent.headers:
        headers.setdefault(name.lower(), []).append({"key": name, "value": value})
    request: dict[str, Any] = {"method": sent.method, "uri": sent.path, "querystring": sent.query, "headers": headers}
    if sent.peer is not None:
        request["clientIp"] = sent.peer
    if sent.body:
        request["body"] = {
            "action": "read-only",
            "data": base64.b64encode(sent.body).decode(),
            "encoding": "base64",
            "inputTruncated": False,
        }
    return {"Records": [{"cf": {"config": {"eventType": "viewer-request"}, "request": request}}]}


def from_lambda(answer: dict[str, Any]) -> Got:
    headers: dict[str, list[str]] = {}
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers.setdefault(name.lower(), []).extend(values)
    for name, value in (answer.get("headers") or {}).items():
        listed = [line["value"] for line in value] if isinstance(value, list) else [value]
        headers.setdefault(name.lower(), []).extend(listed)
    if answer.get("cookies"):
        headers["set-cookie"] = answer["cookies"]
    body = answer.get("body") or ""
    return Got(
        status=int(answer.get("statusCode") or answer["status"]),
        headers=headers,
        body=base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode(),
    )


def lambda_handler(guard: Guard, handler: Handler) -> Any:
    @guard
    def endpoint(event: dict[str, Any], context: object, principal: Principal | None) -> dict[str, Any]:
        if "Records" in event:
            request = event["Records"][0]["cf"]["request"]
            headers = {name: ", ".join(line["value"] for line in lines) for name, lines in request["headers"].items()}
            body, encoded = (request.get("body") or {}).get("data") or "", True
        else:
            found = event.get("headers") or event.get("multiValueHeaders") or {}
            headers = {name.lower(): str(value) for name, value in found.items()}
            body, encoded = event.get("body") or "", event["isBase64Encoded"]
        saw = handler.sees(principal, headers, base64.b64decode(body) if encoded else body.encode())
        return {"status" if "Records" in event else "statusCode": 200, "body": json.dumps(saw)}

    return endpoint


def _lambda(build: Callable[[Sent], dict[str, Any]], endpoint: Any, sent: Sent) -> Got:
    try:
        return from_lambda(endpoint(build(sent), None))
    except Exception as error:
        return Got(status=None, error=type(error).__name__)


BUILD = {f"lambda_{build.__name__}": build for build in (rest_v1, http_v2, alb, alb_multi, lattice, edge)}
HOSTS.update({name: Host(lambda_handler, partial(_lambda, build)) for name, build in BUILD.items()})


@host(asgi_client.call)
def asgi_app(guard: Guard, handler: Handler) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        from authkit import current_principal

        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        saw = handler.sees(current_principal(), headers, body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(saw).encode()})

    return guard(app)


@host(wsgi_client.call)
def wsgi_app(guard: Guard, handler: Handler) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        from authkit import current_principal

        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        saw = handler.sees(current_principal(), {"x-custom-auth": environ.get("HTTP_X_CUSTOM_AUTH")}, body)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(saw).encode()]

    return guard(app)
