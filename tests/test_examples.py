"""Every example is a program that works: each is loaded as its reader would run it, and called."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from authkit import Request
from authkit.testing import BAD_TOKENS, LambdaContext, TokenMint, lambda_event
from tests.conformance import asgi_client, wsgi_client
from tests.conformance.exchange import Got, Sent

SECRET = "examples, only here: 4b7d0e9a6f3c2158"
ISSUER, AUDIENCE = "https://login.example.com", "https://api.example.com"
MINT = TokenMint(key=SECRET, issuer=ISSUER, audience=AUDIENCE)
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("JWT_SECRET", SECRET),
        ("AUTHKIT_JWT_SECRET", SECRET),
        ("AUTHKIT_ISSUER", ISSUER),
        ("AUTHKIT_AUDIENCE", AUDIENCE),
    ):
        monkeypatch.setenv(name, value)


def bearer(subject: str = "alice", **granted: Any) -> tuple[str, str]:
    return "Authorization", f"Bearer {MINT.good(subject, **granted)}"


def test_lambda_private_hello() -> None:
    from examples.lambda_private_hello import handler

    for kind in ("v1", "v2", "function_url", "alb"):
        refused = handler(lambda_event(kind), LambdaContext())  # type: ignore[call-arg]
        assert refused["statusCode"] == 401
        answer = handler(lambda_event(kind, headers=dict([bearer()])), LambdaContext())  # type: ignore[call-arg]
        assert (answer["statusCode"], answer["body"]) == (200, "Hello, alice.")


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_lambda_private_hello_greets_nobody_with_a_bad_token(name: str) -> None:
    from examples.lambda_private_hello import handler

    event = lambda_event("v2", headers={"Authorization": f"Bearer {MINT.bad()[name]}"})
    assert handler(event, LambdaContext())["statusCode"] == 401  # type: ignore[call-arg]


def test_secret_rotation_lambda() -> None:
    """All four steps of both handlers run in tests/secrets/rotation/test_aws_lambda.py, under AWS's own runtime client."""
    from authkit.secrets.rotation.outcome import RotationRefused
    from examples.secret_rotation_lambda import jwt_handler, vendor_handler

    for handler in (jwt_handler, vendor_handler):
        with pytest.raises(RotationRefused, match="Step"):
            handler({"Step": "deleteSecret", "SecretId": "prod/app", "ClientRequestToken": "0" * 36}, LambdaContext())


def test_lambda_authorizer() -> None:
    from examples.lambda_authorizer import handler

    arn = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod/GET/orders"
    event = {"type": "TOKEN", "methodArn": arn, "authorizationToken": bearer(scopes=["api"])[1]}
    policy = handler(event, LambdaContext())
    assert policy["principalId"] == "alice"
    assert [statement["Effect"] for statement in policy["policyDocument"]["Statement"]] == ["Allow"]
    denied = handler({**event, "authorizationToken": bearer()[1]}, LambdaContext())
    assert [statement["Effect"] for statement in denied["policyDocument"]["Statement"]] == ["Deny"]
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        handler({**event, "authorizationToken": "Bearer x.y.z"}, LambdaContext())


