"""What was shown to somebody with a session is in no cache after their logout, unless the page says so itself."""

from __future__ import annotations

import fastapi
import fastapi.testclient
import flask
import pytest

from authkit import Request, Response, Tokens, any_of, chain, require_auth, require_roles
from authkit.testing import LambdaContext, lambda_event
from tests.oidc.login_parts import Browser, login_at

OWN = "public, max-age=60"
DEFAULT = "private, no-store"


@pytest.fixture(scope="module")
def alice():
    with login_at() as op:
        browser = Browser(op.login())
        browser.log_in(op)
        yield browser


def cookies(browser: Browser) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


def test_a_page_that_says_nothing_of_it_is_private_and_one_that_does_is_left_alone(alice):
    guard = require_auth(alice.logins[0].session)
    says_nothing = guard(lambda request: Response(200, {}, b"hello"))
    says = guard(lambda request: Response(200, {"Cache-Control": OWN}))
    assert alice.send(says_nothing, "GET", "/").headers.get_all("cache-control") == [DEFAULT]
    assert alice.send(says, "GET", "/").headers.get_all("cache-control") == [OWN]


def test_who_was_let_in_without_a_session_is_answered_as_the_handler_says(alice):
    tokens = Tokens("a secret of our own, that is long enough", issuer="https://us", audience="https://us")
    session = alice.logins[0].session
    stranger = Browser(alice.logins[0])
    page = require_auth(session, tokens)(lambda request: Response(200))
    assert "cache-control" not in stranger.send(page, "GET", "/", authorization="Bearer " + tokens.issue("carol")).headers
    anybody = require_auth(session, optional=True)(lambda request: Response(200))
    assert "cache-control" not in stranger.send(anybody, "GET", "/").headers
    assert alice.send(anybody, "GET", "/").headers["cache-control"] == DEFAULT


def test_it_holds_in_a_chain_among_alternatives_and_further_in_and_a_refusal_is_stored_by_nobody(alice):
    session = alice.logins[0].session
    tokens = Tokens("a secret of our own, that is long enough", issuer="https://us", audience="https://us")

    def page(request: Request) -> Response:
        return Response(200, {"cache-control": OWN} if request.path == "/own" else {})

    guard = require_auth(session)
    for guarded in (
        chain(guard)(page),
        any_of(require_auth(tokens), guard)(page),
        guard(guard(page)),
        guard(require_auth(tokens, session)(page)),
    ):
        assert alice.send(guarded, "GET", "/").headers.get_all("cache-control") == [DEFAULT]
        assert alice.send(guarded, "GET", "/own").headers.get_all("cache-control") == [OWN]
    refused = alice.send(chain(guard, require_roles("owner"))(page), "GET", "/")
    assert (refused.status, refused.headers.get_all("cache-control")) == (403, ["no-store"])


def test_in_fastapi_a_page_speaks_for_itself_behind_the_decorator_and_behind_a_dependency(alice):
    guard = require_auth(alice.logins[0].session)
    app = fastapi.FastAPI()

    @app.get("/decorated")
    @guard
    def decorated(response: fastapi.Response, own: bool = False):
        if own:
            response.headers["Cache-Control"] = OWN
        return {}

    @app.get("/depending", dependencies=[fastapi.Depends(guard.dependency)])
    def depending(response: fastapi.Response, own: bool = False):
        if own:
            response.headers["Cache-Control"] = OWN
        return {}

    @app.get("/returned")
    @guard
    def returned(own: bool = False):
        return fastapi.responses.PlainTextResponse("hello", headers={"Cache-Control": OWN} if own else {})

    with fastapi.testclient.TestClient(app, base_url="https://site.example", headers=cookies(alice)) as client:
        for path in ("/decorated", "/depending", "/returned"):
            assert client.get(path).headers.get_list("cache-control") == [DEFAULT]
            assert client.get(path, params={"own": "true"}).headers.get_list("cache-control") == [OWN]


def test_in_flask_and_on_lambda_a_page_speaks_for_itself_too(alice):
    guard = require_auth(alice.logins[0].session)
    app = flask.Flask(__name__)

    @app.get("/<kind>")
    @guard
    def page(kind: str):
        return ("hello", 200, {"Cache-Control": OWN}) if kind == "own" else "hello"

    @guard
    def handler(event, context):
        headers = {"Cache-Control": OWN} if event["rawPath"] == "/own" else {}
        return {"statusCode": 200, "body": "hello", "headers": headers}

    client = app.test_client(use_cookies=False)
    for path, said in (("/own", OWN), ("/other", DEFAULT)):
        assert client.get(path, headers=cookies(alice)).headers.getlist("cache-control") == [said]
        sent = lambda_event("v2", path=path, headers=cookies(alice))
        answer = handler(sent, LambdaContext())
        assert [text for name, text in answer["headers"].items() if name.lower() == "cache-control"] == [said]
