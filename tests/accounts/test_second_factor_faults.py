"""Whatever fails in a second step, and wherever: 503, nobody in without the code, and no code good twice."""

from __future__ import annotations

import pytest

from authkit.accounts import MemoryUsers
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore
from authkit.stores._store import Limiter
from authkit.testing import Clock

from .parts import tokens_of
from .second import Second
from .test_faults import FailingStore, FailingUsers, Switch


class FailingLimiter(Limiter):
    def __init__(self, inner, switch):
        self.inner, self.switch = inner, switch

    def take(self, key, cost=1):
        self.switch.call()
        return self.inner.take(key, cost)

    def give_back(self, key, cost=1):
        self.switch.call()
        self.inner.give_back(key, cost)


class Failing(FailingStore):
    def limiter(self, name, rates, algorithm="token-bucket"):
        inner = super().limiter(name, rates, algorithm)
        return FailingLimiter(inner, self.switch) if ":mfa" in name else inner


def world(**options):
    switch, clocks = Switch(), [Clock(1_800_000_000.0)]

    def clock():
        return clocks[-1]()

    store = Failing(switch, clock)
    one = Second(users=FailingUsers(switch), tokens=tokens_of(clock, store), store=store, **options)
    clocks.append(one.clock)
    one.switch = switch
    return one


def _step(one):
    one.enrol()
    token = one.ask()
    return lambda right: one.answer(one.code() if right else one.wrong(), token)


def _recovery(one):
    code = one.enrol()[0]
    token = one.ask()
    return lambda right: one.answer(code if right else "0" * 24, token)


def _sent(one):
    token = one.ask()
    return lambda right: one.answer(one.last if right else "00000000", token)


def _confirm(one):
    pair = one.pair()["access_token"]
    one.begin(pair)
    return lambda right: one.post("/mfa/totp/confirm", {"code": one.code() if right else one.wrong()}, pair)


def _login(one):
    one.enrol()
    return lambda right: one.login(password="correct horse" if right else "wrong")


FLOWS = {"app": _step, "recovery": _recovery, "sent": _sent, "confirm": _confirm, "login": _login}


def prepared(flow):
    one = None

    def send(user, code):
        one.last = code

    one = world(factor={"send_code": send} if flow == "sent" else None)
    return one, FLOWS[flow](one)


def failing_at_each(flow, right, error):
    """The answers to one request whose first, second, ... call fails, each in a world of its own."""
    answers = []
    for at in range(1, 100):
        one, ask = prepared(flow)
        one.switch.calls, one.switch.at, one.switch.error = 0, at, error
        answer = ask(right)
        reached = one.switch.calls >= at
        one.switch.at = None
        if not reached:
            return answers, answer
        answers.append((one, ask, answer))
    raise AssertionError("it never ends")


@pytest.mark.parametrize("flow", FLOWS)
def test_a_wrong_code_is_refused_or_503_whatever_fails(flow):
    answers, whole = failing_at_each(flow, False, StoreUnavailable("no answer"))
    assert answers
    assert whole.status in (400, 401)
    for _, _, answer in answers:
        assert answer.status in (400, 401, 503)
        assert b"access_token" not in answer.body
        assert b"recovery_codes" not in answer.body


@pytest.mark.parametrize("flow", ["app", "recovery", "sent"])
def test_a_right_code_gets_in_once_at_most_whatever_failed(flow):
    answers, whole = failing_at_each(flow, True, StoreUnavailable("no answer"))
    assert whole.status == 200
    assert len(answers) >= 4
    for _, ask, answer in answers:
        assert answer.status in (200, 503)
        again = [ask(True).status for _ in range(3)]
        assert [answer.status, *again].count(200) <= 1


def test_a_login_with_a_factor_never_gives_a_token():
    answers, whole = failing_at_each("login", True, StoreUnavailable("no answer"))
    assert b"mfa_required" in whole.body
    for _, _, answer in answers:
        assert answer.status in (401, 503)
        assert b"access_token" not in answer.body


def test_a_confirmation_that_failed_sets_nothing_up_half():
    answers, whole = failing_at_each("confirm", True, StoreUnavailable("no answer"))
    assert whole.status == 200
    for one, _, answer in answers:
        assert answer.status == 503
        if one.row().factors is None:
            assert one.login().status == 200
        else:  # it was kept, and only the answer was lost: the app is good, and logs in
            one.clock.advance(30)
            assert one.answer(one.code()).status == 200


def test_an_update_whose_answer_is_lost_is_503_and_its_code_is_used():
    class Lost(MemoryUsers):
        lose = False

        def update(self, old, new):
            done = super().update(old, new)
            if self.lose:
                raise StoreUnavailable("the answer was lost")
            return done

    one = Second(users=Lost())
    one.enrol()
    token, code = one.ask(), one.code()
    one.users.lose = True
    assert one.answer(code, token).status == 503
    one.users.lose = False
    assert one.answer(code, token).status == 401


def test_a_store_that_was_lost_ends_half_done_logins():
    one = Second()
    one.enrol()
    token, code = one.ask(), one.code()
    new = Second(store=MemoryStore())
    new.accounts._people._users = one.users
    assert new.answer(code, token).status == 401
