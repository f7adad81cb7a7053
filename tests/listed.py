"""Lists of networks that change while a test looks: a real HTTP server, and a wait for what a background thread does."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def eventually(holds: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until `holds()`, which something in the background brings about."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.005)


class ListServer:
    """Answers GET as `answer` says; counts, and remembers the headers it was asked with. `gate`: it waits there first."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b"10.0.0.0/8\n")
        self.by_path: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[dict[str, str]] = []
        self.gate: threading.Event | None = None
        self.drip = 0.0  # seconds between two bytes
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append({name.lower(): value for name, value in self.headers.items()})
                if outer.gate is not None:
                    outer.gate.wait(10)
                status, headers, body = outer.by_path.get(self.path, outer.answer)
                if status == 200 and headers.get("etag") and self.headers.get("if-none-match") == headers["etag"]:
                    status, body = 304, b""
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for place in range(len(body)) if outer.drip else ():
                        self.wfile.write(body[place : place + 1])
                        self.wfile.flush()
                        time.sleep(outer.drip)
                    if not outer.drip:
                        self.wfile.write(body)
                except OSError:  # the caller had enough
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/list"


@contextmanager
def serving() -> Iterator[ListServer]:
    """A `ListServer` on a loopback port of its own."""
    found = ListServer()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        if found.gate is not None:
            found.gate.set()
        found.server.shutdown()
        found.server.server_close()
        thread.join()
