"""The back end of a single-page app, on FastAPI: the browser has a session that no script reads, and no token.

Run it: uvicorn examples.fastapi_spa:app. Settings: SITE_URL (https://app.example.com, or http://127.0.0.1:8000), OIDC_ISSUER,
OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, SESSION_KEY (at least 32 bytes). At the provider: the redirect URI SITE_URL/auth/callback;
after a logout SITE_URL/; and the back-channel URI SITE_URL/auth/backchannel-logout. The app itself is in examples/spa.
"""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from authkit import Principal, require_auth
from authkit.oidc import OIDCProvider
from authkit.secrets import Environment, Secrets
from authkit.stores import open_store

URL, CLIENT_ID = os.environ["SITE_URL"], os.environ["OIDC_CLIENT_ID"]
secrets = Secrets(Environment())

provider = OIDCProvider(os.environ["OIDC_ISSUER"], audience=CLIENT_ID)
login = provider.login(
    client_id=CLIENT_ID,
    client_secret=secrets["OIDC_CLIENT_SECRET"],
    redirect_uri=f"{URL}/auth/callback",
    session_key=secrets["SESSION_KEY"],
    scopes=["openid", "profile", "email"],
    store=open_store(os.environ.get("SESSION_STORE", "sqlite:///sessions.db")),
    logged_out_uri=f"{URL}/",
    idle=int(os.environ.get("SESSION_IDLE", 3600)),  # seconds without a request
    start_at="/auth/login",
)
signed_in = require_auth(login.session)  # a script gets 401; what another site's page sends is refused: 403

app = FastAPI()
app.mount("/auth", login.app)
notes: dict[tuple[str, str], list[str]] = {}  # stands for your own database


class Note(BaseModel):
    text: str


@app.get("/me")
@signed_in
async def me(principal: Principal) -> dict[str, str | None]:
    identity = provider.identity(principal)
    return {"name": identity.name or identity.subject, "email": identity.email}


@app.get("/notes")
@signed_in
async def read(principal: Principal) -> list[str]:
    return notes.get(provider.identity(principal).key, [])


@app.post("/notes", status_code=201)
@signed_in
async def write(note: Note, principal: Principal) -> None:
    notes.setdefault(provider.identity(principal).key, []).append(note.text)


app.mount("/", StaticFiles(directory=Path(__file__).with_name("spa"), html=True))
