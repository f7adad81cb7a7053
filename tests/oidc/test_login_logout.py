"""How sessions end: here, at the provider, and from there."""

from __future__ import annotations

import inspect
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from authkit import ConfigurationError
from authkit.stores import MemoryStore, SqliteStore
from tests.oidc.issuer import ec_key
from tests.oidc.login_parts import CLIENT, Browser, Clock, login_at

STORES = pytest.mark.parametrize("store", [None, MemoryStore], ids=["sealed", "stored"])
HERE = {"origin": "https://site.example"}
BYE = "https://site.example/bye"


def out(browser: Browser, method: str = "POST", **headers: str):
    return browser.send(browser.logins[0].app, method, "/logout", **headers)


@STORES
def test_a_logout_forgets_the_cookies_and_with_a_store_the_session_itself(store):
    with login_at() as op:
        browser = Browser(op.login(store=store and store(), after_logout="/bye"))
        browser.log_in(op)
        kept = dict(browser.cookies)
        answer = out(browser, **HERE)
        assert (answer.status, answer.headers["location"]) == (303, "/bye")
        assert browser.cookies == {}
        browser.cookies = kept
        assert browser.whoami() == ("alice" if store is None else 303)


@STORES
def test_a_logout_ends_the_session_in_every_process_that_shares_the_store(store):
    clock = Clock()
    with login_at(clock) as op:
        kept = MemoryStore()
        browser, other = (Browser(op.login(store=kept)) for _ in range(2))
        browser.log_in(op)
        other.cookies = dict(browser.cookies)
        assert other.whoami() == "alice"
        out(browser, **HERE)
        clock.pass_(0.5)
        assert other.whoami() == 303


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_logout_has_to_be_asked_for_on_this_site(method):
    with login_at() as op:
        browser = Browser(op.login())
        browser.log_in(op)
        for headers in ({}, {"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}):
            assert out(browser, method, **headers).status == 403
        assert browser.whoami() == "alice"
        assert out(browser, method, sec_fetch_site="same-origin").status == 303
        assert browser.whoami() == 303


def test_a_script_is_answered_204_also_without_a_session():
    with login_at() as op:
        assert out(Browser(op.login()), accept="application/json", **HERE).status == 204


def test_a_logout_at_the_provider_has_its_hint_and_a_way_back():
    with login_at() as op:
        browser = Browser(op.login(logged_out_uri=BYE))
        browser.log_in(op)
        url = urlsplit(out(browser, **HERE).headers["location"])
        asked = dict(parse_qsl(url.query))
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{op.base}/end"
        assert asked["id_token_hint"].count(".") == 2
        assert (asked["client_id"], asked["post_logout_redirect_uri"]) == (CLIENT, BYE)
        assert len(asked["state"]) == 22
        assert browser.cookies == {}


def test_where_the_provider_cannot_be_found_the_logout_here_is_done_all_the_same():
    with login_at() as op:
        op.says["end_session_endpoint"] = None
        browser = Browser(op.login(logged_out_uri=BYE))
        browser.log_in(op)
        answer = out(browser, **HERE)
        assert (answer.status, answer.headers["location"]) == (303, "/")
        assert browser.cookies == {}


@STORES
@pytest.mark.parametrize("answer", [(200, {}), (503, {}), (401, {}), None], ids=str)
def test_a_logout_has_the_provider_forget_the_refresh_token_and_is_done_whatever_comes_of_it(store, answer):
    with login_at() as op:
        browser = Browser(op.login(store=store and store(), refresh=True))
        browser.log_in(op)
        forms = []
        if answer is not None:
            op.says["revocation_endpoint"] = f"{op.base}/revoke"
            op.pages["/revoke"] = lambda method, headers, body: (forms.append((headers, body)), answer)[1]
            browser.logins[0].provider.discovery.forget()
        assert out(browser, **HERE).status == 303
        assert browser.cookies == {}
        assert [body for _, body in forms] == [b"token=refresh-0&token_type_hint=refresh_token"][: len(forms)]
        assert len(forms) == (answer is not None)
        assert all("authorization" in headers for headers, _ in forms)


def test_back_channel_logout_needs_a_store():
    with login_at() as op:
        login = op.login()
        with pytest.raises(ConfigurationError, match="store"):
            _ = login.backchannel_logout
        assert Browser(login).send(login.app, "POST", "/backchannel-logout").status == 404
        assert not hasattr(login, "backchannel_logout")
        assert "logout" in dict(inspect.getmembers(login))  # whatever walks attributes goes on
        assert hasattr(op.login(store=MemoryStore()), "backchannel_logout")


def tell(browser: Browser, token: str | None = None, **form: str):
    body = urlencode(form if token is None else {"logout_token": token}).encode()
    kind = "application/x-www-form-urlencoded"
    own = Browser(browser.logins[0])
    return own.send(own.logins[0].app, "POST", "/backchannel-logout", body, content_type=kind, accept="*/*")


@pytest.mark.parametrize("kind", [MemoryStore, SqliteStore], ids=["memory", "sqlite"])
def test_a_logout_token_ends_the_sessions_of_its_sid_and_no_other(kind, tmp_path):
    clock = Clock()
    with login_at(clock) as op:
        store = kind() if kind is MemoryStore else kind(str(tmp_path / "s.db"))
        login = op.login(store=store)
        browsers = []
        for sid in ("one", "one", "two"):
            op.id_claims = {"sid": sid}
            browser = Browser(login)
            browser.log_in(op)
            browsers.append(browser)
        elsewhere = Browser(op.login(store=store))
        elsewhere.cookies = dict(browsers[0].cookies)
        assert elsewhere.whoami() == "alice"
        answer = tell(browsers[0], op.logout_token(sid="one"))
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        assert [browser.whoami() for browser in browsers] == [303, 303, "alice"]
        clock.pass_(0.5)
        assert elsewhere.whoami() == 303


def test_a_logout_token_of_a_subject_ends_all_its_sessions_until_now_and_none_that_comes_after():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=MemoryStore()))
        browser.log_in(op)
        op.subject = "bob"
        bob = Browser(browser.logins[0])
        bob.log_in(op)
        op.subject = "alice"
        assert tell(browser, op.logout_token("alice")).status == 200
        assert browser.whoami() == 303
        assert bob.whoami() == "bob"
        clock.pass_(1)
        browser.log_in(op)
        assert browser.whoami() == "alice"


