"""What runs inside real servers: every host's app behind a guard for one issuer's tokens, told by the environment.

`X-Row: fastapi_async jwt` says which host's app a request is for and which guard stands before it; on Lambda the event's member
`row` says the guard. `OIDC_ISSUER`, `OIDC_AUDIENCE`: of whom the tokens are. `OIDC_REPLAY`: a file for proofs.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from authkit import chain, require_auth, require_scopes
from authkit.oidc import DPoP, Introspection, OIDCProvider
from authkit.stores import SqliteStore
from tests.conformance import frameworks as frameworks  # adds its hosts to the table
from tests.conformance.exchange import Handler
from tests.conformance.hosts import HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from authkit import Guard

PROVIDER = OIDCProvider(os.environ["OIDC_ISSUER"], audience=os.environ["OIDC_AUDIENCE"])


def jwt() -> Guard:
    return chain(require_auth(PROVIDER), require_scopes("read"))


def _introspection() -> Introspection:
    return Introspection(PROVIDER, "rs", "rs-secret-0123456789abcdef0123456789abcdef", clients=["m2m-opaque"], timeout=30)


def opaque() -> Guard:
    return chain(require_auth(PROVIDER, _introspection()))


def dpop() -> Guard:
    store = SqliteStore(os.environ["OIDC_REPLAY"], timeout=30)
    return chain(require_auth(DPoP(PROVIDER, _introspection(), url=DPOP_URL, replay=store)))


DPOP_URL = "https://api.example.test"
GUARDS: dict[str, Callable[[], Guard]] = {"jwt": jwt, "opaque": opaque, "dpop": dpop}
TURN = asyncio.Lock()
_made: dict[tuple[str, str], Any] = {}


def _app(host: str, guard: str) -> Any:
    if (host, guard) not in _made:
        _made[host, guard] = HOSTS[host].make(GUARDS[guard](), Handler())
    return _made[host, guard]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    host, guard = dict(scope["headers"])[b"x-row"].decode().split(" ")
    async with TURN:  # the table's Django has one set of settings, and goes on after its answer has been sent
        await _app(host, guard)(scope, receive, send)


def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    host, guard = environ["HTTP_X_ROW"].split(" ")
    return _app(host, guard)(environ, start_response)


def on_lambda(event: dict[str, Any], context: Any) -> Any:
    return _app("lambda_http_v2", event.pop("row"))(event, context)
