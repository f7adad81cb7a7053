"""The example service: login, and a route for every guard. Each guard is one line above a handler that knows nothing of it."""

from __future__ import annotations

from secrets import token_urlsafe

from fastapi import FastAPI, Request

from authkit import (
    Principal,
    Tokens,
    allow_ips,
    deny_ips,
    public,
    rate_limit,
    require_auth,
    require_roles,
    require_scopes,
    verify_webhook,
)
from authkit.accounts import Accounts, MemoryUsers, SecondFactor
from authkit.address import ClientAddress
from authkit.secrets import Dotenv, Environment, Hardcoded, Secrets
from authkit.stores import MemoryStore

ISSUER = AUDIENCE = "http://demo.localhost"

# The environment and .env come first. The embedded defaults, made anew at each start, are for a demo: yours has no Hardcoded.
secrets = Secrets(
    Environment(),
    Dotenv(),
    Hardcoded(
        {
            "DEMO_JWT_SECRET": token_urlsafe(32),
            "DEMO_WEBHOOK_SECRET": token_urlsafe(32),
            "DEMO_FACTOR_SEAL": token_urlsafe(32),
        }
    ),
)

OVERLAP = 1  # seconds; the default of 10 is longer than the tour wants to wait
# The store remembers sessions, so that they can be refreshed and ended.
tokens = Tokens(secrets["DEMO_JWT_SECRET"], issuer=ISSUER, audience=AUDIENCE, store=MemoryStore(), refresh_overlap=OVERLAP)
peer = ClientAddress.peer()  # nothing stands in front of the demo: the socket's other end really is the client
factor = SecondFactor(secrets["DEMO_FACTOR_SEAL"], issuer="authkit demo")
accounts = Accounts(MemoryUsers(), tokens, client=peer, registration=True, second_factor=factor)

PASSWORDS = {"alice": "correct horse battery staple", "grace": "amazing grace, 1906"}


def people() -> None:
    """Two who are there from the start; others register."""
    accounts.register("alice", PASSWORDS["alice"], scopes=["reports:read"])
    accounts.register("grace", PASSWORDS["grace"], roles=["admin"])


app = FastAPI(title="authkit demo")
app.post("/register")(accounts.registration.fastapi)
app.post("/login")(accounts.login.fastapi)
app.post("/verify")(accounts.verify.fastapi)
app.post("/refresh")(accounts.refresh.fastapi)
app.post("/logout")(accounts.logout.fastapi)
app.post("/password")(accounts.password.fastapi)
app.post("/mfa")(accounts.mfa.fastapi)
app.post("/mfa/totp")(accounts.totp.fastapi)
app.post("/mfa/totp/confirm")(accounts.totp_confirm.fastapi)


@app.get("/public")
@public(reason="a greeting for everybody")
async def greeting() -> dict[str, str]:
    return {"message": "Hello, whoever you are."}


@app.get("/private")
@require_auth(tokens)
async def private(principal: Principal) -> dict[str, str]:
    return {"message": f"Hello, {principal.subject}."}


@app.get("/reports")
@require_auth(tokens)
@require_scopes("reports:read")
def reports(principal: Principal) -> dict[str, list[str]]:
    return {"reports": ["1999", "2000"]}


@app.get("/admin")
@require_auth(tokens)
@require_roles("admin")
async def admin(principal: Principal) -> dict[str, str]:
    return {"message": f"{principal.subject} is an admin."}


@app.get("/vault")
@require_auth(tokens, amr="otp", max_age=300)
async def vault(principal: Principal) -> dict[str, str]:
    return {"message": f"{principal.subject} has shown a second factor, not long ago."}


@app.get("/office")
@deny_ips("127.0.0.66", client=peer)
@allow_ips("127.0.0.0/8", "::1", client=peer)
async def office() -> dict[str, str]:
    return {"message": "You are on this very machine."}


@app.get("/branch")
@allow_ips("203.0.113.0/24", client=peer)
async def branch() -> dict[str, str]:
    return {"message": "You are at the branch."}


@app.get("/limited")
@rate_limit("3/minute", client=peer)
async def limited() -> dict[str, str]:
    return {"message": "You are within the limit."}


@app.post("/webhooks/github")
@verify_webhook("github", secret=secrets["DEMO_WEBHOOK_SECRET"])
async def github(request: Request) -> dict[str, str]:
    event = await request.json()
    return {"handled": event["action"]}
