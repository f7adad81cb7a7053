"""A service whose token key and password pepper are replaced while it runs, and no request is refused.

Both secrets stand in a .env that only the service and its operator can read. Prepare it, and start as many workers as you like:

    printf 'JWT_SECRET=%s\\nPEPPER=%s\\n' "$(openssl rand -hex 32)" "$(openssl rand -hex 32)" > .env && chmod 600 .env
    uvicorn examples.rotating_service:app --workers 2

Then, in another terminal, at any time, under any load:

    authkit secrets rotate JWT_SECRET        # tokens signed with the old key are good for 24 h more
    authkit secrets status JWT_SECRET
    authkit secrets retire JWT_SECRET        # from now on they are not
"""

from __future__ import annotations

import os

from fastapi import FastAPI

from authkit import Principal, Tokens, chain, public, require_auth, require_roles
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher
from authkit.secrets import Dotenv, Secrets
from authkit.stores import SqliteStore

secrets = Secrets(Dotenv(), ttl=float(os.environ.get("SECRETS_TTL", "300")))
key, pepper = secrets["JWT_SECRET"], secrets["PEPPER"]

tokens = Tokens(key, issuer="https://login.example.com", audience="https://api.example.com", store=SqliteStore("auth.db"))
accounts = Accounts(MemoryUsers(), tokens, PasswordHasher(pepper=pepper))
accounts.register("alice", "correct horse battery staple", roles=["operator"])

app = FastAPI()
app.post("/login")(accounts.login.fastapi)


@app.get("/private")
@require_auth(tokens)
async def private(principal: Principal) -> dict[str, str]:
    return {"hello": principal.subject}


@app.get("/usage")
@chain(require_auth(tokens), require_roles("operator"))
async def usage() -> dict[str, int | dict[str, int]]:
    """Of the worker that answers. When `previous` stands still in all of them, the old value is not in use: retire it."""
    counts = {secret.name: {version: use.count for version, use in secret.usage().items()} for secret in (key, pepper)}
    return {"pid": os.getpid(), **counts}


@app.get("/health")
@public(reason="health check of the load balancer")
def health() -> dict[str, str]:
    return {"status": "ok"}