def test_fastapi_app() -> None:
    from examples.fastapi_app import app

    def send(method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> Got:
        sent = (("Content-Type", "application/json"), *headers)
        return asgi_client.call(app, Sent(method=method, path=path, headers=sent, body=body))

    order = b'{"item": "tea"}'
    assert send("GET", "/health").status == 200
    assert send("POST", "/orders", body=order).status == 401
    assert json.loads(send("POST", "/orders", bearer(), body=order).body) == {"ordered": "tea", "by": "alice"}
    assert send("POST", "/orders", bearer(), body=b"{}").status == 422
    assert send("GET", "/users/alice", bearer()).status == 200
    assert send("GET", "/users/grace", bearer()).status == 403
    assert send("GET", "/users/grace", bearer(roles=["admin"])).status == 200
    assert send("GET", "/me").status == 401
    assert json.loads(send("GET", "/me", bearer()).body) == {"subject": "alice"}
    assert send("GET", "/admin/stats", bearer()).status == 403
    assert send("GET", "/admin/stats", bearer(roles=["admin"])).status == 200


def test_flask_app() -> None:
    from examples.flask_app import app

    def send(path: str, *headers: tuple[str, str]) -> Got:
        return wsgi_client.call(app, Sent(path=path, headers=headers))

    assert send("/private").status == 401
    private = send("/private", bearer())
    assert json.loads(private.body) == {"message": "Hello, alice."}
    assert "ratelimit-policy" in private.headers
    assert send("/reports/export", bearer()).status == 403
    assert send("/reports/export", bearer(roles=["analyst"])).body == b"# exported by alice\n1999,2000\n"


def test_django_views() -> None:
    """In a process of its own: Django is configured once per process, and this one is the example's."""
    program = """
import asyncio, json, sys
import django
from django.conf import settings
settings.configure(SECRET_KEY="examples only", ALLOWED_HOSTS=["*"], ROOT_URLCONF="examples.django_views", USE_TZ=True,
                   MIDDLEWARE=["examples.django_views.api"] if sys.argv[2] == "middleware" else [])
django.setup()
from django.test import AsyncClient, Client
token, headers = sys.argv[1], {}
def ask(path, **more): return Client().get(path, headers=more).status_code
good = {"authorization": "Bearer " + token}
print(json.dumps([ask("/private"), ask("/private", **good), ask("/orders", **good), ask("/users/alice", **good),
                  ask("/users/grace", **good), ask("/health"),
                  asyncio.run(AsyncClient().get("/users/alice", headers=good)).status_code]))
"""
    token = MINT.good("alice", scopes=["orders:read"])
    for where, health in (("views", 404), ("middleware", 404)):
        command = [sys.executable, "-c", program, token, where]
        found = subprocess.run(command, capture_output=True, text=True, cwd=EXAMPLES.parent, timeout=60)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout) == [401, 200, 200, 200, 403, health, 200]


def test_asgi_middleware() -> None:
    from examples.asgi_middleware import app

    assert asgi_client.call(app, Sent(path="/anything")).status == 401
    assert asgi_client.call(app, Sent(path="/anything", headers=(bearer(),))).body == b"Hello, alice."
    assert asgi_client.call(app, Sent(path="/health")).body == b"Hello, whoever you are."

    async def connect() -> list[str]:
        answers: list[str] = []

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, Any]) -> None:
            answers.append(f"{message['type']} {message.get('code')}")

        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "path": "/",
            "headers": [],
            "query_string": b"",
            "client": None,
        }
        await app(scope, receive, send)
        return answers

    assert asyncio.run(connect()) == ["websocket.close 1008"]


def test_wsgi_middleware() -> None:
    from examples.wsgi_middleware import app

    assert wsgi_client.call(app, Sent(path="/anything")).status == 401
    assert wsgi_client.call(app, Sent(path="/anything", headers=(bearer(),))).body == b"Hello, alice."
    assert wsgi_client.call(app, Sent(path="/health")).body == b"Hello, whoever you are."


def test_custom_guard() -> None:
    from examples.custom_guard import handler

    refused = handler(Request.build())
    assert (refused.status, refused.headers["x-served-by"]) == (401, "authkit")
    allowed = handler(Request.build(headers={"X-Custom-Auth": "demo"}))
    assert (allowed.status, allowed.body, allowed.headers["x-served-by"]) == (200, b"Hello, acme.", "authkit")


def test_lambda_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in (("USERS", f"sqlite:///{tmp_path}/users.db"), ("SESSIONS", f"sqlite:///{tmp_path}/sessions.db")):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("SALT", "the salt of all of them")
    from authkit.accounts import User
    from examples.lambda_accounts import hello, login, users, verify

    def post(handler: Any, **body: str) -> Any:
        headers = {"content-type": "application/json"}
        answer = handler(lambda_event("v2", "POST", headers=headers, body=json.dumps(body)), LambdaContext())
        return answer["statusCode"], json.loads(answer["body"])

    def greet(token: str) -> Any:
        answer = hello(lambda_event("v2", headers={"authorization": f"Bearer {token}"}), LambdaContext())  # type: ignore[call-arg]
        return answer["statusCode"], answer["body"]

    status, alice = post(login, username="Alice", password="correct horse battery staple")  # the first login registers her
    assert (status, alice["user"]) == (200, "alice")
    assert post(login, username="alice", password="something else")[0] == 401
    assert post(verify, token=alice["access_token"]) == (200, {"status": "valid", "user": "alice"})
    assert greet(alice["access_token"]) == (200, "Hello, alice.")
    assert post(verify, token="x.y.z")[0] == 401
    assert greet("x.y.z")[0] == 401

    # A row from the time before, with a hash as the handbook makes them.
    salted = "the passwordthe salt of all of thembobthe password"
    users.add(User("bob", password_hash=hashlib.sha256(salted.encode()).hexdigest()))
    assert [post(login, username="bob", password=text)[0] for text in ("not the password", "the password")] == [401, 200]
    moved = users.find("bob")
    assert moved is not None
    assert (moved.password_hash or "").startswith("$argon2id$")


