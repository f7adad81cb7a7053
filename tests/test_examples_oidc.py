"""The examples behind an OpenID Provider, tested as their readers would: with `FakeIssuer` and the fixtures of the plugin."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from authkit.testing import BAD_OIDC_TOKENS, FakeIssuer, LambdaContext, lambda_event, open_routes

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]


@pytest.fixture
def fastapi_example(authkit_issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in [name for name in os.environ if name.startswith("AUTHKIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AUTHKIT_OIDC_ISSUER", authkit_issuer.url)
    monkeypatch.setenv("AUTHKIT_AUDIENCE", authkit_issuer.audience)
    import examples.fastapi_oidc

    return importlib.reload(examples.fastapi_oidc)


@pytest.fixture
def lambda_example(authkit_issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("OIDC_ISSUER", authkit_issuer.url)
    monkeypatch.setenv("OIDC_AUDIENCE", authkit_issuer.audience)
    import examples.lambda_oidc

    return importlib.reload(examples.lambda_oidc)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


class TestFastAPI:
    def test_orders_are_those_of_whoever_asks(self, fastapi_example: ModuleType, authkit_issuer: FakeIssuer) -> None:
        client = TestClient(fastapi_example.app)
        both = ["orders:read", "orders:write"]
        alice, bob = (bearer(authkit_issuer.token(name, scopes=both)) for name in ("alice", "bob"))
        assert client.post("/orders", json={"item": "tea"}, headers=alice).json() == {"ordered": "tea", "by": "alice"}
        assert client.get("/orders", headers=alice).json() == ["tea"]
        assert client.get("/orders", headers=bob).json() == []
        assert client.get("/health").status_code == 200

    def test_without_the_scope_it_is_403_and_without_a_token_401(
        self, fastapi_example: ModuleType, authkit_issuer: FakeIssuer
    ) -> None:
        client = TestClient(fastapi_example.app)
        reads = bearer(authkit_issuer.token(scopes=["orders:read"]))
        assert client.post("/orders", json={"item": "tea"}, headers=reads).status_code == 403
        assert client.get("/orders").status_code == 401

    def test_no_bad_token_is_let_in(self, fastapi_example: ModuleType, authkit_issuer: FakeIssuer) -> None:
        client = TestClient(fastapi_example.app)
        for name, token in authkit_issuer.bad().items():
            assert client.get("/orders", headers=bearer(token)).status_code == 401, name
        assert authkit_issuer.asked("keys") <= 2

    def test_no_route_stands_open(self, fastapi_example: ModuleType) -> None:
        pages = {"/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"}
        assert [route for route in open_routes(fastapi_example.app) if route.path not in pages] == []


class TestLambda:
    @pytest.mark.parametrize("kind", ["v1", "v2", "function_url", "alb"])
    def test_who_is_signed_in_is_greeted(self, kind: Any, lambda_example: ModuleType, authkit_issuer: FakeIssuer) -> None:
        def greet(headers: dict[str, str]) -> tuple[int, str]:
            answer = lambda_example.handler(lambda_event(kind, headers=headers), LambdaContext())
            return answer["statusCode"], answer["body"]

        assert greet(bearer(authkit_issuer.token("alice"))) == (200, "Hello, alice.")
        assert greet({})[0] == greet(bearer(authkit_issuer.id_token()))[0] == 401

    def test_the_keys_were_there_before_the_first_request(self, lambda_example: ModuleType, authkit_issuer: FakeIssuer) -> None:
        assert authkit_issuer.asked("keys") == 1
        authkit_issuer.fault("*", drop=True)
        event = lambda_event("v2", headers=bearer(authkit_issuer.token(roles=["auditor"])))
        assert lambda_example.report(event, LambdaContext())["statusCode"] == 200
        none = lambda_event("v2", headers=bearer(authkit_issuer.token()))
        assert lambda_example.report(none, LambdaContext())["statusCode"] == 403

    @pytest.mark.parametrize("name", BAD_OIDC_TOKENS)
    def test_no_token_of_another_kind_or_for_somebody_else_is_let_in(
        self, name: str, lambda_example: ModuleType, authkit_issuer: FakeIssuer
    ) -> None:
        event = lambda_event("v2", headers=bearer(authkit_issuer.bad()[name]))
        assert lambda_example.handler(event, LambdaContext())["statusCode"] == 401

    def test_it_starts_while_the_issuer_is_down_and_says_so(self) -> None:
        program = """
from authkit.testing import FakeIssuer, LambdaContext, lambda_event
import os
with FakeIssuer() as issuer:
    os.environ.update(OIDC_ISSUER=issuer.url, OIDC_AUDIENCE=issuer.audience)
    issuer.fault("*", status=503)
    from examples.lambda_oidc import handler
    event = lambda_event("v2", headers={"authorization": f"Bearer {issuer.token()}"})
    print(handler(event, LambdaContext())["statusCode"])
"""
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        assert (done.stdout, done.returncode) == ("503\n", 0), done.stderr
