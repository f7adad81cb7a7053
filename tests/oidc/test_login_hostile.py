"""What has to hold on the way back from a provider: each row alone refuses, and before a code is redeemed where it can."""

from __future__ import annotations

import threading
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from authkit import ConfigurationError, Request
from authkit.oidc import OIDCProvider
from authkit.stores import MemoryStore, SqliteStore
from tests.oidc.issuer import issuer
from tests.oidc.login_parts import BACK, CLIENT, KEY, Browser, Clock, login_at

STORES = pytest.mark.parametrize("store", [None, MemoryStore], ids=["sealed", "stored"])


def again(url: str, *pairs: tuple[str, str], without: str = "") -> str:
    kept = [pair for pair in parse_qsl(urlsplit(url).query) if pair[0] != without]
    return f"{BACK}?{urlencode([*kept, *pairs])}"


def changed(url: str, **changes: str | None) -> str:
    said = {**dict(parse_qsl(urlsplit(url).query)), **changes}
    return f"{BACK}?{urlencode({name: text for name, text in said.items() if text is not None})}"


CALLBACKS = {
    "no_state": lambda url: changed(url, state=None),
    "an_empty_state": lambda url: changed(url, state=""),
    "another_state": lambda url: changed(url, state="A" * 43),
    "a_cut_state": lambda url: changed(url, state=dict(parse_qsl(urlsplit(url).query))["state"][:-1]),
    "a_long_state": lambda url: changed(url, state="A" * 10_000),
    "a_state_that_is_no_ascii": lambda url: changed(url, state="é" * 43),
    "two_states": lambda url: again(url, ("state", "A" * 43)),
    "the_same_state_twice": lambda url: again(url, ("state", dict(parse_qsl(urlsplit(url).query))["state"])),
    "no_code": lambda url: changed(url, code=None),
    "an_empty_code": lambda url: changed(url, code=""),
    "two_codes": lambda url: again(url, ("code", "other")),
    "a_code_that_is_no_ascii": lambda url: changed(url, code="é"),
    "a_code_with_a_control": lambda url: changed(url, code="a\r\nb"),
    "a_code_without_end": lambda url: changed(url, code="a" * 5000),
    "another_issuer": lambda url: changed(url, iss="https://evil.example"),
    "no_issuer_where_it_is_promised": lambda url: changed(url, iss=None),
    "two_issuers": lambda url: again(url, ("iss", "https://evil.example")),
    "an_error_beside_a_code": lambda url: changed(url, error="server_error"),
    "too_many_parameters": lambda url: again(url, *((f"p{number}", "x") for number in range(60))),
    "nothing": lambda url: BACK,
}


@STORES
@pytest.mark.parametrize("change", CALLBACKS.values(), ids=CALLBACKS)
def test_a_callback_that_is_not_the_answer_to_this_attempt_is_400_and_no_code_is_redeemed(change, store):
    with login_at() as op:
        browser = Browser(op.login(store=store and store()))
        url = op.authorize(browser.start())
        answer = browser.come_back(change(url))
        assert answer.status == 400
        assert b"evil" not in answer.body
        assert op.token_forms == []
        assert browser.whoami() == 303


def test_an_attempt_is_over_after_ten_minutes():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login())
        url = op.authorize(browser.start())
        clock.pass_(600)
        assert browser.come_back(url).status == 400
        assert op.token_forms == []


def test_an_answer_belongs_to_the_browser_that_asked():
    with login_at() as op:
        mine, other = Browser(op.login()), Browser(op.login())
        url = op.authorize(mine.start())
        other.start()
        assert other.come_back(url).status == 400
        names = list(mine.cookies), list(other.cookies)
        other.cookies[names[0][0]] = other.cookies[names[1][0]]  # the cookie of another attempt under this one's name
        assert other.come_back(url).status == 400
        assert op.token_forms == []


