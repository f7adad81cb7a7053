"""A second factor is set up, asked for, recovered and removed the same way on every host: the same bytes and audit events."""

from __future__ import annotations

import json
import random
from base64 import b32decode
from collections.abc import Callable, Iterator

import pytest

from authkit import Tokens
from authkit.accounts import Accounts, Cookies, MemoryUsers, PasswordHasher, SecondFactor, User, totp
from authkit.stores import MemoryStore
from authkit.testing import Clock
from authkit.tokens import base64url

from .exchange import Got, Sent
from .hosts import HOSTS
from .judging import Heard
from .sessions import (
    HOME,
    ISSUER,
    KEY,
    NAMES,
    PASSWORD,
    START,
    Step,
    _bare,
    _bearer,
    _cookies,
    _json,
    _login,
    _pair,
    on_host,
    play,
)

SEAL = "second steps: 0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def _send(user: User, token: str) -> None:
    """Nobody reads the mail here: which token it is follows from the randomness that is given."""


class World:
    """One service, with its own users, store, time and randomness."""

    def __init__(self, *, cookies: bool) -> None:
        self.clock = Clock(START)
        draw = random.Random("second steps").randbytes
        store = MemoryStore(clock=self.clock, wall=self.clock)
        self.accounts = Accounts(
            MemoryUsers(),
            Tokens(KEY, issuer=ISSUER, audience=ISSUER, store=store, clock=self.clock, random=draw),
            PasswordHasher(memory=64, passes=1, lanes=1),
            cookies=Cookies() if cookies else None,
            prefix="/auth",
            second_factor=SecondFactor(SEAL, issuer="Example", send_link=_send, random=random.Random("factors").randbytes),
            clock=self.clock,
        )
        self.accounts.register("alice", PASSWORD)


Known = dict[str, str]


def _code(known: Known, at: float) -> str:
    secret = known["secret"]
    return totp.code_at(b32decode(secret + "=" * (-len(secret) % 8)), totp.step_at(START + at))


def _learn(*names: str) -> Callable[[Got], Known]:
    return lambda got: {name: json.loads(got.body)[name] for name in names}


def in_bodies() -> Iterator[Step]:
    link = base64url.encode(random.Random("factors").randbytes(32)).decode()  # the first that is drawn

    def bare(path: str, token: str) -> Callable[[Known], Sent]:
        return lambda known: _bare(path, _bearer(known[token]))

    def confirm(at: float, off: int = 0) -> Callable[[Known], Sent]:
        return lambda known: _json("/mfa/totp/confirm", {"code": _code(known, at + off)}, _bearer(known["access"]))

    def answer(code: Callable[[Known], str]) -> Callable[[Known], Sent]:
        return lambda known: _json("/mfa", {"mfa_token": known["mfa_token"], "code": code(known)})

    def refused(guard: str, reason: str) -> tuple[str, str, str]:
        return guard, "deny", reason

    asked = refused("login", "mfa_required")
    yield Step(sent=lambda known: _json("/login/link", {"username": "alice"}), status=202, event=("link", "allow", None))
    fetched = lambda known: _bare("/login/link/confirm", method="GET")  # noqa: E731
    yield Step(sent=fetched, status=405, event=refused("link_confirm", "method_not_allowed"))
    used = lambda known: _json("/login/link/confirm", {"token": link})  # noqa: E731
    yield Step(sent=used, status=200, event=("link_confirm", "allow", None))
    yield Step(sent=used, status=401, event=refused("link_confirm", "link_unknown"), code="invalid_link")

    yield Step(sent=_login(), status=200, event=("login", "allow", None), learn=_pair)
    yield Step(sent=lambda known: _bare("/mfa/totp"), status=401, event=refused("totp", "no_credential"))
    yield Step(sent=bare("/mfa/totp", "access"), status=200, event=("totp", "allow", None), learn=_learn("secret"))
    yield Step(sent=confirm(0, -300), status=400, event=refused("totp_confirm", "code_wrong"), code="invalid_code")
    yield Step(sent=confirm(0), status=200, event=("totp_confirm", "allow", None),
               learn=lambda got: {"recovery": json.loads(got.body)["recovery_codes"][0]})  # fmt: skip

    yield Step(sent=_login(), status=401, event=asked, learn=_learn("mfa_token"), code="mfa_required", at=60)
    wrong = refused("mfa", "code_wrong")
    yield Step(sent=answer(lambda known: _code(known, 0)), status=401, event=wrong, code="invalid_code", at=60)
    yield Step(sent=answer(lambda known: _code(known, 60)), status=200, event=("mfa", "allow", None), at=60,
               learn=lambda got: {"new_access": _pair(got)["access"]})  # fmt: skip
    gone = refused("mfa", "mfa_token_unknown")
    yield Step(sent=answer(lambda known: _code(known, 90)), status=401, event=gone, code="invalid_mfa_token", at=90)

    yield Step(sent=_login(), status=401, event=asked, learn=_learn("mfa_token"), at=90)
    yield Step(sent=answer(lambda known: known["recovery"].upper()), status=200, event=("mfa", "allow", None), at=90)
    yield Step(sent=_login(), status=401, event=asked, learn=_learn("mfa_token"), at=90)
    for _ in range(4):  # half a minute ago there was one already
        yield Step(sent=answer(lambda known: known["recovery"]), status=401, event=wrong, code="invalid_code", at=90)
    limited = refused("mfa", "too_many_codes")
    yield Step(sent=answer(lambda known: _code(known, 90)), status=429, event=limited, code="rate_limited", at=90)

    step_up = "insufficient_user_authentication"
    for path, guard in (("/mfa/recovery", "recovery"), ("/mfa/totp/remove", "totp_remove")):
        weak = refused(guard, "step_up_needed")
        yield Step(sent=bare(path, "access"), status=401, event=weak, code=step_up, at=120)
        strong = 204 if guard == "totp_remove" else 200
        yield Step(sent=bare(path, "new_access"), status=strong, event=(guard, "allow", None), at=120)
    yield Step(sent=_login(), status=200, event=("login", "allow", None), at=120)


