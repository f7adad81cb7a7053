"""The examples that people log in to, behind their servers, at a real provider's pages. In a browser: test_login_browser.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.oidc_provider import has_node, oidc_provider
from tests.servers.person import Person
from tests.servers.sites import Site, fastapi_spa, flask_site, site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.oidc_provider import OidcProviderServer

pytestmark = pytest.mark.skipif(not has_node(), reason="no node on this machine")

BROWSER = {"accept": "text/html"}
FROM_ANOTHER_SITE = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}


@pytest.fixture(scope="module")
def sites() -> dict[str, Site]:
    return {"flask_site": site(), "fastapi_spa": site(host="localhost", paths="/auth")}


@pytest.fixture(scope="module")
def op(sites: dict[str, Site]) -> Iterator[OidcProviderServer]:
    with oidc_provider() as running:
        running.add_clients(*(one.client for one in sites.values()))
        yield running


@pytest.fixture(scope="module")
def flask(sites: dict[str, Site], op: OidcProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """examples.flask_site."""
    with flask_site(sites["flask_site"], op, tmp_path_factory.mktemp("flask")) as running:
        yield running


@pytest.fixture(scope="module")
def spa(sites: dict[str, Site], op: OidcProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """examples.fastapi_spa, which serves what is in examples.spa."""
    with fastapi_spa(sites["fastapi_spa"], op, tmp_path_factory.mktemp("spa")) as running:
        yield running


@pytest.fixture
def alice() -> Iterator[Person]:
    with Person("alice") as person:
        yield person


def logged_in(person: Person, found: Site, path: str) -> httpx.Response:
    """The page at `path`, after a login on the way to it."""
    back = person.go(f"{found.url}{found.paths}/login?return_to={path}", found.url + path)
    return person.client.get(back, headers=BROWSER)


class TestFlaskSite:
    def test_a_private_page_leads_through_the_provider_and_back(self, flask: Site, alice: Person) -> None:
        client = alice.client
        assert "Nobody is logged in" in client.get(flask.url).text
        sent = client.get(flask.url + "/notes?month=11", headers=BROWSER)
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?return_to=/notes%3Fmonth%3D11")
        page = logged_in(alice, flask, "/notes")
        assert 'You are <b id="who">Alice Example</b>' in page.text
        assert page.headers["cache-control"] == "private, no-store"

    def test_a_note_is_kept_for_who_wrote_it_and_taken_from_this_site_alone(self, flask: Site, alice: Person) -> None:
        logged_in(alice, flask, "/notes")
        post = alice.client.post
        for headers in (FROM_ANOTHER_SITE, {"origin": "null"}):
            assert post(flask.url + "/notes", data={"text": "forged"}, headers=headers).status_code == 403
        assert post(flask.url + "/notes", data={"text": "<b>"}, headers={"origin": flask.url}).status_code == 303
        pages = [alice.client.get(flask.url + "/notes").text for _ in range(20)]  # of both processes
        assert not any("forged" in page or "<li><b>" in page for page in pages)

    def test_a_logout_is_one_here_and_at_the_provider(self, flask: Site, alice: Person) -> None:
        logged_in(alice, flask, "/notes")
        assert alice.client.post(flask.url + "/logout", headers=FROM_ANOTHER_SITE).status_code == 403
        kept = alice.client.cookies["session"]
        sent = alice.client.post(flask.url + "/logout", headers={**BROWSER, "origin": flask.url})
        assert sent.status_code == 303
        assert "/session/end?" in sent.headers["location"]
        form = alice.client.get(sent.headers["location"]).text
        action, secret = re.findall(r'action="([^"]+)"', form)[0], re.findall(r'name="xsrf" value="([^"]+)"', form)[0]
        there = alice.client.post(action, data={"xsrf": secret, "logout": "yes"})
        assert there.headers["location"].startswith(flask.url + "/")
        with httpx.Client(cookies={"session": kept}, trust_env=False) as thief:
            assert thief.get(flask.url + "/notes").status_code == 401  # it is over, not only forgotten


class TestSinglePageApp:
    def test_its_api_says_401_and_its_pages_are_there_for_everybody(self, spa: Site, alice: Person) -> None:
        for path in ("/me", "/notes"):
            answer = alice.client.get(spa.url + path)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert "app.js" in alice.client.get(spa.url).text
        assert "/auth/login" in alice.client.get(spa.url + "/app.js").text

    def test_with_a_session_it_is_somebody_s_own(self, spa: Site, alice: Person) -> None:
        said = logged_in(alice, spa, "/me")
        assert said.json() == {"name": "Alice Example", "email": "alice@example.test"}
        assert said.headers["cache-control"] == "private, no-store"
        forged = alice.client.post(spa.url + "/notes", json={"text": "forged"}, headers=FROM_ANOTHER_SITE)
        assert forged.status_code == 403
        assert alice.client.post(spa.url + "/notes", json={"text": "tea"}, headers={"origin": spa.url}).status_code == 201
        assert alice.client.get(spa.url + "/notes").json() == ["tea"]
        with Person("bob") as bob:
            assert logged_in(bob, spa, "/me").json() == {"name": "Bob Example", "email": None}  # whose address nobody verified
            assert bob.client.get(spa.url + "/notes").json() == []

    def test_no_answer_leads_to_another_site(self, spa: Site, alice: Person) -> None:
        for place in ("https://evil.example/", "//evil.example", "/\\evil.example", "/%2f/evil.example"):
            back = alice.go(f"{spa.url}/auth/login?return_to={place}", f"{spa.url}/auth/callback")
            answer = alice.client.get(back)
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
