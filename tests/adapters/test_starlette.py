"""Starlette's AuthenticationMiddleware with a guard behind it, in a real app."""

from __future__ import annotations

import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthenticationError, UnauthenticatedUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from authkit import ConfigurationError, allow_ips, chain, require_auth, require_roles, verify_webhook
from authkit.adapters.starlette import GuardBackend, PrincipalUser
from authkit.testing import TokenMint

from .parts import MALFORMED, MINT, TWO, Down, bearer


async def whoami(request):
    user = request.user
    if isinstance(user, UnauthenticatedUser):
        return JSONResponse({"user": None, "scopes": list(request.auth.scopes)})
    return JSONResponse({"user": user.display_name, "identity": user.identity, "scopes": list(request.auth.scopes)})


@requires("orders:read")
async def orders(request):
    return JSONResponse({"orders": []})


async def socket(websocket):
    await websocket.accept()
    await websocket.send_text(websocket.user.display_name)
    await websocket.close()


def app(backend, **more):
    middleware = [Middleware(AuthenticationMiddleware, backend=backend, **({"on_error": backend.on_error} | more))]
    return Starlette(
        routes=[Route("/", whoami), Route("/orders", orders), WebSocketRoute("/ws", socket)], middleware=middleware
    )


async def ask(backend, path="/", headers=(), **more):
    transport = httpx.ASGITransport(app(backend, **more))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


async def test_a_good_token_is_a_user_with_its_scopes():
    answer = await ask(GuardBackend(MINT.tokens), headers=bearer(MINT.good("alice", scopes=["orders:read"])))
    assert answer.json() == {
        "user": "alice", "identity": [MINT.issuer, "alice"], "scopes": ["authenticated", "orders:read"],
    }  # fmt: skip


async def test_nothing_sent_is_nobody_and_requires_decides():
    assert (await ask(GuardBackend(MINT.tokens))).json() == {"user": None, "scopes": []}
    assert (await ask(GuardBackend(MINT.tokens), "/orders")).status_code == 403
    assert (await ask(GuardBackend(MINT.tokens), "/orders", bearer(MINT.good()))).status_code == 403
    assert (await ask(GuardBackend(MINT.tokens), "/orders", bearer(MINT.good(scopes=["orders:read"])))).status_code == 200


async def guarded(headers):
    """What the guard itself answers around the same app."""
    inner = Starlette(routes=[Route("/", lambda request: JSONResponse({}))])
    transport = httpx.ASGITransport(require_auth(MINT.tokens)(inner))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/", headers=headers)


@pytest.mark.parametrize("line", MALFORMED)
async def test_the_header_is_read_as_the_guard_reads_it(line):
    mine, theirs = await ask(GuardBackend(MINT.tokens), headers={"authorization": line}), await guarded({"authorization": line})
    assert (mine.status_code, mine.content, dict(mine.headers)) == (
        theirs.status_code, theirs.content, dict(theirs.headers),
    )  # fmt: skip
    assert mine.status_code == 400


async def test_every_bad_token_is_refused_with_the_guards_own_bytes():
    theirs = await guarded(bearer("bad"))
    for name, token in MINT.bad().items():
        mine = await ask(GuardBackend(MINT.tokens), headers=bearer(token))
        assert (mine.status_code, mine.content, dict(mine.headers)) == (401, theirs.content, dict(theirs.headers)), name


async def test_two_credentials_are_refused_in_one_line_and_in_two():
    assert (await ask(GuardBackend(MINT.tokens), headers=TWO)).status_code == 400
    lines = [("authorization", f"Bearer {MINT.good()}"), ("authorization", f"Bearer {MINT.good()}")]
    assert (await ask(GuardBackend(MINT.tokens), headers=lines)).status_code == 400


async def test_a_credential_that_cannot_be_judged_is_503():
    answer = await ask(GuardBackend(Down()), headers=bearer("abc"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


async def test_without_on_error_it_is_still_refused_and_shows_nothing():
    answer = await ask(GuardBackend(MINT.tokens), headers=bearer("bad.to.ken"), on_error=None)
    assert (answer.status_code, answer.text) == (400, "invalid_token")


async def test_a_whole_chain_decides():
    backend = GuardBackend(chain(allow_ips("10.0.0.0/8"), require_auth(MINT.tokens), require_roles("admin")))
    answer = await ask(backend, headers=bearer(MINT.good(roles=["admin"])))
    assert (answer.status_code, json.loads(answer.content)["code"]) == (403, "forbidden")


def test_a_websocket_knows_its_user_and_a_bad_one_is_closed():
    with TestClient(app(GuardBackend(MINT.tokens))) as client:
        with client.websocket_connect("/ws", headers=bearer(MINT.good("alice"))) as connection:
            assert connection.receive_text() == "alice"
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws", headers=bearer("bad")) as connection:
            connection.receive_text()


def test_another_authentication_error_is_answered_401():
    connection = HTTPConnection({"type": "http", "headers": []})
    answer = GuardBackend.on_error(connection, AuthenticationError("secret detail"))
    assert answer.status_code == 401
    assert b"secret" not in answer.body


def test_a_user_is_kept_by_issuer_and_subject():
    first, second = MINT.tokens.verify(MINT.good("alice")), TokenMint(issuer="https://b.example")
    other = second.tokens.verify(second.good("alice"))
    assert PrincipalUser(first).identity != PrincipalUser(other).identity
    assert PrincipalUser(first).is_authenticated


@pytest.mark.parametrize(
    "build",
    [
        lambda: GuardBackend(allow_ips("10.0.0.0/8")),
        lambda: GuardBackend(require_auth(MINT.tokens), cookie="session"),
        lambda: GuardBackend(chain(verify_webhook("github", secret="s" * 32), require_auth(MINT.tokens))),
        lambda: GuardBackend(object()),
    ],
)
def test_a_guard_that_cannot_be_asked_here_is_refused_when_it_is_built(build):
    with pytest.raises(ConfigurationError):
        build()
