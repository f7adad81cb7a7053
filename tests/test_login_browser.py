"""Logins in a real browser: the examples behind gunicorn and uvicorn, a real provider's own pages, and a person who clicks."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.servers.oidc_provider import has_node, oidc_provider
from tests.servers.sites import Site, fastapi_spa, flask_site, site
from tests.servers.visitor import Visitor, certificate, visiting
from tests.test_demo_page import CHROMIUM, PHONE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.servers.oidc_provider import OidcProviderServer

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(not has_node(), reason="no node on this machine"),
]

SECONDS = 30.0


@pytest.fixture(scope="module")
def sites() -> dict[str, Site]:
    """Where they will be. Hosts of their own: cookies know no ports."""
    return {
        "flask": site(),
        "hasty": site(),
        "spa": site(host="localhost", paths="/auth"),
        "secure": site("https", "localhost", "/auth"),
    }


@pytest.fixture(scope="module")
def op(sites: dict[str, Site]) -> Iterator[OidcProviderServer]:
    with oidc_provider() as running:
        running.add_clients(*(one.client for one in sites.values()))
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=flags,
            ignore_default_args=["--disable-back-forward-cache"],  # people's browsers have it
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where logs, sessions and pictures are kept."""
    return tmp_path_factory.mktemp("login-browser")


@pytest.fixture(scope="module")
def flask(sites: dict[str, Site], op: OidcProviderServer, place: Path) -> Iterator[Site]:
    with flask_site(sites["flask"], op, place) as running:
        yield running


@pytest.fixture(scope="module")
def spa(sites: dict[str, Site], op: OidcProviderServer, place: Path) -> Iterator[Site]:
    with fastapi_spa(sites["spa"], op, place) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(sites: dict[str, Site], op: OidcProviderServer, place: Path) -> Iterator[Site]:
    """Whose sessions last ten seconds without a request, which is the least that there is."""
    with flask_site(sites["hasty"], op, place, SESSION_IDLE="10") as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def left_alone(browser: Browser, op: OidcProviderServer, place: Path, hasty: Site) -> Iterator[Visitor]:
    """Somebody who logs in before all tests, and is left alone until theirs comes."""
    with visiting(browser, op, place) as visitor:
        visitor.page.goto(hasty.url + "/notes")
        visitor.log_in()
        yield visitor


@pytest.fixture
def visitor(browser: Browser, op: OidcProviderServer, place: Path) -> Iterator[Visitor]:
    with visiting(browser, op, place) as found:
        yield found


