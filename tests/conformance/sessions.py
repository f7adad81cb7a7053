"""Whole sessions through every host: login, verify, refresh and logout as steps, each with the answer that it gets.

Time and randomness are given, so that tokens are the same on every host, and with them every byte of every answer.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import fastapi

from authkit import Tokens
from authkit.accounts import Accounts, Cookies, LoginLimits, MemoryUsers, PasswordHasher, PasswordReset, User
from authkit.endpoint import Endpoint
from authkit.stores import MemoryStore
from authkit.testing import Clock
from authkit.tokens import base64url

from . import frameworks
from .exchange import Got, Sent
from .hosts import BUILD

START = 1_800_000_000.0
ISSUER = "https://api.example"
APP = "https://app.example"
KEY = "sessions: 0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PASSWORD = "correct horse"
HOME = (("Origin", ISSUER), ("Sec-Fetch-Site", "same-origin"))

# What of an answer is the library's own; servers and frameworks add dates, lengths and the like.
SAID = (
    "content-type", "cache-control", "www-authenticate", "allow", "retry-after", "vary", "set-cookie",
    "access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers",
    "access-control-allow-credentials", "access-control-expose-headers", "access-control-max-age",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`sent`: made from what was learnt before. `at`: seconds since the start. `learn`: what the steps after it need.
    `event`: guard, outcome and reason of the one audit event; None: the path is nobody's, and there is none."""

    sent: Callable[[dict[str, str]], Sent]
    status: int
    event: tuple[str, str, str | None] | None
    at: float = 0.0
    learn: Callable[[Got], dict[str, str]] | None = None
    code: str | None = None


def _send(user: User, token: str) -> None:
    """Nobody reads the mail here: which token it is follows from the randomness that is given."""


class World:
    """One service, with its own users, store and time."""

    def __init__(self, *, cookies: bool) -> None:
        self.clock = Clock(START)
        draw = random.Random("sessions").randbytes
        store = MemoryStore(clock=self.clock, wall=self.clock)
        self.accounts = Accounts(
            MemoryUsers(),
            Tokens(KEY, issuer=ISSUER, audience=ISSUER, store=store, clock=self.clock, random=draw),
            PasswordHasher(memory=64, passes=1, lanes=1),
            limits=LoginLimits(account_here="3/minute"),
            cookies=Cookies() if cookies else None,
            cors=[APP],
            prefix="/auth",
            registration=True,
            send_reset=PasswordReset(_send, at_least=0, random=random.Random("resets").randbytes),
            clock=self.clock,
        )
        self.accounts.register("alice", PASSWORD, roles=["admin"], scopes=["orders:read"])
        self.accounts.register("bob", PASSWORD)


def on_host(name: str, app: Endpoint) -> Any:
    """The endpoints as this host wants them."""
    if name in BUILD:
        return app.aws_lambda
    return _MADE[name](app)


def _fastapi(app: Endpoint) -> fastapi.FastAPI:
    made = fastapi.FastAPI(openapi_url=None)
    made.add_api_route("/{rest:path}", app.fastapi, methods=frameworks.METHODS)
    return made


def _mounted(app: Endpoint) -> fastapi.FastAPI:
    made = fastapi.FastAPI(openapi_url=None)
    made.mount("", app)
    return made


def _django(under: Callable[[Any], Any]) -> Callable[[Endpoint], Any]:
    def make(app: Endpoint) -> Any:
        frameworks._configure()
        return under(app.django)

    return make


_MADE: dict[str, Callable[[Endpoint], Any]] = {
    "function_sync": lambda app: app,
    "asgi_app": lambda app: app.asgi,
    "wsgi_app": lambda app: app.wsgi,
    "starlette_async": lambda app: frameworks._starlette(app.starlette),
    "fastapi_async": _fastapi,
    "fastapi_app": _mounted,
    "flask_sync": lambda app: frameworks._flask(app.flask),
    "django_sync": _django(frameworks._under_wsgi),
    "django_async": _django(frameworks._under_asgi),
    "aiohttp_server": lambda app: app.aiohttp,
}
NAMES = sorted([*_MADE, *BUILD])


def _json(path: str, body: object, *headers: tuple[str, str]) -> Sent:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Sent(method="POST", path=f"/auth{path}", headers=(("Content-Type", "application/json"), *headers), body=raw)


def _form(path: str, body: dict[str, str]) -> Sent:
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    return Sent(method="POST", path=f"/auth{path}", headers=(kind,), body=urlencode(body).encode())


