"""`make demo`: starts the service on localhost, walks through it over real HTTP, and explains who decided what.

`--once`: end after the tour; exit code 0 only if every exchange came out as it should. `--no-tour`: serve, and nothing else.
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

from . import browser, service
from .decisions import Decisions
from .tour import Tour
from .walk import walk


def start(port: int, decisions: Decisions) -> tuple[uvicorn.Server, threading.Thread]:
    """The service and its page on a thread of their own, ready to answer."""
    service.app.include_router(browser.routes(decisions))
    app = decisions.serving(service.app)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", proxy_headers=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            sys.exit(f"The service could not be started: is port {port} in use? Try: make demo PORT=8001")
        time.sleep(0.02)
    return server, thread


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the tour")
    parser.add_argument("--no-tour", action="store_true", help="serve, and nothing else")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    arguments = parser.parse_args()

    decisions = Decisions()
    logging.getLogger("authkit.audit").setLevel(logging.INFO)
    log = logging.getLogger("authkit")
    log.addHandler(decisions)
    log.propagate = False

    server, thread = start(0 if arguments.once else arguments.port, decisions)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        service.people()
        if not arguments.no_tour:
            with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
                tour = Tour(client, decisions)
                walk(tour)
                tour.close()
            if arguments.once:
                return 0 if tour.is_as_expected else 1
        token = service.tokens.issue("you", scopes=["reports:read"], ttl=3600)
        print(f"\nThe service stays up until you press Ctrl-C. Try every guard in a browser:\n\n  {url}/\n\nor here:\n")
        print(f"  curl -i {url}/private")
        print(f"  TOKEN={token}")
        print(f'  curl -i -H "Authorization: Bearer $TOKEN" {url}/private')
        print(f'  curl -i -H "Authorization: Bearer $TOKEN" {url}/admin')
        login = json.dumps({"username": "alice", "password": service.PASSWORDS["alice"]})
        print(f"  curl -i --json '{login}' {url}/login\n", flush=True)
        thread.join()
        return 0
    except KeyboardInterrupt:
        return 0
    finally:
        server.should_exit = True
        thread.join(5)


if __name__ == "__main__":
    sys.exit(main())
