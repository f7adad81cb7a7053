"""Sessions whose tokens are renewed: once for each, and never past what the provider says."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading

import pytest

from authkit import Request, require_auth
from authkit.http import Response
from authkit.oidc.refreshing import GRACE, OVERLAP, REST
from authkit.stores import MemoryStore, SqliteStore
from tests.oidc.login_parts import Browser, Clock, login_at

STORES = pytest.mark.parametrize("store", [None, MemoryStore], ids=["sealed", "stored"])


def refreshes(op) -> int:
    return sum(form["grant_type"] == "refresh_token" for form in op.token_forms)


@STORES
def test_a_session_is_refreshed_before_its_access_token_ends_and_has_the_newer_claims(store):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), refresh=True, keep_access_token=True))
        browser.log_in(op)
        clock.pass_(200)
        assert browser.whoami() == "alice"
        assert refreshes(op) == 0
        op.id_claims = {"name": "Alice B", "roles": ["admin"], "nonce": ...}
        clock.pass_(50)
        said = json.loads(browser.get().body)
        assert (said["claims"]["name"], said["roles"]) == ("Alice B", ["admin"])
        assert refreshes(op) == 1
        for _ in range(4):
            clock.pass_(250)
            assert browser.whoami() == "alice"
        assert refreshes(op) == 5
        request = Request.build("GET", "/", {"cookie": "; ".join(f"{name}={text}" for name, text in browser.cookies.items())})
        assert browser.logins[0].access_token(request) == "access-5"


def test_without_the_word_nothing_is_refreshed():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login())
        browser.log_in(op)
        clock.pass_(3000)
        assert browser.whoami() == "alice"
        assert refreshes(op) == 0


@STORES
def test_two_hundred_requests_at_once_with_one_session_are_one_refresh(store):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), refresh=True))
        browser.log_in(op)
        clock.pass_(280)
        op.fault("/token", delay=0.2)
        seen: list[str | int] = []
        ready = threading.Barrier(200)

        def ask():
            own = Browser(browser.logins[0])
            own.cookies = dict(browser.cookies)
            ready.wait(60)
            seen.append(own.whoami())

        threads = [threading.Thread(target=ask) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert seen == ["alice"] * 200
        assert refreshes(op) == 1


@STORES
def test_two_hundred_tasks_at_once_with_one_session_are_one_refresh(store):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), refresh=True))
        browser.log_in(op)
        clock.pass_(280)
        cookie = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())

        @require_auth(browser.logins[0].session)
        async def page(request: Request) -> Response:
            return Response(200)

        async def ask() -> list[int]:
            asked = (page(Request.build("GET", "/", {"cookie": cookie})) for _ in range(200))
            return [answer.status for answer in await asyncio.gather(*asked)]

        assert asyncio.run(ask()) == [200] * 200
        assert refreshes(op) == 1


def test_a_request_that_comes_late_with_the_former_cookies_gets_the_session_that_it_has_become():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(refresh=True))
        browser.log_in(op)
        former = dict(browser.cookies)
        clock.pass_(280)
        browser.whoami()
        clock.pass_(OVERLAP - 1)
        late = Browser(browser.logins[0])
        late.cookies = former
        assert late.whoami() == "alice"
        assert late.cookies == browser.cookies
        assert refreshes(op) == 1


def test_processes_that_share_a_store_refresh_once():
    clock = Clock()
    with login_at(clock) as op:
        store = MemoryStore()
        browsers = [Browser(op.login(store=store, refresh=True)) for _ in range(8)]
        browsers[0].log_in(op)
        clock.pass_(280)
        op.fault("/token", delay=0.3)
        seen: list[str | int] = []

        def ask(browser):
            browser.cookies = dict(browsers[0].cookies)
            seen.append(browser.whoami())

        threads = [threading.Thread(target=ask, args=(browser,)) for browser in browsers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert seen == ["alice"] * 8
        assert refreshes(op) == 1


_PROCESS = """
import sys, threading
from authkit import Request, require_auth
from authkit._run import run
from authkit.http import Response
from authkit.oidc import OIDCProvider
from authkit.stores import SqliteStore
url, path, cookie, now, client, secret, back, key = sys.argv[1:]
clock = lambda: float(now)
login = OIDCProvider(url, audience="x", clock=clock).login(
    client_id=client, client_secret=secret, redirect_uri=back, session_key=key, clock=clock, monotonic=clock,
    store=SqliteStore(path), refresh=True)
