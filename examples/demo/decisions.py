"""Which guard decided what: the audit events and warnings of the service, kept by the request that they are about.

For the demo alone: a service writes its audit events to a log, and never shows them to clients.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NAME = "x-demo-request"  # the header in which a client names its request
KEPT = 500  # requests, the newest
_ID = re.compile(rb"[0-9a-f]{32}")  # 128 random bits: nobody reads the decisions of another's page
_asked: ContextVar[str | None] = ContextVar("asked", default=None)


class Decisions(logging.Handler):
    """Hears the logger `authkit` and below it `authkit.audit`. `serving(app)` is the ASGI app whose requests it tells apart."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        kept = self._kept.get(_asked.get() or "")
        if kept is None:
            return
        if hasattr(record, "authkit"):
            kept["events"].append(record.authkit)
        else:
            kept["warnings"].append(record.getMessage())

    def of(self, request: str) -> dict[str, Any]:
        """Of this request {"events": audit events, "warnings": texts, "headers": [[name, value]] as they arrived}.

        Raises: `KeyError`.
        """
        return self._kept[request]

    def serving(self, app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            named = [value for name, value in scope.get("headers", ()) if name == NAME.encode()]
            if len(named) != 1 or not _ID.fullmatch(named[0]):
                return await app(scope, receive, send)
            request = named[0].decode()
            self._kept[request] = {"events": [], "warnings": [], "headers": [shown(*header) for header in scope["headers"]]}
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            token = _asked.set(request)
            try:
                return await app(scope, receive, send)
            finally:
                _asked.reset(token)

        return asgi


def shown(name: bytes, value: bytes) -> list[str]:
    """A header as the page may show it: of a token, its two ends, by which it can be told from another."""
    text = value.decode("latin-1")
    if name == b"authorization" and len(text) > 40:
        text = f"{text[:15]}...{text[-8:]} ({len(text)} characters)"
    return [name.decode("latin-1"), text]
