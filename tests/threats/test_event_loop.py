"""ADP-13: what blocks (password hashing, secret sources, blocking guards) never holds the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from authkit import Allow, Deny, Request, Response, Tokens, chain, guard, require_auth
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher
from authkit.secrets import Secrets, SecretSource
from authkit.stores import MemoryStore
from authkit.testing import TokenMint, asgi_scope

SECRET = "0123456789abcdef0123456789abcdef"


def tokens_of(key: Any) -> Tokens:
    return Tokens(key, issuer="https://issuer.example", audience="https://api.example")


class Gate:
    """Where blocking calls stand until they are let go, and how many are there."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._lock = threading.Lock()
        self.inside = 0

    def __call__(self) -> None:
        with self._lock:
            self.inside += 1
        assert self._open.wait(30)

    def open(self) -> None:
        self._open.set()


async def turns(enough: int) -> None:
    """Return when the loop has gone round so many times, each with a timer of its own."""
    for _ in range(enough):
        await asyncio.sleep(0.0005)


async def test_the_loop_turns_while_a_blocking_guard_blocks() -> None:
    gate = Gate()

    @guard(blocking=True)
    def blocks(request: Request) -> Allow | Deny:
        gate()
        return Allow()

    @blocks
    async def handler(request: Request) -> Response:
        return Response(204)

    requests = [asyncio.create_task(handler(Request.build())) for _ in range(20)]
    await turns(50)
    assert not any(task.done() for task in requests)
    assert gate.inside == 20
    gate.open()
    assert [response.status for response in await asyncio.gather(*requests)] == [204] * 20


async def test_the_loop_turns_while_a_secret_is_fetched_and_it_is_fetched_once() -> None:
    gate = Gate()

    class Slow(SecretSource):
        def fetch(self, name: str) -> str:
            gate()
            return SECRET

    @require_auth(tokens_of(Secrets(Slow())["JWT"]))
    async def handler(request: Request) -> Response:
        return Response(204)

    token = tokens_of(SECRET).issue("alice")
    headers = {"authorization": f"Bearer {token}"}
    other = chain(require_auth(TokenMint().tokens))
    requests = [asyncio.create_task(handler(Request.build(headers=headers))) for _ in range(200)]
    await turns(50)
    decision = await other.adecide(Request.build())  # another guard is not held up by those that wait
    assert isinstance(decision, Deny)
    assert not any(task.done() for task in requests)
    assert gate.inside == 1
    gate.open()
    assert [response.status for response in await asyncio.gather(*requests)] == [204] * 200


async def login(accounts: Accounts, password: str) -> int:
    body = f'{{"username": "alice", "password": "{password}"}}'.encode()
    status = 0

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    await accounts.login.asgi(asgi_scope("http", "POST", "/login", {"content-type": "application/json"}), receive, send)
    return status


async def during_logins(logins: int, hasher: PasswordHasher) -> tuple[list[float], list[int]]:
    """How late each turn of the loop came, in seconds, while people logged in."""
    tokens = Tokens(SECRET, issuer="https://issuer.example", audience="https://api.example", store=MemoryStore())
    accounts = Accounts(MemoryUsers(), tokens, hasher, insecure_unlimited=True)
    await accounts.aregister("alice", "correct horse")
    late: list[float] = []

    async def watch() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - started - 0.001)

    watching = asyncio.create_task(watch())
    passwords = ["correct horse", "wrong"] * (logins // 2)
    answers = await asyncio.gather(*(login(accounts, password) for password in passwords))
    watching.cancel()
    return late, answers


async def test_the_loop_turns_while_twenty_people_log_in() -> None:
    """Counted, not timed: turns come between the logins, more of them than there are logins."""
    late, answers = await during_logins(20, PasswordHasher(memory=8192, passes=1, lanes=1))
    assert answers == [200, 401] * 10
    assert len(late) > 20


@pytest.mark.soak
async def test_the_loop_is_late_by_less_than_50_ms_while_people_log_in() -> None:
    late, answers = await during_logins(20, PasswordHasher())
    assert answers == [200, 401] * 10
    assert sorted(late)[int(len(late) * 0.99)] < 0.05, f"p99 of {len(late)} turns"
