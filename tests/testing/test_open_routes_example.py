"""What a user's own test looks like: it fails on the day somebody adds a route and forgets the guard."""

from __future__ import annotations

from fastapi import FastAPI

from authkit import chain, public, require_auth
from authkit.testing import TokenMint, open_routes

api = chain(require_auth(TokenMint().tokens))
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/orders")
@api
def orders() -> list[str]:
    return []


@app.get("/health")
@public(reason="the load balancer asks")
def health() -> str:
    return "ok"


def test_no_route_stands_open() -> None:
    assert open_routes(app) == []


def test_the_test_above_would_fail_on_one() -> None:
    forgotten = FastAPI(routes=app.routes)
    forgotten.add_api_route("/forgotten", health.__class__(health.__code__, globals()))
    assert [route.path for route in open_routes(forgotten)][-1] == "/forgotten"