def in_cookies() -> Iterator[Step]:
    def kept(path: str, body: Callable[[Known], object], *headers: tuple[str, str]) -> Callable[[Known], Sent]:
        return lambda known: _json(path, body(known), ("Cookie", known["cookies"]), *headers)

    away = (("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"))
    yield Step(sent=_login("alice", PASSWORD, *HOME), status=200, event=("login", "allow", None), learn=_cookies)
    begin = lambda known: {}  # noqa: E731
    forged = ("totp", "deny", "csrf_failed")
    yield Step(sent=kept("/mfa/totp", begin, *away), status=403, event=forged, code="csrf_failed")
    yield Step(sent=kept("/mfa/totp", begin, *HOME), status=200, event=("totp", "allow", None), learn=_learn("secret"))
    right = lambda known: {"code": _code(known, 0)}  # noqa: E731
    yield Step(sent=kept("/mfa/totp/confirm", right, *HOME), status=200, event=("totp_confirm", "allow", None))
    asked = ("login", "deny", "mfa_required")
    yield Step(sent=_login("alice", PASSWORD, *HOME), status=401, event=asked, learn=_learn("mfa_token"), at=60)
    body = lambda known: {"mfa_token": known["mfa_token"], "code": _code(known, 60)}  # noqa: E731
    forged = ("mfa", "deny", "csrf_failed")
    yield Step(sent=lambda known: _json("/mfa", body(known), *away), status=403, event=forged, code="csrf_failed", at=60)
    let = ("mfa", "allow", None)
    yield Step(sent=lambda known: _json("/mfa", body(known), *HOME), status=200, event=let, learn=_cookies, at=60)


SCRIPTS = {"bodies": list(in_bodies()), "cookies": list(in_cookies())}
_first: dict[str, list[tuple[object, ...]]] = {}


@pytest.fixture(scope="module")
def audit() -> Iterator[Heard]:
    heard = Heard()
    yield heard
    heard.leave()


def _played(host: str, script: str, audit: Heard) -> list[tuple[object, ...]]:
    world = World(cookies=script == "cookies")
    app = on_host(host, world.accounts.app)

    def ask(at: float, sent: Sent) -> tuple[Got, list[str]]:
        world.clock.now = START + at
        audit.lines.clear()
        got = HOSTS[host].call(app, sent)
        return got, list(audit.lines)

    return play(SCRIPTS[script], ask)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("host", NAMES)
def test_a_second_step_is_the_same_on_every_host(host: str, script: str, audit: Heard) -> None:
    if script not in _first:
        _first[script] = _played("function_sync", script, audit)
    assert _played(host, script, audit) == _first[script]
