"""The WSGI app that the servers run: guarded as a whole, and telling what it has seen."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from authkit import Allow, Deny, Principal, Request, Response, chain, current_principal, guard, require_auth
from authkit.errors import InvalidToken

LIMIT = 64
GOOD = "alice.token"


class Names:
    """Tokens of the form `name.token` belong to that name."""

    issuer = None

    def verify(self, token: str) -> Principal:
        name, _, rest = token.partition(".")
        if rest != "token":
            raise InvalidToken
        return Principal(name)


class Tally:
    """Counts what went on in the app, for the tests to ask about."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.events: list[Any] = []

    def add(self, what: str) -> None:
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1


tally = Tally()


@guard(body=True, body_limit=LIMIT)
def read_body(request: Request) -> Allow | Deny:
    return Allow(headers={"x-guard-saw": str(len(request.body))})


body_guard = chain(read_body)


@guard
def decorate(request: Request) -> Allow:
    return Allow(headers={"x-one": "1", "vary": "authorization"}, drop_headers=["x-internal", "authorization"])


@guard.after
def stamp(request: Request, response: Response | None) -> None:
    if response is None:
        tally.add("hook without response")
        return
    tally.add(f"hook {response.status}")
    response.headers["x-path"] = request.path.encode("unicode_escape").decode()
    response.headers["x-peer"] = str(request.peer)
    response.headers["x-raw"] = str(request.raw_path)
    response.headers["x-scheme"] = request.scheme


def tell(environ: dict[str, Any]) -> bytes:
    principal = current_principal()
    seen = {
        "principal": principal and principal.subject,
        "headers": sorted(key for key in environ if key.startswith(("HTTP_", "CONTENT_"))),
        "body": environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode("latin-1"),
        "method": environ["REQUEST_METHOD"],
        "pid": os.getpid(),
    }
    return json.dumps(seen).encode()


class Streamed:
    """A body that is produced while it is sent, and notes who was current when it was closed."""

    def __init__(self) -> None:
        self.parts = iter(range(3))

    def __iter__(self) -> Streamed:
        return self

    def __next__(self) -> bytes:
        next(self.parts)
        principal = current_principal()
        return f"{principal and principal.subject};".encode()

    def close(self) -> None:
        principal = current_principal()
        tally.add(f"closed for {principal and principal.subject}")


def lazy(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("202 Accepted", [("Content-Type", "text/plain")])
    for _ in range(2):
        principal = current_principal()
        yield f"{principal and principal.subject};".encode()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    tally.add("entered")
    path = environ["PATH_INFO"]
    plain = [("Content-Type", "text/plain"), ("X-Spelled-So", "kept"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    if path == "/lazy":
        return lazy(environ, start_response)
    if path == "/raises":
        raise RuntimeError("of the app's own")
    if path == "/write":
        write = start_response("200 OK", plain)
        write(b"written, ")
        return [b"returned"]
    start_response("200 OK", plain)
    if path == "/streamed":
        return Streamed()
    if path == "/file":
        return environ["wsgi.file_wrapper"](BytesIO(b"a file's bytes"))
    return [tell(environ)]


def counts(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    start_response("200 OK", [("Content-Type", "application/json")])
    with tally.lock:
        answer = json.dumps({"counts": tally.counts, "events": tally.events}).encode()
        tally.counts, tally.events = {}, []
    return [answer]


api = chain(require_auth(Names()), decorate, stamp, audit=lambda event: tally.events.append(dict(event)))
guarded = api.except_for("/open")(app)
reads_body = chain(read_body, audit=lambda event: tally.events.append(dict(event)))(app)


def main(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    """`/counts` for the tests; `/body` needs no token, and a guard reads its body; everything else needs a token."""
    path = environ["PATH_INFO"]
    if path == "/counts":
        return counts(environ, start_response)
    return (reads_body if path.startswith("/body") else guarded)(environ, start_response)
