"""aiohttp handlers under aiohttp's own server."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from authkit import Allow, Deny, Principal, Request, Response, chain, current_principal, guard, require_auth
from authkit.errors import BodyUnavailable, ConfigurationError

from .wsgi_app import GOOD, Names

ALICE = {"x-user": "alice"}


@guard
def who(request: Request) -> Allow | Deny:
    name = request.headers.get("x-user")
    return Deny(401, "unauthorized", challenge=["Bearer", "Basic"]) if name is None else Allow(Principal(name))


@guard
def adds(request: Request) -> Allow:
    return Allow(headers={"x-added": "1"})


@guard(body=True, body_limit=16)
def reads(request: Request) -> Allow | Deny:
    return Deny(401, "bad_body") if request.body != request.headers.get("x-signed", "").encode() else Allow()


def subject() -> str:
    principal = current_principal()
    return principal.subject if principal else "-"


Client: TypeAlias = "TestClient[web.Request, web.Application]"  # as text: 3.10.0's is not generic when it runs


@asynccontextmanager
async def serving(*routes: web.AbstractRouteDef, **options: Any) -> AsyncIterator[Client]:
    app = web.Application(**options)
    app.add_routes(routes)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_handler_is_entered_with_its_principal_or_not_at_all() -> None:
    entered: list[str] = []

    @chain(who, adds)
    async def handler(request: web.Request, principal: Principal) -> web.Response:
        await asyncio.sleep(0)
        entered.append(principal.subject)
        return web.Response(text=subject(), status=201)

    async with serving(web.get("/{name}", handler)) as client:
        answer = await client.get("/principal", headers=ALICE)
        assert (answer.status, await answer.text(), answer.headers["x-added"]) == (201, "alice", "1")
        refused = await client.get("/x")
        assert (refused.status, refused.headers.getall("www-authenticate")) == (401, ["Bearer", "Basic"])
        assert refused.headers.getall("content-type") == ["application/problem+json"]
        assert (await refused.json(content_type=None))["code"] == "unauthorized"
        assert entered == ["alice"]


async def test_the_query_is_decoded_once() -> None:
    seen: list[tuple[str, tuple[tuple[str, str], ...]]] = []

    @guard
    def looks(request: Request) -> Allow:
        seen.append((request.query_string, request.query))
        return Allow()

    @chain(looks)
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    async with serving(web.get("/", handler)) as client:
        await client.get(URL("/?a=%2526b&c=d+e%20f", encoded=True))
    assert seen == [("a=%2526b&c=d+e%20f", (("a", "%26b"), ("c", "d e f")))]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_every_method_is_guarded(method: str) -> None:
    """AUZ-05."""

    @chain(who)
    async def handler(request: web.Request) -> web.Response:
        raise AssertionError("entered")

    async with serving(web.route("*", "/", handler)) as client:
        assert (await client.request(method, "/")).status == 401


async def test_methods_of_classes_and_of_views() -> None:
    class Handlers:
        @chain(who)
        async def plain(self, request: web.Request, principal: Principal) -> web.Response:
            return web.Response(text=principal.subject)

    class View(web.View):
        @chain(who)
        async def get(self, principal: Principal) -> web.Response:
            return web.Response(text=f"{principal.subject} {self.request.path}")

        async def post(self) -> web.Response:
            return web.Response(text="open")

    async with serving(web.get("/m", Handlers().plain), web.view("/v", View)) as client:
        for path, text in [("/m", "alice"), ("/v", "alice /v")]:
            assert (await client.get(path)).status == 401
            assert await (await client.get(path, headers=ALICE)).text() == text
        assert await (await client.post("/v")).text() == "open"


async def test_what_a_guard_sees_and_what_the_event_says() -> None:
    seen: list[Any] = []
    events: list[Any] = []

    @guard
    def looks(request: Request) -> Allow:
        seen.append((request.method, request.path, request.raw_path, request.query, dict(request.params), request.peer))
        seen.append((request.headers.get_all("x-two"), request.headers["X-TWO"], request.headers.get("x-none"), request.scheme))
        return Allow()

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=202)

    async with serving(web.get("/a/{name}", chain(looks, audit=events.append)(handler))) as client:
        await client.get("/a/caf%C3%A9?q=1&q=2", headers=[("X-Two", "1"), ("X-Two", "2")])
    assert seen[0] == ("GET", "/a/café", "/a/caf%C3%A9", (("q", "1"), ("q", "2")), {"name": "café"}, "127.0.0.1")
    assert seen[1] == (["1", "2"], "1, 2", None, "http")
    assert [(e["outcome"], e["status"], e["route"], e["host"]) for e in events] == [("allow", 202, "/a/{name}", "aiohttp")]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ((f"Bearer {GOOD}",), 200), ((f"bearer {GOOD}",), 200), ((f"Bearer {GOOD}", f"Bearer {GOOD}"), 400),
        ((f"Bearer {GOOD}", "Bearer bad"), 400), (("Bearer bad", f"Bearer {GOOD}"), 400), ((f"Bearer  {GOOD}",), 400),
        (("Bearer bad",), 401), (("Bearer \xff",), 400), ((f"Bearer {GOOD},",), 400), (("Bearer Bearer x",), 400),
        (("Basic x",), 401),
    ],
)  # fmt: skip
async def test_authorization_lines(values: tuple[str, ...], status: int) -> None:
    """ADP-01, ADP-02."""

    @chain(require_auth(Names()))
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    async with serving(web.get("/", handler)) as client:
        assert client.port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        lines = "".join(f"Authorization: {value}\r\n" for value in values)
        writer.write(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode("latin-1"))
        assert int((await reader.readline()).split()[1]) == status
        writer.close()


@pytest.mark.parametrize(
    "target", ["//open", "/./open", "/x/../open", "/%6fpen%2f", "/open;x", "/open/", "/open%252f", "/x%2fopen"]
)
async def test_only_the_exempt_path_itself_is_open(target: str) -> None:
    """AUZ-07, AUZ-09."""
    entered: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        entered.append(request.path)
        return web.Response()

    async with serving(web.get("/{rest:.*}", chain(who).except_for("/open", "/x/*")(handler))) as client:
        assert client.port is not None
        for sent in ("/open", target):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(f"GET {sent} HTTP/1.1\r\nHost: a/open?\r\nX-Original-URL: /open\r\nConnection: close\r\n\r\n".encode())
            await reader.read()
            writer.close()
    assert entered == ["/open"]


# Responses.


async def test_a_streamed_response_is_untouched_and_has_its_principal() -> None:
    @chain(who)
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(3):
            await asyncio.sleep(0)
            await response.write(f"{subject()};".encode())
        return response

    async with serving(web.get("/", handler)) as client:
        assert await (await client.get("/", headers=ALICE)).text() == "alice;alice;alice;"
        assert (await client.get("/")).status == 401


async def test_an_async_iterable_body_has_its_principal() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield f"{subject()};".encode()

    @chain(who, adds)
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=parts())

    async with serving(web.get("/", handler)) as client:
        answer = await client.get("/", headers=ALICE)
        assert (await answer.text(), answer.headers["x-added"]) == ("alice;alice;alice;", "1")


async def test_a_websocket_is_refused_with_the_real_status_before_it_is_prepared() -> None:
    @chain(who, adds)
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{subject()} {message.data}")
        return socket

    async with serving(web.get("/", handler)) as client:
        async with client.ws_connect("/", headers=ALICE) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "alice hello"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect("/")
        assert refused.value.status == 401


async def test_cookies_of_the_handler_stay_and_those_of_the_chain_come_after() -> None:
    @guard
    def cookie(request: Request) -> Allow:
        return Allow(headers={"set-cookie": "g=1; Path=/"})

    @chain(cookie)
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(headers=[("set-cookie", "own=2")])  # type: ignore[arg-type]
        response.set_cookie("own", "1")
        return response

    async with serving(web.get("/", handler)) as client:
        answer = await client.get("/")
        assert sorted(answer.headers.getall("set-cookie")) == ["g=1; Path=/", "own=1; Path=/", "own=2"]


async def test_with_nothing_to_add_the_very_response_is_returned() -> None:
    made = web.Response()
    kept: list[bool] = []

    async def handler(request: web.Request) -> web.Response:
        return made

    guarded = chain(who)(handler)

    async def outer(request: web.Request) -> web.Response:
        kept.append(await guarded(request) is made)
        return web.Response()

    async with serving(web.get("/", outer)) as client:
        await client.get("/", headers=ALICE)
    assert kept == [True]


async def test_a_raised_http_exception_goes_on_and_its_status_is_in_the_event() -> None:
    events: list[Any] = []
    hooked: list[Any] = []

    @chain(who, guard.after(lambda request, response: hooked.append(response)), audit=events.append)
    async def handler(request: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    async with serving(web.get("/", handler)) as client:
        answer = await client.get("/", headers=ALICE, allow_redirects=False)
        assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")
    assert hooked == [None]
    assert [event["status"] for event in events] == [302]


# Bodies.


@pytest.mark.parametrize("way", ["read", "text", "post", "content"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_a_guard_has_read_is_still_there_in_every_form(way: str, chunked: bool) -> None:
    @chain(reads)
    async def handler(request: web.Request) -> web.Response:
        match way:
            case "read":
                return web.Response(body=await request.read())
            case "text":
                return web.Response(text=await request.text())
            case "post":
                return web.Response(text="&".join(f"{name}={value}" for name, value in (await request.post()).items()))
            case _:
                return web.Response(body=await request.content.read())

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a=1", b"&", b"b=2"):
            yield part

    headers = {"x-signed": "a=1&b=2", "content-type": "application/x-www-form-urlencoded"}
    async with serving(web.post("/", handler)) as client:
        answer = await client.post("/", data=parts() if chunked else b"a=1&b=2", headers=headers)
        assert await answer.text() == "a=1&b=2"
        assert (await client.post("/", data=b"a=2", headers=headers)).status == 401


async def test_a_multipart_body_that_a_guard_has_read_is_parsed_by_the_handler() -> None:
    anything = guard(body=True)(lambda request: Allow(headers={"x-size": str(len(request.body))}))

    @chain(anything)
    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        return web.Response(text=str(form["name"]))

    async with serving(web.post("/", handler)) as client:
        with aiohttp.MultipartWriter("form-data") as form:
            form.append("value", {"Content-Disposition": 'form-data; name="name"'})  # type: ignore[arg-type]
            answer = await client.post("/", data=form)
        assert (await answer.text(), int(answer.headers["x-size"]) > 20) == ("value", True)


async def test_a_body_above_the_limit_is_413_and_the_connection_lives() -> None:
    """ADP-09."""
    entered: list[int] = []

    @chain(reads)
    async def handler(request: web.Request) -> web.Response:
        entered.append(1)
        return web.Response()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b"x"

    async with serving(web.post("/", handler)) as client:
        assert (await client.post("/", data=b"x" * 17, headers={"x-signed": "x" * 17})).status == 413
        assert (await client.post("/", data=parts(), headers={"x-signed": "x" * 17})).status == 413
        assert (await client.post("/", data=b"x" * 16, headers={"x-signed": "x" * 16})).status == 200
        assert (await client.post("/")).status == 200
    assert entered == [1, 1]


async def test_a_chain_in_shadow_hands_on_what_was_too_large_for_it() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x"

    async with serving(web.post("/", chain(reads).shadow()(handler))) as client:
        assert await (await client.post("/", data=parts())).read() == b"x" * 40


async def test_a_body_that_aiohttp_has_decompressed_is_not_what_was_signed() -> None:
    """WHK-05."""

    @chain(reads)
    async def handler(request: web.Request) -> web.Response:
        raise AssertionError("entered")

    async with serving(web.post("/", handler)) as client:
        headers = {"content-encoding": "gzip", "x-signed": "x"}
        assert (await client.post("/", data=gzip.compress(b"x"), headers=headers)).status in (400, 413)


@pytest.mark.parametrize("consume", ["part", "all of the stream", "post"])
async def test_a_body_that_was_consumed_before_the_guard_is_the_developers_error(consume: str) -> None:
    """WHK-05."""
    raised: list[type[BaseException]] = []

    @chain(reads)
    async def handler(request: web.Request) -> web.Response:
        raise AssertionError("entered")

    @web.middleware
    async def before(request: web.Request, handler: Any) -> web.StreamResponse:
        if consume == "part":
            await request.content.read(1)
        elif consume == "post":
            await request.post()
        else:
            await request.content.read()
        try:
            return await handler(request)
        except BodyUnavailable as error:
            raised.append(type(error))
            return web.Response(status=500)

    async with serving(web.post("/", handler), middlewares=[before]) as client:
        with aiohttp.MultipartWriter("form-data") as form:
            form.append("value", {"Content-Disposition": 'form-data; name="n"'})  # type: ignore[arg-type]
            answer = await client.post("/", data=form if consume == "post" else b"wire", headers={"x-signed": ""})
        assert answer.status == (413 if consume == "post" else 500)
    assert raised == ([] if consume == "post" else [BodyUnavailable])


async def test_a_body_that_was_kept_before_the_guard_is_the_one_it_judges() -> None:
    @chain(reads)
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    @web.middleware
    async def before(request: web.Request, handler: Any) -> web.StreamResponse:
        await request.read()
        return await handler(request)

    async with serving(web.post("/", handler), middlewares=[before]) as client:
        assert await (await client.post("/", data=b"wire", headers={"x-signed": "wire"})).read() == b"wire"
        assert (await client.post("/", data=b"other", headers={"x-signed": "wire"})).status == 401


# One request, and no more.


async def test_dropped_headers_are_gone_from_the_request_that_the_handler_gets() -> None:
    hooked: list[Any] = []

    @guard(body=True)
    def drops(request: Request) -> Allow:
        return Allow(drop_headers=["x-internal", "cookie"])

    @guard.after
    def after(request: Request, response: Response | None) -> None:
        hooked.append(request.headers.get("x-internal"))

    def seen(request: web.Request) -> dict[str, Any]:
        return {
            "header": request.headers.get("x-internal"),
            "cookies": dict(request.cookies),
            "name": request.match_info["name"],
        }

    @chain(drops, after)
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({**seen(request), "body": await request.text()})

    class View(web.View):
        @chain(drops, after)
        async def post(self) -> web.Response:
            return web.json_response({**seen(self.request), "body": await self.request.text()})

    async with serving(web.post("/f/{name}", handler), web.view("/v/{name}", View)) as client:
        for path in ("/f/n", "/v/n"):
            answer = await client.post(path, data=b"wire", headers={"x-internal": "1", "cookie": "c=1"})
            assert await answer.json() == {"header": None, "cookies": {}, "name": "n", "body": "wire"}
    assert hooked == ["1", "1"]


async def test_a_guard_in_a_middleware_and_one_on_the_handler_are_one_request() -> None:
    events: list[Any] = []
    ran: list[int] = []

    @guard
    def counted(request: Request) -> Allow:
        ran.append(1)
        return Allow(Principal("alice"), headers={"x-outer": "1"})

    api = chain(counted, audit=events.append)

    @web.middleware
    async def everywhere(request: web.Request, handler: Any) -> web.StreamResponse:
        return await api(handler)(request)  # type: ignore[no-any-return]

    @chain(counted, adds)
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=subject())

    async with serving(web.get("/", handler), middlewares=[everywhere]) as client:
        answer = await client.get("/")
        assert (await answer.text(), answer.headers.getall("x-outer"), answer.headers["x-added"]) == ("alice", ["1"], "1")
    assert (len(ran), len(events)) == (1, 1)


async def test_principals_do_not_mix_between_tasks() -> None:
    """AUZ-14."""

    @chain(who)
    async def handler(request: web.Request, principal: Principal) -> web.Response:
        await asyncio.sleep(0.001)
        nested = await asyncio.gather(*(asyncio.to_thread(subject) for _ in range(2)))
        assert {principal.subject, *nested, subject()} == {request.match_info["name"]}
        return web.Response(text=subject())

    async with serving(web.get("/{name}", handler)) as client:

        async def ask(name: str) -> str:
            return await (await client.get(f"/{name}", headers={"x-user": name})).text()

        names = [f"user{n % 50}" for n in range(300)]
        assert await asyncio.gather(*(ask(name) for name in names)) == names
    with pytest.raises(LookupError):
        current_principal()


def test_a_view_class_is_not_decorated() -> None:
    with pytest.raises(ConfigurationError):
        chain(who)(web.View)