def test_a_session_whose_provider_session_is_over_is_none_also_if_that_was_said_while_it_began():
    with login_at() as op:
        op.id_claims = {"sid": "one"}
        browser = Browser(op.login(store=MemoryStore()))
        url = op.authorize(browser.start())
        assert tell(browser, op.logout_token(sid="one")).status == 200
        browser.come_back(url)
        assert browser.whoami() == 303


BAD = {
    "no_events": {"events": ...},
    "another_event": {"events": {"https://evil.example": {}}},
    "an_event_that_is_no_object": {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
    "a_nonce": {"nonce": "n"},
    "neither_sid_nor_sub": {"sub": ...},
    "a_sid_that_is_no_text": {"sid": 7},
    "a_subject_that_is_no_text": {"sub": ["alice"]},
    "no_jti": {"jti": ...},
    "a_jti_that_is_no_text": {"jti": 7},
    "another_audience": {"aud": "other"},
    "another_issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1},
    "no_exp": {"exp": ...},
    "no_iat": {"iat": ...},
    "of_the_future": {"iat": 1_900_000_000},
    "of_long_ago": {"iat": 1_799_990_000},
}


@pytest.mark.parametrize("claims", BAD.values(), ids=BAD)
def test_a_logout_token_with_any_one_fault_is_400_and_ends_nothing(claims):
    with login_at() as op:
        browser = Browser(op.login(store=MemoryStore()))
        browser.log_in(op)
        answer = tell(browser, op.logout_token(**claims))
        assert (answer.status, answer.headers["cache-control"]) == (400, "no-store")
        assert browser.whoami() == "alice"


def test_what_is_no_logout_token_at_all_is_400():
    with login_at() as op:
        browser = Browser(op.login(store=MemoryStore()))
        browser.log_in(op)
        claims = op.claims(sub="alice", aud=CLIENT, jti="j", events={"http://schemas.openid.net/event/backchannel-logout": {}})
        own = op.key
        op.key = ec_key("stranger")
        forged = op.logout_token()
        op.key = own
        tokens = [
            forged,
            op.id_token("alice"),
            op.token(sub="alice", aud=CLIENT),
            op.forge({"alg": own.alg, "kid": own.kid, "typ": "at+jwt"}, claims, own),
            "",
            "a.b.c",
            "x" * 20_000,
        ]
        for token in tokens:
            assert tell(browser, token).status == 400
        assert tell(browser, other="x").status == 400
        assert browser.send(browser.logins[0].app, "GET", "/backchannel-logout").status == 405
        assert browser.whoami() == "alice"


def test_a_logout_token_is_heard_once_and_again_only_where_the_store_had_failed():
    with login_at() as op:
        browser = Browser(op.login(store=MemoryStore()))
        token = op.logout_token(sid="one", jti="j-1")
        assert tell(browser, token).status == 200
        assert tell(browser, token).status == 400


def test_a_logout_token_that_cannot_be_judged_is_503():
    clock = Clock()
    with login_at(clock) as op:
        op.fault("/jwks", status=503)
        browser = Browser(op.login(store=MemoryStore()))
        assert tell(browser, op.logout_token()).status == 503
        op.mend()
        clock.pass_(15)
        assert tell(browser, op.logout_token()).status == 200


def test_a_session_that_names_no_session_of_the_provider_ends_with_any_of_its_person():
    """Its ID token had no `sid`, so which one it was cannot be told."""
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=MemoryStore()))
        browser.log_in(op)
        op.id_claims = {"sid": "two"}
        other = Browser(browser.logins[0])
        other.log_in(op)
        op.subject, op.id_claims = "bob", {}
        bob = Browser(browser.logins[0])
        bob.log_in(op)
        assert tell(browser, op.logout_token("alice", sid="one")).status == 200
        assert [one.whoami() for one in (browser, other, bob)] == [303, "alice", "bob"]
        clock.pass_(1)
        op.subject = "alice"
        browser.log_in(op)
        assert browser.whoami() == "alice"