def _bare(path: str, *headers: tuple[str, str], method: str = "POST") -> Sent:
    return Sent(method=method, path=f"/auth{path}", headers=headers)


def _bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


def _login(username: str = "alice", password: str = PASSWORD, *headers: tuple[str, str]) -> Callable[[dict[str, str]], Sent]:
    return lambda known: _json("/login", {"username": username, "password": password}, *headers)


def _pair(got: Got) -> dict[str, str]:
    found = json.loads(got.body)
    assert found.keys() == {"user", "access_token", "refresh_token", "token_type", "expires_in"}
    return {"access": found["access_token"], "refresh": found["refresh_token"]}


def _renewed(got: Got) -> dict[str, str]:
    return {f"new_{name}": value for name, value in _pair(got).items()}


def in_bodies() -> Iterator[Step]:
    let, no = ("login", "allow", None), "invalid_credentials"
    yield Step(sent=_login(), status=200, event=let, learn=_pair)
    yield Step(sent=lambda known: _form("/login", {"username": "ALICE ", "password": PASSWORD}), status=200, event=let)
    yield Step(sent=_login(password="wrong"), status=401, event=("login", "deny", "password_wrong"), code=no)
    yield Step(sent=_login("nobody"), status=401, event=("login", "deny", "user_unknown"), code=no)
    yield Step(sent=_login("bob", "x" * 5000), status=401, event=("login", "deny", "password_wrong"), code=no)
    yield Step(sent=lambda known: _json("/login", b"[]"), status=400, event=("login", "deny", "body_not_json"))
    yield Step(sent=lambda known: _json("/login", b"\xff"), status=400, event=("login", "deny", "body_not_json"))
    yield Step(sent=lambda known: _json("/login", b" " * 70_000), status=413, event=("login", "deny", "body_too_large"))
    plain = Sent(method="POST", path="/auth/login", headers=(("Content-Type", "text/plain"),), body=b"{}")
    yield Step(sent=lambda known: plain, status=415, event=("login", "deny", "unsupported_media_type"))
    yield Step(sent=lambda known: _bare("/login", method="GET"), status=405, event=("login", "deny", "method_not_allowed"))
    yield Step(sent=lambda known: _bare("/elsewhere"), status=404, event=None, code="not_found")
    for token in ("new", "old"):  # the second is one too many for the account
        yield Step(sent=_login(password=token), status=401, event=("login", "deny", "password_wrong"))
    yield Step(sent=_login(), status=429, event=("login", "deny", "too_many_attempts"), code="rate_limited")

    valid, token = ("verify", "allow", None), "invalid_token"
    yield Step(sent=lambda known: _bare("/verify", _bearer(known["access"])), status=200, event=valid)
    yield Step(sent=lambda known: _json("/verify", {"token": known["access"]}), status=200, event=valid)
    yield Step(sent=lambda known: _form("/verify", {"token": known["access"]}), status=200, event=valid)
    yield Step(
        sent=lambda known: _json("/verify", {"token": known["refresh"]}),
        status=401,
        event=("verify", "deny", "token_malformed"),
        code=token,
    )
    yield Step(sent=lambda known: _bare("/verify"), status=401, event=("verify", "deny", "no_credential"))
    yield Step(
        sent=lambda known: _bare("/verify", _bearer(known["access"]), _bearer(known["access"])),
        status=400,
        event=("verify", "deny", "two_credentials"),
    )

    exchange: Callable[[dict[str, str]], Sent] = lambda known: _json("/refresh", {"refresh_token": known["refresh"]})  # noqa: E731
    yield Step(sent=exchange, status=200, event=("refresh", "allow", None), learn=_renewed, at=5)
    yield Step(sent=exchange, status=200, event=("refresh", "allow", None), learn=_renewed, at=6)
    yield Step(sent=lambda known: _bare("/verify", _bearer(known["new_access"])), status=200, event=valid, at=60)
    yield Step(sent=exchange, status=401, event=("refresh", "deny", "refresh_reused"), at=60, code=token)
    for name in ("access", "new_access"):
        yield Step(
            sent=lambda known, name=name: _bare("/verify", _bearer(known[name])),  # type: ignore[misc]
            status=401,
            event=("verify", "deny", "token_revoked"),
            at=60,
        )
    unread = ("refresh", "deny", "refresh_malformed")
    yield Step(sent=lambda known: _json("/refresh", {"refresh_token": "x"}), status=401, event=unread, at=60, code=token)

    gone = ("logout", "allow", None)
    yield Step(sent=_login("bob"), status=200, event=let, learn=_pair, at=90)
    yield Step(sent=lambda known: _json("/logout", {"refresh_token": known["refresh"]}), status=204, event=gone, at=90)
    yield Step(sent=lambda known: _json("/logout", {"refresh_token": "unknown"}), status=204, event=gone, at=90)
    yield Step(sent=lambda known: _bare("/logout", _bearer(known["access"])), status=204, event=gone, at=90)
    yield Step(sent=lambda known: _bare("/logout"), status=401, event=("logout", "deny", "no_credential"), at=90)
    yield Step(
        sent=lambda known: _bare("/verify", _bearer(known["access"])),
        status=401,
        event=("verify", "deny", "token_revoked"),
        at=90,
    )
    yield Step(sent=exchange, status=401, event=("refresh", "deny", "refresh_unknown"), at=90)

    keys = ("jwks", "allow", None)
    yield Step(sent=lambda known: _bare("/.well-known/jwks.json", method="GET"), status=200, event=keys)
    yield Step(sent=lambda known: _bare("/.well-known/jwks.json", method="HEAD"), status=200, event=keys)
    asks = (("Origin", APP), ("Access-Control-Request-Method", "POST"))
    yield Step(sent=lambda known: _bare("/login", *asks, method="OPTIONS"), status=204, event=("login", "allow", None))
    evil = (("Origin", "https://evil.example"), asks[1])
    yield Step(sent=lambda known: _bare("/login", *evil, method="OPTIONS"), status=403, event=("login", "deny", "cors_origin"))
    yield Step(sent=_login("bob", PASSWORD, ("Origin", APP)), status=200, event=let, at=90)


