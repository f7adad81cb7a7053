"""The second step of a login: asked for after the right password alone, right once, and never passed by what is broken."""

from __future__ import annotations

import json
import logging

import pytest

from authkit import Request, Tokens
from authkit.accounts import Accounts, Cookies, SecondFactor, User

from .parts import KEY, ORIGIN, PASSWORD, SAME_SITE, cheap, cookies_of, told, whole
from .second import SECRET, Second, put


@pytest.fixture
def one():
    return Second()


@pytest.fixture
def enrolled(one):
    one.recovery_codes = one.enrol()
    return one


def test_without_a_factor_the_password_logs_in(one):
    claims = one.claims(one.pair()["access_token"])
    assert (claims["amr"], claims["auth_time"]) == (["pwd"], int(one.clock()))


def test_with_one_a_login_asks_for_it_and_gives_no_token(enrolled):
    answer = enrolled.login()
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'
    found = told(answer)
    assert len(found.pop("mfa_token")) == 43
    assert found == {
        "type": "about:blank", "title": "Unauthorized", "status": 401, "code": "mfa_required",
        "methods": ["totp", "recovery"], "expires_in": 300,
    }  # fmt: skip


def test_who_does_not_know_the_password_learns_nothing_of_it(enrolled):
    """PWD-02: byte for byte."""
    assert len({whole(enrolled.login(name, "wrong")) for name in ("alice", "nobody")}) == 1


def test_the_right_code_gives_a_pair_and_says_how(enrolled):
    answer = enrolled.answer(enrolled.code())
    assert answer.status == 200
    found = told(answer)
    assert found["user"] == "alice"
    claims = enrolled.claims(found["access_token"])
    assert (claims["amr"], claims["auth_time"]) == (["pwd", "otp", "mfa"], int(enrolled.clock()))
    assert enrolled.refresh(found["refresh_token"]).status == 200


def test_several_tries_of_a_code_are_one_login(enrolled):
    token = enrolled.ask()
    assert told(enrolled.answer(enrolled.wrong(), token))["code"] == "invalid_code"
    assert enrolled.answer(enrolled.code(), token).status == 200


def test_a_token_of_the_second_step_is_good_once(enrolled):
    token = enrolled.ask()
    assert enrolled.answer(enrolled.code(), token).status == 200
    enrolled.clock.advance(30)
    answer = enrolled.answer(enrolled.code(), token)
    assert (answer.status, told(answer)["code"]) == (401, "invalid_mfa_token")


def test_a_code_is_good_once_whatever_login_it_is_for(enrolled):
    """ASVS 6.5.1."""
    code = enrolled.code()
    assert enrolled.answer(code).status == 200
    assert told(enrolled.answer(code))["code"] == "invalid_code"
    assert enrolled.answer(enrolled.code(-1)).status == 401, "an older one is good no more"


def test_the_code_that_confirmed_an_app_logs_nobody_in(one):
    token = one.pair()["access_token"]
    one.begin(token)
    assert one.post("/mfa/totp/confirm", {"code": one.code()}, token).status == 200
    assert one.answer(one.code()).status == 401


def test_that_a_code_was_used_survives_a_lost_store(enrolled):
    code = enrolled.code()
    assert enrolled.answer(code).status == 200
    new = Second()
    new.users = enrolled.users
    new.accounts = Accounts(
        enrolled.users, new.tokens, cheap(), clock=enrolled.clock, second_factor=SecondFactor(SECRET, issuer="Example")
    )
    assert new.answer(code).status == 401
    enrolled.clock.advance(30)
    assert new.answer(enrolled.code()).status == 200


def _disable(one):
    one.accounts.disable("alice")


def _another_password(one):
    one.accounts.set_password("alice", "another battery staple")


def _anew(one):
    one.accounts.delete("alice")
    one.clock.advance(1)
    one.accounts.register("alice", PASSWORD)


def _later(one):
    one.clock.advance(301)


def _no_factor(one):
    one.accounts.remove_second_factor("alice")


@pytest.mark.parametrize("change", [_disable, _another_password, _anew, _later, _no_factor])
def test_the_second_step_ends_with_what_it_was_begun_for(enrolled, change):
    """REF-05, of logins that are half done."""
    token = enrolled.ask()
    change(enrolled)
    answer = enrolled.answer(enrolled.code(), token)
    assert (answer.status, b"access_token" in answer.body) == (401, False)


