"""A login whose every step may fail, and requests of any bytes: nobody is let in by it, and nothing breaks (AVL-01)."""

from __future__ import annotations

import string
import threading
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authkit import Request
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore, Store
from tests.oidc.login_parts import Browser, Clock, login_at


class Failing(Store):
    """A store of which the `at`-th question fails: before it is carried out, or after. `on`: and all that follow."""

    blocks = False

    def __init__(self, error: type[Exception] = StoreUnavailable) -> None:
        self.inner, self.at, self.after, self.asked, self.error, self.on = (MemoryStore(), 0, False, 0, error, False)

    def _do(self, name, *args):
        self.asked += 1
        fails = self.asked == self.at or (self.on and 0 < self.at < self.asked)
        if fails and not (self.after and self.asked == self.at):
            raise self.error("k")
        result = getattr(self.inner, name)(*args)
        if fails:
            raise self.error("k")
        return result

    def get(self, key):
        return self._do("get", key)

    def add(self, key, ttl, value=b""):
        return self._do("add", key, ttl, value)

    def swap(self, key, old, new, ttl):
        return self._do("swap", key, old, new, ttl)

    def look(self, *keys):
        return self._do("look", *keys)

    def epoch(self):
        return self.inner.epoch()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whichever_question_to_the_store_fails_nobody_is_let_in_and_it_is_503(after):
    clock, failed = Clock(), set()
    with login_at(clock) as op:
        for at in range(1, 40):
            store = Failing()
            store.at, store.after = at, after
            browser = Browser(op.login(store=store, refresh=True))
            url = browser.start()
            answer = browser.come_back(op.authorize(url))
            if answer.status == 503:
                failed.add("callback")
                assert browser.whoami() == 303
                continue
            assert answer.status == 303
            clock.pass_(61)
            seen = browser.whoami()
            if seen == 503:
                failed.add("page")
                assert browser.whoami() == "alice"
                continue
            clock.pass_(250)
            seen = browser.whoami()
            assert seen in ("alice", 503, 303)
            if seen != "alice":
                failed.add("refresh")
                op.refreshed = 0
                continue
            op.refreshed = 0
            kept = dict(browser.cookies)
            out = browser.send(browser.logins[0].app, "POST", "/logout", origin="https://site.example")
            if out.status == 503:
                failed.add("logout")
                continue
            browser.cookies = kept
            assert browser.whoami() in (303, 503)
            if store.asked < at:
                break
        assert failed == {"callback", "page", "refresh", "logout"}


def test_a_failure_that_nobody_expected_goes_up_and_lets_nobody_in():
    with login_at() as op:
        store = Failing(RuntimeError)
        browser = Browser(op.login(store=store))
        url = op.authorize(browser.start())
        store.at = store.asked + 1
        with pytest.raises(RuntimeError):
            browser.come_back(url)
        assert browser.whoami() == 303


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_logout_token_that_could_not_be_acted_on_is_heard_when_it_is_sent_again(after):
    """The store is down from the `at`-th question on, until the provider tries once more."""
    with login_at() as op:
        heard = 0
        for at in range(1, 12):
            store = Failing()
            browser = Browser(login := op.login(store=store))
            op.id_claims = {"sid": "one"}
            browser.log_in(op)
            body = f"logout_token={op.logout_token(sid='one', jti=f'j-{at}')}".encode()
            kind = {"content_type": "application/x-www-form-urlencoded", "accept": "*/*"}
            teller = Browser(login)
            store.after, store.at, store.on = after, store.asked + at, True
            status = teller.send(login.app, "POST", "/backchannel-logout", body, **kind).status
            store.at, store.on = 0, False
            if status == 503:
                heard += 1
                again = teller.send(login.app, "POST", "/backchannel-logout", body, **kind).status
                assert again == 200 or after  # what was done, and only the answer lost, is not done again
            assert browser.whoami() == 303
            assert teller.send(login.app, "POST", "/backchannel-logout", body, **kind).status in (200, 400)
            if status == 200:
                break
        assert heard >= 2


VISIBLE = st.text(alphabet=string.printable + "é\x00ü€", max_size=60)
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def site():
    with login_at() as op:
        yield op, Browser(op.login()), Browser(op.login(store=MemoryStore()))


@QUIET
@given(cookie=VISIBLE, tail=VISIBLE)
def test_whatever_the_cookies_are_nobody_is_known(site, cookie, tail):
    for browser in site[1:]:
        tag = browser.logins[0]._cookies._tag
        for value in (cookie, f"{tag}.1.{cookie}", f"{tag}.2.{cookie}; {browser.logins[0].cookie_name}.1={tail}"):
            browser.cookies = {browser.logins[0].cookie_name: value}
            assert browser.get().status in (303, 400)


@QUIET
@given(query=VISIBLE)
def test_whatever_comes_back_without_an_attempt_is_400(site, query):
    for browser in site[1:]:
        browser.cookies = {}
        for text in (query, f"code=a&state={query}", f"state={'A' * 43}&code={query}&iss={query}"):
            answer = browser.send(browser.logins[0].callback, "GET", f"/callback?{text}")
            assert answer.status == 400


@QUIET
@given(target=VISIBLE)
def test_whatever_page_was_wanted_the_way_back_is_on_this_site(site, target):
    _, browser, _ = site
    browser.cookies = {}
    answer = browser.page(Request("GET", "/" + target, query_string=target, headers=Request.build("GET", "/").headers))
    assert answer.status == 401
    request = Request(
        "GET", "/" + target, query_string=target, headers=Request.build("GET", "/", {"accept": "text/html"}).headers
    )
    answer = browser.page(request)
    location = answer.headers["location"]
    assert answer.status == 303
    assert location.startswith("/login")
    assert urlsplit(location).netloc == ""


def test_a_store_that_hangs_holds_up_nobody_who_needs_none_of_it():
    """Sealed sessions at one site, while another's store does not answer."""
    release = threading.Event()

    class Hanging(Failing):
        blocks = True

        def _do(self, name, *args):
            release.wait(30)
            return super()._do(name, *args)

    with login_at() as op:
        sealed, stuck = Browser(op.login()), Browser(op.login(store=Hanging()))
        sealed.log_in(op)
        stuck.cookies = {stuck.logins[0].cookie_name: stuck.logins[0]._cookies._tag + ".1." + "A" * 43}
        thread = threading.Thread(target=stuck.get)
        thread.start()
        assert sealed.whoami() == "alice"
        release.set()
        thread.join(30)
        assert not thread.is_alive()
