"""Where a browser brings a provider's answer to a command: a server on this machine's own address (RFC 8252 section 7.3)."""

from __future__ import annotations

import hmac
import os
import threading
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ..errors import Unavailable

if TYPE_CHECKING:
    from types import TracebackType

HOST = "127.0.0.1"
PATH = "/callback"
SECONDS = 10.0  # that one request may take to come
MOST = 32  # requests at once
LONGEST = 16_384  # characters of a request's path and query
FIELDS = 32  # of an answer

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>authkit</title>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""
TAKEN = _PAGE.format(title="Back to the terminal", text="It says how the login went. You can close this window.").encode()
REFUSED = _PAGE.format(title="Not the answer", text="This is not what the terminal waits for. It waits on.").encode()
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address of this page has a code in it
    "X-Content-Type-Options": "nosniff",
}


class Loopback:
    """Listens at `redirect_uri`; `port` 0: at one that is free. What it answers is one of two pages, with nothing of what came.

    Raises: `OSError` for a port that is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._server = _Server((HOST, port), _Handler)
        self.redirect_uri = f"http://{HOST}:{self._server.server_address[1]}{PATH}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def expect(self, state: str) -> None:
        """Take the first answer to the attempt that `state` names. Others end nothing: anybody here can send them."""
        self._server.state = state.encode()

    def answer(self, seconds: float) -> dict[str, str]:
        """The fields of that answer. Raises: `Unavailable` if none comes in time."""
        try:
            return self._server.answers.get(timeout=seconds)
        except Empty:
            raise Unavailable(f"nobody came back from the provider within {seconds:g} seconds") from None

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingMixIn, TCPServer):  # browsers open connections that they may never use
    allow_reuse_address = os.name == "posix"  # on Windows it would let another program listen there too
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.answers: SimpleQueue[dict[str, str]] = SimpleQueue()
        self.state: bytes | None = None
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(MOST)

    def take(self, fields: dict[str, str] | None) -> bool:
        """Whether that is the answer: of this attempt, and the first."""
        with self._lock:
            state = self.state
            if fields is None or state is None or not hmac.compare_digest(fields.get("state", "").encode(), state):
                return False
            self.state = None
            return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # it would print the request's end of the story
        return


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS
    protocol_version = "HTTP/1.0"  # one request a connection
    server_version = "authkit"
    sys_version = ""

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        path, _, query = self.path.partition("?")
        if path != PATH:
            self._answer(404, REFUSED)
        elif self.headers.get_all("Host") != [f"{HOST}:{server.server_address[1]}"]:  # a name that leads here is not ours
            self._answer(400, REFUSED)
        else:
            fields = fields_of(query)
            taken = server.take(fields)
            self._answer(200 if taken else 400, TAKEN if taken else REFUSED)
            if taken and fields is not None:
                server.answers.put(fields)

    def _answer(self, status: int, page: bytes) -> None:
        try:
            self.send_response(status)
            for name, text in _HEADERS.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            self.wfile.flush()
        except OSError:
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self._answer(code, REFUSED)  # the usual one repeats what was asked

    def log_message(self, format: str, *args: Any) -> None:  # it would print the query
        return


def fields_of(query: str) -> dict[str, str] | None:
    """The fields of an answer; None for what is none, or says one twice (RFC 6749 section 3.1)."""
    if len(query) > LONGEST or not query.isascii():
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None