def test_fastapi_cookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    import httpx

    from examples.fastapi_cookies import app

    here, elsewhere = {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    alice = {"username": "alice", "password": "correct horse battery staple"}

    async def visit() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://app.example.com", headers=here) as browser:

            async def status(method: str, path: str, body: object = None, **more: Any) -> int:
                return (await browser.request(method, path, json=body, **more)).status_code

            assert await status("GET", "/notes") == 401
            assert await status("POST", "/auth/register", alice, headers=elsewhere) == 403
            assert await status("POST", "/auth/register", alice) == 201
            assert (await browser.post("/auth/login", json=alice)).json() == {"user": "alice", "expires_in": 900}
            assert set(browser.cookies) == {"__Host-access", "__Host-refresh"}
            assert await status("POST", "/notes", {"text": "buy tea"}) == 201
            assert await status("POST", "/notes", {"text": "from elsewhere"}, headers=elsewhere) == 403
            before = dict(browser.cookies)
            assert await status("POST", "/auth/refresh") == 200
            assert all(browser.cookies[name] != value for name, value in before.items())
            assert (await browser.get("/notes")).json() == ["buy tea"]
            assert await status("POST", "/auth/logout") == 204
            assert not browser.cookies
            assert await status("GET", "/notes") == 401
            stolen = {"cookie": "; ".join(f"{name}={value}" for name, value in before.items())}
            assert await status("GET", "/notes", headers=stolen) == 401  # the session is over, whoever has its cookies

    asgi_client.on_loop(visit())


def test_the_demo_comes_out_as_it_should() -> None:
    command = [sys.executable, "-m", "examples.demo", "--once"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=EXAMPLES.parent, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "exchanges came out as they should" in found.stdout
    assert found.stderr == ""


PROGRAMS = sorted(path.stem for path in EXAMPLES.iterdir() if path.name not in ("__init__.py", "__pycache__"))


def test_rotating_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its own; under load and with several workers in tests/threats/test_rotation_under_load.py."""
    (tmp_path / ".env").touch(0o600)
    (tmp_path / ".env").write_text(f"JWT_SECRET={SECRET}\nPEPPER={SECRET[::-1]}\n")
    monkeypatch.chdir(tmp_path)
    from examples.rotating_service import app

    body = b'{"username": "alice", "password": "correct horse battery staple"}'
    login = Sent(method="POST", path="/login", headers=(("Content-Type", "application/json"),), body=body)
    token = json.loads(asgi_client.call(app, login).body)["access_token"]
    headers = (("Authorization", f"Bearer {token}"),)
    assert json.loads(asgi_client.call(app, Sent(path="/private", headers=headers)).body) == {"hello": "alice"}
    usage = json.loads(asgi_client.call(app, Sent(path="/usage", headers=headers)).body)
    assert usage["JWT_SECRET"]["current"] == 2
    assert usage["PEPPER"]["current"] == 1


def test_public_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHKIT_STORE", f"sqlite:///{tmp_path}/limits.db")
    import httpx

    from examples.public_api import app

    async def exchange() -> None:
        def client(peer: str, **headers: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, client=(peer, 50000))
            return httpx.AsyncClient(transport=transport, base_url="https://api.example.com", headers=headers)

        nginx = client("127.0.0.1", authorization=bearer()[1])
        first = await nginx.get("/orders", headers={"x-forwarded-for": "198.51.100.1, 203.0.113.7"})
        assert first.json() == {"orders_of": "alice"}
        policies = '"address:20-per-second";q=20;w=1, "address:600-per-hour";q=600;w=3600, "user";q=100;w=60'
        assert ", ".join(first.headers.get_list("ratelimit-policy")) == policies

        async def until_refused(headers: list[dict[str, str]]) -> tuple[list[int], int]:
            """The statuses before the 429, and what that says of when to come back."""
            statuses = []
            for each in headers:
                answer = await nginx.get("/orders", headers=each)
                if answer.status_code == 429:
                    return statuses, int(answer.headers["retry-after"])
                statuses.append(answer.status_code)
            raise AssertionError(statuses)

        # By address, whatever the client itself writes to the left of it, before any token is looked at.
        spoofing = [{"x-forwarded-for": f"{n}.0.0.1, 203.0.113.8", "authorization": "Bearer x"} for n in range(700)]
        before, wait = await until_refused(spoofing)
        assert set(before) == {401}
        assert 20 <= len(before) <= 600
        assert wait >= 1
        assert (await nginx.get("/orders", headers={"x-forwarded-for": "203.0.113.9"})).status_code == 200

        # By user, from wherever they come.
        bob = [{"authorization": bearer("bob")[1], "x-forwarded-for": f"203.{n // 250}.{n % 250}.9"} for n in range(700)]
        before, wait = await until_refused(bob)
        assert set(before) == {200}
        assert len(before) >= 100
        assert wait >= 1

        # At the same time: one report of one user.
        both = await asyncio.gather(nginx.get("/reports/2025"), nginx.get("/reports/2026"))
        assert sorted(answer.status_code for answer in both) == [200, 429]
        assert (await nginx.get("/reports/2026")).status_code == 200
        assert (await nginx.get("/health")).status_code == 200

    asgi_client.on_loop(exchange())


def test_shared_limiter() -> None:
    """examples.shared_limiter: three processes admit together what the limit says, and in memory three times that."""
    from tests.servers.redis import redis_server

    def run(store: str) -> list[str]:
        command = [sys.executable, "-m", "examples.shared_limiter"]
        env = {**os.environ, "AUTHKIT_STORE": store}
        found = subprocess.run(command, capture_output=True, text=True, cwd=EXAMPLES.parent, env=env, timeout=60)
        assert found.returncode == 0, found.stderr
        return found.stdout.splitlines()

    with redis_server() as server:
        *processes, together = run(server.url)
        assert len({line.split()[1] for line in processes}) == len(processes) == 3
        assert together == "together they admitted 20 of 120"
    assert run("memory:")[-1] == "together they admitted 60 of 120"


def test_sqlalchemy_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table itself meets the contract in tests/accounts/test_sqlalchemy_users.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "examples.sqlalchemy_users", raising=False)
    import examples.sqlalchemy_users as example

    def ask(path: str, body: dict[str, str] | None = None, token: str = "") -> Got:
        content = () if body is None else (("Content-Type", "application/json"),)
        headers = (*content, *((("Authorization", f"Bearer {token}"),) if token else ()))
        method, sent = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
        return asgi_client.call(example.app, Sent(method=method, path=path, headers=headers, body=sent))

    bob = {"username": "Bob", "password": "correct horse battery staple"}
    assert ask("/auth/register", bob).status == 201
    pair = json.loads(ask("/auth/login", bob).body)
    assert json.loads(ask("/private", token=pair["access_token"]).body) == {"hello": "bob"}
    example.accounts.disable("bob")
    assert ask("/auth/login", bob).status == 401
    assert ask("/auth/refresh", {"refresh_token": pair["refresh_token"]}).status == 401
    assert ask("/private", token=pair["access_token"]).status == 401
    assert (tmp_path / "people.db").exists()


def test_django_users(tmp_path: Path) -> None:
    """examples.django_users meets the contract of tables, and people log in by it; in a process whose Django is its own."""
    contract = EXAMPLES.parent / "tests" / "accounts" / "django_users.py"
    options = ["-q", "-p", "no:cacheprovider", "-c", str(EXAMPLES.parent / "pyproject.toml"), "--rootdir", str(EXAMPLES.parent)]
    command = [sys.executable, "-m", "pytest", *options, str(contract)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=120)
    assert found.returncode == 0, found.stdout
    assert " passed" in found.stdout
    assert "skipped" not in found.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_example_has_a_test(program: str) -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_examples*.py"))
    assert f"examples.{program}" in text