def test_a_cookie_of_another_key_client_redirect_or_provider_opens_no_attempt():
    with login_at() as op, login_at() as elsewhere:
        browser = Browser(op.login())
        url = op.authorize(browser.start())
        (name,) = browser.cookies
        value = browser.cookies[name]
        others = [
            op.login(session_key="another" + KEY),
            op.login(client_id="other"),
            op.login(redirect_uri="https://site.example/other", prefix=""),
            elsewhere.login(),
        ]
        for login in others:
            wrong = Browser(login)
            wrong.start()
            (own,) = wrong.cookies
            wrong.cookies = {own.rpartition("-")[0] + "-" + name.rpartition("-")[2]: value, name: value}
            answer = wrong.send(login.callback, "GET", "/callback?" + urlsplit(url).query)
            assert answer.status == 400
        assert op.token_forms == elsewhere.token_forms == []


@pytest.mark.parametrize("cut", [2, 20, 200])
def test_a_cookie_that_was_cut_or_changed_opens_nothing(cut):
    with login_at() as op:
        browser = Browser(op.login())
        url = op.authorize(browser.start())
        (name,) = browser.cookies
        whole = browser.cookies[name]
        other = "B" if whole[-cut] == "A" else "A"
        for text in (whole[:-cut], whole[20 + cut :], whole[:-cut] + other + whole[1 - cut :], "", "." * cut):
            browser.cookies[name] = text
            assert browser.come_back(url).status == 400
        assert op.token_forms == []


@STORES
def test_a_callback_is_taken_once_also_where_its_cookie_is_sent_again(store):
    with login_at() as op:
        browser = Browser(op.login(store=store and store()))
        url = op.authorize(browser.start())
        kept = dict(browser.cookies)
        assert browser.come_back(url).status == 303
        assert browser.come_back(url).status == 400
        browser.cookies.update(kept)
        assert browser.come_back(url).status == 400
        assert len(op.token_forms) == 1


@pytest.mark.parametrize("shared", [False, True], ids=["one_process", "several"])
def test_of_twenty_callbacks_at_once_one_has_a_session(shared, tmp_path):
    """Several: a login each, over one store, as processes have."""
    with login_at() as op:
        path = str(tmp_path / "store.db")
        first = op.login(store=SqliteStore(path) if shared else None)
        browser = Browser(first)
        url = op.authorize(browser.start())
        logins = [op.login(store=SqliteStore(path)) if shared else first for _ in range(20)]
        ready, answers = threading.Barrier(20), []

        def come(login):
            own = Browser(login)
            own.cookies = dict(browser.cookies)
            ready.wait(30)
            answers.append(own.come_back(url).status)

        threads = [threading.Thread(target=come, args=(login,)) for login in logins]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(answers) == [303] + [400] * 19
        assert len(op.token_forms) == 1


@pytest.mark.parametrize("error", ["access_denied", "login_required", "server_error", "<script>alert(1)</script>", ""])
def test_what_a_provider_refuses_with_is_a_page_of_ours_that_repeats_nothing_of_it(error):
    with login_at() as op:
        browser = Browser(op.login())
        url = op.authorize(browser.start(), code=None, error=error, error_description="<b>secret words</b>")
        answer = browser.come_back(url)
        assert answer.status == (401 if error in ("access_denied", "login_required") else 400)
        assert b"script" not in answer.body
        assert b"secret words" not in answer.body
        assert b'href="/login"' in answer.body
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert browser.cookies == {}
        assert op.token_forms == []


def test_a_login_begun_at_one_provider_does_not_end_at_another():
    """Mix-up: the honest provider's code is brought to the callback of the attacker's, and the other way round."""
    with login_at() as honest, login_at() as evil:
        one, two = honest.login(), evil.login(prefix="/two", redirect_uri="https://site.example/two/back")
        browser = Browser(one, two)
        asked, other = browser.start(login=one), browser.start("/two/login", two)
        answer = urlsplit(honest.authorize(asked)).query
        assert browser.send(two.app, "GET", f"/two/back?{answer}").status == 400
        swapped = urlsplit(evil.authorize(other)).query  # the evil one's answer, with the state of the honest attempt
        state = dict(parse_qsl(urlsplit(asked).query))["state"]
        mixed = urlencode({**dict(parse_qsl(swapped)), "state": state})
        assert browser.send(one.app, "GET", f"/callback?{mixed}").status == 400
        assert honest.token_forms == evil.token_forms == []


