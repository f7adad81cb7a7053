"""MCP servers of the official SDK, over uvicorn on loopback, with its own client."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.client import Client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from authkit import (
    ConfigurationError,
    Principal,
    Tokens,
    Unavailable,
    allow_ips,
    chain,
    rate_limit,
    require_auth,
    require_scopes,
)
from authkit.adapters.mcp import McpTokenVerifier
from authkit.oidc import OIDCProvider, ProtectedResource, TokenProfile
from authkit.testing import TokenMint
from authkit.tokens import Key
from tests.hosts.servers import listening, serving

from .parts import MALFORMED, MINT, Down, bearer

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def server_of(verifier: Any, url: str, issuer: str = MINT.issuer, scopes: list[str] | None = None) -> MCPServer:
    settings = AuthSettings(  # type: ignore[arg-type]
        issuer_url=issuer,
        resource_server_url=url,
        validate_token_resource=False,
        required_scopes=scopes,
    )
    server = MCPServer("orders", token_verifier=McpTokenVerifier(verifier), auth=settings)

    @server.tool()
    def whoami() -> str:
        token = get_access_token()
        assert token is not None
        return json.dumps([token.subject, (token.claims or {}).get("iss"), token.client_id, token.scopes])

    return server


@contextlib.contextmanager
def mcp(verifier: Any, around: Any = None, **settings: Any) -> Any:
    """An MCP server that is up, perhaps with a guard around the app; its URL, and what speaks HTTP to it."""
    listener = listening()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    app = server_of(verifier, url, **settings).streamable_http_app()
    with serving(around(app, url) if around else app, listener) as served:
        yield url, served.http


async def asked(url: str, answered: list[int] | None = None, **more: Any) -> Any:
    """What the tool says to a session of the SDK's client. `answered`: the statuses of what came over HTTP."""

    async def note(response: Any) -> None:
        if answered is not None:
            answered.append(response.status_code)

    http = create_mcp_http_client(**more)
    http.event_hooks = {"response": [note]}
    async with http, Client(streamable_http_client(url, http_client=http)) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["whoami"]
        result = await client.call_tool("whoami", {})
        return json.loads(result.content[0].text)


# With the SDK's own middleware alone


async def test_a_session_with_a_token_knows_whose_it_is():
    token = MINT.good("alice", scopes=["mcp:tools"], claims={"client_id": "client-1"})
    with mcp(MINT.tokens, scopes=["mcp:tools"]) as (url, _):
        assert await asked(url, headers=bearer(token)) == ["alice", MINT.issuer, "client-1", ["mcp:tools"]]


async def test_a_session_without_a_token_or_with_a_bad_one_does_not_begin():
    with mcp(MINT.tokens) as (url, _):
        for headers in ({}, bearer(TokenMint().good()), bearer("bad")):
            answered: list[int] = []
            with pytest.raises(BaseExceptionGroup):
                await asked(url, answered, headers=headers)
            assert set(answered) == {401}


def test_it_answers_401_and_says_where_the_metadata_are():
    with mcp(MINT.tokens) as (url, http):
        for headers in ({}, bearer("bad"), bearer(MINT.bad()["expired"])):
            answer = http.post(url, headers={**HEADERS, **headers}, json=CALL)
            assert answer.status_code == 401
            assert "/.well-known/oauth-protected-resource/mcp" in answer.headers["www-authenticate"]


def test_a_scope_that_is_missing_is_403():
    with mcp(MINT.tokens, scopes=["mcp:tools"]) as (url, http):
        answer = http.post(url, headers={**HEADERS, **bearer(MINT.good())}, json=CALL)
        assert (answer.status_code, "insufficient_scope" in answer.headers["www-authenticate"]) == (403, True)


def test_a_token_that_cannot_be_judged_is_never_401():
    with mcp(Down()) as (url, http):
        assert http.post(url, headers={**HEADERS, **bearer("abc")}, json=CALL).status_code == 500


# With the guard around the app too


def around(verifier: Any) -> Any:
    def guarded(app: Any, url: str) -> Any:
        metadata = ProtectedResource(url, MINT.issuer, scopes=["mcp:tools"], initial_scopes=["mcp:tools"])
        return require_auth(verifier, resource=metadata).except_for(metadata.path)(app)

    return guarded


async def test_a_guard_around_the_app_lets_sessions_through():
    with mcp(MINT.tokens, around(MINT.tokens)) as (url, http):
        assert (await asked(url, headers=bearer(MINT.good("alice"))))[0] == "alice"
        metadata = url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
        assert http.get(metadata).json()["resource"] == url
        refused = http.post(url, headers=HEADERS, json=CALL)
        expected = f'Bearer realm="api", scope="mcp:tools", resource_metadata="{metadata}"'
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, expected)


def test_then_the_header_is_read_as_the_guard_reads_it():
    with mcp(MINT.tokens, around(MINT.tokens)) as (url, http):
        for line in MALFORMED:
            if line == line.strip():  # the client sends no other
                assert http.post(url, headers={**HEADERS, "authorization": line}, json=CALL).status_code == 400, line
        two = [*HEADERS.items(), *bearer(MINT.good()).items(), *bearer(MINT.good()).items()]
        assert http.post(url, headers=two, json=CALL).status_code == 400


def test_then_a_token_that_cannot_be_judged_is_503():
    with mcp(Down(), around(Down())) as (url, http):
        answer = http.post(url, headers={**HEADERS, **bearer("abc")}, json=CALL)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


