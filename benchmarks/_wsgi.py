"""WSGI apps called in process: a prepared environ, no network and no server."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from ._timing import Batch, calls


def environ(token: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/orders", "QUERY_STRING": "",
        "SERVER_NAME": "api.example.com", "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "api.example.com", "HTTP_ACCEPT": "*/*", "HTTP_USER_AGENT": "benchmark",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "https", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
    }  # fmt: skip
    if token is not None:
        found["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return found


def status(app: Any, request: dict[str, Any]) -> int:
    seen: list[str] = []
    answer = app(request.copy(), lambda line, headers, error=None: seen.append(line))
    list(answer)
    getattr(answer, "close", lambda: None)()
    return int(seen[0].split()[0])


def batch(app: Any, token: str, ready: Callable[[], None] | None = None) -> Batch:
    """A batch of requests to `app`, each with that token; `ready` is called before each batch, outside of its time."""
    request = environ(token)

    def start_response(line: str, headers: Any, error: Any = None) -> None:
        pass

    def call() -> None:
        answer = app(request.copy(), start_response)
        for _ in answer:
            pass
        close = getattr(answer, "close", None)
        if close is not None:
            close()

    if ready is None:
        return calls(call)
    timed = calls(call)

    def prepared(count: int) -> float:
        ready()
        return timed(count)

    return prepared
