"""A login, from the page that wanted one back to that page."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from authkit import ConfigurationError, Request, Tokens, require_auth
from authkit.http import Response
from authkit.secrets import Secret
from authkit.stores import MemoryStore
from tests.oidc.login_parts import BACK, CLIENT, KEY, SECRET, Browser, Clock, login_at

STORES = pytest.mark.parametrize("store", [None, MemoryStore], ids=["sealed", "stored"])


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@STORES
def test_a_browser_without_a_session_is_sent_to_log_in_and_comes_back_to_the_page_that_it_wanted(store):
    with login_at() as op:
        browser = Browser(op.login(store=store and store()))
        sent = browser.get("/orders/7?page=2")
        assert sent.status == 303
        url = browser.start(sent.headers["location"])
        back = browser.come_back(op.authorize(url))
        assert (back.status, back.headers["location"]) == (303, "/orders/7?page=2")
        said = json.loads(browser.get("/orders/7").body)
        assert said["subject"] == "alice"
        assert said["issuer"] == op.url
        assert said["method"] == "session"
        assert said["claims"] == {"name": "Alice", "auth_time": int(op.clock())}
        assert len(browser.cookies) == 1


def test_the_authorization_request_has_a_code_pkce_state_and_a_nonce_and_what_was_configured():
    with login_at() as op:
        login = op.login(
            scopes=["openid", "profile"],
            prompt="consent",
            max_age=60,
            acr_values=["gold"],
            login_hint="al",
            extra={"org": "a b"},
        )
        url = Browser(login).start()
        asked = query(url)
        assert url.startswith(f"{op.base}/authorize?tenant=1&")
        assert len(asked.pop("state")) == len(asked.pop("nonce")) == len(asked.pop("code_challenge")) == 43
        assert asked == {
            "tenant": "1",
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": BACK,
            "scope": "openid profile",
            "code_challenge_method": "S256",
            "prompt": "consent",
            "max_age": "60",
            "acr_values": "gold",
            "login_hint": "al",
            "org": "a b",
        }


def test_neither_the_verifier_nor_the_nonce_is_readable_in_the_cookie_or_the_address():
    with login_at() as op:
        browser = Browser(op.login())
        url = browser.start()
        browser.come_back(op.authorize(url))
        verifier = op.token_forms[-1]["code_verifier"]
        assert verifier not in url
        assert verifier not in json.dumps(browser.lines)


def test_the_cookie_of_an_attempt_is_for_this_host_alone_for_ten_minutes_and_gone_after_it():
    with login_at() as op:
        browser = Browser(op.login())
        url = browser.start()
        (line,) = browser.lines
        assert line.startswith("__Host-session-")
        assert line.endswith("; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax")
        browser.come_back(op.authorize(url))
        assert list(browser.cookies) == ["__Host-session"]


def test_on_http_which_is_loopback_alone_cookies_have_no_prefix():
    with login_at() as op:
        browser = Browser(op.login(redirect_uri="http://127.0.0.1:8000/callback"))
        browser.start()
        assert browser.lines[0].startswith("session-")
        assert "Secure" not in browser.lines[0]
        with pytest.raises(ConfigurationError, match="redirect_uri"):
            op.login(redirect_uri="http://site.example/callback")


@STORES
def test_several_tabs_log_in_at_once_and_each_comes_back_to_its_own_page(store):
    with login_at() as op:
        browser = Browser(op.login(store=store and store()))
        urls = [browser.start(f"/login?return_to=/{number}") for number in range(4)]
        assert len(browser.cookies) == 4
        for number in (2, 0, 3, 1):
            assert browser.come_back(op.authorize(urls[number])).headers["location"] == f"/{number}"
        assert browser.whoami() == "alice"


def test_a_browser_keeps_five_attempts_and_the_oldest_is_forgotten_by_the_answer():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login())
        urls = []
        for _ in range(8):
            urls.append(browser.start())
            clock.pass_(1)
        assert len(browser.cookies) == 5
        assert browser.come_back(op.authorize(urls[2])).status == 400
        assert browser.come_back(op.authorize(urls[3])).status == 303


def test_attempts_that_lead_back_to_long_addresses_never_grow_past_what_servers_take():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login())
        for number in range(8):
            url = browser.start(f"/login?return_to=/{number}{'a' * 1900}")
            clock.pass_(1)
            assert sum(map(len, browser.cookies.values())) <= 4200
        assert browser.come_back(op.authorize(url)).headers["location"].startswith("/7a")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whoever_is_no_browser_is_answered_401(method):
    with login_at() as op:
        browser = Browser(op.login())
        for headers in ({"accept": "application/json"}, {"sec_fetch_mode": "cors"}, {"x_requested_with": "XMLHttpRequest"}):
            answer = browser.send(browser.page, method, "/page", **headers)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="api"')
        assert browser.post().status == 401


@STORES
def test_a_new_login_has_a_new_session_and_the_one_that_was_planted_is_dead(store):
    with login_at() as op:
        attacker, victim = Browser(op.login(store=(kept := store and store()))), None
        attacker.log_in(op)
        planted = attacker.session
        victim = Browser(attacker.logins[0])
        victim.cookies[victim.logins[0].cookie_name] = planted
        op.subject = "bob"
        victim.log_in(op)
        assert victim.session != planted
        assert victim.whoami() == "bob"
        assert attacker.whoami() == (303 if kept is not None else "alice")  # a sealed one is what it was: the attacker's own


def test_two_logins_in_one_app_share_a_cookie_and_a_browser_has_one_session():
    with login_at() as one, login_at() as two:
        first, second = one.login(), two.login(prefix="/two")
        browser = Browser(first, second)
        browser.log_in(one)
        two.subject = "bea"
        url = browser.start("/two/login", second)
        assert browser.come_back(two.authorize(url), second).status == 303
        assert browser.whoami() == "bea"
        assert list(browser.cookies) == ["__Host-session"]


def test_a_bearer_token_is_judged_beside_a_session_and_two_credentials_are_refused():
    tokens = Tokens("a secret of our own, that is long enough", issuer="https://us", audience="https://us")
    with login_at() as op:
        browser = Browser(op.login())
        browser.page = require_auth(browser.logins[0].session, tokens)(lambda request: Response(200))
        bearer = "Bearer " + tokens.issue("carol")
        assert browser.get(authorization=bearer).status == 200
        browser.log_in(op)
        assert browser.get().status == 200
        assert browser.get(authorization=bearer).status == 400


def test_an_unsafe_request_has_to_come_from_this_site_or_a_trusted_one():
    with login_at() as op:
        browser = Browser(op.login(origins=["https://app.example"]))
        browser.log_in(op)
        assert browser.post(origin="https://site.example").status == 200
        assert browser.post(origin="https://app.example").status == 200
        assert browser.post(sec_fetch_site="same-origin").status == 200
        for headers in ({}, {"origin": "https://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"}):
            assert browser.post(**headers).status == 403


def test_the_sites_own_origin_is_that_of_its_redirect_uri_as_browsers_write_it():
    with login_at() as op:
        login = op.login(redirect_uri="https://Site.example:443/callback")
        browser = Browser(login)
        browser.come_back(op.authorize(browser.start()))
        assert browser.post(origin="https://site.example", host="inside:8000").status == 200
        assert browser.post(origin="https://site.example:444", host="inside:8000").status == 403


def test_only_the_few_claims_that_are_asked_for_are_kept():
    with login_at() as op:
        op.id_claims = {"email": "a@example.com", "email_verified": True, "address": "at home", "groups": ["x"], "acr": "gold"}
        browser = Browser(op.login(claims=["groups"]))
        browser.log_in(op)
        claims = json.loads(browser.get().body)["claims"]
        assert claims == {"auth_time": int(op.clock()), "acr": "gold", "groups": ["x"]}


def test_roles_are_where_the_provider_has_them_and_scopes_are_those_that_it_gave():
    with login_at() as op:
        op.id_claims, op.said = {"roles": ["admin"]}, {"scope": "openid read"}
        browser = Browser(op.login(scopes=["openid", "read", "write"]))
        browser.log_in(op)
        said = json.loads(browser.get().body)
        assert (said["roles"], said["scopes"]) == (["admin"], ["openid", "read"])


def test_a_session_key_is_rotated_and_what_the_former_sealed_opens_until_its_end():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login())
        url = browser.start()
        former = Browser(op.login())
        former.log_in(op)
        from authkit.secrets import SecretVersions

        newer = Secret.of(SecretVersions("another key: " + KEY, KEY, previous_until=clock.now + 400), clock=clock)
        now = Browser(op.login(session_key=newer))
        now.cookies = {**browser.cookies, **former.cookies}
        assert now.whoami() == "alice"
        assert now.come_back(op.authorize(url)).status == 303
        late = Browser(now.logins[0])
        late.cookies = former.cookies
        clock.pass_(401)
        assert late.whoami() == 303
        assert now.whoami() == "alice"


def test_userinfo_is_asked_where_that_is_said_and_has_to_speak_of_the_same_person():
    with login_at() as op:
        op.told = {"sub": "alice", "email": "a@example.com", "name": "another"}
        browser = Browser(op.login(userinfo=True))
        assert browser.log_in(op).status == 303
        assert json.loads(browser.get().body)["claims"]["email"] == "a@example.com"
        assert json.loads(browser.get().body)["claims"]["name"] == "Alice"  # what was signed counts
        op.told = {"sub": "mallory", "email": "m@example.com"}
        other = Browser(browser.logins[0])
        assert other.log_in(op).status == 401
        assert other.whoami() == 303


def test_form_post_is_taken_where_it_was_asked_for_and_its_cookie_says_none():
    with login_at() as op:
        browser = Browser(op.login(form_post=True))
        url = browser.start()
        assert query(url)["response_mode"] == "form_post"
        assert "SameSite=None" in browser.lines[0]
        body = urlsplit(op.authorize(url)).query.encode()
        kind = "application/x-www-form-urlencoded"
        assert browser.come_back(f"{BACK}?{body.decode()}").status == 405
        assert browser.send(browser.logins[0].app, "POST", "/callback", body, content_type=kind).status == 303
        assert browser.whoami() == "alice"
        with pytest.raises(ConfigurationError, match="form_post"):
            op.login(form_post=True, redirect_uri="http://127.0.0.1:8000/callback")


def test_a_public_client_logs_in_with_pkce_alone():
    with login_at() as op:
        browser = Browser(op.login(client_secret=None))
        url = browser.start()
        browser.come_back(op.authorize(url))
        assert op.token_forms[-1]["client_id"] == CLIENT
        assert "client_secret" not in op.token_forms[-1]


def test_start_with_asks_for_a_fresh_and_strong_login_and_checks_that_it_was_one():
    with login_at() as op:
        login = op.login()
        again = login.start_with(max_age=60, acr_values="gold", prompt="login")
        browser = Browser(login)
        for claims, status in (({}, 401), ({"acr": "gold"}, 303), ({"acr": "gold", "auth_time": 1}, 401)):
            op.id_claims = claims
            url = browser.send(again, "GET", "/again").headers["location"]
            assert query(url)["max_age"] == "60"
            assert browser.come_back(op.authorize(url)).status == status


def test_the_redirect_uri_is_the_configured_one_whatever_host_a_request_names():
    with login_at() as op:
        login = op.login()
        for host in ("evil.example", "site.example.evil", "site.example:444", "", "a b", "[::1]"):
            headers = {"host": host, "x-forwarded-host": host, "forwarded": f"host={host}", "x-forwarded-proto": "http"}
            request = Request.build("GET", "/login", {"accept": "text/html", **headers})
            assert query(login.start(request).headers["location"])["redirect_uri"] == BACK


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"session_key": None}, "session_key"),
        ({"session_key": "short"}, "session_key"),
        ({"redirect_uri": "/callback"}, "redirect_uri"),
        ({"scopes": ["profile"]}, "openid"),
        ({"scopes": "openid"}, "scopes"),
        ({"idle": 100, "absolute": 50}, "idle"),
        ({"idle": 0}, "idle"),
        ({"extra": {"state": "fixed"}}, "extra"),
        ({"extra": {"max_age": "5"}}, "extra"),
        ({"prefix": "auth"}, "prefix"),
        ({"after_login": "https://evil.example"}, "after_login"),
        ({"start_at": "//evil.example"}, "start_at"),
        ({"cookie": "a b"}, "cookie"),
        ({"store": "redis://"}, "store"),
        ({"redirect_uri": "https://site.example/login"}, "redirect_uri"),  # which would be the callback, and nobody could begin
        ({"redirect_uri": "https://site.example/a/logout", "prefix": "/a"}, "redirect_uri"),
        ({"after_login": "/login?again"}, "after_login"),  # and on for ever
        ({"after_login": "/callback"}, "after_login"),
        ({"after_logout": "/logout"}, "after_logout"),
        ({"origins": ["site.example"]}, "origins"),
        ({"origins": ["https://Site.example"]}, "origins"),  # which no browser writes
        ({"origins": ["https://site.example:443"]}, "origins"),
        ({"endpoints": {"token_endpoint": "http://evil.example"}}, "token_endpoint"),
        ({"endpoint_origins": ["https://a.example/path"]}, "origins"),
        ({"max_age": -1}, "max_age"),
        ({"client_id": ""}, "client_id"),
        ({"client_secret": " "}, "client_secret"),
        ({"logged_out_uri": "/bye"}, "logged_out_uri"),
        ({"refresh": 1}, "refresh"),
    ],
)
def test_a_wrong_setting_is_refused_when_it_is_built_by_its_name_and_without_a_secret(settings, named):
    with login_at() as op, pytest.raises(ConfigurationError, match=named) as raised:
        op.login(**settings)
    shown = repr(raised.value) + "".join(
        repr(frame.frame.f_locals) for frame in raised.traceback if "authkit/" in str(frame.path)
    )
    assert SECRET not in shown
    assert KEY not in shown
