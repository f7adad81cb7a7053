"""`accounts.app`: every endpoint by its path, and nothing else."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount

from authkit import ConfigurationError
from authkit.testing import LambdaContext, lambda_event

from .parts import PASSWORD, Service, told

BODY = json.dumps({"username": "alice", "password": PASSWORD})
PATHS = {"/login": "POST", "/verify": "POST", "/refresh": "POST", "/logout": "POST", "/.well-known/jwks.json": "GET"}


@pytest.mark.parametrize("prefix", ["", "/auth", "/api/v1/auth"])
def test_every_endpoint_has_its_path(prefix):
    service = Service(prefix=prefix)
    for path, method in PATHS.items():
        other = "GET" if method == "POST" else "POST"
        wrong = service.send(prefix + path, method=other)
        assert (wrong.status, wrong.headers["allow"]) == (405, method)
        assert service.send(prefix + path, method=method).status != 404
    if prefix:
        assert service.send("/login", method="POST").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/elsewhere",
        "/login/",
        "//login",
        "/LOGIN",
        "/login/..",
        "/./login",
        "/login;x",
        "/login\0",
        "login",
        "/verify/login",
        "*",
    ],
)
def test_another_path_is_404(path):
    answer = Service().send(path, {"username": "alice", "password": PASSWORD})
    assert answer.status == 404
    assert told(answer) == {"type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found"}
    assert answer.headers["content-type"] == "application/problem+json"


def test_head_of_the_public_keys_is_get():
    assert Service().send("/.well-known/jwks.json", method="HEAD").status == 200


@pytest.mark.parametrize(
    "prefix",
    [
        "auth",
        "/",
        "/auth/",
        "//auth",
        "/a//b",
        "/a/../b",
        "/a b",
        "/\u00e9",
        "/a?b",
        "/a#b",
        "/a%2fb",
        "/a\\b",
        "/a;b",
        "/*",
        "/{x}",
        "/a\n",
        None,
        5,
    ],
    ids=ascii,
)
def test_a_wrong_prefix_is_refused_when_built(prefix):
    with pytest.raises(ConfigurationError, match="prefix"):
        Service(prefix=prefix)


def test_mounted_the_path_is_the_one_below_the_mount():
    service = Service()
    client = TestClient(Starlette(routes=[Mount("/accounts", service.accounts.app)]))
    assert client.post("/accounts/login", content=BODY, headers={"content-type": "application/json"}).status_code == 200
    flask = Flask(__name__)
    flask.add_url_rule("/<path:rest>", view_func=service.accounts.app.flask, methods=["GET", "POST"])
    got = flask.test_client().post("/login", data=BODY, headers={"content-type": "application/json"})
    assert got.status_code == 200


@pytest.mark.parametrize("kind", ["v1", "v2", "alb"])
def test_on_lambda_one_function_is_all_of_it(kind):
    service = Service(prefix="/prod")
    headers = {"content-type": "application/json"}
    answer = service.accounts.app(
        lambda_event(kind, method="POST", path="/prod/login", headers=headers, body=BODY), LambdaContext()
    )
    assert answer["statusCode"] == 200
    assert (
        service.accounts.app(lambda_event(kind, method="POST", path="/login", body=BODY), LambdaContext())["statusCode"] == 404
    )


def test_a_body_over_the_limit_of_its_endpoint_is_413():
    assert Service().send("/login", {"username": "alice", "password": "x" * 100_000}).status == 413
    assert Service().send("/elsewhere", {"username": "alice", "password": "x" * 100_000}).status == 404


def test_every_endpoint_says_what_to_call_instead():
    accounts = Service().accounts
    for name in ("login", "verify", "refresh", "logout", "jwks"):
        with pytest.raises(TypeError, match=rf"accounts\.{name} .*accounts\.authenticate"):
            getattr(accounts, name)("alice", "correct horse")
