"""An HTTP request to an ASGI app in this process, with a peer of our choosing."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote

from .exchange import Got, Sent

T = TypeVar("T")


@cache
def _runner() -> asyncio.Runner:
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns, on the one event loop of the table: as under a server, a guard meets many requests on one loop."""
    done = _runner().run(work)
    left = asyncio.all_tasks(_runner().get_loop())
    assert not left, f"a request left tasks behind: {left}"
    return done


def scope_of(sent: Sent) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": sent.method,
        "scheme": "https",
        "path": sent.path,
        "raw_path": quote(sent.path, safe="/;%").encode(),
        "query_string": sent.query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"api.example"),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in sent.headers),
        ],
        "client": None if sent.peer is None else (sent.peer, 50000),
        "server": ("127.0.0.1", 443),
        "state": {},
    }


def call(app: Any, sent: Sent) -> Got:
    """One request. An exception that the app lets through is what the server would turn into its own 500."""
    return on_loop(_call(app, sent))


async def _call(app: Any, sent: Sent) -> Got:
    halves = [sent.body[: len(sent.body) // 2], sent.body[len(sent.body) // 2 :]]
    incoming = [
        {"type": "http.request", "body": halves[0], "more_body": True},
        {"type": "http.request", "body": halves[1], "more_body": False},
    ]
    outgoing: list[dict[str, Any]] = []
    never = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop(0)
        await never.wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        outgoing.append(message)

    try:
        await app(scope_of(sent), receive, send)
    except Exception as error:
        return Got(status=None, error=type(error).__name__)
    headers: dict[str, list[str]] = {}
    for name, value in outgoing[0]["headers"]:
        headers.setdefault(name.decode().lower(), []).append(value.decode("latin-1"))
    body = b"".join(message.get("body", b"") for message in outgoing[1:])
    return Got(status=outgoing[0]["status"], headers=headers, body=body)
