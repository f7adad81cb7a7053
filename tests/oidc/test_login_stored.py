"""Sessions in a store: what lies there, and what its loss means."""

from __future__ import annotations

import sqlite3

import pytest

from authkit.stores import RedisStore, SqliteStore, open_store
from tests.oidc.login_parts import Browser, Clock, login_at
from tests.oidc.test_login_sessions import other_process
from tests.servers.redis import redis_server


def test_a_store_holds_neither_the_id_nor_a_token_nor_a_name(tmp_path):
    path = tmp_path / "store.db"
    with login_at() as op:
        op.said["refresh_token"] = "refresh-0-of-many-characters"
        browser = Browser(op.login(store=SqliteStore(str(path)), refresh=True, logged_out_uri="https://site.example/bye"))
        browser.log_in(op)
        assert browser.whoami() == "alice"
        id = browser.session.rpartition(".")[2]
        with sqlite3.connect(path) as db:
            text = "\n".join(db.iterdump())
        for secret in (id, "alice", "Alice", "refresh-0", "access-0"):
            assert secret not in text
        assert len(text) < 20_000


def test_a_store_that_was_lost_logs_everybody_out_and_one_that_is_down_is_503(tmp_path):
    path = tmp_path / "store.db"
    with login_at() as op:
        store = SqliteStore(str(path))
        browser = Browser(op.login(store=store))
        browser.log_in(op)
        lost = other_process(browser, op, store=SqliteStore(str(tmp_path / "new.db")))
        cookies = dict(browser.cookies)
        assert lost.whoami() == 303
        browser.cookies = cookies
        assert browser.whoami() == "alice"
        down = Browser(op.login(store=open_store("redis://127.0.0.1:1/0")))
        down.cookies = cookies
        assert down.whoami() == 503


def test_in_redis_sessions_are_shared_ended_and_gone_with_it():
    clock = Clock()
    with redis_server() as server, login_at(clock) as op:
        one, two = (Browser(op.login(store=RedisStore(server.url, timeout=30))) for _ in range(2))
        op.id_claims = {"sid": "s-1"}
        one.log_in(op)
        two.cookies = dict(one.cookies)
        assert two.whoami() == "alice"
        lines = server.say("KEYS *")
        assert "alice" not in str(lines)
        assert one.session.rpartition(".")[2] not in str(lines)
        kept = dict(one.cookies)
        one.send(one.logins[0].app, "POST", "/logout", origin="https://site.example")
        clock.pass_(0.5)
        two.cookies = dict(kept)
        assert two.whoami() == 303
        one.log_in(op)
        kept = dict(one.cookies)
        server.say("FLUSHALL")
        clock.pass_(0.5)
        assert one.whoami() == 303
        one.log_in(op)
        server.kill()
        clock.pass_(0.5)
        assert one.whoami() == 503
        assert one.cookies
        with pytest.raises(AssertionError):
            one.start("/logout", origin="https://site.example")
