"""One-time links: a first step by mail, once, for ten minutes; and nobody learns from them who there is."""

from __future__ import annotations

import threading

import pytest

from authkit import Request, require_auth
from authkit.accounts import MemoryUsers, User
from authkit.stores import MemoryStore

from .parts import FORM, PASSWORD, SAME_SITE, told, whole
from .second import Second
from .test_second_factor_races import together


class Outbox:
    """What was sent. It goes behind the answer, on another thread."""

    def __init__(self):
        self.sent = []
        self._came = threading.Semaphore(0)

    def __call__(self, user, token):
        self.sent.append((user.username, token))
        self._came.release()

    def next(self):
        assert self._came.acquire(timeout=10)
        return self.sent[-1][1]


class Counting(MemoryStore):
    """Which questions it was asked."""

    calls = ()

    def _note(self, name, *values):
        self.calls = [*self.calls, (name, *(value is None for value in values))]

    def get(self, key):
        self._note("get")
        return super().get(key)

    def add(self, key, ttl, value=b""):
        self._note("add")
        return super().add(key, ttl, value)

    def swap(self, key, old, new, ttl):
        self._note("swap", old, new)
        return super().swap(key, old, new, ttl)


class CountingUsers(MemoryUsers):
    calls = ()

    def find(self, username):
        self.calls = [*self.calls, "find"]
        return super().find(username)


@pytest.fixture
def outbox():
    return Outbox()


@pytest.fixture
def one(outbox):
    return Second(factor={"send_link": outbox})


def asked(one, username="alice", **options):
    return one.post("/login/link", {"username": username}, **options)


def confirmed(one, token, **options):
    return one.post("/login/link/confirm", {"token": token}, **options)


def test_a_link_logs_in(one, outbox):
    assert asked(one, " ALICE ").status == 202
    answer = confirmed(one, outbox.next())
    assert answer.status == 200
    claims = one.claims(told(answer)["access_token"])
    assert (claims["amr"], claims["auth_time"]) == (["mca"], int(one.clock()))


def test_pwd_02_the_answer_is_the_same_whoever_it_is(one, outbox):
    one.users.add(User("disabled", disabled=True))
    answers = {whole(asked(one, name)) for name in ("alice", "nobody", "disabled", "a\tb", "x" * 500)}
    assert len(answers) == 1
    outbox.next()
    assert [name for name, _ in outbox.sent] == ["alice"]


def test_pwd_01_for_nobody_the_same_steps_are_taken(outbox):
    """So many questions to the table and the store, and so much to hash, whoever it is."""
    steps = {}
    for name in ("alice", "nobody", "disabled"):
        one = Second(factor={"send_link": outbox}, store=(store := Counting()), users=(users := CountingUsers()))
        one.users.add(User("disabled", disabled=True))
        for _ in range(2):
            store.calls, users.calls = [], []
            assert asked(one, name).status == 202
        steps[name] = (store.calls, users.calls)
    assert steps["alice"] == steps["nobody"] == steps["disabled"]
    assert len(steps["alice"][0]) >= 3


def test_a_link_is_good_once(one, outbox):
    asked(one)
    token = outbox.next()
    assert confirmed(one, token).status == 200
    again = confirmed(one, token)
    assert (again.status, told(again)["code"]) == (401, "invalid_link")


def test_of_twenty_who_use_it_one_logs_in(one, outbox):
    asked(one)
    token = outbox.next()
    assert sorted(together(20, lambda _: confirmed(one, token).status)) == [200] + [401] * 19


def test_a_get_uses_nothing_up(one, outbox):
    """Scanners of mail and previews of chats fetch what they see."""
    asked(one)
    token = outbox.next()
    assert one.send(f"/login/link/confirm?token={token}", method="GET").status == 405
    assert one.send("/login/link/confirm", method="HEAD").status == 405
    assert confirmed(one, token).status == 200


def test_a_new_link_ends_the_one_before_it(one, outbox):
    asked(one)
    first = outbox.next()
    asked(one)
    second = outbox.next()
    assert confirmed(one, first).status == 401
    assert confirmed(one, second).status == 200


