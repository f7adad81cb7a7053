"""The HTTP server behind a `FakeIssuer`: loopback, a thread for each request, and an end that leaves nothing behind."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from socketserver import TCPServer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from ._faults import Fault

    Said: TypeAlias = tuple[int, Mapping[str, str], bytes, Fault | None]
    Say: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], Said]  # method, path, headers, body

MAX_BODY = 1 << 20  # bytes of a request that are read
PATIENCE = 30.0  # seconds for whoever connects and says nothing


class IssuerServer(ThreadingHTTPServer):
    """Has its port from the beginning, and takes no connection before `start` and after `stop`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, say: Say, clock: Callable[[], float]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.say = say
        self.clock = clock
        self.stopping = threading.Event()
        self._serving: threading.Thread | None = None
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, Any] = {}
        self.server_bind()

    def start(self) -> None:
        if self.stopping.is_set():
            raise RuntimeError("it was stopped, and its port is somebody else's: make another")
        if self._serving is not None:
            return
        self.server_activate()
        self._serving = threading.Thread(target=self.serve_forever, args=(0.01,), name="authkit-fake-issuer", daemon=True)
        self._serving.start()

    def stop(self) -> None:
        """Whoever is still being answered is cut off. May be called again."""
        self.stopping.set()
        if self._serving is not None:
            self.shutdown()
            self._serving.join()
            self._serving = None
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for thread, connection in left.items():
            try:
                connection.shutdown(SHUT_RDWR)
            except OSError:  # it is closed
                pass
            thread.join(PATIENCE)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # not HTTPServer's, which looks the name of the host up

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self._handled, args=(request, client_address), daemon=True)
        with self._lock:
            self._open[thread] = request
        thread.start()

    def _handled(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # that whoever asked has gone is nobody's fault
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Any  # an IssuerServer
    timeout = PATIENCE

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(min(int(length), MAX_BODY)) if length.isdecimal() else b""
        told = {name.lower(): value for name, value in self.headers.items()}
        status, headers, content, fault = self.server.say(self.command, self.path, told, body)
        if fault is not None and fault.delay:
            self.server.stopping.wait(fault.delay)
        if fault is not None and fault.drop:
            return
        self.send_response_only(status)
        usual = {"date": self.date_time_string(self.server.clock()), "content-type": "application/json"}
        own = {name.lower(): value for name, value in headers.items()}
        for name, value in {**usual, "content-length": str(len(content)), **own}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is not None and fault.cut:
            content = content[: len(content) // 2]
        if fault is None or not fault.drip:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes([byte]))
            if self.server.stopping.wait(fault.drip):
                return

    do_GET = do_POST = do_HEAD = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