class TestFlask:
    def test_a_page_that_was_wanted_is_come_back_to(self, visitor: Visitor, flask: Site) -> None:
        visitor.page.goto(flask.url)
        assert visitor.who() is None
        visitor.picture("flask-1-nobody")
        visitor.page.goto(flask.url + "/notes?month=2026-11&q=a%20b")
        visitor.picture("flask-2-provider")
        visitor.log_in()
        assert visitor.page.url == flask.url + "/notes?month=2026-11&q=a%20b"
        assert visitor.who() == "Alice Example"
        visitor.page.get_by_label("New note").fill("<b>buy</b> tea")
        visitor.page.get_by_role("button", name="Keep").click()
        visitor.page.wait_for_load_state()
        end = time.monotonic() + SECONDS
        while not visitor.page.get_by_text("<b>buy</b> tea").is_visible() and time.monotonic() < end:
            visitor.page.reload()  # the other of the two processes, each of which has notes of its own
        assert visitor.page.get_by_text("<b>buy</b> tea").is_visible()
        visitor.picture("flask-3-notes")

    def test_the_only_cookie_left_is_the_session_and_no_script_reads_it(self, visitor: Visitor, flask: Site) -> None:
        visitor.page.goto(flask.url + "/notes")
        [attempt] = visitor.cookies(flask)
        assert attempt["name"].startswith("session-")
        assert 0 < attempt["expires"] - time.time() <= 600
        visitor.log_in()
        [session] = visitor.cookies(flask)
        for cookie in (attempt, session):
            assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
            assert (cookie["secure"], cookie["domain"]) == (False, "127.0.0.1")  # of plain http, on this machine
        assert session["name"] == "session"
        assert visitor.page.evaluate("document.cookie") == ""
        assert "alice" not in session["value"].lower()

    def test_two_tabs_at_once_each_come_back_to_their_own_page(self, visitor: Visitor, flask: Site) -> None:
        one, other = visitor.page, visitor.tab()
        one.goto(flask.url + "/notes?tab=1")
        other.goto(flask.url + "/notes?tab=2")
        assert len(visitor.cookies(flask)) == 2
        visitor.picture("flask-4-second-tab", other)
        visitor.log_in(page=one)
        assert one.url.endswith("/notes?tab=1")
        visitor.log_in(page=other)
        assert other.url.endswith("/notes?tab=2")
        one.reload()
        assert visitor.who(one) == visitor.who(other) == "Alice Example"
        assert [cookie["name"] for cookie in visitor.cookies(flask)] == ["session"]

    def test_a_tab_that_was_left_for_too_long_says_so_and_has_a_way_on(self, visitor: Visitor, flask: Site) -> None:
        visitor.page.goto(flask.url + "/notes?stale")
        visitor.context.clear_cookies(name=re.compile("^session-"))  # as the browser does when their time is over
        visitor.log_in()
        visitor.page.get_by_role("heading", name="The login did not succeed").wait_for()
        assert visitor.cookies(flask) == []
        visitor.picture("flask-5-stale")
        visitor.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        visitor.page.get_by_role("link", name="Log in again").click()
        visitor.page.wait_for_url(flask.url + "/")
        assert visitor.who() == "Alice Example"

    def test_a_provider_that_fails_half_way_is_no_dead_end(self, visitor: Visitor, flask: Site, op: OidcProviderServer) -> None:
        visitor.page.goto(flask.url + "/notes")
        op.faults([{"path": "/token", "status": 503}])
        try:
            visitor.log_in()
            visitor.page.get_by_role("heading", name="Please try again in a moment").wait_for()
            visitor.picture("flask-11-provider-down")
            assert visitor.cookies(flask) == []
            visitor.page.reload()  # the code was given away
            visitor.page.get_by_role("heading", name="The login did not succeed").wait_for()
        finally:
            op.faults([])
        visitor.page.get_by_role("link", name="Log in again").click()
        visitor.page.wait_for_url(flask.url + "/")
        assert visitor.who() == "Alice Example"

    def test_who_says_no_at_the_provider_is_not_logged_in(self, visitor: Visitor, flask: Site) -> None:
        visitor.page.goto(flask.url + "/notes")
        visitor.page.get_by_role("link", name="Cancel").click()
        visitor.page.get_by_role("heading", name="You are not logged in").wait_for()
        visitor.picture("flask-6-cancelled")
        assert visitor.cookies(flask) == []

    def test_after_a_logout_here_and_there_nothing_private_is_gone_back_to(self, visitor: Visitor, flask: Site) -> None:
        visitor.page.goto(flask.url + "/notes")
        visitor.log_in()
        assert visitor.who() == "Alice Example"
        visitor.page.get_by_role("button", name="Log out").click()
        visitor.page.wait_for_url(lambda url: url.startswith(visitor.issuer))
        assert visitor.cookies(flask) == []  # over here already, whatever is said there
        visitor.picture("flask-7-logout-there")
        visitor.page.get_by_role("button", name="Yes").click()
        visitor.page.wait_for_url(lambda url: url.startswith(flask.url))
        assert visitor.who() is None
        visitor.picture("flask-8-logged-out")
        before = visitor.asked.count(flask.url + "/notes")
        for _ in range(4):
            visitor.page.go_back()
            assert visitor.who() is None
        assert visitor.asked.count(flask.url + "/notes") > before  # it was asked for anew, not shown from memory
        visitor.picture("flask-9-gone-back")
        visitor.page.goto(flask.url + "/notes")
        assert visitor.page.locator("input[name=login]").is_visible()  # the provider does not know them any more either


