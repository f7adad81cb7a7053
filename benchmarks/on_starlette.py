"""What a guard adds to a Starlette request with a token seen before, beside what people use instead."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from authkit import chain, current_principal, require_auth

from . import _asgi, _peers
from ._table import Table, beside_peers
from ._timing import added


async def orders(request: Any) -> Any:
    return PlainTextResponse("orders")


def _app(endpoint: Any, *middleware: Middleware) -> Starlette:
    return Starlette(routes=[Route("/orders", endpoint)], middleware=middleware)


def _by_hand(endpoint: Any) -> Any:
    @functools.wraps(endpoint)
    async def guarded(request: Any) -> Any:
        claims = _peers.by_hand(request.headers.get("authorization"))
        if claims is None:
            return PlainTextResponse("", 401)
        request.state.claims = claims
        return await endpoint(request)

    return guarded


class _Backend(AuthenticationBackend):
    async def authenticate(self, conn: Any) -> Any:
        claims = _peers.by_hand(conn.headers.get("authorization"))
        return None if claims is None else (AuthCredentials(["authenticated"]), SimpleUser(claims["sub"]))


def tables(seconds: float) -> list[Table]:
    auth = require_auth(_peers.tokens())

    @auth
    async def guarded(request: Any) -> Any:
        assert current_principal() is not None
        return PlainTextResponse("orders")

    subjects = {
        "authkit": _app(guarded),
        "authkit around the app": auth(_app(orders)),
        "authkit as middleware": _app(orders, Middleware(chain(auth))),
        "PyJWT by hand": _app(_by_hand(orders)),
        "AuthenticationMiddleware": _app(
            requires("authenticated", 401)(orders), Middleware(AuthenticationMiddleware, _Backend())
        ),
    }
    loop = asyncio.new_event_loop()
    token = _peers.token()
    for app in subjects.values():
        _asgi.refuses(loop, app)
    bare = _asgi.batch(loop, _app(orders), token)
    found = added({name: (_asgi.batch(loop, app, token), bare) for name, app in subjects.items()}, seconds=seconds)
    loop.close()
    return [beside_peers("Starlette", found)]
