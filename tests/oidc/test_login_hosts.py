"""A session in front of every kind of handler: led to log in, let in, its cookies kept and forgotten, whatever the host."""

from __future__ import annotations

import asyncio

import fastapi
import fastapi.testclient
import pytest
import starlette.applications
import starlette.routing

from authkit import Request, any_of, chain, current_principal, require_auth, require_roles
from authkit.http import Response
from authkit.stores import MemoryStore
from tests.conformance import frameworks as frameworks  # adds its hosts to the table
from tests.conformance.exchange import Handler, Sent, seen
from tests.conformance.hosts import HOSTS
from tests.oidc.login_parts import Browser, Clock, login_at

REDUCED = ("lambda_authorizer", "websocket", "async_websocket")  # names of rows that are no pages
PAGES = [name for name in HOSTS if not any(word in name for word in REDUCED)]


@pytest.fixture(scope="module")
def site():
    clock = Clock()
    with login_at(clock) as op:
        op.id_claims = {"note": "x" * 4000}
        browser = Browser(op.login(claims=["note"]))
        browser.log_in(op)
        yield clock, browser


def kept(browser: Browser, **changed: str) -> tuple[str, str]:
    return "Cookie", "; ".join(f"{name}={value}" for name, value in {**browser.cookies, **changed}.items())


@pytest.mark.parametrize("host", PAGES)
def test_a_session_enters_and_its_cookies_are_renewed_and_forgotten_on_every_host(site, host):
    clock, browser = site
    login = browser.logins[0]
    handler = Handler()
    app = HOSTS[host].make(chain(require_auth(login.session)), handler)
    page = ("Accept", "text/html")

    def asked(*headers, method="GET"):
        return HOSTS[host].call(app, Sent(method=method, path="/orders/7", query="a=1", headers=headers))

    nobody = asked(page)
    assert nobody.status == 303, nobody
    assert nobody.headers["location"][0].startswith("/login?return_to=/")
    assert nobody.headers["location"][0].endswith("orders/7%3Fa%3D1")
    assert asked(("Accept", "application/json")).status == 401
    assert handler.entered == 0
    login.session.forget_all()
    clock.pass_(60)  # it is noted that it was seen
    entered = asked(page, kept(browser))
    assert (entered.status, seen(entered.body)["subject"]) == (200, "alice")
    assert entered.headers["cache-control"] == ["no-store"]
    names = [line.partition("=")[0] for line in entered.headers["set-cookie"]]
    assert names == ["__Host-session", "__Host-session.1"]
    for line in entered.headers["set-cookie"]:
        name, _, rest = line.partition("=")
        browser.cookies[name] = rest.partition(";")[0]
    again = asked(page, kept(browser))
    assert "set-cookie" not in again.headers
    own = "function" in host  # `Response.json` says something itself
    assert again.headers["cache-control"] == ["no-store" if own else "private, no-store"]
    assert asked(kept(browser), method="POST").status == 403
    assert asked(kept(browser), ("Origin", "https://site.example"), method="POST").status == 200
    dead = asked(page, kept(browser, **{"__Host-session.1": "x"}))
    assert dead.status == 303
    assert [line.partition(";")[0] for line in dead.headers["set-cookie"]] == ["__Host-session=", "__Host-session.1="]


def test_fastapi_has_it_as_a_dependency_too():
    with login_at() as op:
        browser = Browser(login := op.login())
        browser.log_in(op)
        api = chain(require_auth(login.session))
        app = fastapi.FastAPI()

        @app.get("/page")
        def page(principal=fastapi.Depends(api.dependency)):
            return {"subject": principal.subject}

        with fastapi.testclient.TestClient(app, base_url="https://site.example", follow_redirects=False) as client:
            sent = client.get("/page", headers={"accept": "text/html"})
            assert (sent.status_code, sent.headers["location"]) == (303, "/login?return_to=/page")
            assert client.get("/page").status_code == 401
            assert client.get("/page", headers=dict([kept(browser)])).json() == {"subject": "alice"}


def test_below_a_mount_everything_is_where_the_settings_say():
    with login_at() as op:
        login = op.login(redirect_uri="https://site.example/auth/callback", start_at="/auth/login")

        async def page(scope, receive, send):
            from starlette.responses import PlainTextResponse

            await PlainTextResponse(current_principal().subject)(scope, receive, send)

        mount = starlette.routing.Mount
        routes = [mount("/auth", app=login.app), mount("/site", app=require_auth(login.session)(page))]
        app = starlette.applications.Starlette(routes=routes)
        with fastapi.testclient.TestClient(app, base_url="https://site.example", follow_redirects=False) as client:
            client.headers["accept"] = "text/html"
            sent = client.get("/site/orders?a=1")
            assert sent.headers["location"] == "/auth/login?return_to=/site/orders%3Fa%3D1"
            url = client.get(sent.headers["location"]).headers["location"]
            back = client.get(op.authorize(url))
            assert (back.status_code, back.headers["location"]) == (303, "/site/orders?a=1")
            assert client.get("/site/orders?a=1").text == "alice"


def test_a_role_is_asked_for_after_a_session():
    with login_at() as op:
        op.id_claims = {"roles": ["admin"]}
        browser = Browser(login := op.login())
        browser.log_in(op)
        for role, status in (("admin", 200), ("owner", 403)):
            browser.page = chain(require_auth(login.session), require_roles(role))(lambda request: Response(200))
            assert browser.get().status == status


def test_alternatives_ask_a_session_as_any_other():
    with login_at() as op, login_at() as other:
        one, two = op.login(), other.login(prefix="/two", cookie="other")
        browser = Browser(one, two)
        browser.page = any_of(require_auth(one.session), require_auth(two.session))(lambda request: Response(200))
        assert browser.get(accept="application/json").status == 401
        assert browser.get("/orders").headers["location"] == "/login?return_to=/orders"
        browser.come_back(other.authorize(browser.start("/two/login", two)), two)
        assert browser.get().status == 200
        browser.log_in(op)
        assert browser.get().status == 200


def test_a_websocket_has_its_session_only_from_this_site():
    with login_at() as op:
        browser = Browser(login := op.login())
        browser.log_in(op)
        seen_there = []

        @require_auth(login.session)
        async def socket(scope, receive, send):
            seen_there.append(current_principal().subject)
            await send({"type": "websocket.accept"})

        def opened(*headers):
            sent = []

            async def receive():
                return {"type": "websocket.connect"}

            async def send(message):
                sent.append(message["type"])

            lines = [(name.lower().encode(), value.encode()) for name, value in headers]
            scope = {"type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b"", "headers": lines}
            asyncio.run(socket({**scope, "scheme": "wss", "client": ("127.0.0.1", 1)}, receive, send))
            return sent

        host = ("Host", "site.example")
        assert opened(host, kept(browser), ("Origin", "https://evil.example")) == ["websocket.close"]
        assert opened(host, kept(browser)) == ["websocket.close"]
        assert opened(host) == ["websocket.close"]
        assert opened(host, kept(browser), ("Origin", "https://site.example")) == ["websocket.accept"]
        assert seen_there == ["alice"]


def test_a_plain_function_may_ask_what_a_chain_decides():
    with login_at() as op:
        browser = Browser(login := op.login(store=MemoryStore()))
        browser.log_in(op)
        api = chain(require_auth(login.session))
        found = api.decide(Request.build("GET", "/", dict([kept(browser)])))
        assert found.principal.subject == "alice"
        assert api.decide(Request.build("GET", "/")).status == 401
