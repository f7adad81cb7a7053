"""`endpoint`: one handler of ours, served on every host, with the same refusals as a guard's."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from authkit import ConfigurationError, Deny, Request, Response, Unavailable
from authkit._run import blocking
from authkit.endpoint import Endpoint, endpoint, problem, route
from authkit.errors import MalformedRequest, SecretNotFound
from authkit.testing import LambdaContext, asgi_scope, lambda_event, wsgi_environ


@endpoint(methods=("GET", "POST"), body_limit=10)
def echo(request):
    """Says what it was sent."""
    return Response.json({"method": request.method, "path": request.path, "body": request.body.decode()}, headers={"x-a": "1"})


@endpoint
async def threaded(request):
    return Response(200, {}, await blocking(lambda: threading.current_thread().name))


async def over_asgi(app, scope, body=b""):
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def over_wsgi(app, environ):
    answer = []
    body = b"".join(
        app(environ, lambda status, headers: answer.append((int(status[:3]), {name.lower(): value for name, value in headers})))
    )
    return *answer[0], body


def over_lambda(app, kind="v2", **sent):
    answer = app(lambda_event(kind, **sent), LambdaContext())
    return int(answer.get("statusCode") or answer["status"]), answer["headers"], answer["body"].encode()


def check(answer, method="POST", path="/e", body="hi"):
    status, headers, sent = answer
    assert status == 200
    assert json.loads(sent) == {"method": method, "path": path, "body": body}
    assert headers["x-a"] == "1"


async def test_bare_it_is_a_handler_of_lambda_asgi_wsgi_and_a_plain_function():
    check(over_lambda(echo, method="POST", path="/e", body="hi"))
    check(over_lambda(echo, "alb", method="POST", path="/e", body="hi"))
    check(over_wsgi(echo, wsgi_environ("POST", "/e", body="hi")))
    check(await over_asgi(echo, asgi_scope("http", "POST", "/e"), b"hi"))
    response = echo(Request.build("POST", "/e", body=b"hi"))
    check((response.status, response.headers, response.body))


async def test_by_name_it_is_the_kind_that_a_framework_wants():
    check(over_lambda(echo.aws_lambda, method="POST", path="/e", body="hi"))
    check(over_wsgi(echo.wsgi, wsgi_environ("POST", "/e", body="hi")))
    check(await over_asgi(echo.asgi, asgi_scope("http", "POST", "/e"), b"hi"))
    assert echo.flask.__name__ == echo.fastapi.__name__ == "echo"
    assert echo.aws_lambda.__doc__ == "Says what it was sent."
    with pytest.raises(TypeError, match="aws_lambda"):
        echo.aws_lambda(Request.build())


def test_flask_fastapi_and_starlette_serve_it():
    flask = Flask(__name__)
    flask.add_url_rule("/e", view_func=echo.flask, methods=["GET", "POST"])
    got = flask.test_client().post("/e", data="hi")
    check((got.status_code, got.headers, got.data))

    fastapi = FastAPI()
    fastapi.post("/e")(echo.fastapi)
    fastapi.post("/bare")(echo)
    fastapi.mount("/mounted", echo)
    client = TestClient(fastapi)
    for path, seen in (("/e", "/e"), ("/bare", "/bare"), ("/mounted/x", "/x")):
        got = client.post(path, content="hi")
        check((got.status_code, got.headers, got.content), path=seen)
    assert "parameters" not in fastapi.openapi()["paths"]["/e"]["post"], "nothing of the client's is a parameter"

    starlette = Starlette(routes=[Route("/e", echo.starlette, methods=["POST"]), Mount("/m", echo)])
    got = TestClient(starlette).post("/e", content="hi")
    check((got.status_code, got.headers, got.content))


async def test_what_blocks_runs_in_place_or_on_a_thread():
    assert over_lambda(threaded, method="POST")[2] == threading.current_thread().name.encode()
    assert (await over_asgi(threaded, asgi_scope("http", "POST")))[2].startswith(b"authkit-io")
    assert (await asyncio.to_thread(over_wsgi, threaded, wsgi_environ("POST")))[2].startswith(b"asyncio")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "get", "", "X"])
def test_another_method_is_405_and_names_the_right_ones(method):
    response = echo(Request(method, "/e", body=b""))
    assert (response.status, response.headers["allow"]) == (405, "GET, POST")
    assert b'"code":"method_not_allowed"' in response.body


def test_head_is_get_where_get_is_served():
    assert echo(Request.build("HEAD", "/e")).status == 200
    assert threaded(Request.build("HEAD", "/e")).status == 405


async def test_a_body_over_the_limit_is_413_before_the_function_runs():
    assert echo(Request.build("POST", "/e", body=b"x" * 10)).status == 200
    assert echo(Request.build("POST", "/e", body=b"x" * 11)).status == 413
    assert over_wsgi(echo, wsgi_environ("POST", "/e", body=b"x" * 11))[0] == 413
    assert (await over_asgi(echo, asgi_scope("http", "POST", "/e"), b"x" * 11))[0] == 413
    assert over_lambda(echo, method="POST", path="/e", body="x" * 11)[0] == 413


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(Unavailable("redis at secret:1", retry_after=5), 503, "temporarily_unavailable"),
     (MalformedRequest("why"), 400, "invalid_request"),
     (ConfigurationError("the key is secret"), 500, "server_error"),
     (SecretNotFound("no source has secret"), 500, "server_error")],
)  # fmt: skip
def test_what_fails_is_answered_without_detail(error, status, code):
    @endpoint
    def fails(request):
        raise error

    response = fails(Request.build("POST"))
    assert (response.status, json.loads(response.body)["code"]) == (status, code)
    assert b"secret" not in response.body
    assert b"why" not in response.body
    assert response.headers["cache-control"] == "no-store"
    assert response.headers.get("retry-after") == ("5" if status == 503 else None)


@pytest.mark.parametrize("answer", [None, {"statusCode": 200}, "x", 200, True])
def test_what_is_no_response_is_an_error_of_the_program(answer):
    @endpoint
    def wrong(request):
        return answer

    with pytest.raises(TypeError, match="must return a Response"):
        wrong(Request.build("POST"))


def test_any_other_exception_goes_up_to_the_host():
    @endpoint
    def fails(request):
        raise LookupError

    with pytest.raises(LookupError):
        fails(Request.build("POST"))


@pytest.mark.parametrize("call", [(), ("alice", "password"), (1,), ({},), ({"Records": []}, None)])
def test_a_call_that_is_no_request_is_an_error(call):
    with pytest.raises(TypeError):
        echo(*call)


def test_a_call_may_be_vetoed():
    def veto(args):
        if args and isinstance(args[0], str):
            raise TypeError("use authenticate")

    served = endpoint(lambda request: Response(204), veto=veto)
    with pytest.raises(TypeError, match="use authenticate"):
        served("alice", "password")
    assert served(Request.build("POST")).status == 204


async def test_several_are_routed_by_exact_path():
    app = route({"/one": echo, "/two": threaded})
    assert app(Request.build("POST", "/one", body=b"hi")).status == 200
    assert app(Request.build("POST", "/two")).status == 200
    assert app(Request.build("GET", "/two")).status == 405
    for path in ("/", "/three", "/one/", "//one", "/ONE", "/one/../two", "one"):
        assert app(Request.build("POST", path)).status == 404
    assert (await over_asgi(app, asgi_scope("http", "POST", "/x/one", root_path="/x"), b"hi"))[0] == 200
    assert app(Request.build("POST", "/one", body=b"x" * 11)).status == 413


async def test_alone_it_lives_through_start_up_and_shut_down():
    messages, sent = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    await echo(asgi_scope("lifespan"), receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_problem_is_a_problem_document():
    response = problem(405, "method_not_allowed", {"allow": "GET"})
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "code": "method_not_allowed",
    }
    assert isinstance(echo, Endpoint)


def test_a_function_may_answer_with_a_refusal():
    @endpoint
    async def refuses(request):
        return Deny(403, "forbidden", reason="only for the log", challenge='Bearer realm="api"')

    response = refuses(Request.build("POST"))
    assert (response.status, json.loads(response.body)["code"]) == (403, "forbidden")
    assert (response.headers["www-authenticate"], response.headers["cache-control"]) == ('Bearer realm="api"', "no-store")
    assert b"log" not in response.body


def test_routed_endpoints_keep_their_own_methods_and_limits():
    large = Endpoint(lambda request: Response(200, body=str(len(request.body))), body_limit=2_000_000)
    app = route({"/echo": echo, "/large": large})
    assert app(Request.build("POST", "/large", body=b"x" * 1_500_000)).body == b"1500000"
    assert app(Request.build("POST", "/echo", body=b"x" * 11)).status == 413
    for method in ("PUT", "TRACE", "post"):
        assert app(Request.build(method, "/echo")).headers["allow"] == "GET, POST"
        assert app(Request.build(method, "/large")).headers["allow"] == "POST"
    assert app(Request.build("GET", "/elsewhere", body=b"x" * 3_000_000)).status == 404


def test_nothing_is_exempt_from_djangos_csrf_check_unless_all_of_it_says_so():
    class Exempt(Endpoint):
        csrf_exempt = True

    own = Exempt(lambda request: Response(204))
    assert (echo.csrf_exempt, hasattr(echo.django, "csrf_exempt")) == (False, False)
    assert (own.csrf_exempt, own.django.csrf_exempt) == (True, True)
    assert (route({"/a": own}).csrf_exempt, route({"/a": own, "/b": echo}).csrf_exempt) == (True, False)