# The way of a client that has nothing but the server's URL


class Storage:
    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


def authorization_server(url: str, asked_for: list[dict[str, str]]) -> Starlette:
    """An authorization server for machines, whose tokens are for the resource that was asked for."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = Key(private.decode(), kid="one")

    async def metadata(request: Any) -> JSONResponse:
        said = {"authorization_endpoint": f"{url}/authorize", "token_endpoint": f"{url}/token", "jwks_uri": f"{url}/jwks"}
        return JSONResponse({"issuer": url, "response_types_supported": ["code"], **said})

    async def jwks(request: Any) -> JSONResponse:
        return JSONResponse({"keys": [key.public_jwk()]})

    async def token(request: Any) -> JSONResponse:
        form = dict(await request.form())
        asked_for.append(form)
        tokens = Tokens(key, issuer=url, audience=form["resource"])
        issued = tokens.issue("robot", scopes=form["scope"].split(), claims={"client_id": "robot"})
        return JSONResponse({"access_token": issued, "token_type": "Bearer", "expires_in": 900})

    known = [Route(f"/.well-known/{name}", metadata) for name in ("openid-configuration", "oauth-authorization-server")]
    return Starlette(routes=[*known, Route("/jwks", jwks), Route("/token", token, methods=["POST"])])


async def test_a_client_finds_the_issuer_by_our_metadata_and_gets_in():
    asked_for: list[dict[str, str]] = []
    listener, mine = listening(), listening()
    issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    url = f"http://127.0.0.1:{mine.getsockname()[1]}/mcp"
    provider = OIDCProvider(issuer, audience=url, profile=TokenProfile(types=("at+jwt", "JWT", "")))
    metadata = ProtectedResource(url, provider, scopes=["mcp:tools", "mcp:admin"], initial_scopes=["mcp:tools"])
    app = server_of(provider, url, issuer).streamable_http_app()
    app.router.routes.insert(0, Route(metadata.path, metadata.starlette))  # ours, and not the SDK's
    guarded = require_auth(provider, resource=metadata).except_for(metadata.path)(app)
    oauth = ClientCredentialsOAuthProvider(
        server_url=url, storage=Storage(), client_id="robot", client_secret="s", issuer=issuer
    )
    with serving(authorization_server(issuer, asked_for), listener), serving(guarded, mine):
        assert await asked(url, auth=oauth) == ["robot", issuer, "robot", ["mcp:tools"]]
    assert [(form["grant_type"], form["resource"], form["scope"]) for form in asked_for] == [
        ("client_credentials", url, "mcp:tools"),
    ]


# The verifier by itself


async def test_what_the_sdk_is_told():
    token = MINT.good("alice", scopes=["b", "a"], claims={"azp": "client-2"})
    found = await McpTokenVerifier(MINT.tokens).verify_token(token)
    assert found is not None
    claims = MINT.tokens.verify(token).claims
    assert (found.token, found.client_id, found.subject, found.scopes) == (token, "client-2", "alice", ["a", "b"])
    assert (found.expires_at, found.resource) == (claims["exp"], MINT.audience)
    assert found.claims == dict(claims)


async def test_without_a_client_in_the_claims_it_is_the_subject_and_without_times_there_are_none():
    class Bare:
        issuer = "https://issuer.example"

        def verify(self, token: str) -> Principal:
            return Principal("alice", issuer=self.issuer, claims={"exp": "soon", "client_id": 5, "aud": ["a", "b"]})

    found = await McpTokenVerifier(Bare()).verify_token("x")
    assert found is not None
    assert (found.client_id, found.expires_at, found.resource) == ("alice", None, None)
    assert found.claims is not None
    assert found.claims["iss"] == "https://issuer.example"


async def test_bad_tokens_are_none():
    verifier = McpTokenVerifier(MINT.tokens)
    for name, token in MINT.bad().items():
        assert await verifier.verify_token(token) is None, name
    for token in ("", " ", "a b", "a,b", "Bearer a", "é", "a\r\nb"):
        assert await verifier.verify_token(token) is None, token


async def test_an_outage_is_raised_with_how_long_to_wait():
    with pytest.raises(Unavailable) as raised:
        await McpTokenVerifier(Down()).verify_token("abc")
    assert raised.value.retry_after == 7


async def test_a_whole_chain_decides():
    verifier = McpTokenVerifier(chain(require_auth(MINT.tokens), require_scopes("mcp:tools")))
    assert await verifier.verify_token(MINT.good()) is None
    assert await verifier.verify_token(MINT.good(scopes=["mcp:tools"])) is not None


@pytest.mark.parametrize(
    "build",
    [
        lambda: McpTokenVerifier(require_scopes("mcp:tools")),
        lambda: McpTokenVerifier(MINT.tokens, cookie="session"),
        lambda: McpTokenVerifier(chain(allow_ips("10.0.0.0/8"), require_auth(MINT.tokens))),
        lambda: McpTokenVerifier(chain(rate_limit("10/minute"), require_auth(MINT.tokens))),
        lambda: McpTokenVerifier(require_auth(MINT.tokens).except_for("/health")),
    ],
)
def test_a_guard_that_looks_at_more_than_the_token_is_refused_when_it_is_built(build: Any) -> None:
    with pytest.raises(ConfigurationError):
        build()
