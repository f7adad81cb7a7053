"""Sessions: how long they last, where they lie, and what opens none."""

from __future__ import annotations

import asyncio
import json
import logging
import threading

import pytest

from authkit import ConfigurationError, require_auth
from authkit.http import Response
from authkit.oidc.browser_session import BrowserSession
from authkit.oidc.session import Session, read
from authkit.stores import MemoryStore
from authkit.testing import LambdaContext, lambda_event
from tests.oidc.login_parts import KEY, Browser, Clock, login_at

STORES = pytest.mark.parametrize("store", [None, MemoryStore], ids=["sealed", "stored"])


def other_process(browser: Browser, op, **settings) -> Browser:
    """The same browser at another process of the same site."""
    other = Browser(op.login(**settings))
    other.cookies = browser.cookies
    return other


@STORES
def test_a_session_ends_when_it_is_idle_and_at_last_in_any_case(store):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store(), idle=600, absolute=3600))
        browser.log_in(op)
        for _ in range(7):
            clock.pass_(500)
            assert browser.whoami() == "alice"
        clock.pass_(100)
        assert browser.whoami() == 303
        browser.log_in(op)
        clock.pass_(600)
        assert browser.whoami() == 303


@STORES
def test_what_is_remembered_is_no_older_than_what_another_process_would_say(store):
    """Each request goes to another process than the one before, which has the session in mind still."""
    clock = Clock()
    with login_at(clock) as op:
        kept = store and store()
        settings = {"store": kept, "idle": 600}
        browser = Browser(op.login(**settings))
        other = other_process(browser, op, **settings)
        browser.log_in(op)
        for _ in range(10):
            clock.pass_(400)
            assert browser.whoami() == "alice"
            clock.pass_(400)
            assert other.whoami() == "alice"
        clock.pass_(600)
        assert browser.whoami() == other.whoami() == 303


@STORES
def test_a_dead_session_is_forgotten_by_the_answer_whoever_asks(store):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(store=store and store()))
        browser.log_in(op)
        kept = dict(browser.cookies)
        clock.pass_(3600)
        answer = browser.get(accept="application/json")
        assert answer.status == 401
        assert browser.cookies == {}
        browser.cookies = kept
        answer = browser.get("/orders")
        assert (answer.status, answer.headers["location"]) == (303, "/login?return_to=/orders")
        assert browser.cookies == {}


def test_where_a_session_is_optional_a_dead_one_is_none():
    clock = Clock()
    with login_at(clock) as op:
        login = op.login()
        browser = Browser(login)
        browser.page = require_auth(login.session, optional=True)(lambda request: Response(200, body=repr(request.principal)))
        assert browser.get().body == b"None"
        browser.log_in(op)
        assert b"alice" in browser.get().body
        clock.pass_(3600)
        assert browser.get().body == b"None"


def test_a_clock_that_was_set_back_makes_no_session_older_than_it_is():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(idle=600))
        browser.log_in(op)
        clock.pass_(-3600)
        assert browser.whoami() == 303


def test_a_long_session_is_two_cookies_and_whatever_is_done_to_them_opens_nothing():
    with login_at() as op:
        op.id_claims = {"note": "x" * 4000}
        browser = Browser(op.login(claims=["note"]))
        browser.log_in(op)
        first, second = names = [browser.logins[0].cookie_name + end for end in ("", ".1")]
        assert sorted(browser.cookies) == names
        assert all(len(name) + len(browser.cookies[name]) <= 4096 for name in names)
        assert browser.whoami() == "alice"
        other = Browser(browser.logins[0])
        op.subject = "bob"
        other.log_in(op)
        whole, another = dict(browser.cookies), other.cookies
        tag = whole[first].partition(".")[0]
        wrong = [
            {first: whole[first]},
            {second: whole[second]},
            {first: f"{tag}.2.{whole[second]}", second: whole[first].split(".", 2)[2]},
            {first: whole[first], second: another[second]},
            {first: another[first], second: whole[second]},
            {first: whole[first], second: whole[second][:-3]},
            {first: whole[first], second: whole[second] + "A"},
            {first: whole[first][:-1], second: whole[second]},
            *(
                {first: whole[first].replace(".2.", count, 1), second: whole[second]}
                for count in (".1.", ".3.", ".-2.", ".2", "..")
            ),
        ]
        for cookies in wrong:
            fresh = Browser(op.login(claims=["note"]))
            fresh.cookies = dict(cookies)
            assert fresh.whoami() == 303
            assert first not in fresh.cookies
        op.id_claims = {}
        browser.log_in(op)
        assert list(browser.cookies) == [first]  # chunks that are not needed any more are forgotten


