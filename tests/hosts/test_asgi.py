"""ASGI apps: what a server sends in, what it gets back, and what the app sees in between. Most against real uvicorn."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets.exceptions
import websockets.sync.client

from authkit import Allow, ConfigurationError, Deny, Guard, Principal, Request, Unavailable, chain, current_principal, guard
from authkit._run import blocking
from authkit.errors import SecretNotFound
from authkit.hosts.asgi import HOST, AsgiRequest, RawHeaders

from .servers import PROBLEM_401, Served, Who, raw, serving

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "LIFESPAN", "WEBSOCKET")
events: list[dict[str, Any]] = []
entered: list[str] = []


def _heard(event: Any) -> None:
    events.append(dict(event))


@guard.after
def stamp(request: Request, response: Any) -> None:
    if response is not None:
        response.headers["x-served-by"] = f"authkit {response.status}"


@guard(body=True, body_limit=1000)
def signed(request: Request) -> Allow | Deny:
    return Allow(headers={"x-signed": str(len(request.body))})


async def answer(send: Any, *parts: bytes, status: int = 200) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"X-Case", b"Kept"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")],
        }
    )
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def everything(scope: Any, receive: Any, send: Any) -> None:
    """Echoes what it gets: the body, then the principal of a task, of a thread, and of a later step of the stream."""
    entered.append(scope["path"])
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"x-app", b"1")]})
        while (message := await receive())["type"] != "websocket.disconnect":
            user = current_principal()
            await send({"type": "websocket.send", "text": f"{user and user.subject}: {message['text']}"})
        return
    if scope["path"] == "/fails":
        raise RuntimeError("the app's own")
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            entered.append("gone")
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)

    def name() -> bytes:
        user = current_principal()
        return b"nobody " if user is None else user.subject.encode() + b" "

    async def named() -> bytes:
        return name()

    task = await asyncio.create_task(named())
    thread = await asyncio.to_thread(name)
    await answer(send, body, b"|", task, thread, await named())


async def lifespan_too(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await everything(scope, receive, send)


api = chain(Who(), stamp, audit=_heard).except_for("/open", "/public/*")
signed_api = chain(Who(), signed, audit=_heard)


async def routed(scope: Any, receive: Any, send: Any) -> None:
    app = _signed if scope["type"] == "http" and scope["path"].startswith("/signed") else _plain
    await app(scope, receive, send)


_signed, _plain = signed_api(everything), api(lifespan_too)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(routed) as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh() -> None:
    events.clear()
    entered.clear()


def last_event() -> dict[str, Any]:
    deadline = time.monotonic() + 2
    while not events and time.monotonic() < deadline:
        time.sleep(0.005)
    return events[-1]


ALICE = {"x-user": "alice"}


class TestRequests:
    @pytest.mark.parametrize("method", METHODS)
    def test_no_method_gets_past_the_guard(self, served: Served, method: str) -> None:
        response = served.http.request(method, "/")
        assert response.status_code == 401
        assert response.content == (b"" if method == "HEAD" else PROBLEM_401)
        assert response.headers["content-length"] == str(len(PROBLEM_401))
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["www-authenticate"] == 'Bearer realm="api"'
        assert not entered

    @pytest.mark.parametrize("method", METHODS)
    def test_every_method_is_let_in_with_a_principal(self, served: Served, method: str) -> None:
        response = served.http.request(method, "/", headers=ALICE)
        assert response.status_code == 200
        assert entered == ["/"]
        assert method == "HEAD" or response.content == b"|alice alice alice "

    def test_an_app_named_lifespan_by_the_client_is_still_a_request(self, served: Served) -> None:
        sent = b"lifespan /lifespan HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        assert raw(served.port, sent).startswith(b"HTTP/1.1 401")
        assert not entered

    def test_headers_that_the_app_sent_keep_their_case_and_order(self, served: Served) -> None:
        received = raw(served.port, b"GET / HTTP/1.1\r\nhost: x\r\nx-user: alice\r\nconnection: close\r\n\r\n")
        head = received.split(b"\r\n\r\n")[0].lower().split(b"\r\n")
        assert [line for line in head if line.startswith((b"x-", b"set-cookie"))] == [
            b"x-case: kept",
            b"set-cookie: a=1",
            b"set-cookie: b=2",
            b"x-served-by: authkit 200",
        ]

    def test_hooks_see_both_outcomes(self, served: Served) -> None:
        assert served.http.get("/").headers["x-served-by"] == "authkit 401"
        assert served.http.get("/", headers=ALICE).headers["x-served-by"] == "authkit 200"

    def test_one_event_per_request_with_the_status_that_was_sent(self, served: Served) -> None:
        served.http.get("/?secret=1", headers=ALICE)
        event = last_event()
        assert (event["outcome"], event["status"], event["principal"], event["client"]) == ("allow", 200, "alice", "127.0.0.1")
        assert (event["host"], event["method"]) == ("asgi", "GET")
        assert len(events) == 1
        assert "secret" not in str(event)

    def test_a_refusal_is_recorded_with_its_reason(self, served: Served) -> None:
        served.http.post("/")
        event = last_event()
        assert (event["outcome"], event["status"], event["guard"], event["reason"]) == ("deny", 401, "who", "no_credential")

    def test_an_exception_of_the_app_goes_up_and_is_recorded(self, served: Served) -> None:
        assert served.http.get("/fails", headers=ALICE).status_code == 500
        assert last_event()["outcome"] == "error"

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/open", 200),
            ("/public/a/b", 200),
            ("/open/", 401),
            ("/public/", 401),
            ("/public/%2e%2e/x", 401),
            ("/public/a%2fb", 401),
            ("/public/a%252fb", 401),
            ("/public//x", 401),
            ("/public/a;x", 401),
            ("/open?x", 200),
        ],
    )
    def test_exempt_paths_are_exact_or_whole_segments(self, served: Served, path: str, status: int) -> None:
        sent = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
        assert raw(served.port, sent).startswith(f"HTTP/1.1 {status}".encode())

    def test_no_principal_is_left_for_the_next_request(self, served: Served) -> None:
        assert served.http.get("/", headers=ALICE).content == b"|alice alice alice "
        with pytest.raises(LookupError):
            current_principal()
        assert served.http.get("/open").content == b"|nobody nobody nobody "

    def test_interleaved_requests_each_see_their_own_caller(self, served: Served) -> None:
        def one(client: httpx.Client, n: int) -> bool:
            name = f"user-{n} "
            return client.post("/", headers={"x-user": name.strip()}, content=str(n)).text == f"{n}|{name}{name}{name}"

        def some(first: int) -> bool:
            with httpx.Client(base_url=served.http.base_url, timeout=60, trust_env=False) as client:
                return all(one(client, first + n) for n in range(25))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert all(pool.map(some, range(0, 200, 25)))

    async def test_a_thousand_calls_on_one_loop_each_see_their_own_caller(self) -> None:
        async def one(n: int) -> bool:
            name = f"user-{n} ".encode()
            wire = Wire([{"type": "http.request", "body": b"%d" % n}])
            await _plain(http_scope(headers=[(b"x-user", name.strip())]), wire.receive, wire.send)
            return b"".join(message.get("body", b"") for message in wire.sent) == b"%d|%s%s%s" % (n, name, name, name)

        assert all(await asyncio.gather(*(one(n) for n in range(1000))))


class TestBodies:
    def test_the_app_gets_the_body_that_the_guard_has_read(self, served: Served) -> None:
        response = served.http.post("/signed", headers=ALICE, content=b"x" * 1000)
        assert response.content == b"x" * 1000 + b"|alice alice alice "
        assert response.headers["x-signed"] == "1000"

    def test_a_chunked_body_arrives_whole(self, served: Served) -> None:
        response = served.http.post("/signed", headers=ALICE, content=iter([b"one ", b"two ", b"three"]))
        assert response.content.startswith(b"one two three|")

    def test_no_body_at_all(self, served: Served) -> None:
        assert served.http.get("/signed", headers=ALICE).content.startswith(b"|")

    def test_a_body_over_the_limit_is_refused_by_what_it_declares(self, served: Served) -> None:
        head = b"POST /signed HTTP/1.1\r\nhost: x\r\nx-user: alice\r\ncontent-length: 10000000000\r\nconnection: close\r\n\r\n"
        assert raw(served.port, head).startswith(b"HTTP/1.1 413")
        assert not entered

    def test_a_body_that_declares_nothing_is_refused_once_it_passes_the_limit(self, served: Served) -> None:
        response = served.http.post("/signed", headers=ALICE, content=iter([b"x" * 600] * 5))
        assert response.status_code == 413
        assert not entered
        assert last_event()["reason"] == "body_too_large"

    async def test_it_is_read_no_further_than_that(self) -> None:
        received = 0

        async def endless() -> dict[str, Any]:
            nonlocal received
            received += 1
            return {"type": "http.request", "body": b"x" * 100, "more_body": True}

        wire = Wire()
        await signed(everything)(http_scope(), endless, wire.send)
        assert (wire.sent[0]["status"], received) == (413, 11)

    def test_a_client_that_goes_away_while_its_body_is_read_never_reaches_the_app(self, served: Served) -> None:
        head = b"POST /signed HTTP/1.1\r\nhost: x\r\nx-user: alice\r\ncontent-length: 900\r\n\r\nhalf"
        raw(served.port, head, pause=0.05, read=False)
        assert last_event()["reason"] == "client_disconnected"
        assert not entered

    async def test_after_the_replay_the_app_hears_of_the_disconnect(self) -> None:
        wire = Wire([{"type": "http.request", "body": b"abc"}, {"type": "http.disconnect"}])
        heard: list[Any] = []

        @signed
        async def app(scope: Any, receive: Any, send: Any) -> None:
            heard.extend([await receive(), await receive()])

        await app(http_scope(), wire.receive, wire.send)
        assert [message["type"] for message in heard] == ["http.request", "http.disconnect"]
        assert heard[0]["body"] == b"abc"

    async def test_a_guard_in_shadow_takes_nothing_from_a_body_that_is_too_large_for_it(self) -> None:
        parts = [{"type": "http.request", "body": b"x" * 600, "more_body": True} for _ in range(3)] + [
            {"type": "http.request", "body": b"end"}
        ]
        wire = Wire(parts)
        seen = b""

        @signed.shadow()
        async def app(scope: Any, receive: Any, send: Any) -> None:
            nonlocal seen
            while True:
                message = await receive()
                seen += message["body"]
                if not message.get("more_body"):
                    break

        await app(http_scope(), wire.receive, wire.send)
        assert seen == b"x" * 1800 + b"end"


class TestWebsockets:
    @pytest.mark.parametrize("path", ["/", "/ws", "/fails", "/public", "/any/where"])
    def test_refused_with_the_real_status_before_it_is_accepted(self, served: Served, path: str) -> None:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught, websockets.sync.client.connect(served.ws(path)):
            pass
        response = caught.value.response
        assert (response.status_code, response.body) == (401, PROBLEM_401)
        assert response.headers["www-authenticate"] == 'Bearer realm="api"'
        assert response.headers["x-served-by"] == "authkit 401"
        assert not entered

    def test_admitted_with_a_principal_and_the_chains_headers(self, served: Served) -> None:
        with websockets.sync.client.connect(served.ws("/ws"), additional_headers=ALICE) as socket:
            assert socket.response is not None
            assert socket.response.headers["x-app"] == "1"
            assert socket.response.headers["x-served-by"] == "authkit 101"
            for text in ("one", "two"):
                socket.send(text)
                assert socket.recv() == f"alice: {text}"
        assert last_event()["status"] == 101

    async def test_closed_with_1008_where_the_server_cannot_send_a_status(self) -> None:
        wire = Wire([{"type": "websocket.connect"}])
        await api(everything)({**http_scope(), "type": "websocket"}, wire.receive, wire.send)
        assert wire.sent == [{"type": "websocket.close", "code": 1008}]
        assert not entered

    async def test_an_app_that_closes_before_accepting_counts_as_403(self) -> None:
        wire = Wire([{"type": "websocket.connect"}])

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.close", "code": 4000})

        scope = {**http_scope(), "type": "websocket", "headers": [(b"x-user", b"alice")]}
        await chain(Who(), audit=_heard)(app)(scope, wire.receive, wire.send)
        assert wire.sent == [{"type": "websocket.close", "code": 4000}]
        assert last_event()["status"] == 403


class Wire:
    """The two ends of one ASGI call: `incoming` is received in order, then nothing more."""

    def __init__(self, incoming: list[dict[str, Any]] | None = None) -> None:
        self.incoming = incoming or []
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if self.incoming:
            return self.incoming.pop(0)
        return await asyncio.Future()

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


class App:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await everything(scope, receive, send)


class Guarded(App):
    @Who()
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"guarded")


def http_scope(**changed: Any) -> dict[str, Any]:
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https", "path": "/",
        "raw_path": b"/", "query_string": b"", "root_path": "", "headers": [], "client": ("192.0.2.1", 5), "server": None,
        **changed,
    }  # fmt: skip


def request_of(scope: dict[str, Any]) -> AsgiRequest:
    wire = Wire()
    request = HOST.read((scope, wire.receive, wire.send), {})
    assert isinstance(request, AsgiRequest)
    return request


class TestTheCall:
    @pytest.mark.parametrize("kind", ["http3", "HTTP", "", "webtransport", "email"])
    async def test_an_unknown_scope_type_is_refused_and_never_passed_through(self, kind: str) -> None:
        wire = Wire()
        with pytest.raises(TypeError, match="neither http, websocket nor lifespan"):
            await api(everything)(http_scope(type=kind), wire.receive, wire.send)
        assert not entered
        assert not wire.sent

    async def test_send_and_receive_are_the_servers_own_where_nothing_is_wanted(self) -> None:
        wire = Wire()
        seen: list[Any] = []

        @Who()
        async def app(*args: Any) -> None:
            seen.extend(args)

        scope = http_scope(headers=[(b"x-user", b"alice")])
        receive, send = wire.receive, wire.send
        await app(scope, receive, send)
        assert seen[0] is scope
        assert (seen[1], seen[2]) == (receive, send)
        assert getattr(seen[2], "__self__", None) is wire

    async def test_methods_and_keywords(self) -> None:
        calls: list[Callable[[Any, Any], Any]] = [
            lambda scope, wire: Guarded()(scope, wire.receive, wire.send),
            lambda scope, wire: Who()(App.__call__)(App(), scope, wire.receive, wire.send),
            lambda scope, wire: Who()(everything)(scope=scope, receive=wire.receive, send=wire.send),
            lambda scope, wire: chain(Who(), stamp)(everything)(scope=scope, receive=wire.receive, send=wire.send),
            lambda scope, wire: chain(Who(), stamp)(App())(scope, wire.receive, wire.send),
        ]
        for call in calls:
            refused = Wire([{"type": "http.request"}])
            await call(http_scope(), refused)
            assert refused.sent[0]["status"] == 401
            wire = Wire([{"type": "http.request"}])
            await call(http_scope(headers=[(b"x-user", b"alice")]), wire)
            assert wire.sent[0]["status"] == 200

    async def test_a_plain_function_that_returns_an_awaitable_is_an_app_too(self) -> None:
        def plain(scope: Any, receive: Any, send: Any) -> Any:
            return everything(scope, receive, send)

        app = Who()(plain)
        wire = Wire([{"type": "http.request"}])
        await app(http_scope(), wire.receive, wire.send)
        assert wire.sent[0]["status"] == 401
        wire = Wire([{"type": "http.request"}])
        await app(http_scope(headers=[(b"x-user", b"alice")]), wire.receive, wire.send)
        assert wire.sent[0]["status"] == 200

    @pytest.mark.parametrize("app", [everything, lambda: App()], ids=["function", "instance"])
    def test_what_is_guarded_is_no_factory_in_the_eyes_of_a_server(self, app: Any) -> None:
        guarded: Any = Who()(app if app is everything else app())
        with pytest.raises(TypeError):
            guarded()
        with pytest.raises(TypeError):
            asyncio.iscoroutine(Guarded.__call__(*[Guarded()]))

    async def test_dropped_headers_are_gone_from_the_scope_and_the_servers_scope_is_left_alone(self) -> None:
        @guard
        def drops(request: Request) -> Allow:
            return Allow(drop_headers=["X-Secret"])

        seen: list[Any] = []

        @drops
        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.extend(scope["headers"])

        wire = Wire()
        scope = http_scope(headers=[(b"X-Secret", b"1"), (b"x-other", b"2"), (b"x-secret", b"3")])
        await app(scope, wire.receive, wire.send)
        assert seen == [(b"x-other", b"2")]
        assert len(scope["headers"]) == 3

    async def test_a_scope_used_again_is_decided_again(self) -> None:
        app = Who()(everything)
        scope = http_scope(headers=[(b"x-user", b"alice")])
        await app(scope, Wire([{"type": "http.request"}]).receive, Wire().send)
        scope["headers"] = []
        wire = Wire()
        await app(scope, wire.receive, wire.send)
        assert wire.sent[0]["status"] == 401

    async def test_two_chains_with_a_scope_copied_in_between_are_one_request(self) -> None:
        asked: list[str] = []

        @guard
        def counted(request: Request) -> Allow:
            asked.append("counted")
            return Allow(Principal("alice"), headers={"x-count": "1"})

        inner = chain(counted, stamp)(everything)

        async def copying(scope: Any, receive: Any, send: Any) -> None:
            await inner(dict(scope), receive, send)

        wire = Wire([{"type": "http.request"}])
        await chain(counted, audit=_heard)(copying)(http_scope(), wire.receive, wire.send)
        headers = dict(wire.sent[0]["headers"])
        assert asked == ["counted"]
        assert (headers[b"x-count"], headers[b"x-served-by"]) == (b"1", b"authkit 200")
        assert [event["status"] for event in events] == [200]

    @pytest.mark.parametrize(
        "result",
        [None, True, 1, "ok", (), {}, object(), Principal("x"), ValueError("returned"), [Allow()], Deny, Allow],
    )
    @pytest.mark.parametrize("is_async", [False, True])
    async def test_only_allow_admits(self, result: Any, is_async: bool) -> None:
        async def later(request: Request) -> Any:
            return result

        app = guard(later if is_async else lambda request: result)(everything)
        wire = Wire()
        with pytest.raises(TypeError, match="must return Allow or Deny"):
            await app(http_scope(), wire.receive, wire.send)
        assert not entered


class TestTheRequest:
    def test_what_the_guards_see(self) -> None:
        request = request_of(http_scope(path="/a b", raw_path=b"/a%20b", query_string=b"x=1&x=2", scheme="http", method="PUT"))
        assert (request.method, request.path, request.raw_path, request.query_string) == ("PUT", "/a b", "/a%20b", "x=1&x=2")
        left_on = request_of(http_scope(path="/a", raw_path=b"/a?x=1", query_string=b"x=1"))
        assert (left_on.raw_path, left_on.query_string) == ("/a", "x=1")
        assert (request.peer, request.peer_is_socket, request.scheme, request.websocket) == ("192.0.2.1", True, "http", False)
        assert request.query == (("x", "1"), ("x", "2"))

    @pytest.mark.parametrize(
        ("client", "peer", "is_socket"),
        [(None, None, True), (("", 0), None, False), (["::1", 4], "::1", True), (("203.0.113.9", 0), "203.0.113.9", False)],
    )
    def test_the_peer(self, client: Any, peer: str | None, is_socket: bool) -> None:
        request = request_of(http_scope(client=client))
        assert (request.peer, request.peer_is_socket) == (peer, is_socket)

    @pytest.mark.parametrize(
        ("path", "root", "seen"),
        [
            ("/a", "", "/a"),
            ("/mount/a", "/mount", "/a"),
            ("/mount", "/mount", ""),
            ("/mounted/a", "/mount", "/mounted/a"),
            ("/a", "/mount", "/a"),
        ],
    )
    def test_the_path_is_the_routers(self, path: str, root: str, seen: str) -> None:
        assert request_of(http_scope(path=path, root_path=root)).path == seen

    def test_the_least_that_a_server_must_send(self) -> None:
        request = request_of({"type": "websocket", "path": "/", "headers": [], "scheme": "wss"})
        assert (request.method, request.scheme, request.peer, request.raw_path) == ("GET", "https", None, None)

    def test_headers_are_found_in_any_case_and_repeated_ones_are_all_kept(self) -> None:
        headers = RawHeaders([(b"A", b"1"), (b"b", b"2"), (b"a", b"\xff"), (b"ab", b"3")])
        assert headers.get_all("a") == ["1", "\xff"]
        assert headers["A"] == "1, \xff"
        assert list(headers) == ["a", "b", "ab"]
        assert "\u20ac" not in headers
        assert len(headers) == 3


class Warmed(Guard):
    """A guard whose start-up is seen, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.warmed = 0

    async def warm(self) -> None:
        self.warmed += 1
        if self.failure is not None:
            raise self.failure

    async def check(self, request: Request) -> Allow:
        return Allow()