def _cookies(got: Got) -> dict[str, str]:
    pairs = [line.partition(";")[0] for line in got.headers["set-cookie"]]
    assert [pair.partition("=")[0] for pair in pairs] == ["__Host-access", "__Host-refresh"]
    return {"cookies": "; ".join(pairs), "cookie": pairs[0]}


def in_cookies() -> Iterator[Step]:
    def kept(path: str, *headers: tuple[str, str]) -> Callable[[dict[str, str]], Sent]:
        return lambda known: _bare(path, ("Cookie", known["cookies"]), *headers)

    forged = ("deny", "csrf_failed")
    yield Step(sent=_login("alice", PASSWORD, *HOME), status=200, event=("login", "allow", None), learn=_cookies)
    yield Step(sent=_login("alice", PASSWORD, ("Origin", APP)), status=200, event=("login", "allow", None), learn=_cookies)
    yield Step(sent=_login(), status=403, event=("login", *forged), code="csrf_failed")
    away = (("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"))
    for path in ("/verify", "/refresh", "/logout"):
        yield Step(sent=kept(path, *away), status=403, event=(path[1:], *forged), code="csrf_failed")
    yield Step(sent=kept("/verify", *HOME), status=200, event=("verify", "allow", None))
    yield Step(sent=kept("/refresh", *HOME), status=200, event=("refresh", "allow", None), learn=_cookies, at=5)
    yield Step(
        sent=lambda known: _bare("/verify", ("Cookie", f"{known['cookies']}; {known['cookie']}"), *HOME),
        status=400,
        event=("verify", "deny", "two_credentials"),
        at=5,
    )
    yield Step(sent=kept("/logout", *HOME), status=204, event=("logout", "allow", None), learn=None, at=5)
    yield Step(sent=kept("/verify", *HOME), status=401, event=("verify", "deny", "token_revoked"), at=5)
    yield Step(sent=kept("/refresh", *HOME), status=401, event=("refresh", "deny", "refresh_unknown"), at=5)


