"""People logging in: the library's own share of a login, and of a request with a session.

The provider answers over HTTP on loopback, and the time that passes in those requests is taken off: what is left is ours, with
what httpx does around them. Sessions refreshed: 200 requests at once, and how often the provider was asked.
"""

from __future__ import annotations

import logging
import statistics
import threading
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from authkit import Request, require_auth
from authkit._run import run
from authkit.http import Response
from authkit.oidc import Login
from authkit.stores import MemoryStore
from authkit.testing import Clock, FakeIssuer

from ._table import Row, Table, Target
from ._timing import added, calls, nothing

SITE = "https://site.example"
KEY = "benchmark-session-key-7d41c0a95be2f863"
PAGE = {"accept": "text/html"}
AT_ONCE = 200
SHARE = 10.0  # ms of a login
SEEN = 10.0  # µs of a request


class Timed(httpx.BaseTransport):
    """Real HTTP, and how long it took."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        begun = time.perf_counter()
        try:
            answer = self._inner.handle_request(request)
            answer.read()
            return answer
        finally:
            self.seconds += time.perf_counter() - begun


class Provider(FakeIssuer):
    """One whose people say yes at once: `back` gives where they come back to."""

    def __init__(self, clock: Any = time.time) -> None:
        super().__init__(clock=clock)
        self.says = {name: f"{self.base}/{name.partition('_')[0]}" for name in ("authorization_endpoint", "token_endpoint")}
        self.pages = {"/token": self._token}
        self._asked: dict[str, str] = {}
        self.refreshed = 0

    def back(self, url: str) -> str:
        self._asked = dict(parse_qsl(urlsplit(url).query))
        return f"/callback?code=c-1&state={self._asked['state']}"

    def _token(self, method: str, headers: Any, body: bytes) -> tuple[int, Any]:
        self.refreshed += b"grant_type=refresh_token" in body
        times = {"expires_in": 300, "refresh_token": "r-1"}
        return 200, {"access_token": "a-1", "id_token": self.id_token(nonce=self._asked["nonce"]), **times}


def tables(seconds: float) -> list[Table]:
    logging.getLogger("authkit").setLevel(logging.CRITICAL)
    with Provider() as op:
        found = [_logins(op, seconds / 2), _requests(op, seconds / 4)]
    return [*found, _refreshed()]


def _login(op: Provider, **settings: Any) -> Login:
    clock = op.clock
    provider = op.provider(**({"transport": settings["transport"]} if "transport" in settings else {}))
    usual = {"client_id": op.client_id, "client_secret": "s" * 32, "redirect_uri": f"{SITE}/callback", "session_key": KEY}
    return provider.login(**{**usual, "clock": clock, **settings})


def _log_in(op: Provider, login: Login) -> str:
    """The cookie header of somebody who logged in."""
    sent: Any = login.start(Request.build("GET", "/login", PAGE))
    cookie = _cookies(sent)
    back: Any = login.callback(Request.build("GET", op.back(sent.headers["location"]), {**PAGE, "cookie": cookie}))
    assert back.status == 303, back.body
    return _cookies(back)


def _cookies(answer: Response) -> str:
    lines = answer.headers.get_all("set-cookie")
    return "; ".join(line.partition(";")[0] for line in lines if "Max-Age=0" not in line)


def _logins(op: Provider, seconds: float) -> Table:
    rows = []
    for name, store in (("a login, sealed", None), ("a login, in a memory store", MemoryStore())):
        timed = Timed()
        login = _login(op, store=store, transport=timed)
        _log_in(op, login)  # metadata and keys
        took = []
        end = time.monotonic() + seconds / 2
        while len(took) < 20 or time.monotonic() < end:
            timed.seconds, begun = 0.0, time.perf_counter()
            _log_in(op, login)
            took.append(time.perf_counter() - begun - timed.seconds)
        rows.append(Row(name, statistics.median(took) * 1000))
    return Table("A login, start and callback: our own share", rows, [Target("a login, ms", rows[0].value, SHARE)], "ms")


def _requests(op: Provider, seconds: float) -> Table:
    pairs = {}
    for name, store in (("session seen before, sealed", None), ("session seen before, stored", MemoryStore())):
        login = _login(op, store=store)
        request = Request.build("GET", "/page", {**PAGE, "cookie": "theme=dark; " + _log_in(op, login)})
        guard = require_auth(login.session)
        assert run(login.session.authenticate(request)) is not None
        pairs[name] = (calls(lambda guard=guard, request=request: run(guard.check(request))), calls(nothing))
        if store is None:
            sessions, value = login.session._sessions, request.headers["cookie"].partition(".1.")[2]
            pairs["unsealing alone"] = (calls(lambda s=sessions, v=value: run(s.find(v))), calls(nothing))
    found = added(pairs, seconds=seconds, count=50)
    rows = [Row(name, found.us(name)) for name in found]
    target = Target("a request with a session seen before, µs", found.us("session seen before, sealed"), SEEN)
    return Table("A request with a session: what require_auth does", rows, [target])


def _refreshed() -> Table:
    rows = []
    for name, store in (("sealed", None), ("in a memory store", MemoryStore())):
        clock = Clock(time.time())
        with Provider(clock) as op:
            login = _login(op, store=store, refresh=True, monotonic=clock)
            cookie = _log_in(op, login)
            clock.advance(280)
            op.fault("/token", delay=0.2)
            page = require_auth(login.session)(lambda request: Response(200))
            ready, seen = threading.Barrier(AT_ONCE), []

            def ask(page: Any = page, cookie: str = cookie, ready: Any = ready, seen: Any = seen) -> None:
                ready.wait()
                seen.append(page(Request.build("GET", "/page", {**PAGE, "cookie": cookie})).status)

            threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert seen == [200] * AT_ONCE
            rows.append(Row(name, op.refreshed))
    targets = [Target(f"refreshes, {row.name}", row.value, 1) for row in rows]
    return Table(
        f"{AT_ONCE} requests at once with one session whose token has ended: refreshes at the provider", rows, targets, ""
    )