class TestLifespan:
    def test_guards_are_warmed_up_before_the_app_starts(self) -> None:
        warmed = Warmed()
        order: list[int] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                order.append(warmed.warmed)
            await lifespan_too(scope, receive, send)

        with serving(warmed(app), lifespan="on") as server:
            assert server.http.get("/").status_code == 200
        assert order == [1]

    @pytest.mark.parametrize(
        ("error", "named"),
        [
            (ConfigurationError("AUTHKIT_KEY is missing"), "AUTHKIT_KEY is missing"),
            (SecretNotFound("no source has the secret JWT"), "no source has the secret JWT"),
            (LookupError("a mistake"), "LookupError while guards were warmed up"),
        ],
    )
    @pytest.mark.parametrize("lifespan", ["on", "auto"])
    def test_a_wrong_setting_fails_the_start_and_is_named(
        self, error: Exception, named: str, lifespan: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with (
            caplog.at_level(logging.ERROR, "uvicorn.error"),
            pytest.raises(AssertionError, match="did not start"),
            serving(Warmed(error)(lifespan_too), lifespan=lifespan, log_level=None, log_config=None),
        ):
            pass
        assert named in caplog.text

    def test_what_is_unavailable_at_start_up_is_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        with (
            caplog.at_level(logging.WARNING, "authkit"),
            serving(Warmed(Unavailable("no key set yet"))(lifespan_too)) as server,
        ):
            assert server.http.get("/").status_code == 200
        assert "no key set yet" in caplog.text

    def test_an_app_without_lifespan_is_served_all_the_same(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "http"
            await answer(send)

        with serving(Who()(app)) as server:
            assert server.http.get("/", headers=ALICE).status_code == 200


class TestServers:
    def test_a_root_path_is_no_part_of_exempt_paths(self) -> None:
        with serving(api(lifespan_too), root_path="/v1") as server:
            assert server.http.get("/open").status_code == 200
            assert server.http.get("/secret").status_code == 401

    def test_a_unix_socket_has_no_peer(self, tmp_path: Path) -> None:
        import uvicorn

        path = str(tmp_path / "socket")
        server = uvicorn.Server(uvicorn.Config(api(lifespan_too), uds=path, log_level="critical", proxy_headers=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        with httpx.Client(transport=httpx.HTTPTransport(uds=path)) as client:
            assert client.get("http://x/").status_code == 401
        server.should_exit = True
        thread.join(10)
        assert events[-1]["client"] is None


class TestPressure:
    async def test_cancelled_at_any_point_it_leaves_nothing_behind(self, rng: random.Random) -> None:
        """A hundred calls are cancelled while guards wait on threads; then a normal load passes."""
        running: list[int] = []

        @guard
        async def slow(request: Request) -> Allow:
            await blocking(time.sleep, 0.002)
            await asyncio.sleep(0.001)
            await blocking(time.sleep, 0.002)
            return Allow(Principal("alice"))

        @slow
        async def app(scope: Any, receive: Any, send: Any) -> None:
            running.append(1)
            await answer(send)

        async def call() -> None:
            wire = Wire()
            await app(http_scope(), wire.receive, wire.send)

        tasks = []
        for _ in range(100):
            task = asyncio.create_task(call())
            asyncio.get_running_loop().call_later(rng.uniform(0, 0.004), task.cancel)
            tasks.append(task)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
        assert len(running) == sum(result is None for result in results)
        running.clear()
        await asyncio.wait_for(asyncio.gather(*(call() for _ in range(100))), 10)
        assert len(running) == 100
        assert len(asyncio.all_tasks()) == 1

    async def test_guards_that_block_do_not_block_the_loop(self) -> None:
        @guard(blocking=True)
        def slow(request: Request) -> Allow:
            time.sleep(0.1)
            return Allow()

        app = slow(everything)
        lags: list[float] = []

        async def watch() -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0.005)
                lags.append(time.perf_counter() - before - 0.005)

        watcher = asyncio.create_task(watch())
        wires = [Wire([{"type": "http.request"}]) for _ in range(20)]
        await asyncio.gather(*(app(http_scope(), wire.receive, wire.send) for wire in wires))
        watcher.cancel()
        assert all(wire.sent[0]["status"] == 200 for wire in wires)
        assert sorted(lags)[len(lags) * 9 // 10] < 0.05
