"""Step-up (RFC 9470) with tokens from these endpoints: how and when somebody logged in, and that a refresh changes neither."""

from __future__ import annotations

from authkit import Request, require_auth

from .parts import PASSWORD, told
from .second import Second


def guarded(one, **settings):
    return require_auth(one.tokens, **settings)(lambda request, principal: principal.subject)


def open_to(handler, token):
    answer = handler(Request.build("GET", "/", {"authorization": f"Bearer {token}"}))
    return answer if isinstance(answer, str) else answer.status


def test_a_guard_that_wants_a_second_factor_knows_who_has_given_it():
    enrolled = Second()
    enrolled.enrol()
    handler = guarded(enrolled, amr=["otp"])
    enrolled.accounts.register("bob", PASSWORD)
    assert open_to(handler, enrolled.pair(username="bob")["access_token"]) == 401
    assert open_to(handler, enrolled.strong()["access_token"]) == "alice"
    assert open_to(guarded(enrolled, amr="mfa"), enrolled.strong()["access_token"]) == "alice"


def test_a_guard_that_wants_a_fresh_login_is_not_fooled_by_a_refresh():
    one = Second()
    pair = one.pair()
    since = one.claims(pair["access_token"])["auth_time"]
    one.clock.advance(600)
    refreshed = told(one.refresh(pair["refresh_token"]))["access_token"]
    claims = one.claims(refreshed)
    assert (claims["auth_time"], claims["amr"]) == (since, ["pwd"])
    guard = require_auth(one.tokens, max_age=300, clock=one.clock)
    request = Request.build("GET", "/", {"authorization": f"Bearer {refreshed}"})
    denied = guard.decide(request)
    assert (denied.code, denied.reason) == ("insufficient_user_authentication", "step_up_needed")
    again = Request.build("GET", "/", {"authorization": f"Bearer {one.pair()['access_token']}"})
    assert guard.decide(again).principal.subject == "alice"


def test_stepping_up_is_logging_in_again_with_the_second_step():
    """ASVS 7.5.3."""
    one = Second()
    one.enrol()
    guard = require_auth(one.tokens, max_age=60, amr=["otp"], clock=one.clock)
    pair = one.strong()
    one.clock.advance(200)
    old = told(one.refresh(pair["refresh_token"]))["access_token"]
    assert guard.decide(Request.build("GET", "/", {"authorization": f"Bearer {old}"})).status == 401
    fresh = one.strong()["access_token"]
    assert guard.decide(Request.build("GET", "/", {"authorization": f"Bearer {fresh}"})).principal.subject == "alice"
