"""Which of a provider's documents says what of somebody: the ID token, userinfo, and those that come with a refresh."""

from __future__ import annotations

import json

import pytest

from authkit import Response, require_auth
from authkit.stores import MemoryStore
from tests.oidc.login_parts import Browser, Clock, login_at


def identity(browser: Browser):
    """Who the page behind the session is for, as `provider.identity` says."""
    login = browser.logins[0]
    seen = []

    def page(request):
        seen.append(login.provider.identity(request.principal))
        return Response(200)

    handler, usual = require_auth(login.session)(page), browser.page
    browser.page = handler
    try:
        assert browser.get().status == 200
    finally:
        browser.page = usual
    return seen[0]


def refreshing(op, clock, **settings):
    browser = Browser(op.login(store=MemoryStore(clock=clock), refresh=True, **settings))
    browser.log_in(op)
    return browser


VERIFIED = {"email": "alice@one.example", "email_verified": True}


@pytest.mark.parametrize("later", [{"email": "mallory@two.example"}, {"email_verified": True, "email": "m@two.example"}])
def test_an_address_that_came_with_a_refresh_is_verified_only_if_that_came_with_it(later):
    clock = Clock()
    with login_at(clock) as op:
        op.id_claims = dict(VERIFIED)
        browser = refreshing(op, clock)
        assert identity(browser).email == "alice@one.example"
        op.id_claims = later
        clock.pass_(290)
        found = identity(browser)
        assert found.unverified_email == later["email"]
        assert found.email == (later["email"] if "email_verified" in later else None)


@pytest.mark.parametrize("later", [{}, {"email": "alice@one.example"}])
def test_what_a_refresh_says_nothing_new_of_stays_verified(later):
    clock = Clock()
    with login_at(clock) as op:
        op.id_claims = dict(VERIFIED)
        browser = refreshing(op, clock)
        op.id_claims = later
        clock.pass_(290)
        assert identity(browser).email == "alice@one.example"


def test_an_address_of_the_id_token_is_not_verified_by_a_mark_of_userinfo():
    with login_at() as op:
        op.id_claims = {"email": "mallory@two.example"}
        op.told = {"sub": "alice", **VERIFIED}
        browser = Browser(op.login(userinfo=True))
        browser.log_in(op)
        found = identity(browser)
        assert (found.email, found.unverified_email) == (None, "mallory@two.example")


def test_how_somebody_logged_in_is_what_the_id_token_says_and_nothing_of_userinfo():
    with login_at() as op:
        op.id_claims = {"auth_time": ...}
        op.told = {"sub": "alice", "auth_time": int(op.clock()), "amr": ["mfa"], "acr": "strong", "name": "A"}
        browser = Browser(op.login(userinfo=True))
        browser.log_in(op)
        assert json.loads(browser.get().body)["claims"] == {"name": "Alice"}


def test_a_refresh_is_no_fresher_login_whatever_time_it_names():
    clock = Clock()
    with login_at(clock) as op:
        browser = refreshing(op, clock)
        fresh = require_auth(browser.logins[0].session, max_age=300)(lambda request: None)
        began = json.loads(browser.get().body)["claims"]["auth_time"]
        op.id_claims = {"auth_time": int(clock()) + 400}
        clock.pass_(400)
        assert browser.send(fresh, "GET", "/page", accept="*/*").status == 401
        assert json.loads(browser.get().body)["claims"]["auth_time"] == began
        assert op.refreshed == 1


def test_a_role_that_a_refreshed_id_token_has_no_more_is_gone():
    clock = Clock()
    with login_at(clock) as op:
        op.id_claims = {"roles": ["admin"]}
        browser = refreshing(op, clock)
        assert json.loads(browser.get().body)["roles"] == ["admin"]
        op.id_claims = {}
        clock.pass_(290)
        assert json.loads(browser.get().body)["roles"] == []


def test_roles_that_userinfo_tells_are_asked_for_again_at_a_refresh():
    clock = Clock()
    with login_at(clock) as op:
        op.told = {"sub": "alice", "roles": ["admin"]}
        browser = refreshing(op, clock, userinfo=True)
        assert json.loads(browser.get().body)["roles"] == ["admin"]
        clock.pass_(290)
        assert json.loads(browser.get().body)["roles"] == ["admin"]
        op.told = {"sub": "alice"}
        clock.pass_(290)
        assert json.loads(browser.get().body)["roles"] == []
        op.told = {"sub": "mallory"}
        clock.pass_(290)
        assert browser.get().status == 303  # userinfo speaks of somebody else


def test_while_userinfo_cannot_be_asked_a_refreshed_session_keeps_what_it_had():
    clock = Clock()
    with login_at(clock) as op:
        op.told = {"sub": "alice", "roles": ["admin"]}
        browser = refreshing(op, clock, userinfo=True)
        op.pages["/userinfo"] = lambda *_: (500, {})
        clock.pass_(290)
        assert json.loads(browser.get().body)["roles"] == ["admin"]
        assert op.refreshed == 1
