"""ASGI apps called in process: a prepared scope, no network and no server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ._timing import Batch


def scope(token: str | None) -> dict[str, Any]:
    headers = [(b"host", b"api.example.com"), (b"accept", b"*/*"), (b"user-agent", b"benchmark")]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "https", "path": "/orders", "raw_path": b"/orders", "query_string": b"", "root_path": "",
        "headers": headers, "client": ("192.0.2.1", 50_000), "server": ("api.example.com", 443), "state": {},
    }  # fmt: skip


async def _receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    pass


def batch(loop: asyncio.AbstractEventLoop, app: Any, token: str) -> Batch:
    """A batch of requests to `app`, each with that token; tried out before anything is timed."""
    request = scope(token)
    loop.run_until_complete(_try(app, request, 200))
    return lambda count: loop.run_until_complete(_time(app, request, count))


def refuses(loop: asyncio.AbstractEventLoop, app: Any) -> None:
    """Raises: `AssertionError` if `app` lets a request without a token through: then nothing guards it."""
    loop.run_until_complete(_try(app, scope(None), 401))


async def _time(app: Any, request: dict[str, Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        await app(request.copy(), _receive, _send)
    return time.perf_counter() - start


async def _try(app: Any, request: dict[str, Any], expected: int) -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await app(request.copy(), _receive, send)
    assert messages[0]["status"] == expected, messages
