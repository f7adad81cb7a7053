"""A server on loopback that answers as a function says, and notes what it was asked.

with loopback(lambda asked: (200, {}, b"hello")) as server:
    httpx.get(server.url); server.asked[0].headers["authorization"]
"""

from __future__ import annotations

import contextlib
import http.server
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Asked(NamedTuple):
    """`target`: path and query; `headers`: by their names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Loopback:
    """`answer`: status, headers and body for what was asked. It may be replaced at any time."""

    def __init__(self, answer: Callable[[Asked], tuple[int, Mapping[str, str], bytes]]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.url = ""


@contextlib.contextmanager
def loopback(answer: Callable[[Asked], tuple[int, Mapping[str, str], bytes]]) -> Iterator[Loopback]:
    told = Loopback(answer)

    class Answering(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.body()
            asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            told.asked.append(asked)
            status, headers, content = told.answer(asked)
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_POST = do_PUT = do_DELETE = respond

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
