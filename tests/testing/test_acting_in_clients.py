"""`as_principal` in the frameworks' own test clients: views below no guard see who is acting, and no guard lets them in."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import flask
import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from authkit import Principal, current_principal, require_auth
from authkit.testing import TokenMint, as_principal

ROOT = Path(__file__).parents[2]
MINT = TokenMint()


def who() -> str:
    principal = current_principal()
    return principal.subject if principal else "nobody"


def flask_app() -> flask.Flask:
    app = flask.Flask("site")
    app.get("/who")(who)
    app.add_url_rule("/guarded", "guarded", require_auth(MINT.tokens)(lambda: who()))
    return app


def fastapi_app() -> FastAPI:
    app = FastAPI()

    @app.get("/who")
    def plain() -> str:
        return who()

    @app.get("/later")
    async def later() -> str:
        return who()

    @app.get("/guarded")
    @require_auth(MINT.tokens)
    async def guarded(principal: Principal) -> str:
        return principal.subject

    return app


def test_flask() -> None:
    with flask_app().test_client() as client, as_principal("alice", roles=["admin"]):
        assert client.get("/who").text == "alice"
        assert client.get("/guarded").status_code == 401
        assert client.get("/guarded", headers={"authorization": f"Bearer {MINT.good('bob')}"}).text == "bob"
        assert client.get("/who").text == "alice"


def test_fastapi_in_a_thread_of_its_own() -> None:
    client = TestClient(fastapi_app())
    with as_principal("alice"):
        assert [client.get(path).json() for path in ("/who", "/later")] == ["alice", "alice"]
        assert client.get("/guarded").status_code == 401
        assert client.get("/guarded", headers={"authorization": f"Bearer {MINT.good('bob')}"}).json() == "bob"
    with pytest.raises(LookupError):
        client.get("/who")


def test_fastapi_on_the_tests_own_loop() -> None:
    @as_principal("alice")
    async def visit() -> list[int | str]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(fastapi_app()), base_url="http://site") as client:
            names = [(await client.get(path)).json() for path in ("/who", "/later")]
            return [*names, (await client.get("/guarded")).status_code]

    assert asyncio.run(visit()) == ["alice", "alice", 401]


DJANGO = """
import asyncio, json
import django
from django.conf import settings
settings.configure(SECRET_KEY="tests only", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True)
django.setup()
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from authkit import current_principal, require_auth
from authkit.testing import TokenMint, as_principal

def who(request):
    return HttpResponse(current_principal().subject)

async def later(request):
    return HttpResponse(current_principal().subject)

guarded = require_auth(TokenMint().tokens)(lambda request: HttpResponse("in"))
urlpatterns = [path("who", who), path("later", later), path("guarded", guarded)]

async def visit():
    with as_principal("alice"):
        return [(await AsyncClient().get(where)).content.decode() for where in ("/who", "/later")]

with as_principal("alice"):
    found = [Client().get(where).content.decode() for where in ("/who", "/later")]
    found += [who(RequestFactory().get("/")).content.decode(), Client().get("/guarded").status_code]
print(json.dumps(found + asyncio.run(visit())))
"""


def test_django(tmp_path: Path) -> None:
    """In a process of its own: Django is configured once per process."""
    (tmp_path / "site_of_tests.py").write_text(DJANGO)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "site_of_tests.py")], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["alice", "alice", "alice", 401, "alice", "alice"]
