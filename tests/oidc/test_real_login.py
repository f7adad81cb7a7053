"""Logins at a certified OpenID Provider, through its own pages, behind uvicorn, gunicorn and AWS's Lambda runtime client."""

from __future__ import annotations

import html
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from authkit.oidc import OIDCProvider
from authkit.stores import MemoryStore
from tests.conformance.exchange import Sent
from tests.conformance.hosts import BUILD, from_lambda
from tests.conformance.servers import LOOPBACK, ROOT
from tests.hosts.wsgi_servers import NO_CONTROL_SOCKET
from tests.oidc.issuer import until
from tests.oidc.login_parts import Browser, Clock
from tests.servers.oidc_provider import OidcProviderServer, has_node, oidc_provider
from tests.servers.runtime_api import lambda_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authkit.oidc import Login

pytestmark = pytest.mark.skipif(not has_node(), reason="oidc-provider needs node and npm")

UVICORN = ["uvicorn", "--lifespan", "off", "--log-level", "critical", "--fd"]
GUNICORN = ["gunicorn", "--workers", "2", "--log-level", "critical", *NO_CONTROL_SOCKET, "--bind"]
SITES = {  # server, app, whether sessions lie in a store
    "asgi": (UVICORN, "asgi", False),
    "fastapi": (UVICORN, "app", True),
    "wsgi": (GUNICORN, "wsgi", False),
    "flask": (GUNICORN, "app", True),
    "django": (GUNICORN, "app", False),
}
SECRET = "web-secret-0123456789abcdef0123456789abcdef"
PAGE = {"accept": "text/html"}


class Person:
    """Somebody with a browser, who types a name and says yes to everything."""

    everybody: ClassVar[list[Person]] = []

    def __init__(self, name: str = "alice") -> None:
        self.name = name
        self.provider = httpx.Client(timeout=60)
        Person.everybody.append(self)

    def goes(self, url: str, until: str) -> str:
        """Where the provider's pages lead from `url`: an address that begins with `until`."""
        answer = self.provider.get(url)
        for _ in range(12):
            if answer.is_redirect:
                where = answer.headers["location"]
                if where.startswith(until):
                    return str(where)
                answer = self.provider.get(answer.url.join(where))
            else:
                assert answer.status_code == 200, answer.text
                action, fields = form(answer.text)
                if "login" in fields:
                    fields |= {"login": self.name, "password": "any"}
                answer = self.provider.post(action, data=fields)
        raise AssertionError("the provider's pages lead nowhere")


def form(page: str) -> tuple[str, dict[str, str]]:
    action = re.search(r'<form[^>]*action="([^"]+)"', page)
    assert action is not None
    fields = {}
    for tag in re.findall(r"<(?:input|button)[^>]*>", page):
        told = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if told.get("name"):
            fields[told["name"]] = html.unescape(told.get("value", ""))
    return html.unescape(action[1]), fields


