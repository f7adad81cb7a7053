"""What a guard adds to a FastAPI request with a token seen before, beside what people use instead.

The dependencies of the peers are `async`, which costs least: a plain function would go to a thread at every request. This
file's annotations are not postponed: FastAPI does not find the names of a function's own scope in such.
"""

import asyncio
from typing import Annotated, Any

from authx import AuthX, AuthXConfig
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from authkit import Principal, require_auth

from . import _asgi, _peers
from ._table import Table, beside_peers
from ._timing import AUDIENCE, ISSUER, SECRET, added


def _app(endpoint: Any) -> FastAPI:
    app = FastAPI()
    app.get("/orders")(endpoint)
    return app


async def orders() -> Any:
    return {"orders": 1}


def _ours() -> dict[str, Any]:
    auth = require_auth(_peers.tokens())

    @auth
    async def plain() -> Any:
        return {"orders": 1}

    @auth
    async def with_principal(principal: Principal) -> Any:
        return {"orders": 1}

    async def depends(principal: Annotated[Principal, Depends(auth.dependency)]) -> Any:
        return {"orders": 1}

    return {
        "authkit": _app(plain),
        "authkit, principal": _app(with_principal),
        "authkit, Depends": _app(depends),
        "authkit around the app": auth(_app(orders)),
    }


def _by_hand() -> dict[str, Any]:
    async def from_request(request: Request) -> dict[str, Any]:
        claims = _peers.by_hand(request.headers.get("authorization"))
        if claims is None:
            raise HTTPException(401)
        return claims

    async def from_scheme(sent: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict[str, Any]:
        claims = _peers.by_hand(f"{sent.scheme} {sent.credentials}")
        if claims is None:
            raise HTTPException(401)
        return claims

    async def by_hand(claims: Annotated[dict[str, Any], Depends(from_request)]) -> Any:
        return {"orders": 1}

    async def with_scheme(claims: Annotated[dict[str, Any], Depends(from_scheme)]) -> Any:
        return {"orders": 1}

    return {"PyJWT by hand": _app(by_hand), "PyJWT by hand, HTTPBearer": _app(with_scheme)}


def _authx() -> tuple[Any, str]:
    auth: Any = AuthX(
        config=AuthXConfig(
            JWT_ALGORITHM="HS256", JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["headers"],
            JWT_ENCODE_ISSUER=ISSUER, JWT_DECODE_ISSUER=ISSUER, JWT_ENCODE_AUDIENCE=AUDIENCE, JWT_DECODE_AUDIENCE=AUDIENCE,
        )
    )  # fmt: skip

    async def endpoint(payload: Annotated[Any, Depends(auth.access_token_required)]) -> Any:
        return {"orders": 1}

    app = _app(endpoint)
    auth.handle_errors(app)
    return app, auth.create_access_token("user-1", audience=AUDIENCE)


def tables(seconds: float) -> list[Table]:
    loop = asyncio.new_event_loop()
    token = _peers.token()
    subjects = {name: (app, token) for name, app in {**_ours(), **_by_hand()}.items()}
    subjects["AuthX"] = _authx()
    for app, _ in subjects.values():
        _asgi.refuses(loop, app)
    bare = _asgi.batch(loop, _app(orders), token)
    pairs = {name: (_asgi.batch(loop, app, sent), bare) for name, (app, sent) in subjects.items()}
    found = added(pairs, seconds=seconds)
    loop.close()
    return [beside_peers("FastAPI", found)]
