"""Refusals under Starlette and FastAPI: as a response where the endpoint is guarded, as an exception everywhere else.

A guarded dependency cannot return its refusal: FastAPI would hand it to the endpoint as a value, and run that. It raises an
exception, for which a handler is put beside the app's own when it is first needed, so that nobody has to register one.
"""

from __future__ import annotations

import sys
from functools import cache, partial

from starlette.exceptions import HTTPException
from starlette.responses import Response as StarletteResponse
from starlette.websockets import WebSocket, WebSocketState

from .asgi import POLICY_VIOLATION, refusal_headers, send_refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from starlette.requests import HTTPConnection

    from ..http import Response

_HANDLERS = "starlette.exception_handlers"  # in the scope: the app's handlers by class, and by status


class _Status(int):
    """An HTTP status that no handler registered by number is found for: a refusal has the same bytes in every form."""

    def __hash__(self) -> int:
        return hash(("authkit", int(self)))


@cache
def refused_type(base: type[HTTPException]) -> type[HTTPException]:
    """An exception that carries a refusal. An `HTTPException`, so that dependencies that `yield` take it for an answer."""

    class Refused(base):  # type: ignore[valid-type,misc]
        def __init__(self, response: Response) -> None:
            super().__init__(_Status(response.status), detail="refused")
            self.response = response

    return Refused


def as_response(response: Response) -> StarletteResponse:
    """The refusal in Starlette's form, with exactly its own headers."""
    raw = refusal_headers(response)
    answer = StarletteResponse(response.body, response.status)
    answer.raw_headers = raw
    return answer


async def _render(connection: Any, error: Any) -> StarletteResponse | None:
    if isinstance(connection, WebSocket):
        await refuse_websocket(connection, error.response)
        return None
    return as_response(error.response)


def stop(connection: HTTPConnection, response: Response) -> NoReturn:
    """Raise the refusal, having seen to it that this app renders it."""
    fastapi = sys.modules.get("fastapi.exceptions")
    refused = refused_type(HTTPException if fastapi is None else fastapi.HTTPException)
    handlers = connection.scope.get(_HANDLERS)
    if handlers is not None:
        handlers[0].setdefault(refused, _render)
    raise refused(response)  # type: ignore[arg-type]


def is_endpoint(connection: HTTPConnection, handler: Any) -> bool:
    """Whether `handler` is what the route calls (perhaps through decorators), so that its return value is the answer."""
    if _HANDLERS not in connection.scope:
        return True
    found = connection.scope.get("endpoint")
    if found is None or isinstance(found, type):  # a class endpoint calls its own methods
        return True
    for _ in range(100):
        found = getattr(found, "__func__", found)
        if found is handler or found is getattr(handler, "__func__", handler):
            return True
        below = found.func if isinstance(found, partial) else getattr(found, "__wrapped__", None)
        if below is None:
            return False
        found = below
    return False


async def refuse_websocket(socket: WebSocket, response: Response) -> None:
    """Refuse before the socket is accepted; one that somebody has accepted is closed."""
    if socket.application_state == WebSocketState.CONNECTED:
        await socket.close(POLICY_VIOLATION)
    elif socket.client_state == WebSocketState.CONNECTED:  # "websocket.connect" has been received

        async def connect() -> Any:
            return {"type": "websocket.connect"}

        await send_refusal(socket.scope, connect, socket.send, response)
    else:
        await send_refusal(socket.scope, socket.receive, socket.send, response)