def test_a_code_that_the_provider_refuses_is_400_and_its_words_are_not_repeated():
    with login_at() as op:
        browser = Browser(op.login())
        url = op.authorize(browser.start())
        op.refused = (400, {"error": "invalid_grant", "error_description": "<script>"})
        answer = browser.come_back(url)
        assert answer.status == 400
        assert b"<script>" not in answer.body
        assert browser.cookies == {}


FAILURES = {
    "token_endpoint_down": ("/token", {"status": 503}),
    "token_endpoint_drops": ("/token", {"drop": True}),
    "token_endpoint_hangs": ("/token", {"delay": 3}),
    "token_endpoint_lies": ("/token", {"body": b"<html>"}),
    "keys_down": ("/jwks", {"status": 503}),
    "keys_drop": ("/jwks", {"drop": True}),
    "userinfo_down": ("/userinfo", {"status": 500}),
    "userinfo_lies": ("/userinfo", {"body": b"[]"}),
}


@pytest.mark.parametrize(("place", "fault"), FAILURES.values(), ids=FAILURES)
def test_a_provider_that_is_down_slow_or_lying_is_503_and_nobody_is_logged_in(place, fault):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(userinfo=True, timeout=1))
        url = op.authorize(browser.start())
        op.fault(place, **fault)
        answer = browser.come_back(url)
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert browser.whoami() == 303
        op.mend()
        clock.pass_(15)  # keys that could not be had are asked for once more after a while
        assert browser.log_in(op).status == 303


def test_metadata_that_cannot_be_had_are_503_at_the_start():
    with login_at() as op:
        op.fault("/.well-known/openid-configuration", status=500)
        browser = Browser(op.login())
        assert browser.send(browser.logins[0].app, "GET", "/login").status == 503


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "userinfo_endpoint"])
def test_metadata_that_name_a_foreign_host_send_it_nothing(name):
    """OID-17: not a byte reaches the second listener."""
    with login_at() as op, issuer() as evil:
        op.says[name] = f"{evil.base}/steal"
        browser = Browser(op.login(userinfo=True))
        answer = browser.send(browser.logins[0].app, "GET", "/login")
        if answer.status == 303:
            answer = browser.come_back(op.authorize(answer.headers["location"]))
        assert answer.status == 500
        assert evil.asked("/steal") == 0
        assert browser.whoami() == 303


def test_an_endpoint_elsewhere_is_asked_where_its_origin_or_its_url_was_said():
    with login_at() as op, login_at() as other:
        op.says["token_endpoint"] = f"{other.base}/token"
        other.pages["/token"] = op._token
        for settings in ({"endpoint_origins": [other.base]}, {"endpoints": {"token_endpoint": f"{other.base}/token"}}):
            assert Browser(op.login(**settings)).log_in(op).status == 303


def test_a_metadata_issuer_that_is_not_exactly_ours_logs_nobody_in():
    with login_at() as op:
        provider = OIDCProvider(op.url + "/", audience="x")
        login = provider.login(client_id=CLIENT, redirect_uri=BACK, session_key=KEY)
        assert Browser(login).send(login.app, "GET", "/login").status == 503
        with pytest.raises(ConfigurationError):
            OIDCProvider("opaque", audience="x", keys="a secret of somebody, long enough").login(
                client_id=CLIENT, redirect_uri=BACK, session_key=KEY
            )


def test_a_field_full_of_our_cookies_name_is_read_in_one_go():
    """Reading what follows once more for each of them would take most of a minute."""
    with login_at() as op:
        browser = Browser(op.login())
        browser.start()
        (name,) = browser.cookies
        field = name[:-16] * (5_000_000 // len(name[:-16]))
        began = time.monotonic()
        answer = browser.logins[0].start(Request.build("GET", "/login", {"cookie": field}))
        assert (answer.status, len(answer.headers.get_all("set-cookie"))) == (303, 1)
        assert time.monotonic() - began < 10
