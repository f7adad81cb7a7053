"""The event builders, `asgi_scope` and `wsgi_environ`: what a guard sees of them is what was said, on every kind of call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authkit import Allow, Deny, chain, guard, require_auth
from authkit.testing import LambdaContext, TokenMint, asgi_scope, lambda_event, wsgi_environ

KINDS = ("v1", "v2", "function_url", "alb", "alb_multi", "edge", "edge_origin", "lattice", "lattice1", "websocket", "netlify")
MINT = TokenMint()
VECTORS = Path(__file__).parent.parent / "vectors" / "aws-events"


@guard(body=True)
def everything(request):
    """What a guard sees."""
    seen.append(
        {
            "method": request.method, "path": request.path, "query": request.query, "peer": request.peer, "body": request.body,
            "cookie": request.cookies, "x": request.headers.get("x-one"), "params": dict(request.params), "host": request.host,
        }
    )  # fmt: skip
    return Allow()


seen: list[dict[str, object]] = []


def look(kind, *args, **kwargs):
    seen.clear()

    @everything
    def handler(event, context):
        return {"statusCode": 200}

    handler(lambda_event(kind, *args, **kwargs), LambdaContext())
    return seen[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_guard_sees_of_an_event_what_was_said(kind):
    headers = [("X-One", "1"), ("Cookie", "a=b; c=d")]
    got = look(kind, "PUT", "/a/b?x=1&y=two%20words", headers, b"{}", peer="192.0.2.1", params={"id": "7"})
    nameless = kind == "websocket"  # a connection has neither method, path, body nor parameters
    peer = None if kind == "netlify" else "192.0.2.1"
    assert (got["method"], got["body"]) == (("GET", b"") if nameless else ("PUT", b"{}"))
    assert got["path"] == ("/$connect" if nameless else "/a/b")
    assert got["query"] == (("x", "1"), ("y", "two words"))
    assert (got["x"], got["cookie"], got["peer"]) == ("1", {"a": ["b"], "c": ["d"]}, peer)
    assert got["params"] == ({"id": "7"} if kind in ("v1", "v2", "function_url") else {})


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "websocket"])
def test_a_body_that_is_no_text_arrives_whole(kind):
    assert look(kind, "POST", "/", body=b"\xff\x00\xfe")["body"] == b"\xff\x00\xfe"


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_guard_decides_the_same_about_every_kind(kind):
    @require_auth(MINT.tokens)
    def handler(event, context, principal):
        return {"statusCode": 200, "body": principal.subject}

    assert handler(lambda_event(kind, headers={"authorization": f"Bearer {MINT.good()}"}), LambdaContext())["body"] == "alice"
    refused = handler(lambda_event(kind), LambdaContext())
    assert int(refused.get("statusCode") or refused["status"]) == 401


@pytest.mark.parametrize("kind", ["v1", "alb_multi", "edge", "lattice", "netlify"])
def test_two_credentials_stay_two(kind):
    @require_auth(MINT.tokens)
    def handler(event, context):
        return {"statusCode": 200}

    lines = [("Authorization", f"Bearer {MINT.good()}"), ("Authorization", f"Bearer {MINT.good()}")]
    refused = handler(lambda_event(kind, headers=lines), LambdaContext())
    assert int(refused.get("statusCode") or refused["status"]) == 400


SAMPLES = {
    "v1": "pt-apiGatewayProxyEvent.json", "v2": "pt-apiGatewayProxyV2Event.json",
    "function_url": "pt-lambdaFunctionUrlEvent.json",
    "alb": "pt-albEvent.json", "alb_multi": "pt-albMultiValueHeadersEvent.json", "edge": "lambda-edge-viewer-request.json",
    "lattice": "pt-vpcLatticeV2Event.json", "lattice1": "pt-vpcLatticeEvent.json",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "sample"), SAMPLES.items())
def test_an_event_has_the_members_of_a_recorded_one_and_no_others(kind, sample):
    recorded = json.loads((VECTORS / sample).read_text())
    built = lambda_event(kind, "POST", "/x?a=b", {"cookie": "a=b"}, "body", params={"id": "1"})
    ours, theirs = built, recorded
    if kind == "edge":
        ours, theirs = (event["Records"][0]["cf"]["request"] for event in (built, recorded))
    optional = {"version", "stageVariables", "cookies", "queryStringParameters", "pathParameters", "body", "multiValueHeaders"}
    assert set(ours) - set(theirs) <= optional
    assert set(theirs) - set(ours) <= optional
    assert set(built.get("requestContext", {})) <= {
        *recorded.get("requestContext", {}), "resourceId", "domainPrefix", "domainName", "requestTimeEpoch", "requestTime",
    }  # fmt: skip
    json.dumps(built)


def test_a_kind_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="alb_multi"):
        lambda_event("sqs")


def test_the_context_is_what_lambda_gives():
    context = LambdaContext(remaining_ms=1234, function_name="orders")
    assert context.get_remaining_time_in_millis() == 1234
    assert context.function_name in context.invoked_function_arn
    assert context.aws_request_id


async def test_an_asgi_scope_is_a_request_to_an_asgi_app():
    @guard
    def see(request):
        seen.append((request.method, request.path, request.raw_path, request.query, request.peer, request.headers.get_all("a")))
        return Allow()

    async def app(scope, receive, send):
        seen.append(scope["type"])

    async def nothing(*_):
        return {"type": "http.request", "body": b"", "more_body": False}

    seen.clear()
    scope = asgi_scope("http", "DELETE", "/a%20b", [("A", "1"), ("A", "2")], query="q=1", root_path="")
    await chain(see)(app)(scope, nothing, nothing)
    assert seen == [("DELETE", "/a b", "/a%20b", (("q", "1"),), "203.0.113.7", ["1", "2"]), "http"]


async def test_an_asgi_scope_of_a_websocket_and_of_a_lifespan_are_what_they_say():
    socket = asgi_scope("websocket", path="/ws", headers={"Sec-WebSocket-Protocol": "a, b"})
    assert (socket["type"], socket["subprotocols"], socket["scheme"]) == ("websocket", ["a", "b"], "wss")
    assert "method" not in socket
    assert asgi_scope("lifespan")["type"] == "lifespan"
    assert asgi_scope(http_version="2")["http_version"] == "2"
    with pytest.raises(ValueError, match="lifespan"):
        asgi_scope("sse")


def test_a_wsgi_environ_is_a_request_to_a_wsgi_app():
    @guard(body=True)
    def see(request):
        seen.append((request.method, request.path, request.query, request.peer, request.headers.get("a"), request.body))
        return Deny(403, "seen")

    def app(environ, start_response):
        raise AssertionError("not entered")

    seen.clear()
    status: list[str] = []
    environ = wsgi_environ("POST", "/a%20b?q=1", [("A", "1"), ("A", "2"), ("Content-Type", "text/plain")], "body")
    chain(see)(app)(environ, lambda line, headers: status.append(line))
    assert seen == [("POST", "/a b", (("q", "1"),), "203.0.113.7", "1,2", b"body")]
    assert status[0].startswith("403")
    assert environ["CONTENT_TYPE"] == "text/plain"
