"""Tokens of a certified OpenID Provider, through `require_auth` on three hosts."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from authkit import Request, Response, Unavailable, require_auth
from authkit.oidc import OIDCProvider
from authkit.testing import Clock, lambda_event
from tests.servers.oidc_provider import OidcProviderServer, has_node, oidc_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not has_node(), reason="oidc-provider needs node and npm")
CLIENTS = pytest.mark.parametrize("client", ["m2m", "m2m-es256", "m2m-eddsa"])


@pytest.fixture(scope="module")
def op() -> Iterator[OidcProviderServer]:
    with oidc_provider() as server:
        yield server


@pytest.fixture(autouse=True)
def mended(op: OidcProviderServer) -> Iterator[None]:
    yield
    op.faults([])


@pytest.fixture
def provider(op: OidcProviderServer) -> OIDCProvider:
    return OIDCProvider(op.issuer, audience=op.audience)


def bearer(token: str) -> Request:
    return Request.build("GET", "/", {"authorization": f"Bearer {token}"})


def plain(request: Request) -> Response:
    return Response(200)


@CLIENTS
def test_a_plain_function_is_entered_with_its_tokens(op: OidcProviderServer, provider: OIDCProvider, client: str) -> None:
    @require_auth(provider)
    def handler(request: Request) -> Response:
        assert request.principal is not None
        return Response(200, {}, f"{request.principal.subject} {sorted(request.principal.scopes)}".encode())

    token = op.access_token(client, scope="read write")
    for _ in range(2):  # the second is recalled
        answer = handler(bearer(token))
        assert (answer.status, answer.body) == (200, f"{client} ['read', 'write']".encode())
    head, _, signature = token.rpartition(".")
    assert handler(bearer(f"{head}.{signature[::-1]}")).status == 401


@CLIENTS
def test_a_coroutine_is_entered_with_its_tokens(op: OidcProviderServer, provider: OIDCProvider, client: str) -> None:
    @require_auth(provider)
    async def handler(request: Request) -> Response:
        assert request.principal is not None
        return Response(200, {}, request.principal.subject.encode())

    assert asyncio.run(handler(bearer(op.access_token(client)))).body == client.encode()


@CLIENTS
def test_a_lambda_handler_is_entered_with_its_tokens(op: OidcProviderServer, provider: OIDCProvider, client: str) -> None:
    @require_auth(provider)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"statusCode": 200, "body": "in"}

    token = op.access_token(client)
    assert handler(lambda_event("v2", headers={"authorization": f"Bearer {token}"}), None)["statusCode"] == 200
    assert handler(lambda_event("v2", headers={"authorization": f"Bearer {token}x"}), None)["statusCode"] == 401


@CLIENTS
def test_flask_and_fastapi_let_its_tokens_in(op: OidcProviderServer, provider: OIDCProvider, client: str) -> None:
    import fastapi
    import flask
    import httpx

    token = op.access_token(client)
    sent = {"authorization": f"Bearer {token}"}
    site = flask.Flask("site")
    site.get("/")(require_auth(provider)(lambda: "in"))
    with site.test_client() as visitor:
        assert visitor.get("/", headers=sent).text == "in"
        assert visitor.get("/").status_code == 401

    api = fastapi.FastAPI()
    api.get("/")(require_auth(provider)(_endpoint))

    async def visit() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url="http://site") as visitor:
            return [(await visitor.get("/", headers=headers)).status_code for headers in (sent, {})]

    assert asyncio.run(visit()) == [200, 401]


async def _endpoint() -> str:
    return "in"


def test_its_opaque_tokens_are_refused_and_nobody_is_asked(op: OidcProviderServer, provider: OIDCProvider) -> None:
    handler = require_auth(provider)(plain)
    asked = op.counts().get("GET /jwks", 0)
    assert handler(bearer(op.access_token("m2m-opaque"))).status == 401
    assert op.counts().get("GET /jwks", 0) == asked


def test_its_rotation_is_followed(op: OidcProviderServer) -> None:
    """Another clock than the issuer's: the keys' ages go by it, and the tokens' times too."""
    clock = Clock(time.time())
    provider = OIDCProvider(op.issuer, audience=op.audience, clock=clock, monotonic=clock)
    old = op.access_token()
    provider.verify(old)
    clock.advance(40)
    op.add_keys()
    new = op.access_token()
    assert provider.verify(new).subject == provider.verify(old).subject == "m2m"
    clock.advance(40)
    op.replace_keys()
    provider.verify(op.access_token())
    for gone in (old, new):
        with pytest.raises(Exception, match="token_key"):
            provider.verify(gone)


def test_while_it_is_down_what_is_known_stands_and_what_is_not_is_503(op: OidcProviderServer, provider: OIDCProvider) -> None:
    known, other = op.access_token(), op.access_token(scope="read")
    provider.verify(known)
    op.faults([{"path": "/jwks", "status": 503}, {"path": "/.well-known/openid-configuration", "drop": True}])
    assert provider.verify(known) != provider.verify(other)
    with pytest.raises(Unavailable):
        OIDCProvider(op.issuer, audience=op.audience).verify(known)
    handler = require_auth(OIDCProvider(op.issuer, audience=op.audience))(plain)
    assert handler(bearer(known)).status == 503
