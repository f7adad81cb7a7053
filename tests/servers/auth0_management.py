"""Auth0, as far as a program needs it that finds, makes and entitles people: /oauth/token and the Management API, strictly.

with auth0() as tenant:
    tenant.url, tenant.domain, tenant.client_id, tenant.client_secret
    tenant.sign_up("alice@example.com")            # somebody registers; nothing is verified
    tenant.fail("POST /users", 503, times=1)       # faults on order; `after`: it is carried out all the same
    tenant.before["POST /users"] = lambda: ...     # somebody is quicker
    tenant.asked                                   # ["POST /oauth/token", "GET /users-by-email", ...]

Written from Auth0's documentation: scopes and properties of each endpoint from its reference, error bodies as it shows them,
{"statusCode", "error", "message", "errorCode"}; what stands in no documentation is refused.
"""

from __future__ import annotations

import collections
import contextlib
import http.server
import json
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.servers.auth0_tenant import Problem, Refused, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Fault(NamedTuple):
    what: str
    status: int
    left: list[int]
    headers: dict[str, str]
    after: bool
    body: bytes


class Auth0Server(http.server.ThreadingHTTPServer, Tenant):
    """A `Tenant` behind HTTP. `asked`: what was, and `bodies`: what was sent, in order; `before`: called before an answer."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        http.server.ThreadingHTTPServer.__init__(self, ("127.0.0.1", 0), _Handler)
        Tenant.__init__(self, clock)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[str] = []
        self.bodies: list[tuple[str, Any]] = []
        self.before: dict[str, Callable[[], object]] = {}
        self._faults: list[Fault] = []
        self._stopped = threading.Event()
        self._serving = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._serving.start()

    def fail(
        self,
        what: str,
        status: int,
        *,
        times: int = 1 << 30,
        headers: dict[str, str] | None = None,
        after: bool = False,
        body: bytes | None = None,
    ) -> None:
        """Answer `what` ("POST /users", "*") with that status; 0: close the connection without an answer."""
        shown = Problem(status, "Global limit has been reached" if status == 429 else "no", "too_many_requests").body
        self._faults.append(
            Fault(what, status, [times], headers or {}, after, json.dumps(shown).encode() if body is None else body)
        )

    def mend(self) -> None:
        with self.lock:
            self._faults.clear()

    def strikes(self, what: str) -> Fault | None:
        with self.lock:
            for fault in self._faults:
                if fault.what in (what, "*") and fault.left[0] > 0:
                    fault.left[0] -= 1
                    return fault
        return None

    def named(self, what: str) -> int:
        """How often it was asked for."""
        return collections.Counter(self.asked)[what]

    def close(self) -> None:
        if not self._stopped.is_set():
            self._stopped.set()
            self.shutdown()
            self._serving.join()
            self.server_close()

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Auth0Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_PATCH = do_GET

    def _serve(self) -> None:
        tenant = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        path = path.removeprefix("/api/v2")
        parts = [urllib.parse.unquote(part) for part in path.split("/")]
        what = f"{self.command} {path}"
        if len(parts) == 4 and (parts[1], parts[3]) == ("users", "roles"):
            what = f"{self.command} /users/{{id}}/roles"
        with tenant.lock:
            tenant.asked.append(what)
            meanwhile = tenant.before.get(what)
        if meanwhile is not None:
            meanwhile()
        fault = tenant.strikes(what)
        if fault is None or fault.after:
            status, answer, extra = self._answer(what, parts, dict(urllib.parse.parse_qsl(query, keep_blank_values=True)), body)
        if fault is not None:
            if fault.status == 0:
                self.close_connection = True
                return
            status, answer, extra = fault.status, fault.body, fault.headers
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **extra}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, what: str, parts: list[str], query: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        limits = {
            "X-RateLimit-Limit": "10",
            "X-RateLimit-Remaining": "9",
            "X-RateLimit-Reset": str(int(self.server.clock()) + 1),
        }
        try:
            with self.server.lock:
                status, said = self._done(what, parts, query, body)
        except (Problem, Refused) as problem:
            status, said = problem.status, problem.body
        return status, b"" if said is None else json.dumps(said).encode(), limits

    def _done(self, what: str, parts: list[str], query: dict[str, str], body: bytes) -> tuple[int, Any]:
        tenant, token = self.server, self.headers.get("Authorization")
        if what == "POST /oauth/token":
            return 200, tenant.grant(self._form(body))
        if what == "GET /users-by-email":
            tenant.may(token, "read:users")
            return 200, tenant.users_by_email(query)
        if what == "GET /roles":
            tenant.may(token, "read:roles")
            return 200, tenant.list_roles(query)
        if what == "POST /users":
            tenant.may(token, "create:users")
            return 201, tenant.create(self._json(what, body))
        if what in ("POST /users/{id}/roles", "DELETE /users/{id}/roles"):
            tenant.may(token, "update:users", "create:role_members" if what.startswith("POST") else "delete:role_members")
            if "|" in self.path:
                raise Problem(400, "Path validation error: 'String does not match pattern' on property id", "invalid_uri")
            tenant.change_roles(parts[2], self._json(what, body), add=what.startswith("POST"))
            return 204, None
        raise Problem(404, "Not Found", "not_found")

    def _form(self, body: bytes) -> dict[str, Any]:
        """Both kinds that /oauth/token takes; the secret may also come in HTTP's Basic."""
        kind = self.headers.get_content_type()
        if kind == "application/json":
            return dict(json.loads(body))
        if kind != "application/x-www-form-urlencoded":
            raise Refused(400, "invalid_request", "Unsupported media type")
        sent = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        self.server.bodies.append(("POST /oauth/token", sent))
        return sent

    def _json(self, what: str, body: bytes) -> Any:
        if self.headers.get_content_type() != "application/json":
            raise Problem(415, "Unsupported Media Type", "unsupported_media_type")
        try:
            said = json.loads(body)
        except ValueError:
            raise Problem(400, "Invalid request payload JSON format", "invalid_body") from None
        self.server.bodies.append((what, said))
        return said

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def auth0(clock: Callable[[], float] = time.time) -> Iterator[Auth0Server]:
    """A tenant with nobody in it, closed at the end."""
    tenant = Auth0Server(clock)
    try:
        yield tenant
    finally:
        tenant.close()
