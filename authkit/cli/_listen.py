"""`authkit explain --live`: a server on this machine's own address that explains what it is sent, and keeps nothing."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from ..errors import AuthkitError
from ._capture import Captured
from ._exits import ended

if TYPE_CHECKING:
    from ._explain import Asked
    from ._output import Output

HOST = "127.0.0.1"
MAX_BODY = 1_048_576  # bytes
SECONDS = 10.0  # that one request may take to come
TOTAL = 30.0


def listen(port: int, asked: Asked, out: Output) -> int:
    """Explain each request until somebody ends it. Raises: `OSError` for a port that is taken."""
    from ._output import printable

    class Handler(_Handler):
        settings = (asked, out)

    with _Server((HOST, port), Handler) as server:
        place = f"http://{HOST}:{server.server_address[1]}"
        out.line(printable(f"listening on {place}: point a tunnel or the sender's tool at it; Ctrl-C ends it"))
        out.document({"listening": place})
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            out.line("")
    return 0


class _Server(TCPServer):  # that of http.server asks DNS for its own name
    allow_reuse_address = True


class _Handler(BaseHTTPRequestHandler):
    settings: tuple[Asked, Output]
    timeout = SECONDS
    protocol_version = "HTTP/1.0"  # one request a connection
    server_version = "authkit"
    sys_version = ""

    def _explain(self) -> None:
        from ._explain import explained
        from .explain import tell

        asked, out = self.settings
        body = self._body()
        if body is None:
            return
        host = self.headers.get("host", "")
        from ..http import Headers

        headers = Headers(list(self.headers.items()))
        url = f"http://{host}{self.path}" if host else self.path
        captured = Captured("live request", self.command, url, headers, body, time.time())
        try:
            found = explained(captured, asked._replace(now=time.time() if asked.now is None else asked.now))
        except AuthkitError as error:
            self._complain(error, out)
            return
        except Exception as error:  # one bad request ends nothing
            self._complain(error, out)
            return
        self._answer(200 if found.accepted else 401)
        tell(out, found)

    def _complain(self, error: BaseException, out: Output) -> None:
        name, message = ended(error)
        self._answer(503 if name == "unavailable" else 500)
        out.line(f"cannot be judged ({name}): {message}", "warn")
        out.document({"error": name, "message": message})

    def _body(self) -> bytes | None:
        """The body, of bounded size and time; None if it was answered already."""
        if self.headers.get("transfer-encoding") is not None:
            self._answer(411)
            return None
        stated = self.headers.get("content-length", "0")
        if not stated.isdecimal() or len(stated) > 9 or int(stated) > MAX_BODY:
            self._answer(413)
            return None
        left, found, end = int(stated), b"", time.monotonic() + TOTAL
        try:
            while left and time.monotonic() < end:
                part = self.rfile.read1(min(left, 65_536))
                if not part:
                    break
                found, left = found + part, left - len(part)
        except OSError:
            return None
        if left:
            self._answer(408)
            return None
        return found

    def _answer(self, status: int) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # it would print the path and query
        return

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _explain
