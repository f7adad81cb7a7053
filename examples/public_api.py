"""A public API behind nginx, with three kinds of limit: by address, by user, and at the same time.

nginx sets `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`. Start as many workers as you like: they share a file,
or, with AUTHKIT_STORE=redis://..., a server.

    uvicorn examples.public_api:app --workers 4 --no-proxy-headers
    authkit limits show ip:203.0.113.7 --app examples.public_api:api
"""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from authkit import Principal, Tokens, chain, public, rate_limit, require_auth
from authkit.address import ClientAddress
from authkit.secrets import Environment, Secrets
from authkit.settings import get
from authkit.stores import open_store

store = open_store(get("AUTHKIT_STORE") or "sqlite:///limits.db")
tokens = Tokens(Secrets(Environment())["JWT_SECRET"], issuer="https://login.example.com", audience="https://api.example.com")

# The address is what nginx says it is; what a client writes into the header itself is not believed.
by_address = rate_limit("20/second", "600/hour", name="address", client=ClientAddress.nginx("127.0.0.1"), store=store)
# By issuer and subject, so it stands after the guard that says who is calling. Its name is what `RateLimit` fields call it.
by_user = rate_limit("100/minute", key="principal", name="user", store=store)
# Ten reports in any hour, and never two of one user at once: a report counts as running until its response is finished.
reports = rate_limit("10/hour", "1 concurrent", key="principal", name="report", algorithm="sliding-window", store=store)

api = chain(by_address, require_auth(tokens), by_user)
app = FastAPI()


@app.get("/orders")
@api
async def orders(principal: Principal) -> dict[str, str]:
    return {"orders_of": principal.subject}


@app.get("/reports/{year}")
@api
@reports
async def report(year: int, principal: Principal) -> dict[str, object]:
    await asyncio.sleep(0.2)  # what takes so long
    return {"year": year, "of": principal.subject}


@app.get("/health")
@public(reason="health check of the load balancer")
def health() -> dict[str, str]:
    return {"status": "ok"}