def test_a_session_that_cookies_cannot_hold_is_a_mistake_of_the_configuration_and_a_store_holds_it():
    with login_at() as op:
        op.id_claims = {"note": "x" * 6000}
        browser = Browser(op.login(claims=["note"]))
        assert browser.log_in(op).status == 500
        assert Browser(op.login(claims=["note"], store=MemoryStore())).log_in(op).status == 303


@STORES
@pytest.mark.parametrize(
    "settings",
    [{"session_key": "another" + KEY}, {"client_id": "other"}, {"cookie": "other"}],
    ids=["another_key", "another_client", "another_cookie"],
)
def test_a_session_of_another_key_or_client_is_none(store, settings):
    with login_at() as op:
        kept = store and store()
        browser = Browser(op.login(store=kept))
        browser.log_in(op)
        stranger = Browser(op.login(store=kept, **settings))
        stranger.cookies = {stranger.logins[0].cookie_name: browser.session}
        if "cookie" in settings:  # the name is a name, and binds nothing
            assert stranger.whoami() == "alice"
            return
        assert stranger.whoami() == 303
        ours = stranger.logins[0]._cookies._tag + "." + browser.session.partition(".")[2]
        stranger.cookies = {ours: ours, stranger.logins[0].cookie_name: ours}
        assert stranger.whoami() == 303


def test_an_attempt_is_no_session_and_a_session_is_no_attempt():
    with login_at() as op:
        browser = Browser(op.login())
        browser.start()
        (sealed,) = browser.cookies.values()
        tag = browser.logins[0]._cookies._tag
        for text in (sealed, sealed.partition(".")[2]):
            browser.cookies = {browser.logins[0].cookie_name: f"{tag}.1.{text}"}
            assert browser.whoami() == 303


@pytest.mark.parametrize(
    "value", ["", ".", "..", "x.1.y", "{tag}.1.", "{tag}.1.A.s1.x.y", "{tag}.5.x", "{tag}.٣.x", "{tag}.1." + "A" * 43, "{tag}"]
)
@STORES
def test_whatever_stands_in_the_cookie_is_no_session(store, value):
    with login_at() as op:
        browser = Browser(op.login(store=store and store()))
        browser.cookies = {browser.logins[0].cookie_name: value.format(tag=browser.logins[0]._cookies._tag)}
        assert browser.whoami() == 303


def test_two_cookies_of_the_name_are_two_credentials():
    with login_at() as op:
        browser = Browser(op.login())
        browser.log_in(op)
        name, value = browser.logins[0].cookie_name, browser.session
        browser.cookies = {"a": f"b; {name}={value}; {name}={value}"}
        assert browser.get().status == 400


def test_a_key_that_cannot_be_had_is_503():
    from authkit.errors import SecretUnavailable
    from authkit.secrets import Secrets, SecretSource

    class Down(SecretSource):
        def fetch(self, name):
            raise SecretUnavailable("down")

    with login_at() as op:
        browser = Browser(op.login())
        browser.log_in(op)
        down = Browser(op.login(session_key=Secrets(Down())["KEY"]))
        down.cookies = browser.cookies
        assert down.whoami() == 503
        assert down.send(down.logins[0].app, "GET", "/login").status == 503


def test_nothing_secret_is_logged_or_shown(caplog):
    caplog.set_level(logging.DEBUG)
    with login_at() as op:
        browser = Browser(login := op.login(refresh=True, store=MemoryStore()))
        url = op.authorize(browser.start())
        cookies = dict(browser.cookies)
        browser.come_back(url)
        browser.whoami()
        browser.come_back(url)
        shown = caplog.text + repr(login) + repr(login.session) + repr(vars(login)) + repr(vars(login._tokens))
        secrets = [browser.session.rpartition(".")[2], *cookies.values(), "access-0", "refresh-0", KEY, "code-0"]
        assert "alice" in caplog.text  # the audit says who it was
        for secret in secrets:
            assert secret not in shown


