"""Codes by mail or SMS: everybody's second factor who has no app; the newest alone, once, for five minutes."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256

import pytest

from authkit import Request
from authkit._run import arun
from authkit.accounts import SqliteUsers
from authkit.stores import SqliteStore

from .parts import PASSWORD, told
from .second import NO_LIMIT, Second
from .test_second_factor_races import together


class Outbox:
    def __init__(self):
        self.sent = []

    def __call__(self, user, code):
        self.sent.append((user.username, code))

    @property
    def last(self):
        return self.sent[-1][1]


@pytest.fixture
def outbox():
    return Outbox()


@pytest.fixture
def one(outbox):
    return Second(factor={"send_code": outbox})


def test_after_the_right_password_a_code_is_sent_and_logs_in(one, outbox):
    answer = one.login()
    assert (answer.status, told(answer)["methods"]) == (401, ["code"])
    assert outbox.sent == [("alice", outbox.last)]
    assert (len(outbox.last), outbox.last.isdigit()) == (8, True)
    done = one.answer(outbox.last, told(answer)["mfa_token"])
    assert done.status == 200
    assert one.claims(told(done)["access_token"])["amr"] == ["pwd", "otp", "mfa"]


def test_after_a_wrong_password_nothing_is_sent(one, outbox):
    one.login(password="wrong")
    one.login("nobody")
    assert outbox.sent == []


def test_codes_differ(one, outbox):
    for _ in range(4):
        one.ask()
    assert len(set(outbox.sent)) == 4


def test_a_new_code_ends_the_one_before_it(one, outbox):
    first_token = one.ask()
    first_code = outbox.last
    token = one.ask()
    assert told(one.answer(first_code, first_token))["code"] == "invalid_mfa_token"
    assert told(one.answer(first_code, token))["code"] == "invalid_code"
    assert one.answer(outbox.last, token).status == 200


def test_a_code_is_good_once(one, outbox):
    token = one.ask()
    assert one.answer(outbox.last, token).status == 200
    assert one.answer(outbox.last, token).status == 401


def test_of_twenty_requests_with_one_code_one_logs_in(outbox, tmp_path):
    users, store = SqliteUsers(tmp_path / "users.db"), SqliteStore(tmp_path / "store.db")
    one = Second(factor={"send_code": outbox, **NO_LIMIT}, users=users, store=store)
    token = one.ask()
    assert sorted(together(20, lambda _: one.answer(outbox.last, token).status)) == [200] + [401] * 19


def test_after_five_minutes_it_is_none(one, outbox):
    token = one.ask()
    one.clock.advance(301)
    assert one.answer(outbox.last, token).status == 401


def test_after_five_wrong_codes_the_right_one_is_refused_too(one, outbox):
    """ASVS 6.6.3."""
    token = one.ask()
    wrong = "00000000" if outbox.last != "00000000" else "11111111"
    assert [one.answer(wrong, token).status for _ in range(6)] == [401] * 5 + [429]
    assert one.answer(outbox.last, token).status == 429
    one.clock.advance(60)
    assert one.answer(outbox.last, token).status == 200


def test_so_many_are_sent_and_no_more(one, outbox):
    """Each of them costs somebody money, and sleep."""
    statuses = [one.login().status for _ in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    assert len(outbox.sent) == 5
    one.clock.advance(180)
    assert one.login().status == 401


def test_the_store_does_not_hold_the_code(outbox, tmp_path):
    """ASVS 6.5.2: nor a digest of eight digits that somebody could search."""
    one = Second(factor={"send_code": outbox}, store=SqliteStore(tmp_path / "store.db"))
    token = one.ask()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"alice" in held
    for hidden in (outbox.last.encode(), token.encode(), sha256(outbox.last.encode()).hexdigest().encode()):
        assert hidden not in held


def test_what_cannot_be_sent_is_503_and_its_words_are_not_told(outbox, caplog):
    def broken(user, code):
        raise RuntimeError(f"mail server says no to {code}")

    one = Second(factor={"send_code": broken})
    answer = one.login()
    assert answer.status == 503
    assert b"mfa_token" not in answer.body
    assert "RuntimeError" in caplog.text
    assert "mail server" not in caplog.text


def test_a_coroutine_function_sends_as_well(outbox):
    async def send(user, code):
        outbox(user, code)

    one = Second(factor={"send_code": send})
    token = one.ask()
    assert one.answer(outbox.last, token).status == 200


async def test_it_sends_on_a_loop_too(outbox):
    async def send(user, code):
        await asyncio.sleep(0)
        outbox(user, code)

    one = Second(factor={"send_code": send})
    body = json.dumps({"username": "alice", "password": PASSWORD}).encode()
    request = Request.build("POST", "/login", {"content-type": "application/json"}, body)
    answer = await arun(one.accounts.login.answer(request))
    assert told(answer)["methods"] == ["code"]
    assert len(outbox.sent) == 1


def test_who_has_an_app_is_sent_nothing(one, outbox):
    """A code by SMS would be the weaker way into an account that has a stronger one."""
    token = one.ask()
    pair = told(one.answer(outbox.last, token))
    one.begin(pair["access_token"])
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, pair["access_token"]).status == 200
    sent = len(outbox.sent)
    assert told(one.login())["methods"] == ["totp", "recovery"]
    assert len(outbox.sent) == sent


def test_a_code_that_was_sent_before_there_was_an_app_is_none_after_it(one, outbox):
    token = one.ask()
    pair = told(one.answer(outbox.last, token))
    one.begin(pair["access_token"])
    waiting = one.ask()
    code = outbox.last
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, pair["access_token"]).status == 200
    assert one.answer(code, waiting).status == 401
