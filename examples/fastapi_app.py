"""FastAPI: a guard on an endpoint, as a dependency, and over a whole router. Run it: uvicorn examples.fastapi_app:app"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel

from authkit import Principal, Tokens, chain, public, require, require_auth, require_roles
from authkit.access import owner, role
from authkit.secrets import Environment, Secrets

secrets = Secrets(Environment())
tokens = Tokens(secrets["JWT_SECRET"], issuer="https://login.example.com", audience="https://api.example.com")
signed_in = require_auth(tokens)
Caller = Annotated[Principal, Depends(signed_in.dependency)]

app = FastAPI()


class Order(BaseModel):
    item: str
    count: int = 1


@app.get("/health")
@public(reason="health check of the load balancer")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/orders")
@signed_in
async def create(order: Order, principal: Principal) -> dict[str, str]:
    return {"ordered": order.item, "by": principal.subject}


@app.get("/users/{user_id}")
@chain(signed_in, require(owner("user_id") | role("admin")))
def profile(user_id: str) -> dict[str, str]:
    return {"user": user_id}


@app.get("/me")
async def me(caller: Caller) -> dict[str, str]:
    return {"subject": caller.subject}


admin = APIRouter(prefix="/admin", dependencies=[Depends(chain(signed_in, require_roles("admin")).dependency)])


@admin.get("/stats")
async def stats() -> dict[str, int]:
    return {"orders": 7}


app.include_router(admin)