class TestSinglePageApp:
    def test_its_script_sends_whoever_is_not_logged_in_to_log_in_and_they_come_back(self, visitor: Visitor, spa: Site) -> None:
        visitor.page.goto(spa.url + "/?view=all#newest")
        visitor.page.get_by_text("Nobody is logged in").wait_for()
        visitor.picture("spa-1-nobody")
        visitor.page.get_by_role("button", name="Log in").click()
        visitor.log_in()
        visitor.page.get_by_text("You are").wait_for()
        assert visitor.page.url == spa.url + "/?view=all#newest"
        assert visitor.who() == "Alice Example"
        visitor.page.get_by_label("New note").fill("<i>buy tea</i>")
        visitor.page.get_by_role("button", name="Keep").click()
        visitor.page.get_by_text("<i>buy tea</i>").wait_for()
        visitor.picture("spa-2-notes")
        [session] = visitor.cookies(spa)
        assert session["httpOnly"]
        stored = "JSON.stringify([document.cookie, Object.keys(localStorage), Object.keys(sessionStorage)])"
        assert visitor.page.evaluate(stored) == '["",[],[]]'

    def test_a_page_of_another_site_can_neither_read_nor_write(self, visitor: Visitor, spa: Site, flask: Site) -> None:
        visitor.page.goto(spa.url)
        visitor.page.get_by_role("button", name="Log in").click()
        visitor.log_in()
        session, notes = visitor.cookies(spa), visitor.context.request.get(spa.url + "/notes")
        assert notes.status == 200
        for headers in ({"origin": flask.url}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            forged = visitor.context.request.post(spa.url + "/notes", data={"text": "forged"}, headers=headers)
            assert forged.status == 403
            assert visitor.context.request.post(spa.url + "/auth/logout", headers=headers).status == 403
        assert visitor.context.request.get(spa.url + "/notes").json() == notes.json()
        assert visitor.cookies(spa) == session

    def test_who_logs_out_at_the_provider_elsewhere_is_logged_out_here(self, visitor: Visitor, spa: Site, flask: Site) -> None:
        """Back-channel logout: the provider tells both, and no browser is asked."""
        visitor.page.goto(spa.url)
        visitor.page.get_by_role("button", name="Log in").click()
        visitor.log_in("bob")
        visitor.page.get_by_text("You are").wait_for()
        other = visitor.tab()
        other.goto(flask.url + "/notes")
        visitor.consent(other)
        assert visitor.who(other) == "Bob Example"
        other.get_by_role("button", name="Log out").click()
        other.get_by_role("button", name="Yes").click()
        other.wait_for_url(lambda url: url.startswith(flask.url))
        end = time.monotonic() + SECONDS
        while visitor.context.request.get(spa.url + "/me").status == 200 and time.monotonic() < end:
            time.sleep(0.05)
        visitor.page.reload()
        visitor.page.get_by_text("Nobody is logged in").wait_for()
        assert visitor.who() is None
        visitor.picture("spa-3-logged-out-elsewhere")
        visitor.page.get_by_role("button", name="Log in").click()
        visitor.page.wait_for_selector("input[name=login]")

    def test_after_a_logout_the_view_that_is_gone_back_to_is_empty(self, visitor: Visitor, spa: Site) -> None:
        visitor.page.goto(spa.url + "/?private")
        visitor.page.get_by_role("button", name="Log in").click()
        visitor.log_in()
        visitor.page.get_by_text("You are").wait_for()
        visitor.page.get_by_role("button", name="Log out").click()
        visitor.page.get_by_role("button", name="Yes").click()
        visitor.page.get_by_text("Nobody is logged in").wait_for()
        visitor.page.go_back()  # the provider's question
        visitor.page.go_back()
        assert visitor.page.url == spa.url + "/?private"
        visitor.page.get_by_text("Nobody is logged in").wait_for()
        assert visitor.who() is None
        visitor.picture("spa-4-gone-back")

    def test_over_https_the_cookies_are_for_this_host_alone(
        self, browser: Browser, sites: dict[str, Site], op: OidcProviderServer, place: Path
    ) -> None:
        with (
            fastapi_spa(sites["secure"], op, place, tls=certificate(place)) as secure,
            visiting(browser, op, place, ignore_https_errors=True) as visitor,
        ):
            visitor.page.goto(secure.url)
            visitor.page.get_by_role("button", name="Log in").click()
            visitor.page.wait_for_selector("input[name=login]")
            [attempt] = visitor.cookies(secure)
            visitor.log_in()
            visitor.page.get_by_text("You are").wait_for()
            [session] = visitor.cookies(secure)
            assert attempt["name"].startswith("__Host-session-")
            assert session["name"] == "__Host-session"
            for cookie in (attempt, session):
                assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, True, "Lax", "/")


class TestExpired:
    def test_an_expired_session_is_begun_anew_on_the_way_to_the_page(self, left_alone: Visitor, hasty: Site) -> None:
        """Ten seconds without a request."""
        visitor, page = left_alone, left_alone.page
        before = visitor.asked_to_log_in()
        assert visitor.who() == "Alice Example"
        time.sleep(max(0.0, visitor.since + 11 - time.monotonic()))
        answer = visitor.context.request.get(hasty.url + "/notes", headers={"accept": "application/json"})
        assert (answer.status, visitor.cookies(hasty)) == (401, [])
        page.goto(hasty.url + "/notes?later")
        visitor.picture("flask-10-expired")
        page.wait_for_url(hasty.url + "/notes?later")
        assert visitor.asked_to_log_in() == before + 1
        assert visitor.who() == "Alice Example"  # whom the provider still knew
        assert left_alone.complaints == []
