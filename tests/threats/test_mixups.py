"""AUZ-14: of many requests at once, each handler and all that it starts sees the principal of its own, and nobody else's."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from authkit import Allow, Deny, Principal, Request, Response, chain, current_principal, guard, rate_limit, require_auth
from authkit.address import ClientAddress
from authkit.testing import TokenMint, asgi_scope

MINT = TokenMint()
NAMES = [f"user-{number}" for number in range(97)]
TOKENS = {name: MINT.good(name, roles=[f"role of {name}"], ttl=86_400) for name in NAMES}
TIMES = [pytest.param(100, id="100"), pytest.param(10_000, id="10000", marks=pytest.mark.soak)]


@guard(blocking=True)
def pauses(request: Request) -> Allow | Deny:
    """A hop to another thread and back, in the middle of the decision."""
    return Allow(headers={"x-seen-by-guard": request.headers["x-name"]})


api = chain(rate_limit("1000000/second", client=ClientAddress.peer()), require_auth(MINT.tokens), pauses)


def sent(name: str) -> Request:
    return Request.build("GET", f"/{name}", {"authorization": f"Bearer {TOKENS[name]}", "x-name": name}, peer="127.0.0.1")


def is_of(name: str, principal: Principal | None) -> bool:
    return principal is not None and principal.subject == name and principal.roles == {f"role of {name}"}


def chosen(rng: random.Random, times: int) -> list[str]:
    return [rng.choice(NAMES) for _ in range(times)]


@pytest.mark.parametrize("times", TIMES)
def test_threads_see_their_own_principal(times: int, rng: random.Random) -> None:
    wrong: list[str] = []

    @api
    def handler(request: Request, principal: Principal) -> Response:
        name = request.path[1:]
        threading.Event().wait(rng.random() / 1000)
        context, seen = copy_context(), []
        background = threading.Thread(target=lambda: seen.append(context.run(current_principal)))
        background.start()
        background.join()
        if not all(is_of(name, one) for one in (principal, current_principal(), *seen)):
            wrong.append(name)
        return Response(200, body=principal.subject.encode())

    call: Callable[[Request], Response] = handler  # type: ignore[assignment]
    with ThreadPoolExecutor(16) as pool:
        names = chosen(rng, times)
        for name, response in zip(names, pool.map(call, map(sent, names)), strict=True):
            assert (response.status, response.body.decode(), response.headers["x-seen-by-guard"]) == (200, name, name)
    assert wrong == []
    with pytest.raises(LookupError):
        current_principal()


@pytest.mark.parametrize("times", TIMES)
async def test_tasks_see_their_own_principal(times: int, rng: random.Random) -> None:
    wrong: list[str] = []
    later: list[asyncio.Task[None]] = []

    async def background(name: str, pause: float) -> None:
        await asyncio.sleep(pause)  # the response has been sent by then
        if not is_of(name, current_principal()):
            wrong.append(f"background of {name}")

    @api
    async def handler(request: Request, principal: Principal) -> Response:
        name = request.path[1:]
        later.append(asyncio.create_task(background(name, rng.random() / 100)))
        await asyncio.sleep(rng.random() / 1000)
        in_a_thread = await asyncio.to_thread(current_principal)
        if not all(is_of(name, one) for one in (principal, current_principal(), in_a_thread)):
            wrong.append(name)
        return Response(200, body=principal.subject.encode())

    call: Any = handler
    names = chosen(rng, times)
    gate = asyncio.Semaphore(200)

    async def one(name: str) -> Response:
        async with gate:
            response: Response = await call(sent(name))
            return response

    for name, response in zip(names, await asyncio.gather(*map(one, names)), strict=True):
        assert (response.status, response.body.decode(), response.headers["x-seen-by-guard"]) == (200, name, name)
    await asyncio.gather(*later)
    assert wrong == []


@pytest.mark.parametrize("times", TIMES)
async def test_streams_see_their_own_principal_to_the_end(times: int, rng: random.Random) -> None:
    """A guarded ASGI app that is between two chunks while hundreds of others start."""
    wrong: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"][1:]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            principal = current_principal()
            if not is_of(name, principal):
                wrong.append(name)
            await send({"type": "http.response.body", "body": name.encode() + b";", "more_body": True})
            await asyncio.sleep(rng.random() / 1000)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    guarded: Any = api(app)

    async def one(name: str) -> None:
        body = b""

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal body
            body += message.get("body", b"")

        headers = [(b"authorization", f"Bearer {TOKENS[name]}".encode()), (b"x-name", name.encode())]
        await guarded({**asgi_scope(path=f"/{name}"), "headers": headers, "client": ("127.0.0.1", 1)}, receive, send)
        if body != f"{name};".encode() * 3:
            wrong.append(f"answer to {name}")

    gate = asyncio.Semaphore(200)

    async def within(name: str) -> None:
        async with gate:
            await one(name)

    await asyncio.gather(*map(within, chosen(rng, times)))
    assert wrong == []


@pytest.mark.parametrize("times", TIMES)
async def test_a_loop_and_threads_at_once_mix_nothing_up(times: int, rng: random.Random) -> None:
    """One chain object serves sync handlers in threads and async ones on a loop at the same time."""

    @api
    def in_thread(request: Request, principal: Principal) -> Response:
        return Response(200 if is_of(request.path[1:], principal) and is_of(request.path[1:], current_principal()) else 500)

    @api
    async def on_loop(request: Request, principal: Principal) -> Response:
        await asyncio.sleep(0)
        return Response(200 if is_of(request.path[1:], principal) and is_of(request.path[1:], current_principal()) else 500)

    sync: Any = in_thread
    asynchronous: Any = on_loop
    gate = asyncio.Semaphore(64)

    async def one(name: str) -> int:
        async with gate:
            if rng.random() < 0.5:
                return int((await asynchronous(sent(name))).status)
            return int((await asyncio.to_thread(sync, sent(name))).status)

    assert set(await asyncio.gather(*map(one, chosen(rng, times)))) == {200}


def test_nobody_can_change_a_principal_for_another() -> None:
    """It is shared by all requests with the same token, because verified tokens are remembered."""
    first, second = (MINT.tokens.verify(TOKENS["user-1"]) for _ in range(2))
    for name in ("subject", "roles", "scopes", "claims", "issuer", "method"):
        with pytest.raises(AttributeError):
            setattr(first, name, "root")
    with pytest.raises(TypeError):
        first.claims["sub"] = "root"  # type: ignore[index]
    assert is_of("user-1", second)
