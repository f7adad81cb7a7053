"""The page of a login that did not succeed: its link begins another one that ends where the person was going."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import pytest

from authkit.stores import MemoryStore
from tests.oidc.login_parts import Browser, Clock, login_at
from tests.oidc.test_login_faults import Failing

PLACES = {
    "/": "/login",
    "/orders/7?page=2&sort=a#last": "/login?return_to=/orders/7%3Fpage%3D2%26sort%3Da%23last",
    "/a\"'<b>": "/login?return_to=/a%22%27%3Cb%3E",
}
EVERY_PLACE = pytest.mark.parametrize(("place", "link"), PLACES.items(), ids=["home", "a_query", "quotes"])


def link_of(answer) -> str:
    assert answer.headers["content-type"].startswith("text/html")
    (found,) = re.findall(r'<a href="([^"<>\']*)">Log in again</a>', answer.body.decode())
    return html.unescape(found)


def begun(browser: Browser, place: str) -> str:
    return browser.start(f"/login?return_to={quote(place, safe='/')}")


@EVERY_PLACE
def test_after_a_no_or_a_failure_the_link_leads_on_to_where_they_were_going(place, link):
    with login_at() as op:
        browser = Browser(op.login())
        refused = browser.come_back(op.authorize(begun(browser, place), code=None, error="access_denied"))
        assert (refused.status, link_of(refused)) == (401, link)
        url = op.authorize(begun(browser, place))
        op.fault("/token", status=503)
        down = browser.come_back(url)
        assert (down.status, link_of(down)) == (503, link)
        op.mend()
        again = browser.come_back(op.authorize(browser.start(link_of(down))))
        assert (again.status, again.headers["location"]) == (303, place)


@EVERY_PLACE
def test_it_is_kept_where_the_store_or_the_metadata_cannot_be_had(place, link):
    clock = Clock()
    with login_at(clock) as op:
        store = Failing()
        browser = Browser(op.login(store=store))
        url = op.authorize(begun(browser, place))
        store.at = store.asked + 1
        down = browser.come_back(url)
        assert (down.status, link_of(down)) == (503, link)
        op.fault("/.well-known/openid-configuration", status=503)
        cold = Browser(op.login(store=MemoryStore()))
        down = cold.send(cold.logins[0].app, "GET", link)
        assert (down.status, link_of(down)) == (503, link)


def test_what_is_no_path_here_or_of_no_attempt_is_in_no_link():
    with login_at() as op:
        browser = Browser(op.login())
        for place in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/login"):
            url = op.authorize(begun(browser, place), code=None, error="access_denied")
            assert link_of(browser.come_back(url)) == "/login"
        url = op.authorize(begun(browser, "/orders"))
        stranger = Browser(browser.logins[0])
        answer = stranger.come_back(url + "&return_to=/elsewhere")
        assert (answer.status, link_of(answer)) == (400, "/login")
