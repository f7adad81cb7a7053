"""Real uvicorn in a thread of the test process, on a loopback port of the system's choice."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from authkit import Allow, Deny, Guard, Principal, Request
from authkit.decision import Challenge

PROBLEM_401 = b'{"type":"about:blank","title":"Unauthorized","status":401,"code":"unauthorized"}'


class Who(Guard):
    """Takes the name in `x-user` for the caller's; the seam under test is the host, not the credential."""

    name = "who"
    identifies = True

    async def check(self, request: Request) -> Allow | Deny:
        user = request.headers.get("x-user")
        if user is None:
            return Deny(401, "unauthorized", reason="no_credential", challenge=Challenge(realm="api"), no_credential=True)
        return Allow(Principal(user, scopes=request.headers.get_all("x-scope")))


class Served:
    """A server that is up. `port` on 127.0.0.1; `http` speaks to it."""

    def __init__(self, server: uvicorn.Server, port: int) -> None:
        self.server = server
        self.port = port
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False)

    def ws(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


def listening() -> socket.socket:
    """A socket on a loopback port of the system's choice."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


@contextmanager
def serving(app: Any, listener: socket.socket | None = None, **settings: Any) -> Iterator[Served]:
    """`app` behind uvicorn. The peer is the socket's: uvicorn would otherwise take it from `X-Forwarded-For` on loopback.

    `listener`: a bound socket, for an app that must know its own port when it is built.
    """
    listener = listening() if listener is None else listener
    server = uvicorn.Server(
        uvicorn.Config(app, **{"log_level": "critical", "proxy_headers": False, "access_log": False, **settings})
    )

    def run() -> None:
        try:
            server.run([listener])
        except SystemExit:  # so uvicorn ends where the app refuses to start
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert server.started, "the server did not start"
        served = Served(server, listener.getsockname()[1])
        with served.http:
            yield served
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def raw(port: int, *parts: bytes, pause: float = 0.0, read: bool = True) -> bytes:
    """What the server answers to these bytes, sent one part after the other; without `read`, the client goes away at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        received = b""
        while read and (chunk := connection.recv(65536)):
            received += chunk
        return received
