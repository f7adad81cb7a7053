"""What runs inside the servers: every host of theirs behind every row's guard, and a report of what went on.

`X-Row: fastapi_async 17` says which host's app a request is for and which row's guard stands before it;
`X-Row: fastapi_async cookies 5` which session of `sessions.py`, and the seconds since its start; `X-Row: report` asks what has
been entered, logged and raised since the last report. On Lambda the event's member `row` says so.
Started with listening sockets as inherited file descriptors: `python -m tests.conformance.served uvicorn 3 4`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

from . import frameworks as frameworks  # adds its hosts to the table
from .cases import CASES
from .exchange import Handler
from .hosts import HOSTS
from .judging import Heard
from .sessions import START, on_host, world_of


class Rows:
    """The guarded apps, each with a handler of its own, made when a request is for them."""

    def __init__(self) -> None:
        self._made: dict[object, tuple[Any, Handler]] = {}
        self._last = CASES[0], Handler()
        self._heard = Heard()
        self.raised: str | None = None

    def app(self, row: str) -> Any:
        host, place, *at = row.split(" ")
        if at:
            return self._session(host, place, float(at[0]))
        case = CASES[int(place)]
        key = row if case.remembers else (host, case.guard)
        if key not in self._made:
            handler = Handler()
            self._made[key] = HOSTS[host].make(case.guard(), handler), handler
        app, handler = self._made[key]
        self._last = case, handler
        return app

    def _session(self, host: str, script: str, at: float) -> Any:
        key = host, script
        if key not in self._made:
            world = world_of(script)
            self._made[key] = (world, on_host(host, world.accounts.app)), Handler()
        world, app = self._made[key][0]
        world.clock.now = START + at
        return app

    def report(self) -> dict[str, Any]:
        case, handler = self._last
        told = {
            "case": case.name,
            "entered": handler.entered,
            "heard": list(self._heard.lines),
            "raised": self.raised,
        }
        handler.entered, self.raised = 0, None
        self._heard.lines.clear()
        return told


ROWS = Rows()
TURN = asyncio.Lock()  # an app goes on after its answer has been sent: a report waits for its end


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    async with TURN:
        row = dict(scope["headers"])[b"x-row"].decode()
        if row == "report":
            body = json.dumps(ROWS.report()).encode()
            headers = [(b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        try:
            await ROWS.app(row)(scope, receive, send)
        except Exception as error:
            ROWS.raised = type(error).__name__
            raise


def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    row = environ["HTTP_X_ROW"]
    if row == "report":
        body = json.dumps(ROWS.report()).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    try:
        return ROWS.app(row)(environ, start_response)
    except Exception as error:
        ROWS.raised = type(error).__name__
        raise


def on_lambda(event: dict[str, Any], context: Any) -> Any:
    row = event.pop("row")
    return ROWS.report() if row == "report" else ROWS.app(row)(event, context)


def _uvicorn(sockets: list[socket.socket]) -> None:
    import uvicorn

    config = uvicorn.Config(asgi, lifespan="off", log_level="critical", proxy_headers=False, access_log=False)
    uvicorn.Server(config).run(sockets)


def _waitress(sockets: list[socket.socket]) -> None:
    from waitress import serve

    assert len(sockets) == 1, "waitress listens on one kind of socket at a time"
    # One thread, for the same reason. By default it takes away what proxies wrote, and an address rule would judge the proxy.
    serve(wsgi, sockets=sockets, threads=1, clear_untrusted_proxy_headers=False)


if __name__ == "__main__":
    server, *descriptors = sys.argv[1:]
    {"uvicorn": _uvicorn, "waitress": _waitress}[server]([socket.socket(fileno=int(number)) for number in descriptors])
