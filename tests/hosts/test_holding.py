"""What a guard holds for a request is let go of when its response is finished, on every host and however it ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from . import django_project  # noqa: F401  (first: it configures Django)

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # isort: skip
from django.test import AsyncRequestFactory, RequestFactory  # isort: skip
from fastapi import BackgroundTasks, Depends, FastAPI  # isort: skip
from flask import Flask  # isort: skip
from starlette.applications import Starlette  # isort: skip
from starlette.requests import Request as StarletteRequest  # isort: skip
from starlette.responses import FileResponse, PlainTextResponse, StreamingResponse  # isort: skip
from starlette.routing import Route, WebSocketRoute  # isort: skip
from starlette.websockets import WebSocket  # isort: skip

from authkit import Allow, ConfigurationError, Deny, Guard, Request  # isort: skip

from .servers import serving  # isort: skip
from .wsgi_servers import waitress  # isort: skip


class Holds(Guard):
    """Holds something for every request, and counts."""

    name = "holds"
    needs_handler = True

    def __init__(self) -> None:
        self.held = self.times = 0
        self._lock = threading.Lock()

    async def check(self, request: Request) -> Allow:
        with self._lock:
            self.held += 1
            self.times += 1
        request.state.closing = [*(request.state.closing or ()), self._leave]
        return Allow()

    def _leave(self) -> None:
        with self._lock:
            self.held -= 1


@pytest.fixture
def holds() -> Iterator[Holds]:
    made = Holds()
    yield made
    eventually(lambda: made.held == 0)
    assert made.times > 0


def eventually(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def parts(holds: Holds, seen: list[int]) -> Iterator[bytes]:
    for _ in range(3):
        seen.append(holds.held)
        yield b"part"


async def aparts(holds: Holds, seen: list[int]) -> AsyncIterator[bytes]:
    for part in parts(holds, seen):
        yield part
        await asyncio.sleep(0)


@contextmanager
def leaving(port: int, path: str = "/") -> Iterator[None]:
    """A client that goes away in the middle of the response; the body of the block runs while it is there."""
    url = f"http://127.0.0.1:{port}{path}"
    with httpx.Client(trust_env=False, timeout=10) as client, client.stream("GET", url) as answer:
        body = answer.iter_raw()  # which ends the response when nobody has it any more
        next(body)
        yield


def test_an_asgi_app_to_its_end(holds: Holds) -> None:
    seen: list[int] = []

    @holds
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in parts(holds, seen):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    with serving(app, lifespan="off") as served:
        assert served.http.get("/").content == b"part" * 3
    assert seen == [1, 1, 1]


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_streaming_response_of_starlette(holds: Holds, kind: str) -> None:
    seen: list[int] = []

    @holds
    async def streamed(request: StarletteRequest) -> StreamingResponse:
        return StreamingResponse(aparts(holds, seen))

    @holds
    def streamed_sync(request: StarletteRequest) -> StreamingResponse:
        return StreamingResponse(parts(holds, seen), headers={"x-own": "1"})

    app = Starlette(routes=[Route("/", streamed if kind == "async" else streamed_sync)])
    with serving(app) as served:
        answer = served.http.get("/")
        assert (answer.content, answer.headers.get("x-own")) == (b"part" * 3, None if kind == "async" else "1")
    assert seen == [1, 1, 1]


def test_a_client_that_goes_away_from_starlette(holds: Holds) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0.001)

    @holds
    async def streamed(request: StarletteRequest) -> StreamingResponse:
        return StreamingResponse(endless())

    with serving(Starlette(routes=[Route("/", streamed)])) as served:
        for _ in range(5):
            with leaving(served.port):
                assert holds.held >= 1
        eventually(lambda: holds.held == 0)


def test_a_file_and_a_background_task_of_starlette(holds: Holds) -> None:
    seen: list[int] = []

    @holds
    async def file(request: StarletteRequest) -> FileResponse:
        return FileResponse(__file__)

    @holds
    async def plain(request: StarletteRequest) -> PlainTextResponse:
        from starlette.background import BackgroundTask

        return PlainTextResponse("ok", background=BackgroundTask(lambda: seen.append(holds.held)))

    with serving(Starlette(routes=[Route("/file", file), Route("/plain", plain)])) as served:
        assert served.http.get("/file").status_code == 200
        eventually(lambda: holds.held == 0)  # the client has it all before the server is done
        assert served.http.get("/plain").text == "ok"
        eventually(lambda: seen == [1])


def test_one_response_object_returned_for_ever(holds: Holds) -> None:
    kept = PlainTextResponse("ok")

    @holds
    async def handler(request: StarletteRequest) -> PlainTextResponse:
        return kept

    with serving(Starlette(routes=[Route("/", handler)])) as served:
        assert [served.http.get("/").text for _ in range(3)] == ["ok"] * 3
    assert type(kept) is PlainTextResponse


def test_a_websocket_to_its_end(holds: Holds) -> None:
    seen: list[int] = []

    @holds
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        seen.append(holds.held)
        await websocket.receive_text()
        await websocket.close()

    async def main(port: int) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"ws://127.0.0.1:{port}/") as socket:
                await socket.send_str("bye")
                await socket.receive()
            await asyncio.to_thread(eventually, lambda: holds.held == 0)  # the client's side of the closing goes on
            async with session.ws_connect(f"ws://127.0.0.1:{port}/"):
                pass  # gone without a word

    with serving(Starlette(routes=[WebSocketRoute("/", talk)])) as served:
        asyncio.run(main(served.port))
        eventually(lambda: holds.held == 0)
    assert seen[0] == 1


def test_endpoints_of_fastapi(holds: Holds) -> None:
    app, seen = FastAPI(), list[int]()

    @app.get("/value")
    @holds
    def value() -> dict[str, int]:
        return {"held": holds.held}

    @app.get("/stream")
    @holds
    async def stream(tasks: BackgroundTasks) -> StreamingResponse:
        return StreamingResponse(aparts(holds, seen))

    @app.get("/raise")
    @holds
    async def fail() -> None:
        raise RuntimeError

    with serving(app) as served:
        assert served.http.get("/value").json() == {"held": 1}
        eventually(lambda: holds.held == 0)
        assert served.http.get("/stream").content == b"part" * 3
        assert served.http.get("/raise").status_code == 500
    assert seen == [1, 1, 1]


def test_a_dependency_of_fastapi_holds_nothing(holds: Holds) -> None:
    """It is over before the response is: such a guard is refused where it is written."""
    with pytest.raises(ConfigurationError, match="response"):
        Depends(holds.dependency)
    holds(lambda request: None)(Request.build())


def test_a_wsgi_app_on_a_real_server(holds: Holds) -> None:
    seen: list[int] = []

    @holds
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/late":

            def late() -> Iterator[bytes]:
                start_response("200 OK", [])
                yield from parts(holds, seen)

            return late()
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/file":
            return environ["wsgi.file_wrapper"](open(__file__, "rb"))  # the server closes it
        return [b"part"] if environ["PATH_INFO"] == "/list" else parts(holds, seen)

    with waitress(app) as server:
        assert server.get("/late").body == b"part" * 3
        eventually(lambda: holds.held == 0)
        assert server.get("/").body == b"part" * 3
        assert server.get("/list").body == b"part"
        assert server.get("/file").status == 200
        eventually(lambda: holds.held == 0)
    assert seen == [1] * 6


def test_a_client_that_goes_away_from_wsgi(holds: Holds) -> None:
    @holds
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return iter(lambda: b"x" * 65536, b"")

    with waitress(app) as server:
        with leaving(server.address[1]):
            assert holds.held == 1
        eventually(lambda: holds.held == 0)


def test_views_of_flask(holds: Holds) -> None:
    app, seen = Flask("here"), list[int]()

    @app.get("/text")
    @holds
    def text() -> str:
        return str(holds.held)

    @app.get("/stream")
    @holds
    def stream() -> Any:
        return parts(holds, seen)

    @app.get("/tuple")
    @holds
    def both() -> Any:
        return parts(holds, seen), 201, {"x-own": "1"}

    with waitress(app) as server:
        assert server.get("/text").body == b"1"
        eventually(lambda: holds.held == 0)
        assert server.get("/stream").body == b"part" * 3
        eventually(lambda: holds.held == 0)
        answer = server.get("/tuple")
        assert (answer.status, answer.body, answer.all("x-own")) == (201, b"part" * 3, ["1"])
        eventually(lambda: holds.held == 0)
    assert seen == [1] * 6


def test_views_of_django(holds: Holds) -> None:
    seen: list[int] = []

    @holds
    def plain(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(holds.held))

    @holds
    def streamed(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(parts(holds, seen))

    @holds
    async def astreamed(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(aparts(holds, seen))

    assert plain(RequestFactory().get("/")).content == b"1"
    assert holds.held == 0
    response = streamed(RequestFactory().get("/"))
    assert holds.held == 1
    assert b"".join(response) == b"part" * 3  # type: ignore[arg-type]
    response.close()  # what Django does when it has sent it, or could not
    assert holds.held == 0

    async def main() -> None:
        response = await astreamed(AsyncRequestFactory().get("/"))
        assert [part async for part in response] == [b"part"] * 3  # type: ignore[union-attr]
        response.close()

    asyncio.run(main())
    assert seen == [1] * 6


async def test_handlers_of_aiohttp(holds: Holds) -> None:
    seen: list[int] = []

    @holds
    async def payload(request: web.Request) -> web.Response:
        return web.Response(body=aparts(holds, seen))

    @holds
    async def prepared(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts(holds, seen):
            await response.write(part)
        return response

    app = web.Application()
    app.add_routes([web.get("/payload", payload), web.get("/prepared", prepared)])
    async with TestClient(TestServer(app)) as client:
        for path in ("/payload", "/prepared"):
            assert await (await client.get(path)).read() == b"part" * 3
            while holds.held:
                await asyncio.sleep(0.001)
    assert seen == [1] * 6


def test_on_aws_lambda_to_the_handlers_end(holds: Holds) -> None:
    from authkit.testing import LambdaContext, lambda_event

    @holds
    def handler(event: Any, context: Any) -> dict[str, Any]:
        return {"statusCode": 200, "body": str(holds.held)}

    assert handler(lambda_event("v2"), LambdaContext())["body"] == "1"
    assert holds.held == 0


def test_what_two_chains_hold_is_held_apart(holds: Holds) -> None:
    """A view's guard lets go at the view's end, the app's at the app's."""
    outer, seen = Holds(), list[tuple[int, int]]()

    @holds
    def view(request: Request) -> None:
        seen.append((outer.held, holds.held))

    @outer
    def app(request: Request) -> None:
        view(request)
        seen.append((outer.held, holds.held))

    app(Request.build())
    assert seen == [(1, 1), (1, 0)]
    assert outer.held == 0


def test_what_cannot_be_let_go_of_keeps_no_response_back(holds: Holds, caplog: pytest.LogCaptureFixture) -> None:
    class Fails(Holds):
        def _leave(self) -> None:
            raise OSError("gone")

    handler = holds(Fails()(lambda request: "done"))
    assert handler(Request.build()) == "done"
    assert "could not let go" in caplog.text


def test_a_refusal_by_a_later_guard_lets_go_too(holds: Holds) -> None:
    class Refuses(Guard):
        async def check(self, request: Request) -> Deny:
            return Deny(403, "forbidden")

    assert holds(Refuses()(lambda request: "done"))(Request.build()).status == 403  # type: ignore[attr-defined]
    assert holds.held == 0