def of_their_own() -> Iterator[Step]:
    """People register, change their password, and reset one that they have forgotten."""
    carol, other = {"username": "carol", "password": PASSWORD}, {"username": "dave", "password": PASSWORD}

    def change(token: str, current: str) -> Callable[[dict[str, str]], Sent]:
        body = {"current_password": current, "new_password": "battery staple"}
        return lambda known: _json("/password", body, _bearer(known[token]))

    draw = random.Random("resets").randbytes
    nobodys, carols = (base64url.encode(draw(32)).decode() for _ in range(2))

    def confirm(token: str, new: str = "a new one") -> Callable[[dict[str, str]], Sent]:
        return lambda known: _json("/password/reset/confirm", {"token": token, "new_password": new})

    def refused(guard: str, reason: str) -> tuple[str, str, str]:
        return guard, "deny", reason

    let, register = ("registration", "allow", None), "registration"
    yield Step(sent=lambda known: _json("/register", carol), status=201, event=let, learn=_pair)
    yield Step(sent=lambda known: _json("/register", {**carol, "username": "CAROL "}), status=409, code="username_taken",
               event=refused(register, "username_taken"))  # fmt: skip
    yield Step(sent=lambda known: _json("/register", {**other, "password": "short"}), status=400, code="password_too_short",
               event=refused(register, "password_too_short"))  # fmt: skip
    yield Step(sent=lambda known: _json("/register", {**other, "username": "\u200bdave"}), status=400,
               code="username_not_acceptable", event=refused(register, "username_not_acceptable"))  # fmt: skip
    yield Step(sent=lambda known: _json("/register", {**other, "roles": "admin"}), status=400,
               event=refused(register, "body_members"))  # fmt: skip
    yield Step(sent=lambda known: _form("/register", other), status=201, event=let)

    wrong = refused("password", "password_wrong")
    yield Step(sent=change("access", "wrong"), status=403, event=wrong, code="password_wrong")
    unknown = refused("password", "no_credential")
    yield Step(sent=lambda known: _json("/password", {}), status=401, event=unknown, code="unauthorized")
    yield Step(sent=change("access", PASSWORD), status=200, event=("password", "allow", None), learn=_renewed)
    gone = refused("verify", "token_revoked")
    yield Step(sent=lambda known: _bare("/verify", _bearer(known["access"])), status=401, event=gone)
    valid = ("verify", "allow", None)
    yield Step(sent=lambda known: _bare("/verify", _bearer(known["new_access"])), status=200, event=valid)

    asked, set_ = ("reset", "allow", None), "reset_confirm"
    yield Step(sent=lambda known: _json("/password/reset", {"username": "nobody"}), status=202, event=asked)
    yield Step(sent=lambda known: _json("/password/reset", {"username": "carol"}), status=202, event=asked)
    for body in ({}, {"username": ""}, {"username": "carol", "more": "x"}):
        member = "body_values" if body == {"username": ""} else "body_members"
        yield Step(sent=lambda known, body=body: _json("/password/reset", body), status=400,  # type: ignore[misc]
                   event=refused("reset", member))  # fmt: skip
    yield Step(sent=confirm(carols, "short"), status=400, event=refused(set_, "password_too_short"), code="password_too_short")
    for token in ("x", "A" * 43, nobodys):
        unknown = refused(set_, "reset_token_unknown")
        yield Step(sent=confirm(token), status=400, event=unknown, code="invalid_reset_token")
    fetched = lambda known: _bare("/password/reset/confirm", method="GET")  # noqa: E731
    yield Step(sent=fetched, status=405, event=refused(set_, "method_not_allowed"))
    yield Step(sent=confirm(carols), status=204, event=(set_, "allow", None))
    yield Step(sent=confirm(carols), status=400, event=unknown, code="invalid_reset_token")
    yield Step(sent=lambda known: _bare("/verify", _bearer(known["new_access"])), status=401, event=gone)
    yield Step(sent=_login("carol", "a new one"), status=200, event=("login", "allow", None))


SCRIPTS = {"bodies": list(in_bodies()), "cookies": list(in_cookies()), "people": list(of_their_own())}


def world_of(script: str) -> World:
    return World(cookies=script == "cookies")


def shown(sent: Sent, got: Got) -> tuple[object, ...]:
    """All of an answer that is the library's own."""
    headers = {name: got.headers[name] for name in SAID if got.headers.get(name)}
    return got.status, headers, b"" if sent.method == "HEAD" else got.body


def play(script: str | list[Step], ask: Callable[[float, Sent], tuple[Got, list[str]]]) -> list[tuple[object, ...]]:
    """Every step of a script, by its name or as it is. `ask` sends a request at a time, and gives the answer and the audit
    events that it caused."""
    known: dict[str, str] = {}
    seen = []
    for number, step in enumerate(SCRIPTS[script] if isinstance(script, str) else script):
        sent = step.sent(known)
        got, heard = ask(step.at, sent)
        where = f"step {number}, {sent.method} {sent.path}"
        assert got.error is None, where
        assert got.status == step.status, (where, got.body)
        if step.code is not None:
            assert json.loads(got.body)["code"] == step.code, where
        events = [json.loads(line) for line in heard]
        assert [(event["guard"], event["outcome"], event["reason"]) for event in events] == (
            [] if step.event is None else [step.event]
        ), where
        assert all(event["status"] == step.status for event in events), where
        for name in ("access", "refresh", "new_access", "new_refresh"):
            assert known.get(name, "\0") not in "".join(heard), where
        if step.learn is not None:
            known.update(step.learn(got))
        seen.append(shown(sent, got))
    return seen