def test_what_is_remembered_is_bounded():
    with login_at() as op:
        browser = Browser(op.login())
        browser.log_in(op)
        session: BrowserSession = browser.logins[0].session
        opened = next(iter(session._young.values()), None)
        browser.whoami()
        opened = next(iter(session._young.values()))
        for number in range(20_000):
            session._remember(f"value-{number}", opened)
        assert len(session._young) + len(session._old) <= 2 * 2048


def test_a_session_is_read_back_as_it_was_written_and_garbage_is_none():
    session = Session(
        "i", "s", "https://i", began=1.0, seen=2.0, sid="x", claims={"a": ["b"]}, scopes=("c",), expires=3.0, turn=4
    )
    found = read(session.written())
    assert found is not None
    assert found.written() == session.written()
    good = json.loads(session.written())
    for name, value in [
        ("v", 2),
        ("i", 7),
        ("b", "1"),
        ("sid", 1),
        ("c", []),
        ("sc", "x"),
        ("t", None),
        ("e", "x"),
        ("r", [1]),
    ]:
        assert read(json.dumps({**good, name: value}).encode()) is None
    assert read(b"[]") is None
    assert read(b"{") is None


def test_many_threads_with_one_session_see_one_person():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login())
        browser.log_in(op)
        clock.pass_(120)  # it has to be seen anew
        seen: list[str | int] = []

        def ask():
            own = Browser(browser.logins[0])
            own.cookies = dict(browser.cookies)
            seen.append(own.whoami())

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert seen == ["alice"] * 20


def test_an_access_token_is_kept_only_where_that_was_said():
    with login_at() as op:
        kept, bare = Browser(op.login(keep_access_token=True)), Browser(op.login())
        kept.log_in(op)
        from authkit import Request

        request = Request.build("GET", "/", {"cookie": "; ".join(f"{name}={value}" for name, value in kept.cookies.items())})
        assert kept.logins[0].access_token(request) == "access-0"
        assert kept.logins[0].access_token(Request.build("GET", "/")) is None
        with pytest.raises(ConfigurationError, match="keep_access_token"):
            bare.logins[0].access_token(request)


@pytest.mark.parametrize("told", [b"/site/orders", None])
def test_below_a_mount_one_comes_back_to_the_page_and_not_to_one_of_its_name(told):
    """Hosts that do not tell the path as sent tell where the app is mounted."""
    with login_at() as op:
        sent = []

        async def app(scope, receive, send):
            raise AssertionError

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "method": "GET", "path": "/site/orders", "root_path": "/site", "raw_path": told,
            "query_string": b"a=1", "headers": [(b"accept", b"text/html")],
        }  # fmt: skip
        asyncio.run(require_auth(op.login().session)(app)(scope, app, send))
        assert dict(sent[0]["headers"])[b"location"] == b"/login?return_to=/site/orders%3Fa%3D1"


def test_an_answer_that_renews_a_session_is_stored_by_nobody_whatever_the_page_says():
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login())
        browser.log_in(op)
        page = require_auth(browser.logins[0].session)(lambda request: Response(200, {"cache-control": "public, max-age=60"}))
        assert browser.send(page, "GET", "/page").headers["cache-control"] == "public, max-age=60"
        clock.pass_(61)
        answer = browser.send(page, "GET", "/page")
        assert browser.lines
        assert answer.headers.get_all("cache-control") == ["no-store"]


@pytest.mark.parametrize("stage", ["/prod", ""], ids=["the_api's_own_domain", "a_custom_one"])
def test_below_a_stage_of_a_rest_api_one_comes_back_to_the_page_with_it(stage):
    with login_at() as op:
        page = require_auth(op.login(start_at="/prod/login").session)(lambda event, context: {"statusCode": 200})
        event = lambda_event("v1", path="/orders/7?x=1", headers={"accept": "text/html"})
        event["requestContext"]["path"] = f"{stage}/orders/7"
        answer = page(event, LambdaContext())
        assert answer["headers"]["location"] == f"/prod/login?return_to={stage}/orders/7%3Fx%3D1"
        del event["requestContext"]["path"]
        assert page(event, LambdaContext())["headers"]["location"].endswith("?return_to=/orders/7%3Fx%3D1")