def _disable(one):
    one.accounts.disable("alice")


def _another_password(one):
    one.accounts.set_password("alice", "another battery staple")


def _anew(one):
    one.accounts.delete("alice")
    one.clock.advance(1)
    one.accounts.register("alice", PASSWORD)


def _later(one):
    one.clock.advance(601)


def _disable_for_a_while(one):
    one.accounts.disable("alice")
    one.accounts.enable("alice")


@pytest.mark.parametrize("change", [_disable, _disable_for_a_while, _another_password, _anew, _later])
def test_a_link_ends_with_what_it_was_sent_for(one, outbox, change):
    asked(one)
    token = outbox.next()
    change(one)
    assert whole(confirmed(one, token)) == whole(confirmed(one, "A" * 43)), "the same bytes for every cause"


def test_no_other_token_is_a_link_and_a_link_is_no_other_token(one, outbox):
    one.enrol()
    asked(one)
    assert confirmed(one, one.ask()).status == 401
    assert one.answer(one.code(), outbox.next()).status == 401


def test_who_has_a_factor_is_asked_for_it(one, outbox):
    one.enrol()
    asked(one)
    answer = confirmed(one, outbox.next())
    assert (answer.status, told(answer)["code"]) == (401, "mfa_required")
    done = one.answer(one.code(), told(answer)["mfa_token"])
    assert done.status == 200
    assert one.claims(told(done)["access_token"])["amr"] == ["mca", "otp"]


def test_a_link_is_no_second_factor(one, outbox):
    asked(one)
    token = told(confirmed(one, outbox.next()))["access_token"]
    for wanted in ("otp", "mfa", "pwd"):
        guard = require_auth(one.tokens, amr=wanted, clock=one.clock)
        assert guard.decide(Request.build("GET", "/", {"authorization": f"Bearer {token}"})).status == 401


def test_who_has_no_password_logs_in_by_a_link(one, outbox):
    one.users.add(User("bob", password_changed=1.0))
    asked(one, "bob")
    assert told(confirmed(one, outbox.next()))["user"] == "bob"


def test_one_account_is_sent_so_many_and_the_answer_is_the_same_for_nobody(one, outbox):
    known = [asked(one).status for _ in range(7)]
    unknown = [asked(one, "nobody", peer="198.51.100.9").status for _ in range(7)]
    assert known == unknown == [202] * 5 + [429] * 2
    for _ in range(5):
        outbox.next()
    assert len(outbox.sent) == 5


def test_one_network_asks_for_so_many(one):
    statuses = [asked(one, f"user{i}").status for i in range(40)]
    assert statuses == [202] * 10 + [429] * 30
    assert asked(one, "user41", peer="198.51.100.9").status == 202


def test_a_page_elsewhere_neither_asks_nor_confirms(one, outbox):
    """It would log its reader in as somebody else, with that one's own link."""
    asked(one)
    token = outbox.next()
    elsewhere = {**SAME_SITE, "origin": "https://evil.example", **FORM}
    assert one.send("/login/link", b"username=alice", elsewhere).status == 403
    assert one.send("/login/link/confirm", f"token={token}".encode(), elsewhere).status == 403
    assert one.send("/login/link/confirm", f"token={token}".encode(), FORM).status == 200


@pytest.mark.parametrize("token", ["x", "A" * 43, "\ud7ff" * 43, "A" * 5000])
def test_what_is_no_link_is_refused(one, token):
    assert confirmed(one, token).status == 401


def test_a_sender_that_fails_is_not_told_to_the_client(outbox, caplog):
    done = threading.Event()

    def broken(user, token):
        done.set()
        raise RuntimeError(token)

    one = Second(factor={"send_link": broken})
    assert asked(one).status == 202
    assert done.wait(10)


def test_without_a_sender_there_are_no_such_endpoints():
    one = Second()
    assert asked(one).status == 404
    assert not hasattr(one.accounts, "link")
