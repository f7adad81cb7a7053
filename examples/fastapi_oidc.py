"""An API behind an OpenID Provider, on FastAPI. Run it: uvicorn examples.fastapi_oidc:app

Settings: AUTHKIT_OIDC_ISSUER and AUTHKIT_AUDIENCE; or AUTHKIT_PROVIDER (auth0, okta, cognito, ...) with that provider's own.
`authkit doctor` says whether they do.
"""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

from authkit import Principal, chain, public, require_auth, require_scopes

api = chain(require_auth)
app = FastAPI()
orders: dict[tuple[str | None, str], list[str]] = {}  # stands for your own database


class Order(BaseModel):
    item: str


@app.get("/health")
@public(reason="health check of the load balancer")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
@chain(api, require_scopes("orders:read"))
async def listed(principal: Principal) -> list[str]:
    return orders.get(owner(principal), [])


@app.post("/orders", status_code=201)
@chain(api, require_scopes("orders:write"))
def create(order: Order, principal: Principal) -> dict[str, str]:
    orders.setdefault(owner(principal), []).append(order.item)
    return {"ordered": order.item, "by": principal.subject}


def owner(principal: Principal) -> tuple[str | None, str]:
    """Issuer and subject together are nobody else's. An e-mail address may be given to somebody else, and is no key."""
    return principal.issuer, principal.subject