page = require_auth(login.session)(lambda request: Response(200))
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
seen = []
ask = lambda: seen.append(page(Request.build("GET", "/", {"cookie": cookie})).status)
threads = [threading.Thread(target=ask) for _ in range(10)]
for thread in threads: thread.start()
for thread in threads: thread.join(60)
print(seen)
"""


def test_real_processes_with_one_store_refresh_once(tmp_path):
    from tests.oidc.login_parts import BACK, CLIENT, KEY, SECRET

    clock, path = Clock(), str(tmp_path / "store.db")
    with login_at(clock) as op:
        browser = Browser(op.login(store=SqliteStore(path), refresh=True))
        browser.log_in(op)
        clock.pass_(280)
        cookie = f"{browser.logins[0].cookie_name}={browser.session}"
        command = [sys.executable, "-c", _PROCESS, op.url, path, cookie, str(clock.now), CLIENT, SECRET, BACK, KEY]
        pipe = subprocess.PIPE
        processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60)[0].strip() for process in processes]
        assert said == [str([200] * 10)] * 3
        assert refreshes(op) == 1


@STORES
def test_a_session_ends_where_the_provider_says_that_its_grant_is_over(store):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), refresh=True))
        browser.log_in(op)
        former = dict(browser.cookies)
        clock.pass_(280)
        op.refused = (400, {"error": "invalid_grant"})
        assert browser.whoami() == 303
        assert browser.cookies == {}
        for _ in range(5):
            browser.cookies = dict(former)
            assert browser.whoami() == 303
        assert refreshes(op) == 1  # that it is over is not asked again and again
        if store is not None:
            op.refused = None
            browser.cookies = dict(former)
            clock.pass_(OVERLAP)
            assert browser.whoami() == 303


DOWN = {
    "503": (503, {}),
    "429": (429, {}),
    "401": (401, {}),
    "not_us": (401, {"error": "invalid_client"}),
    "200_that_says_nothing": (200, {}),
    "an_unknown_error": (400, {"error": "whatever"}),
    "a_page": (502, "<html>"),
}


@STORES
@pytest.mark.parametrize("answer", DOWN.values(), ids=DOWN)
def test_while_the_provider_is_down_a_session_is_kept_within_bounds_and_is_503_past_them(store, answer):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), refresh=True))
        browser.log_in(op)
        clock.pass_(280)
        asked, good = [], op.pages["/token"]
        op.pages["/token"] = lambda *sent: (asked.append(sent), answer)[1]
        for _ in range(20):
            assert browser.whoami() == "alice"
        assert len(asked) == 1  # it rests between two attempts
        clock.pass_(REST + 1)
        assert browser.whoami() == "alice"
        assert len(asked) == 2
        clock.pass_(GRACE + 20)
        assert browser.whoami() == 503
        assert browser.cookies
        assert browser.whoami() == 503
        assert len(asked) == 3  # also then it rests
        op.pages["/token"] = good
        clock.pass_(REST + 1)
        assert browser.whoami() == "alice"


@STORES
@pytest.mark.parametrize(
    "claims",
    [{"sub": "mallory"}, {"iss": "https://evil.example"}, {"aud": "other"}, {"nonce": "another"}, {"at_hash": "x"}, {"exp": 1}],
    ids=str,
)
def test_a_refreshed_id_token_of_somebody_else_ends_the_session(store, claims):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), refresh=True))
        browser.log_in(op)
        clock.pass_(280)
        op.id_claims = claims
        assert browser.whoami() == 303


@STORES
def test_a_provider_that_gives_no_new_refresh_token_or_id_token_keeps_the_former(store):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), refresh=True))
        browser.log_in(op)
        op.said = {"refresh_token": ..., "id_token": ...}
        clock.pass_(250)
        assert browser.whoami() == "alice"
        op.refreshed = 0  # the same refresh token is good still
        clock.pass_(250)
        assert browser.whoami() == "alice"
        assert refreshes(op) == 2


def test_a_session_without_a_refresh_token_lasts_as_long_as_sessions_do():
    clock = Clock()
    with login_at(clock) as op:
        op.said = {"refresh_token": ...}
        browser = Browser(op.login(refresh=True))
        browser.log_in(op)
        clock.pass_(3000)
        assert browser.whoami() == "alice"
        assert refreshes(op) == 0


def test_a_session_that_is_logged_out_while_it_is_refreshed_stays_out():
    clock = Clock()
    with login_at(clock) as op:
        store = MemoryStore()
        browser = Browser(op.login(store=store, refresh=True))
        browser.log_in(op)
        clock.pass_(280)
        page = op.pages["/token"]
        other = Browser(op.login(store=store, refresh=True))
        other.cookies = dict(browser.cookies)

        def meanwhile(*asked):
            answer = other.send(other.logins[0].app, "POST", "/logout", origin="https://site.example")
            assert answer.status == 303
            return page(*asked)

        op.pages["/token"] = meanwhile
        assert browser.whoami() == 303


@STORES
@pytest.mark.parametrize("error", ["interaction_required", "access_denied", "login_required", "consent_required"])
def test_a_session_ends_where_the_provider_wants_its_person_to_log_in_anew(store, error):
    """RFC 6749 section 5.2 has no word for that, and providers take those of OpenID Connect."""
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(refresh=True, store=store and store()))
        browser.log_in(op)
        op.refused = 400, {"error": error}
        clock.pass_(290)
        assert browser.whoami() == 303
        assert browser.cookies == {}
