"""`make demo`: starts the service on localhost, walks through it over real HTTP, and explains who decided what.

`--once`: end after the tour; exit code 0 only if every exchange came out as it should.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
import time

os.environ.setdefault("AUTHKIT_ENV", "development")  # lets the embedded secrets serve; yours will not say this in production

import httpx
import uvicorn

from authkit import Tokens
from authkit.testing import Clock
from authkit.webhooks import sign

from . import service
from .tour import Tour


class Decisions(logging.Handler):
    """Keeps the audit events of the service, which say which guard decided."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(record.authkit)  # type: ignore[attr-defined]


def start(port: int) -> tuple[uvicorn.Server, threading.Thread]:
    """The service on a thread of its own, ready to answer."""
    server = uvicorn.Server(uvicorn.Config(service.app, host="127.0.0.1", port=port, log_level="warning", proxy_headers=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            sys.exit(f"The service could not be started: is port {port} in use? Try: make demo PORT=8001")
        time.sleep(0.02)
    return server, thread


def walk(tour: Tour) -> None:
    """Every exchange, with the status and the guard that are expected of it."""
    service.accounts.register("alice", "correct horse battery staple", scopes=["reports:read"])
    service.accounts.register("grace", "amazing grace, 1906", roles=["admin"])

    tour.chapter("Log in", "POST a name and a password; what comes back is a token, signed by the service.")
    tour.post(
        "/login",
        {"username": "alice", "password": "wrong"},
        expect=401,
        why="the password is wrong; an unknown user gets the same bytes",
    )
    alice = tour.post(
        "/login",
        {"username": "alice", "password": "correct horse battery staple"},
        expect=200,
        why="name and password belong together",
    ).json()["access_token"]
    grace = tour.post("/login", {"username": "grace", "password": "amazing grace, 1906"}, expect=200, why="so do these").json()[
        "access_token"
    ]
    tour.post("/verify", {"token": alice}, expect=200, why="the token is good")

    tour.chapter("Public and private", "A handler without a guard is open. @require_auth closes it.")
    tour.get("/public", expect=200, guard=None, why="no guard stands here; @public says that this is on purpose")
    tour.get("/private", expect=401, guard="require_auth", why="no credential was sent")
    tour.get("/private", token=alice, expect=200, why="the token is good: the handler gets the principal")

    tour.chapter("Scopes and roles", "@require_scopes and @require_roles judge the principal that @require_auth has found.")
    tour.get("/reports", token=alice, expect=200, why="alice was granted reports:read")
    tour.get("/reports", token=grace, expect=403, guard="require_scopes", why="grace was not")
    tour.get("/admin", token=grace, expect=200, why="grace has the role admin")
    tour.get("/admin", token=alice, expect=403, guard="require_roles", why="alice has not")

    tour.chapter(
        "Hostile tokens", "Whatever is wrong with a token, the client reads the same 401. The audit log knows the reason."
    )
    forger = Tokens(os.urandom(32), issuer=service.ISSUER, audience=service.AUDIENCE)
    tour.get("/private", token=forger.issue("alice"), expect=401, guard="require_auth", why="signed with another key")
    past = Tokens(
        service.secrets["DEMO_JWT_SECRET"], issuer=service.ISSUER, audience=service.AUDIENCE, clock=Clock(time.time() - 3600)
    )
    tour.get(
        "/private", token=past.issue("alice"), expect=401, guard="require_auth", why="expired three quarters of an hour ago"
    )
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + alice.split(".")[1] + "."
    tour.get("/private", token=unsigned, expect=401, guard="require_auth", why='its header says "alg": "none"')

    tour.chapter("Addresses and limits", "@allow_ips, @deny_ips and @rate_limit share one idea of who the client is.")
    tour.get("/office", expect=200, why="127.0.0.1 is in 127.0.0.0/8")
    for _ in range(3):
        tour.get("/limited", expect=200, why="three a minute are allowed")
    tour.get("/limited", expect=429, guard="rate_limit", why="this is the fourth; Retry-After says when to come back")

    tour.chapter("Webhooks", "@verify_webhook checks the signature over the raw body, before anything parses it.")
    body = json.dumps({"action": "opened"}).encode()
    signed = sign("github", service.secrets["DEMO_WEBHOOK_SECRET"], body)
    tour.post("/webhooks/github", body, headers=signed, expect=200, why="GitHub and we share the secret that signed this")
    tour.post(
        "/webhooks/github",
        body + b" ",
        headers=signed,
        expect=401,
        guard="verify_webhook",
        why="one byte of the body was changed",
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the tour")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    arguments = parser.parse_args()

    decisions = Decisions()
    audit = logging.getLogger("authkit.audit")
    audit.setLevel(logging.INFO)
    audit.addHandler(decisions)
    audit.propagate = False

    port = 0 if arguments.once else arguments.port
    server, thread = start(port)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
            tour = Tour(client, decisions.events)
            walk(tour)
            tour.close()
        if arguments.once:
            return 0 if tour.is_as_expected else 1
        token = service.tokens.issue("you", scopes=["reports:read"], ttl=3600)
        print(f"\nThe service stays up at {url} until you press Ctrl-C. Try it:\n")
        print(f"  curl -i {url}/private")
        print(f"  TOKEN={token}")
        print(f'  curl -i -H "Authorization: Bearer $TOKEN" {url}/private')
        print(f'  curl -i -H "Authorization: Bearer $TOKEN" {url}/admin')
        login = json.dumps({"username": "alice", "password": "correct horse battery staple"})
        print(f"""  curl -i -H "Content-Type: application/json" -d '{login}' {url}/login""")
        print(f"  {url}/docs in a browser shows every route, with the security scheme\n", flush=True)
        thread.join()
        return 0
    except KeyboardInterrupt:
        return 0
    finally:
        server.should_exit = True
        thread.join(5)


if __name__ == "__main__":
    sys.exit(main())
