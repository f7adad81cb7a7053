"""The table's requests as bytes on the sockets of real servers: uvicorn, gunicorn and waitress in processes of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.hosts import wsgi_servers

from .exchange import Got, Sent

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"


class Server:
    """Where a server listens: on a port, and on a Unix socket, whose clients have no address."""

    def __init__(self, port: int, path: Path) -> None:
        self.port = port
        self.path = path

    def send(self, sent: Sent, row: str) -> Got:
        """One request, from the peer it names. Raises `OSError` where the system has no such loopback address."""
        target = sent.path + (f"?{sent.query}" if sent.query else "")
        with socket.socket(socket.AF_UNIX if sent.peer is None else socket.AF_INET) as connection:
            connection.settimeout(30)
            if sent.peer is None:
                connection.connect(str(self.path))
            else:
                connection.bind((sent.peer, 0))
                connection.connect((LOOPBACK, self.port))
            connection.sendall(wsgi_servers.request(sent.method, target, [("X-Row", row), *sent.headers], sent.body))
            answer = wsgi_servers.read(connection, sent.method)
        headers: dict[str, list[str]] = {}
        for name, value in answer.lines:
            headers.setdefault(name.lower(), []).append(value)
        return Got(status=answer.status, headers=headers, body=answer.body)

    def report(self) -> Any:
        """What the server's process has entered, logged and raised since it was last asked."""
        return json.loads(self.send(Sent(), "report").body)


def _gunicorn(descriptors: list[int]) -> list[str]:
    binds = [word for number in descriptors for word in ("--bind", f"fd://{number}")]
    settings = ["--workers", "1", "--log-level", "critical", *wsgi_servers.NO_CONTROL_SOCKET]
    return ["gunicorn", *binds, *settings, "tests.conformance.served:wsgi"]


def _own(server: str, descriptors: list[int]) -> list[str]:
    return ["tests.conformance.served", server, *map(str, descriptors)]


@contextmanager
def serving(name: str, directory: Path) -> Iterator[Server]:
    """The server, which accepts from the first request on: its sockets are listening before it starts."""
    with socket.socket() as port, socket.socket(socket.AF_UNIX) as unix:
        server = Server(0, directory / f"{name}.sock")
        port.bind((LOOPBACK, 0))
        unix.bind(str(server.path))
        server.port = port.getsockname()[1]
        listening = [port] if name == "waitress" else [port, unix]
        for one in listening:
            one.listen(64)
        numbers = [one.fileno() for one in listening]
        process = subprocess.Popen(
            [sys.executable, "-m", *(_gunicorn(numbers) if name == "gunicorn" else _own(name, numbers))],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=numbers,
        )
    try:
        yield server
    finally:
        process.terminate()
        process.wait(10)
