"""Setting a second factor up, and changing it: by whoever has just logged in with all that they have."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from authkit import Request
from authkit._run import arun
from authkit.accounts import MemoryUsers

from .parts import JSON, told
from .second import Second


@pytest.fixture
def one():
    return Second()


@pytest.fixture
def enrolled(one):
    one.recovery_codes = one.enrol()
    return one


def test_the_answer_is_what_an_app_wants(one):
    answer = one.post("/mfa/totp", {}, one.pair()["access_token"])
    found = told(answer)
    assert found["uri"] == f"otpauth://totp/Example:alice?secret={found['secret']}&issuer=Example"
    assert len(found["secret"]) == 32
    assert answer.headers["cache-control"] == "no-store"


def test_until_its_first_code_it_does_not_count(one):
    token = one.pair()["access_token"]
    one.begin(token)
    assert one.login().status == 200
    wrong = one.post("/mfa/totp/confirm", {"code": one.wrong()}, token)
    assert (wrong.status, told(wrong)["code"]) == (400, "invalid_code")
    assert one.row().factors is None
    assert one.login().status == 200
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, token).status == 200
    assert one.login().status == 401
    assert one.told == [("second_factor_set", "alice")]


def test_a_new_key_ends_the_one_before_it(one):
    token = one.pair()["access_token"]
    one.begin(token)
    first = one.code()
    one.begin(token)
    assert one.post("/mfa/totp/confirm", {"code": first}, token).status == 400
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, token).status == 200


def test_a_key_that_nobody_confirms_is_gone_after_ten_minutes(one):
    one.begin(one.pair()["access_token"])
    one.clock.advance(601)
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, one.pair()["access_token"]).status == 400


def test_a_key_from_before_another_password_is_not_confirmed(one):
    one.begin(one.pair()["access_token"])
    one.accounts.set_password("alice", "another battery staple")
    token = one.pair(password="another battery staple")["access_token"]
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, token).status == 400
    assert one.row().factors is None


def test_a_key_that_was_confirmed_is_not_confirmed_again(one):
    one.enrol()
    token = one.strong()["access_token"]
    assert one.post("/mfa/totp/remove", token=token).status == 204
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, token).status == 400
    assert one.row().factors is None


def test_a_token_of_another_subject_changes_no_factor(one):
    token = one.pair()["access_token"]
    row = one.row()
    assert one.users.remove("alice")
    assert one.users.add(row.changed(subject="another alice"))
    assert one.post("/mfa/totp", token=token).status == 401


def test_nobody_confirms_what_was_never_begun(one):
    assert one.post("/mfa/totp/confirm", {"code": "123456"}, one.pair()["access_token"]).status == 400


CHANGES = ["/mfa/totp", "/mfa/totp/confirm", "/mfa/totp/remove", "/mfa/recovery"]


@pytest.mark.parametrize("path", CHANGES)
def test_without_a_token_nothing_is_changed(enrolled, path):
    body = {"code": enrolled.code()} if path.endswith("confirm") else None
    for token in (None, "x.y.z"):
        assert enrolled.post(path, body, token).status == 401
    assert enrolled.login().status == 401


@pytest.mark.parametrize("path", CHANGES)
def test_a_login_that_is_long_ago_or_weak_changes_nothing(one, path):
    """ASVS 7.5.1; RFC 9470 section 3."""
    weak = one.pair()["access_token"]
    one.enrol()
    old = one.strong()["access_token"]
    before = one.row()
    body = {"code": one.code()} if path.endswith("confirm") else None
    one.clock.advance(400)
    for token in (weak, old):
        answer = one.post(path, body, token)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_user_authentication", max_age="300"'
    assert one.row() == before


def test_a_fresh_password_alone_changes_no_factor(one):
    weak = one.pair()["access_token"]
    one.begin(weak)
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, weak).status == 200
    assert one.post("/mfa/totp/remove", token=weak).status == 401
    assert one.post("/mfa/totp", token=weak).status == 401


def test_a_refreshed_session_is_no_fresh_login(enrolled):
    pair = enrolled.strong()
    enrolled.clock.advance(400)
    token = told(enrolled.refresh(pair["refresh_token"]))["access_token"]
    assert enrolled.post("/mfa/totp/remove", token=token).status == 401


def test_who_has_done_both_steps_removes_their_factor(enrolled):
    assert enrolled.post("/mfa/totp/remove", token=enrolled.strong()["access_token"]).status == 204
    assert enrolled.row().factors is None
    assert enrolled.login().status == 200
    assert enrolled.told[-1] == ("second_factor_removed", "alice")


def test_an_app_is_replaced_by_another(enrolled):
    token = enrolled.strong()["access_token"]
    old = enrolled.code()
    enrolled.begin(token)
    assert enrolled.post("/mfa/totp/confirm", {"code": enrolled.code()}, token).status == 200
    enrolled.clock.advance(30)
    assert enrolled.answer(old).status == 401
    assert enrolled.answer(enrolled.recovery_codes[0]).status == 401
    assert enrolled.answer(enrolled.code()).status == 200


@pytest.mark.parametrize("keeps", [lambda text: None, lambda text: text[:255], lambda text: ""])
def test_a_table_that_does_not_keep_what_it_is_given_is_a_500_and_no_recovery_code(keeps):
    """It would say that there is a second factor, and let the password alone in."""

    class Lossy(MemoryUsers):
        def update(self, old, new):
            return super().update(old, new.changed(factors=new.factors and keeps(new.factors)))

    one = Second(users=Lossy())
    token = one.pair()["access_token"]
    one.begin(token)
    answer = one.post("/mfa/totp/confirm", {"code": one.code()}, token)
    assert (answer.status, b"recovery" in answer.body) == (500, False)


async def test_an_operator_takes_a_lost_factor_away(enrolled):
    assert enrolled.accounts.remove_second_factor("ALICE").factors is None
    assert enrolled.login().status == 200
    enrolled.enrol()
    assert (await enrolled.accounts.aremove_second_factor("alice")).factors is None


def test_where_it_is_required_a_login_sets_one_up():
    one = Second(factor={"required": True})
    assert told(one.login())["methods"] == ["enrol"]
    token = one.ask()
    assert one.answer("123456", token).status == 401
    one.keep(one.post("/mfa/totp", {"mfa_token": token}))
    assert one.post("/mfa/totp/confirm", {"mfa_token": token, "code": one.wrong()}).status == 400
    answer = one.post("/mfa/totp/confirm", {"mfa_token": token, "code": one.code()})
    assert answer.status == 200
    found = told(answer)
    assert len(found["recovery_codes"]) == 10
    assert one.claims(found["access_token"])["amr"] == ["pwd", "otp", "mfa"]
    again = one.post("/mfa/totp", {"mfa_token": token})
    assert told(again)["code"] == "invalid_mfa_token"
    one.clock.advance(30)
    assert one.answer(one.code()).status == 200


def test_where_it_is_required_registering_is_no_way_around_it():
    one = Second(factor={"required": True}, registration=True)
    answer = one.send("/register", {"username": "bob", "password": "an even longer sentence"})
    assert (answer.status, b"access_token" in answer.body) == (401, False)
    assert told(answer)["methods"] == ["enrol"]


def test_nor_is_a_name_that_its_first_login_makes():
    one = Second(factor={"required": True}, create_on_first_login=True)
    assert told(one.login("bob"))["methods"] == ["enrol"]


def test_the_step_of_somebody_who_has_a_factor_sets_up_no_other(enrolled):
    answer = enrolled.post("/mfa/totp", {"mfa_token": enrolled.ask()})
    assert told(answer)["code"] == "invalid_mfa_token"


class Hesitant(MemoryUsers):
    """A table that does something before its next change: `now()`."""

    in_place = False
    now = None

    def update(self, old, new):
        now, self.now = self.now, None
        if now is not None:
            now()
        return super().update(old, new)


CHANGES = {
    "/mfa/totp/confirm": "second_factor_set",
    "/mfa/totp/remove": "second_factor_removed",
    "/mfa/recovery": "recovery_codes_renewed",
}


def about_to(path):
    """A service, and what is sent to make the change: a body and a token."""
    one = Second(users=Hesitant())
    if path == "/mfa/totp/confirm":
        token = one.pair()["access_token"]
        one.begin(token)
        return one, {"code": one.code()}, token
    one.enrol()
    asked = told(one.login())["mfa_token"]
    return one, None, told(one.post("/mfa", {"mfa_token": asked, "code": one.code()}))["access_token"]


@pytest.mark.parametrize("path", CHANGES)
def test_who_is_deleted_at_the_last_moment_is_refused(path):
    one, body, token = about_to(path)
    one.users.now = lambda: one.users.remove("alice")
    before = len(one.told)
    assert one.post(path, body, token).status == (400 if path == "/mfa/totp/confirm" else 401)
    assert len(one.told) == before


@pytest.mark.parametrize("path", CHANGES)
async def test_who_hangs_up_in_the_middle_of_a_change_keeps_nobody_from_hearing_of_it(path):
    one, body, token = await asyncio.to_thread(about_to, path)
    changing, go_on = threading.Event(), threading.Event()

    def held():
        changing.set()
        assert go_on.wait(10)

    one.users.now = held
    headers = {"authorization": f"Bearer {token}", **(JSON if body else {})}
    request = Request.build("POST", path, headers, json.dumps(body).encode() if body else b"", "203.0.113.5")

    async def asking():
        return await arun(one.accounts.app.answer(request))

    task = asyncio.get_running_loop().create_task(asking())
    assert await asyncio.to_thread(changing.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    for _ in range(500):
        if one.told[-1:] == [(CHANGES[path], "alice")]:
            break
        await asyncio.sleep(0.01)
    assert one.told[-1:] == [(CHANGES[path], "alice")]
