"""Everybody else's servers, on loopback: what is asked of any host arrives at one server here, over real HTTP.

with world() as web:
    web.says("https://login.example/keys", {"keys": [...]})      # or a function of what was asked: Asked -> Told
    Provider(..., transport=web.transport)
    web.asked                                                    # every URL, in order
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Asked(NamedTuple):
    """One request, as its sender meant it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Told(NamedTuple):
    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = {}


class World(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.pages: dict[str, Any] = {}
        self.delay = 0.0
        self.transport = _Everywhere(self.server_port)

    def says(self, url: str, what: Any) -> None:
        self.pages[url] = what

    def answer(self, asked: Asked) -> Told:
        self.asked.append(asked.url)
        time.sleep(self.delay)
        found = self.pages.get(asked.url, Told(404, {"message": "Not Found"}))
        if callable(found):
            found = found(asked)
        told = found if isinstance(found, Told) else Told(body=found)
        return told._replace(body=told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode())

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone."""


class _Everywhere(httpx.BaseTransport):
    """Every host is the one server. The URL that was meant goes along in a header."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._http = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        headers = [*request.headers.raw, (b"x-meant", str(request.url).encode())]
        return self._http.handle_request(
            httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
        )

    def close(self) -> None:
        self._http.close()


class _Handler(BaseHTTPRequestHandler):
    server: World

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length", 0))
        meant = self.headers["x-meant"]
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = self.server.answer(Asked(self.command, meant, headers, self.rfile.read(length)))
        self.send_response(told.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(told.body)), **told.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told.body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def world() -> Iterator[World]:
    server = World()
    serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    serving.start()
    try:
        yield server
    finally:
        server.shutdown()
        serving.join()
        server.transport.close()
        server.server_close()


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until `true()` is."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def locals_of(error: BaseException) -> str:
    """What a traceback that shows locals would show of our own frames."""
    shown, trace = "", error.__traceback__
    while trace is not None:
        if "tests" not in trace.tb_frame.f_code.co_filename:
            shown += repr([value for name, value in trace.tb_frame.f_locals.items() if name != "self"])  # which is half made
        trace = trace.tb_next
    return shown