def test_a_hash_that_is_made_anew_ends_no_login(enrolled):
    token = enrolled.ask()
    row = enrolled.row()
    assert enrolled.users.update(row, row.changed(password_hash=cheap().hash(PASSWORD)))
    assert enrolled.answer(enrolled.code(), token).status == 200


def test_somebody_elses_code_is_none(enrolled):
    enrolled.accounts.register("bob", PASSWORD)
    alices = enrolled.key
    enrolled.enrol("bob")
    token = enrolled.ask(username="bob")
    enrolled.key = alices
    assert enrolled.answer(enrolled.code(), token).status == 401


def test_of_two_applications_on_one_store_neither_takes_the_others_step(enrolled):
    token = enrolled.ask()
    other = Tokens(KEY, issuer="https://other.example", audience=ORIGIN, clock=enrolled.clock, store=enrolled.store)
    accounts = Accounts(
        enrolled.users, other, cheap(), store=enrolled.store, clock=enrolled.clock,
        second_factor=SecondFactor(SECRET, issuer="Example"),
    )  # fmt: skip
    body = json.dumps({"mfa_token": token, "code": enrolled.code()}).encode()
    answer = accounts.mfa(Request.build("POST", "/mfa", {"content-type": "application/json"}, body))
    assert told(answer)["code"] == "invalid_mfa_token"


@pytest.mark.parametrize("token", ["x", "a" * 43, "é" * 43, "\ud7ff" * 43, "A" * 5000])
def test_what_is_no_token_of_ours_is_refused(enrolled, token):
    assert told(enrolled.answer(enrolled.code(), token))["code"] == "invalid_mfa_token"


NOT_BODIES = (
    b"", b"{}", b"[]", b'{"code":"123456"}', b'{"mfa_token":"x"}', b'{"mfa_token":"x","code":123456}',
    b'{"mfa_token":1,"code":"1"}', b'{"mfa_token":"x","code":"1\\u0000"}', b'{"mfa_token":"x","code":"1","user":"alice"}',
    b'{"mfa_token":"x","code":null}',
)  # fmt: skip


@pytest.mark.parametrize("body", NOT_BODIES)
def test_a_body_that_is_none_is_400(enrolled, body):
    assert enrolled.send("/mfa", body, {"content-type": "application/json"}).status == 400


@pytest.mark.parametrize("code", ["٠٨١٨٠٤", "０８１８０４", " ", "1e5", "-12345", "\ud7ff" * 24, "x" * 5000])
def test_a_code_that_can_be_none_is_a_wrong_one(enrolled, code):
    assert told(enrolled.answer(code))["code"] == "invalid_code"


def test_a_code_with_a_space_in_its_middle_is_the_same(enrolled):
    code = enrolled.code()
    assert enrolled.answer(f"{code[:3]} {code[3:]}").status == 200


# Guessing


def test_pwd_10_after_five_wrong_codes_the_right_one_is_refused_too(enrolled):
    token = enrolled.ask()
    answers = [enrolled.answer(enrolled.wrong(), token, peer=f"198.51.100.{i}") for i in range(5)]
    assert [answer.status for answer in answers] == [401] * 5
    limited = enrolled.answer(enrolled.code(), peer="192.0.2.1")
    assert (limited.status, told(limited)["code"]) == (429, "rate_limited")
    assert 1 <= int(limited.headers["retry-after"]) <= 60
    enrolled.clock.advance(int(limited.headers["retry-after"]))
    assert enrolled.answer(enrolled.code()).status == 200


def test_pwd_12_guessing_all_day_is_sixty_guesses_and_its_end_lets_the_owner_in(enrolled):
    session = enrolled.strong()
    looked_at = 0
    for _ in range(24 * 12):
        token = enrolled.ask()
        for _ in range(6):
            looked_at += enrolled.answer(enrolled.wrong(), token).status == 401
        enrolled.clock.advance(300)
    assert 30 <= looked_at <= 60
    fresh = json.loads(enrolled.refresh(session["refresh_token"]).body)
    assert enrolled.verify(fresh["access_token"]).status == 200, "who is logged in goes on"
    enrolled.clock.advance(86_400 / 30)
    assert enrolled.answer(enrolled.code()).status == 200


