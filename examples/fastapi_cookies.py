"""FastAPI for browsers: the tokens are in cookies that no script reads. Run it: uvicorn examples.fastapi_cookies:app

A page of the app logs in and out like this, and never sees a token:

    const json = {"content-type": "application/json"};
    await fetch("/auth/login", {method: "POST", headers: json, body: JSON.stringify({username, password})});
    await fetch("/notes", {method: "POST", headers: json, body: JSON.stringify({text: "buy tea"})});
    await fetch("/auth/refresh", {method: "POST"});     // when anything says 401; if this does too: log in again
    await fetch("/auth/logout", {method: "POST"});

Settings: JWT_SECRET, at least 32 bytes. Browsers keep such cookies from https, and from http://localhost.
"""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

from authkit import Principal, Tokens, require_auth
from authkit.accounts import Accounts, Cookies, SqliteUsers
from authkit.secrets import Environment, Secrets
from authkit.stores import SqliteStore

URL = "https://app.example.com"

cookies = Cookies(same_site="Strict")
tokens = Tokens(Secrets(Environment())["JWT_SECRET"], issuer=URL, audience=URL, store=SqliteStore("sessions.db"))
accounts = Accounts(SqliteUsers("users.db"), tokens, registration=True, cookies=cookies)
signed_in = require_auth(tokens, cookie=cookies.access_name)  # a request that another site had sent is refused: 403

app = FastAPI()
app.mount("/auth", accounts.app)
notes: dict[str, list[str]] = {}


class Note(BaseModel):
    text: str


@app.get("/notes")
@signed_in
async def read(principal: Principal) -> list[str]:
    return notes.get(principal.subject, [])


@app.post("/notes", status_code=201)
@signed_in
async def write(note: Note, principal: Principal) -> None:
    notes.setdefault(principal.subject, []).append(note.text)
