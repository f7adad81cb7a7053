"""What became of an event is noted before its sender has the whole answer, on hosts that send it themselves."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from authkit import verify_webhook
from authkit.webhooks import sign
from authkit.webhooks.replay import DONE
from tests.webhooks.replay_stores import eventually

from .webhook_parts import SECRET, Failing

BODY = b'{"n": 1}'


def scope():
    headers = [(name.lower().encode(), value.encode()) for name, value in sign("github", SECRET, BODY).items()]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/hook",
        "raw_path": b"/hook", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("203.0.113.5", 1), "scheme": "https", "server": ("testserver", 443),
    }  # fmt: skip


class Receive:
    """The body, and then a client that stays."""

    def __init__(self):
        self.read = False

    async def __call__(self):
        if self.read:
            await asyncio.sleep(60)
        self.read = True
        return {"type": "http.request", "body": BODY, "more_body": False}


class Watching:
    """What a server is told to send, and whether the event was done by then."""

    def __init__(self, store):
        self.store = store
        self.sent = []

    def done(self):
        return [note[1] for note in (*self.store._noted._young.values(), *self.store._noted._old.values())] == [DONE]

    async def send(self, message):
        self.sent.append((message["type"], bool(message.get("more_body")), self.done()))


@pytest.fixture
def store():
    return Failing()


@pytest.fixture
def hook(store):
    return verify_webhook("github", secret=SECRET, replay=store)


async def test_by_an_asgi_app_with_its_last_part(hook, store):
    watching = Watching(store)

    @hook
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    await app(scope(), Receive(), watching.send)
    assert watching.sent == [
        ("http.response.start", False, False),
        ("http.response.body", True, False),
        ("http.response.body", False, True),
    ]


async def test_by_an_asgi_app_that_fails_half_way(hook, store):
    watching = Watching(store)

    @hook
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await app(scope(), Receive(), watching.send)
    eventually(lambda: not store._noted._young)


def plain(request: StarletteRequest):
    return PlainTextResponse("ok")


async def json_(request: StarletteRequest):
    return JSONResponse({"ok": True})


@pytest.mark.parametrize("endpoint", [plain, json_])
async def test_by_an_endpoint_of_starlette_with_its_response(hook, store, endpoint):
    watching = Watching(store)
    app = Starlette(routes=[Route("/hook", hook(endpoint), methods=["POST"])])
    await app(scope(), Receive(), watching.send)
    assert [(kind, done) for kind, _, done in watching.sent] == [("http.response.start", True), ("http.response.body", True)]


async def test_by_a_streamed_response_at_its_end(hook, store):
    watching = Watching(store)

    @hook
    async def streamed(request: StarletteRequest):
        async def parts():
            yield b"part"

        return StreamingResponse(parts())

    response = await streamed(StarletteRequest(scope(), Receive()))
    assert not watching.done()
    await response(scope(), Receive(), watching.send)
    eventually(watching.done)


async def test_by_a_streamed_response_that_fails(hook, store):
    @hook
    async def streamed(request: StarletteRequest):
        async def parts():
            yield b"part"
            raise RuntimeError

        return StreamingResponse(parts())

    response = await streamed(StarletteRequest(scope(), Receive()))
    with pytest.raises(RuntimeError):
        await response(scope(), Receive(), Watching(store).send)
    eventually(lambda: not store._noted._young)
