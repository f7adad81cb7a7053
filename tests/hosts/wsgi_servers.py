"""Real gunicorn (a process of its own) and waitress (a thread), and a client that sends exactly the bytes it is given."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gunicorn.config import make_settings

ROOT = Path(__file__).resolve().parents[2]
# Newer versions have one, and one name for it that all masters share; older ones do not know the option.
NO_CONTROL_SOCKET = ["--no-control-socket"] if "control_socket_disable" in make_settings() else []
LISTENING = re.compile(r"Listening at: (?:http://127\.0\.0\.1:(\d+)|unix:(\S+))")


class Answer:
    """A response: `status`, `lines` (every header line), `body`; `closes`: no other will come on its connection."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.closes = response.will_close
        self.status = response.status
        self.lines = response.getheaders()
        self.body = response.read()

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.lines if given.lower() == name]

    def json(self) -> Any:
        return json.loads(self.body)


class Address:
    """Where a server listens."""

    def __init__(self, family: int, address: Any) -> None:
        self.family = family
        self.address = address

    def connect(self) -> socket.socket:
        connection = socket.socket(self.family)
        connection.settimeout(10)
        connection.connect(self.address)
        return connection

    def raw(self, sent: bytes, method: str = "GET") -> Answer:
        """Send these bytes on one connection, and read one response."""
        with self.connect() as connection:
            connection.sendall(sent)
            return read(connection, method)

    def send(self, method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> Answer:
        return self.raw(request(method, target, headers, body), method)

    def get(self, target: str, **headers: str) -> Answer:
        return self.send("GET", target, [(name.replace("_", "-"), value) for name, value in headers.items()])


def request(
    method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", *, close: bool = True
) -> bytes:
    """The bytes of a request; header values are latin-1."""
    lines = [f"{method} {target} HTTP/1.1", "Host: api.example"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(body: bytes, size: int = 7) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def read(connection: socket.socket, method: str = "GET") -> Answer:
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response)


@contextmanager
def waitress(app: Any, **settings: Any) -> Iterator[Address]:
    from waitress.server import create_server

    server: Any = create_server(app, host="127.0.0.1", port=0, threads=4, **settings)
    closing = threading.Event()

    def run() -> None:
        try:
            server.run()
        except OSError:  # its loop waits on the socket that is being closed under it; waitress has no other way to end it
            if not closing.is_set():
                raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield Address(socket.AF_INET, ("127.0.0.1", int(server.effective_port)))
    finally:
        closing.set()
        server.task_dispatcher.shutdown()
        server.close()
        thread.join(10)


@contextmanager
def gunicorn(app: str, *, bind: str = "127.0.0.1:0", **env: str) -> Iterator[Address]:
    """`app` is "module:name", importable from the root of the project."""
    command = [sys.executable, "-m", "gunicorn", "--bind", bind, "--workers", "1", "--threads", "4", *NO_CONTROL_SOCKET, app]
    paths = os.pathsep.join(sys.path)
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths, **env}, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    assert process.stderr is not None
    log: list[str] = []
    try:
        for line in process.stderr:
            log.append(line)
            found = LISTENING.search(line)
            if found:
                break
        else:
            raise AssertionError("gunicorn did not start:\n" + "".join(log))
        drain = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
        drain.start()
        yield Address(socket.AF_INET, ("127.0.0.1", int(found[1]))) if found[1] else Address(socket.AF_UNIX, found[2])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stderr.close()
