"""ADP-12: a client that goes away at any moment leaves no lock, task, thread or queue place behind, and starts no handler."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import Any

import pytest

from authkit import Allow, Deny, Request, Tokens, chain, guard, rate_limit, require_auth
from authkit._pools import pool
from authkit.address import ClientAddress
from authkit.secrets import Secrets, SecretSource
from authkit.stores import MemoryStore
from authkit.testing import Clock, TokenMint, asgi_scope

SECRET = "0123456789abcdef0123456789abcdef"
TIMES = [pytest.param(100, id="100"), pytest.param(10_000, id="10000", marks=pytest.mark.soak)]


def tokens_of(key: Any, clock: Clock) -> Tokens:
    return Tokens(key, issuer="https://issuer.example", audience="https://api.example", clock=clock)


class SlowSource(SecretSource):
    """What answers after a millisecond, as one over a network does."""

    def fetch(self, name: str) -> str:
        time.sleep(0.001)
        return SECRET


class Service:
    """An ASGI app behind guards that wait for a body, a secret and a thread."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.entered: list[str] = []
        self.events: list[Any] = []
        self.store = MemoryStore(clock=self.clock)
        secrets = Secrets(SlowSource(), ttl=1, clock=self.clock)
        tokens = tokens_of(secrets["JWT"], self.clock)
        self.good = tokens_of(SECRET, self.clock).issue("alice", ttl=10**8)
        self.bad = TokenMint(clock=self.clock).good("mallory")

        @guard(body=True)
        def reads(request: Request) -> Allow | Deny:
            return Allow() if request.body == b"whole" else Deny(400, "invalid_request")

        @guard(blocking=True)
        def looks_up(request: Request) -> Allow | Deny:
            time.sleep(0.0005)
            return Allow()

        limit = rate_limit("1000000/second", client=ClientAddress.peer(), store=self.store)
        self.app: Any = chain(limit, reads, require_auth(tokens), looks_up, audit=self.events.append)(self.handler)

    async def handler(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def request(self, name: str, token: str, *, stall: float = 0, leaves: bool = False) -> int:
        """The status. `stall`: seconds between the halves of the body; `leaves`: after the first there is no second."""
        halves = [
            {"type": "http.request", "body": b"who", "more_body": True},
            {"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b"le", "more_body": False},
        ]
        status = 0

        async def receive() -> Any:
            await asyncio.sleep(stall)
            return halves.pop(0) if halves else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        scope = asgi_scope("http", "POST", f"/{name}", {"authorization": f"Bearer {token}"})
        await self.app(scope, receive, send)
        return status


@pytest.mark.parametrize("times", TIMES)
async def test_clients_that_go_away_leave_nothing_behind(times: int, rng: random.Random) -> None:
    service = Service()
    assert await service.request("first", service.good) == 200
    threads = threading.active_count()
    places, free = pool("io")._places, pool("io")._places._value

    async def one(number: int) -> None:
        word = rng.choice(["good", "bad"])
        if rng.random() < 0.02:
            service.clock.advance(1.5)  # the secret is fetched again, by whoever comes first
        token = service.good if word == "good" else service.bad
        going = service.request(f"{word}/{number}", token, stall=rng.random() / 500, leaves=rng.random() < 0.2)
        task = asyncio.create_task(going)
        await asyncio.sleep(rng.random() / 100)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    gate = asyncio.Semaphore(100)

    async def within(number: int) -> None:
        async with gate:
            await one(number)

    await asyncio.gather(*(within(number) for number in range(times)))

    assert not [path for path in service.entered if path.startswith("/bad/")]
    assert len(service.entered) == len(set(service.entered))
    assert len(service.events) == times + 1, "one audit event a request, cancelled or not"
    allowed = sum(event["outcome"] == "allow" for event in service.events)
    assert allowed == len(service.entered), "whose guards were left in the middle has entered nothing"
    assert 0 < allowed < times, "some were in time, and some were not"

    # Then an ordinary day.
    service.clock.advance(1.5)
    words = [rng.choice(["good", "bad"]) for _ in range(200)]
    load = [service.request(f"{word}/later", service.good if word == "good" else service.bad) for word in words]
    answers = await asyncio.wait_for(asyncio.gather(*load), 30)
    assert answers == [200 if word == "good" else 401 for word in words]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    deadline = time.monotonic() + 10
    while places._value < free and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert places._value == free, "every place in the queue is free again"
    assert threading.active_count() <= max(threads, 32 + 8), "no more threads than the pool has"
    assert service.store.add("the lock of the store is free", 1)


async def test_a_request_whose_client_left_before_its_body_was_whole_starts_no_handler() -> None:
    service = Service()
    await asyncio.wait_for(asyncio.gather(service.request("left", service.good, leaves=True), return_exceptions=True), 5)
    assert service.entered == []
    assert len(service.events) == 1
