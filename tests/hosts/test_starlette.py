"""Starlette endpoints: functions, methods and websockets, sync and async, streams and background tasks; most under uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import Iterator
from typing import Any

import anyio.from_thread
import httpx
import pytest
import websockets.exceptions
import websockets.sync.client
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from authkit import Allow, Deny, Principal, chain, current_principal, guard
from authkit import Request as Seen
from authkit._run import blocking

from .servers import PROBLEM_401, Served, Who, serving

ALICE = {"x-user": "alice"}
events: list[dict[str, Any]] = []
entered: list[str] = []
later: list[str] = []
api = chain(Who(), audit=lambda event: events.append(dict(event)))


@guard
def adds(request: Seen) -> Allow:
    return Allow(headers={"x-guard": "1", "set-cookie": "guard=1"}, drop_headers=["x-secret"])


@guard.after
def stamp(request: Seen, response: Any) -> None:
    if response is not None:
        response.headers["x-status"] = str(response.status)


@guard(body=True, body_limit=1000)
def signed(request: Seen) -> Allow | Deny:
    return Allow(headers={"x-signed": request.body.decode("latin-1")[:20]})


dressed = chain(Who(), adds, stamp, audit=lambda event: events.append(dict(event)))


def name() -> str:
    user = current_principal()
    return "nobody" if user is None else user.subject


@dressed
async def coroutine(request: Request, principal: Principal) -> Response:
    entered.append("coroutine")
    return PlainTextResponse(f"{principal.subject} {name()} {request.headers.get('x-secret')}")


@dressed
def plain(request: Request, principal: Principal) -> Response:
    entered.append("plain")
    return PlainTextResponse(f"{principal.subject} {name()} {request.headers.get('x-secret')}")


class Methods(HTTPEndpoint):
    @dressed
    async def get(self, request: Request) -> Response:
        entered.append("method")
        return PlainTextResponse(f"{name()} {name()} None")

    @dressed
    def post(self, request: Request) -> Response:
        entered.append("method")
        return PlainTextResponse(f"{name()} {name()} None")


@api
async def stream(request: Request) -> Response:
    async def parts() -> Any:
        for _ in range(3):
            await asyncio.sleep(0.001)
            yield name() + " "

    return StreamingResponse(parts())


@api
def stream_in_threads(request: Request) -> Response:
    return StreamingResponse(name() + " " for _ in range(3))


def remember(what: str) -> None:
    later.append(f"{what} {name()}")


@api
async def background(request: Request) -> Response:
    tasks = BackgroundTasks([BackgroundTask(remember, "first")])
    response = PlainTextResponse("ok", background=tasks)
    tasks.add_task(remember, "second")
    return response


@api
def fails(request: Request) -> Response:
    raise KeyError("the endpoint's own")


shared = PlainTextResponse("the same object for ever")


@dressed
async def constant(request: Request) -> Response:
    return shared


@chain(Who(), signed)
async def body(request: Request) -> Response:
    entered.append("body")
    return Response(b"".join([chunk async for chunk in request.stream()]) + b"|" + await request.body())


@chain(Who(), signed)
def body_in_thread(request: Request) -> Response:
    entered.append("body")
    return Response(anyio.from_thread.run(request.body) + b"|" + anyio.from_thread.run(request.body))


def foreign(handler: Any) -> Any:
    @functools.wraps(handler)
    async def wrapper(request: Request) -> Response:
        if "x-foreign" in request.headers:
            return PlainTextResponse("the foreign decorator's answer", 418)
        return await handler(request)  # type: ignore[no-any-return]

    return wrapper


@guard
def inner_only(request: Seen) -> Allow | Deny:
    return Deny(403, "forbidden") if "x-inner" in request.headers else Allow(headers={"x-inner-guard": "1"})


@dressed
@foreign
@inner_only
async def sandwich(request: Request) -> Response:
    entered.append("sandwich")
    return PlainTextResponse(name())


@dressed
async def socket(websocket: WebSocket, principal: Principal) -> None:
    entered.append("socket")
    await websocket.accept()
    while True:
        await websocket.send_text(f"{principal.subject} {name()} {await websocket.receive_text()}")


class Socket(WebSocketEndpoint):
    encoding = "text"

    @dressed
    async def on_connect(self, websocket: WebSocket) -> None:
        entered.append("on_connect")
        await websocket.accept()

    async def on_receive(self, websocket: WebSocket, data: str) -> None:
        entered.append("on_receive")
        await websocket.send_text(data)


async def read_first(request: Request) -> Response:
    async for _ in request.stream():
        pass
    return await body(request)


async def open_to_all(request: Request) -> Response:
    try:
        return PlainTextResponse(name())
    except LookupError:
        return PlainTextResponse("nobody is known here")


ROUTES = [
    Route("/coroutine", coroutine, methods=["GET", "POST"]),
    Route("/plain", plain, methods=["GET", "POST"]),
    Route("/methods", Methods),
    Route("/stream", stream),
    Route("/threads", stream_in_threads),
    Route("/background", background),
    Route("/fails", fails),
    Route("/constant", constant),
    Route("/body", body, methods=["POST"]),
    Route("/body-in-thread", body_in_thread, methods=["POST"]),
    Route("/read-first", read_first, methods=["POST"]),
    Route("/sandwich", sandwich),
    Route("/items/{item:int}", coroutine),
    Route("/open", open_to_all),
    WebSocketRoute("/socket", socket),
    WebSocketRoute("/socket-class", Socket),
]


async def on_error(request: Request, error: Exception) -> Response:
    return PlainTextResponse("a handler of the app", 500)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    whole = Starlette(routes=ROUTES)
    whole.add_middleware(chain(Who(), stamp).except_for("/open"))
    app = Starlette(
        routes=[*ROUTES, Mount("/whole", whole), Mount("/mount", api(Starlette(routes=ROUTES)))],
        exception_handlers={KeyError: on_error},
    )
    with serving(app) as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh() -> None:
    for seen in (events, entered, later):
        seen.clear()


def soon(seen: list[Any], count: int = 1) -> list[Any]:
    deadline = time.monotonic() + 2
    while len(seen) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    return seen


class TestEndpoints:
    @pytest.mark.parametrize("path", ["/coroutine", "/plain", "/methods", "/items/3"])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
    def test_a_refusal_is_the_same_for_every_kind(self, served: Served, path: str, method: str) -> None:
        if path == "/items/3" and method == "POST":
            path = "/plain"
        response = served.http.request(method, path)
        assert response.status_code == 401
        assert response.content == (b"" if method == "HEAD" else PROBLEM_401)
        assert response.headers["content-length"] == str(len(PROBLEM_401))
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["www-authenticate"] == 'Bearer realm="api"'
        assert response.headers["x-status"] == "401"
        assert not entered

    @pytest.mark.parametrize("path", ["/coroutine", "/plain", "/methods"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_admitted_with_principal_headers_and_hooks(self, served: Served, path: str, method: str) -> None:
        response = served.http.request(method, path, headers={**ALICE, "x-secret": "1"})
        assert response.text == "alice alice None"
        assert (response.headers["x-guard"], response.headers["x-status"], response.headers["set-cookie"]) == (
            "1",
            "200",
            "guard=1",
        )
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert response.headers["content-length"] == str(len(response.content))

    def test_one_event_with_the_status_and_without_the_query(self, served: Served) -> None:
        served.http.get("/coroutine?secret=1", headers=ALICE)
        event = soon(events)[0]
        assert len(events) == 1
        assert "secret" not in str(event)
        assert (event["outcome"], event["status"], event["host"], event["principal"]) == ("allow", 200, "starlette", "alice")

    def test_a_route_that_is_not_there_stays_404(self, served: Served) -> None:
        assert served.http.get("/nowhere").status_code == 404
        assert served.http.request("PUT", "/coroutine").status_code == 405

    def test_an_exception_goes_to_the_apps_own_handler(self, served: Served) -> None:
        assert served.http.get("/fails", headers=ALICE).text == "a handler of the app"
        assert served.http.get("/fails").content == PROBLEM_401
        assert soon(events, 2)[0]["outcome"] == "error"

    def test_no_principal_is_left_for_the_next_request(self, served: Served) -> None:
        served.http.get("/coroutine", headers=ALICE)
        assert served.http.get("/open").text == "nobody is known here"

    def test_a_response_object_that_is_returned_for_ever_stays_as_it_was(self, served: Served) -> None:
        for _ in range(3):
            response = served.http.get("/constant", headers=ALICE)
            assert response.headers.get_list("set-cookie") == ["guard=1"]
        assert "set-cookie" not in shared.headers

    def test_a_foreign_decorator_between_two_guards_keeps_its_place(self, served: Served) -> None:
        assert served.http.get("/sandwich", headers={"x-foreign": "1"}).status_code == 401
        refused = served.http.get("/sandwich", headers={**ALICE, "x-foreign": "1"})
        assert (refused.status_code, refused.headers["x-guard"], "x-inner-guard" in refused.headers) == (418, "1", False)
        inner = served.http.get("/sandwich", headers={**ALICE, "x-inner": "1"})
        assert (inner.status_code, inner.headers["x-guard"], inner.json()["code"]) == (403, "1", "forbidden")
        assert not entered
        passed = served.http.get("/sandwich", headers=ALICE)
        assert (passed.text, passed.headers["x-guard"], passed.headers["x-inner-guard"]) == ("alice", "1", "1")


class TestStreams:
    @pytest.mark.parametrize("path", ["/stream", "/threads"])
    def test_the_principal_is_there_until_the_last_chunk(self, served: Served, path: str) -> None:
        assert served.http.get(path, headers=ALICE).text == "alice alice alice "
        assert served.http.get(path).content == PROBLEM_401

    def test_the_principal_is_there_in_background_tasks(self, served: Served) -> None:
        assert served.http.get("/background", headers=ALICE).text == "ok"
        assert soon(later, 2) == ["first alice", "second alice"]


class TestBodies:
    @pytest.mark.parametrize("path", ["/body", "/body-in-thread"])
    def test_the_endpoint_reads_what_the_guard_has_read(self, served: Served, path: str) -> None:
        response = served.http.post(path, headers=ALICE, content=iter([b"one ", b"two"]))
        assert response.content == b"one two|one two"
        assert response.headers["x-signed"] == "one two"

    @pytest.mark.parametrize("path", ["/body", "/body-in-thread"])
    def test_too_large(self, served: Served, path: str) -> None:
        assert served.http.post(path, headers=ALICE, content=b"x" * 1001).status_code == 413
        assert served.http.post(path, headers=ALICE, content=iter([b"x" * 600] * 2)).status_code == 413
        assert served.http.post(path, headers=ALICE, content=b"x" * 1000).status_code == 200
        assert entered == ["body"]

    def test_a_body_that_somebody_else_has_consumed_admits_nobody(self, served: Served) -> None:
        assert served.http.post("/read-first", headers=ALICE, content=b"x").status_code == 500
        assert not entered

    async def test_a_guard_in_shadow_takes_nothing_from_a_body_that_is_too_large_for_it(self) -> None:
        @signed.shadow()
        async def endpoint(request: Request) -> Response:
            return Response(await request.body())

        app = Starlette(routes=[Route("/", endpoint, methods=["POST"])])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            assert (await client.post("/", content=b"x" * 3000)).content == b"x" * 3000

    async def test_base_http_middleware_that_has_read_the_body_is_no_obstacle(self) -> None:
        async def reads(request: Request, call_next: Any) -> Response:
            await request.body()
            return await call_next(request)  # type: ignore[no-any-return]

        app = Starlette(routes=ROUTES)
        app.add_middleware(BaseHTTPMiddleware, dispatch=reads)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            assert (await client.post("/body", headers=ALICE, content=b"abc")).content == b"abc|abc"
            assert (await client.get("/stream", headers=ALICE)).text == "alice alice alice "


class TestWebsockets:
    @pytest.mark.parametrize("path", ["/socket", "/socket-class", "/mount/socket", "/whole/socket", "/mount/nowhere"])
    def test_refused_before_it_is_accepted(self, served: Served, path: str) -> None:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught, websockets.sync.client.connect(served.ws(path)):
            pass
        assert (caught.value.response.status_code, caught.value.response.body) == (401, PROBLEM_401)
        assert not entered

    @pytest.mark.parametrize(
        ("path", "answer"), [("/socket", "alice alice hi"), ("/socket-class", "hi"), ("/whole/socket", "alice alice hi")]
    )
    def test_admitted(self, served: Served, path: str, answer: str) -> None:
        with websockets.sync.client.connect(served.ws(path), additional_headers=ALICE) as client:
            assert client.response is not None
            assert (client.response.headers["x-guard"], client.response.headers["x-status"]) == ("1", "101")
            client.send("hi")
            assert client.recv() == answer

    async def test_closed_with_1008_where_the_server_cannot_send_a_status(self) -> None:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await Starlette(routes=ROUTES)(
            {"type": "websocket", "path": "/socket", "headers": [], "query_string": b""}, receive, send
        )
        assert [message["code"] for message in sent] == [1008]


class TestMiddleware:
    @pytest.mark.parametrize("path", ["/whole/open", "/whole/plain", "/whole/nowhere", "/mount/open", "/mount/nowhere"])
    def test_a_mounted_app_is_guarded_whole_and_exempt_paths_are_its_own(self, served: Served, path: str) -> None:
        expected = 200 if path == "/whole/open" else 401
        assert served.http.get(path).status_code == expected

    def test_what_the_app_guard_has_found_is_there_in_endpoints_and_one_event_is_written(self, served: Served) -> None:
        assert served.http.get("/mount/open", headers=ALICE).text == "alice"
        assert len(soon(events)) == 1
        assert events[0]["host"] == "asgi"
        response = served.http.get("/whole/plain", headers=ALICE)
        assert (response.text, response.headers["x-status"], response.headers["x-guard"]) == ("alice alice None", "200", "1")

    async def test_lifespan_of_the_app_warms_up_the_guards_of_its_middleware(self) -> None:
        warmed: list[int] = []

        class Warmed(Who):
            async def warm(self) -> None:
                warmed.append(1)

        @contextlib.asynccontextmanager
        async def lifespan(app: Starlette) -> Any:
            assert warmed == [1]
            yield

        app = Starlette(routes=ROUTES, lifespan=lifespan)
        app.add_middleware(Warmed())
        with serving(app, lifespan="on") as server:
            assert server.http.get("/open").status_code == 401
        assert warmed == [1]


class TestPressure:
    async def test_cancelled_at_any_point_no_endpoint_runs_twice_or_late(self, rng: random.Random) -> None:
        ran: list[int] = []

        @guard
        async def slow(request: Seen) -> Allow:
            await blocking(time.sleep, 0.002)
            await asyncio.sleep(0.001)
            return Allow(Principal("alice"))

        @slow
        async def endpoint(request: Request) -> Response:
            ran.append(1)
            return JSONResponse(name())

        app = Starlette(routes=[Route("/", endpoint)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            tasks = []
            for _ in range(100):
                tasks.append(asyncio.create_task(client.get("/")))
                asyncio.get_running_loop().call_later(rng.uniform(0, 0.3), tasks[-1].cancel)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert len(ran) <= 100
            assert all(isinstance(result, asyncio.CancelledError) or result.json() == "alice" for result in results)  # type: ignore[union-attr]
            assert (await client.get("/")).json() == "alice"

    async def test_interleaved_requests_each_see_their_own_caller(self) -> None:
        app = Starlette(routes=ROUTES)

        async def one(client: httpx.AsyncClient, n: int) -> bool:
            user, path = f"user-{n}", ("/plain", "/coroutine", "/stream", "/threads")[n % 4]
            got = await client.get(path, headers={"x-user": user})
            return got.text == (f"{user} {user} {user} " if n % 4 > 1 else f"{user} {user} None")

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            assert all(await asyncio.gather(*(one(client, n) for n in range(200))))