def test_right_codes_are_not_counted(enrolled):
    for _ in range(12):
        enrolled.strong()


def test_a_second_step_without_the_password_is_no_way_to_keep_somebody_out(enrolled):
    for _ in range(20):
        assert enrolled.answer("000000", "A" * 43).status == 401
    assert enrolled.answer(enrolled.code()).status == 200


# Recovery codes


def test_a_recovery_code_logs_in_once_and_its_owner_is_told(enrolled):
    code = enrolled.recovery_codes[3].upper().replace("-", " ")
    answer = enrolled.answer(code)
    assert answer.status == 200
    assert enrolled.claims(told(answer)["access_token"])["amr"] == ["pwd", "otp", "mfa"]
    assert enrolled.told[-1] == ("recovery_code_used", "alice")
    assert enrolled.answer(code).status == 401
    assert enrolled.answer(enrolled.recovery_codes[4]).status == 200


def test_new_recovery_codes_end_all_old_ones(enrolled):
    token = enrolled.strong()["access_token"]
    answer = enrolled.post("/mfa/recovery", token=token)
    assert answer.status == 200
    new = told(answer)["recovery_codes"]
    assert len(new) == 10
    assert not set(new) & set(enrolled.recovery_codes)
    assert enrolled.answer(enrolled.recovery_codes[0]).status == 401
    assert enrolled.answer(new[0]).status == 200
    assert enrolled.answer(enrolled.code()).status == 200, "the app is the same"


def test_without_codes_that_are_left_recovery_is_no_method(enrolled):
    for code in enrolled.recovery_codes:
        assert enrolled.answer(code).status == 200
    assert told(enrolled.login())["methods"] == ["totp"]


def test_without_a_factor_there_are_no_codes_to_renew(one):
    answer = one.post("/mfa/recovery", token=one.pair()["access_token"])
    assert (answer.status, told(answer)["code"]) == (409, "no_second_factor")


# Cookies


def test_with_cookies_the_second_step_sets_them_and_is_not_forged():
    one = Second(cookies=Cookies())
    session = cookies_of(one.login(headers=SAME_SITE))
    jar = "; ".join(f"{name}={value}" for name, (value, _) in session.items())
    at_home, elsewhere = {**SAME_SITE, "cookie": jar}, {"host": "api.example", "origin": "https://evil.example", "cookie": jar}
    assert one.send("/mfa/totp", None, elsewhere).status == 403
    one.keep(one.send("/mfa/totp", None, at_home))
    assert one.send("/mfa/totp/confirm", {"code": one.code()}, elsewhere).status == 403
    assert one.send("/mfa/totp/confirm", {"code": one.code()}, at_home).status == 200
    one.clock.advance(30)
    token = one.ask(headers=SAME_SITE)
    body = {"mfa_token": token, "code": one.code()}
    assert one.send("/mfa", body, {**elsewhere, "cookie": ""}).status == 403
    answer = one.send("/mfa", body, SAME_SITE)
    assert answer.status == 200
    assert b"token" not in answer.body
    assert cookies_of(answer).keys() == session.keys()


# LOG-01


def test_no_key_code_or_token_is_in_any_log_or_event(caplog):
    caplog.set_level(logging.DEBUG)
    one = Second()
    codes = one.enrol()
    token = one.ask()
    used = one.code()
    one.answer(one.wrong(), token)
    pair = told(one.answer(used, token))
    put(one, one.row().factors + "x")
    one.login()
    hidden = [
        SECRET,
        PASSWORD,
        one.key.hex(),
        used,
        token,
        *codes,
        pair["access_token"],
        pair["refresh_token"],
        one.row().factors,
    ]
    written = caplog.text + repr([vars(record) for record in caplog.records])
    assert "mfa" in written
    for value in hidden:
        assert value not in written
    assert ORIGIN not in repr(SecondFactor(SECRET, issuer="Example"))


def test_users_of_other_subjects_log_in_as_themselves():
    one = Second()
    one.users.add(User("numbered", password_hash=cheap().hash(PASSWORD), subject="17", password_changed=1.0))
    one.enrol("numbered")
    answer = one.answer(one.code(), one.ask(username="numbered"))
    assert answer.status == 200
    assert one.tokens.verify(told(answer)["access_token"]).subject == "17"
    assert told(answer)["user"] == "numbered"
