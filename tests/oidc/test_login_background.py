"""Sessions that are renewed while nobody waits for it, and renewals that nobody ends."""

from __future__ import annotations

import json

from authkit._run import run
from authkit.stores import MemoryStore
from tests.oidc.issuer import until
from tests.oidc.login_parts import Browser, Clock, login_at
from tests.oidc.test_login_refresh import refreshes


def test_in_a_store_a_session_is_refreshed_in_the_background_and_nobody_waits_until_its_token_has_ended():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=MemoryStore(), refresh=True, background=True))
        browser.log_in(op)
        clock.pass_(250)
        op.fault("/token", delay=60)
        for _ in range(10):
            assert browser.whoami() == "alice"
        until(lambda: refreshes(op) == 1)
        op.stop()  # whoever is in flight is cut off


def test_what_was_refreshed_in_the_background_is_there_for_whoever_comes_next():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=MemoryStore(), refresh=True, background=True))
        browser.log_in(op)
        op.id_claims = {"name": "Alice B"}
        clock.pass_(250)

        def name():
            clock.pass_(0.6)  # what a store said is asked again
            return json.loads(browser.get().body)["claims"]["name"]

        assert name() == "Alice"
        until(lambda: name() == "Alice B")
        assert refreshes(op) == 1


def test_who_died_while_refreshing_holds_nobody_up_for_longer_than_their_lease():
    clock = Clock()
    with login_at(clock) as op:
        store = MemoryStore(clock=clock)
        browser = Browser(op.login(store=store, refresh=True, sleep=clock.pass_))
        browser.log_in(op)
        (session,) = (one.session for one in browser.logins[0].session._young.values()) if browser.whoami() == "alice" else ()
        sessions = browser.logins[0]._sessions
        assert run(sessions.add(f"refresh:{session.id}:0", 4.0))
        clock.pass_(280)
        assert browser.whoami() == "alice"
        assert refreshes(op) == 1