@contextmanager
def site(op: OidcProviderServer, name: str, store: str) -> Iterator[str]:
    """Where the site is. Its socket listens before it starts."""
    server, app, stored = SITES[name]
    with socket.create_server((LOOPBACK, 0)) as listening:
        number = listening.fileno()
        base = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        told = {"LOGIN_ISSUER": op.issuer, "LOGIN_BASE": base, "LOGIN_APP": name, "LOGIN_STORE": store if stored else ""}
        place = str(number) if server is UVICORN else f"fd://{number}"
        process = subprocess.Popen(
            [sys.executable, "-m", *server, place, f"tests.oidc.served_login:{app}"],
            cwd=ROOT,
            env={**os.environ, **told, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[number],
        )
    try:
        yield base
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(autouse=True)
def _going_home() -> Iterator[None]:
    yield
    for person in Person.everybody:
        person.provider.close()
    Person.everybody.clear()


@pytest.fixture(scope="module")
def op() -> Iterator[OidcProviderServer]:
    with oidc_provider() as server:
        yield server


@pytest.mark.parametrize("name", SITES)
def test_people_log_in_and_out_behind_every_server(op: OidcProviderServer, name: str, tmp_path_factory) -> None:
    store = str(tmp_path_factory.mktemp("login") / "store.db")
    with site(op, name, store) as base, httpx.Client(base_url=base, timeout=60, headers=PAGE) as browser:
        person = Person()
        assert browser.get("/page", headers={"accept": "application/json"}).status_code == 401
        sent = browser.get("/page?n=1")
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?return_to=/page%3Fn%3D1")
        back = person.goes(browser.get(sent.headers["location"]).headers["location"], base)
        arrived = browser.get(back)
        assert (arrived.status_code, arrived.headers["location"]) == (303, "/page?n=1")
        for _ in range(4):  # gunicorn has two workers
            assert browser.get("/page?n=1").text == "alice Alice Example"
        assert list(browser.cookies) == ["session"]
        assert browser.get(back).status_code == 400
        assert browser.post("/logout", headers={"origin": "https://evil.example"}).status_code == 403
        kept = dict(browser.cookies)
        gone = browser.post("/logout", headers={"origin": base})
        assert person.goes(gone.headers["location"], "http://127.0.0.1/logged-out").startswith(
            "http://127.0.0.1/logged-out?state="
        )
        assert browser.get("/page").status_code == 303
        if SITES[name][2]:
            browser.cookies.update(kept)
            until(lambda: browser.get("/page").status_code == 303)  # the other worker asks again after half a second


def test_people_log_in_under_the_runtime_client_of_aws(op: OidcProviderServer) -> None:
    base, cookies = "http://127.0.0.1:5999", {}
    env = {"LOGIN_ISSUER": op.issuer, "LOGIN_BASE": base}
    with lambda_function("tests/oidc/served_login.on_lambda", ROOT, env=env, timeout=60) as function:

        def asked(url: str, method: str = "GET", **headers: str):
            parts = urlsplit(url)
            lines = [*PAGE.items(), *headers.items()]
            lines += [("cookie", "; ".join(f"{name}={text}" for name, text in cookies.items()))] if cookies else []
            sent = Sent(method=method, path=parts.path, query=parts.query, headers=tuple(lines))
            got = from_lambda(function.invoke(BUILD["lambda_http_v2"](sent), wait=60).value)
            for line in got.headers.get("set-cookie", []):
                name, _, rest = line.partition("=")
                cookies[name] = rest.partition(";")[0]
                if "Max-Age=0" in rest:
                    del cookies[name]
            return got

        sent = asked("/page")
        assert sent.status == 303
        back = Person().goes(asked(sent.headers["location"][0]).headers["location"][0], base)
        assert asked(back).headers["location"] == ["/page"]
        assert asked("/page").body == b"alice Alice Example"
        assert asked("/logout", "POST", origin=base).status == 303
        assert asked("/page").status == 303


def login(op: OidcProviderServer, **settings) -> Login:
    provider = OIDCProvider(op.issuer, audience=op.audience)
    usual = {"client_id": "web", "client_secret": SECRET, "redirect_uri": "http://127.0.0.1:5999/callback"}
    return provider.login(**{**usual, "session_key": "a session key of a test: 0123456789abcdef", "timeout": 30, **settings})


def came_back(browser: Browser, person: Person, start: Callable[[Browser], str] = Browser.start):
    return browser.come_back(person.goes(start(browser), browser.logins[0].redirect_uri))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_shows_its_secret_as_it_is_registered(op: OidcProviderServer, method: str) -> None:
    op.add_clients(
        {
            "client_id": f"web-{method}",
            "client_secret": SECRET + "%&+ /",
            "token_endpoint_auth_method": method,
            "application_type": "native",
            "redirect_uris": ["http://127.0.0.1/callback"],
        }
    )
    browser = Browser(login(op, client_id=f"web-{method}", client_secret=SECRET + "%&+ /", method=method))
    assert came_back(browser, Person()).status == 303
    assert browser.whoami() == "alice"


def test_a_public_client_has_pkce_alone(op: OidcProviderServer) -> None:
    settings = {"client_id": "spa", "client_secret": None, "scopes": ["openid", "email"]}
    browser = Browser(login(op, **settings))
    assert came_back(browser, Person("bob")).status == 303
    assert browser.whoami() == "bob"


def test_who_says_no_comes_back_to_a_page_of_ours(op: OidcProviderServer) -> None:
    browser = Browser(login(op, prompt="none"))
    answer = came_back(browser, Person())
    assert answer.status == 401
    assert b"You are not logged in" in answer.body


def test_a_session_is_refreshed_and_ends_when_its_grant_is_revoked(op: OidcProviderServer) -> None:
    clock = Clock(time.time())
    scopes = ["openid", "profile", "offline_access"]
    settings = {"scopes": scopes, "prompt": "consent", "refresh": True, "background": False}
    kept = login(op, **settings, store=MemoryStore(), clock=clock, monotonic=clock)
    browser = Browser(kept)
    assert came_back(browser, Person()).status == 303
    before = op.counts()["POST /token"]
    clock.pass_(250)
    assert browser.whoami() == "alice"
    assert op.counts()["POST /token"] == before + 1
    clock.pass_(250)
    assert browser.whoami() == "alice"
    (opened,) = {id(one.session): one.session for one in kept.session._young.values()}.values()
    op.revoke(opened.refresh_token, "web")
    clock.pass_(250)
    assert browser.whoami() == 303


def test_several_tabs_at_one_provider_come_back_to_their_pages(op: OidcProviderServer) -> None:
    browser, person = Browser(login(op)), Person()
    urls = [browser.start(f"/login?return_to=/tab/{number}") for number in range(3)]
    backs = [person.goes(url, browser.logins[0].redirect_uri) for url in urls]
    for number in (1, 2, 0):
        assert browser.come_back(backs[number]).headers["location"] == f"/tab/{number}"


def test_a_fresh_login_is_asked_for_and_checked(op: OidcProviderServer) -> None:
    first = login(op)
    browser, person = Browser(first), Person()
    came_back(browser, person)
    again = first.start_with(max_age=0, prompt="login")
    answer = came_back(browser, person, lambda one: one.send(again, "GET", "/again").headers["location"])
    assert answer.status == 303


def test_the_provider_ends_sessions_by_back_channel(op: OidcProviderServer) -> None:
    """The provider itself posts the logout token, when the person logs out there."""
    posted: list[bytes] = []

    class Sink(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["content-length"])))
            answer = told(posted[-1])
            self.send_response(answer)
            self.send_header("content-length", "0")
            self.end_headers()
            done.set()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    done = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        op.add_clients(
            {
                "client_id": "told",
                "client_secret": SECRET,
                "application_type": "native",
                "redirect_uris": ["http://127.0.0.1/callback"],
                "post_logout_redirect_uris": ["http://127.0.0.1/logged-out"],
                "backchannel_logout_uri": f"http://127.0.0.1:{server.server_address[1]}/logout",
                "backchannel_logout_session_required": True,
            }
        )
        store = MemoryStore()
        kept = login(op, client_id="told", store=store, logged_out_uri="http://127.0.0.1/logged-out")
        browser, person, other = Browser(kept), Person(), Browser(kept)

        def told(body: bytes) -> int:
            kind = "application/x-www-form-urlencoded"
            return Browser(kept).send(kept.app, "POST", "/backchannel-logout", body, content_type=kind).status

        came_back(browser, person)
        came_back(other, Person())  # the same account in another browser, and another session at the provider
        assert browser.whoami() == other.whoami() == "alice"
        hint = next(one.session.id_token for one in kept.session._young.values())
        asked = {"id_token_hint": hint, "post_logout_redirect_uri": "http://127.0.0.1/logged-out"}
        person.goes(str(httpx.URL(f"{op.issuer}/session/end").copy_merge_params(asked)), "http://127.0.0.1/logged-out")
        assert done.wait(30)
        assert dict(parse_qsl(posted[0].decode())).keys() == {"logout_token"}
        assert browser.whoami() == 303
        assert other.whoami() == "alice"
        assert told(posted[0]) == 400  # once
        server.shutdown()
