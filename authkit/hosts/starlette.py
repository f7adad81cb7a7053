"""Endpoints of Starlette and FastAPI: functions, methods of an `HTTPEndpoint`, websocket endpoints; sync and async."""

from __future__ import annotations

from starlette.background import BackgroundTask, BackgroundTasks
from starlette.requests import HTTPConnection
from starlette.requests import Request as StarletteNative
from starlette.responses import Response as StarletteResponse
from starlette.websockets import WebSocket

from .._run import blocking, may_await
from .._state import State, current
from ..errors import BodyTooLarge, BodyUnavailable
from ..http import Request, Response
from ._fields import changed_lines
from ._host import Host, replace_headers
from ._starlette_refusal import as_response, is_endpoint, refuse_websocket, stop
from ._stream import AsyncInState
from .asgi import KEY, AsgiRequest, Disconnected, answering, decoded, encoded, replay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from ._host import Args, Kwargs, Reply

# The parameters that `fastapi.fit_signature` adds to a signature, so that FastAPI hands us what it hands to nobody unasked.
REQUEST, RESPONSE = "authkit_request", "authkit_response"


class StarletteRequest(AsgiRequest):
    """A Starlette `Request` or `WebSocket`. `injected`: the response whose headers FastAPI adds to what an endpoint returns."""

    __slots__ = ("injected",)
    injected: StarletteResponse  # not there outside FastAPI

    async def _read_body(self, limit: int) -> bytes:
        connection = self.native
        if self.websocket:
            return b""
        read_before: bytes | None = getattr(connection, "_body", None)
        if read_before is not None:  # FastAPI reads it for its own parameters, before it calls the endpoint
            return read_before
        if connection._stream_consumed:
            raise BodyUnavailable(
                "the body was read before the guard came to it (FastAPI reads a form before it calls anything): guard the app"
            )
        read = super()._read_body
        try:
            body: bytes
            if await may_await():
                body = await read(limit)
            else:  # a sync endpoint on its worker thread: the loop that owns the connection reads it
                from anyio import from_thread

                body = await blocking(from_thread.run, read, limit)
        except (BodyTooLarge, Disconnected):
            connection._receive = replay(self.taken, self.receive)  # a guard in shadow mode lets the endpoint go on
            raise
        connection._body = body
        connection._stream_consumed = True
        return body


class InStateTasks(BackgroundTasks):
    """Background tasks that run with `state` current; tasks added later are among them."""

    def __init__(self, first: BackgroundTask, state: State) -> None:
        super().__init__([first])
        self.state = state
        self.func: Any = getattr(first, "func", None)  # FastAPI's telemetry names the task by it

    async def __call__(self) -> None:
        token = current.set(self.state)
        try:
            await super().__call__()
        finally:
            current.reset(token)


def is_connection(value: object) -> bool:
    """Whether it is a `Request` or a `WebSocket`. Their base is an abstract class, for which `isinstance` is slow."""
    kind = type(value)
    return kind is StarletteNative or kind is WebSocket or isinstance(value, HTTPConnection)


class Starlette(Host):
    name = "starlette"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        found: Any = None
        if args:
            found = args[0]  # (request), or (self, request)
            if not is_connection(found):
                found = args[1] if len(args) > 1 and is_connection(args[1]) else None
        if found is None and kwargs:
            found = kwargs.get(REQUEST)
            if found is None:
                found = next((value for value in kwargs.values() if is_connection(value)), None)
        return None if found is None else StarletteRequest(found.scope, found._receive, found._send, "starlette", found)

    def find_state(self, request: Request) -> State | None:
        state = request.native.scope.get(KEY)
        return state if isinstance(state, State) else None

    def keep_state(self, request: Request, state: State) -> None:
        request.native.scope[KEY] = state

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        """Take the headers out of the request object. FastAPI has read its `Header()` parameters by now; they stay."""
        connection = request.native
        gone = {name.encode("latin-1", "replace") for name in names}
        connection.scope["headers"] = [pair for pair in connection.scope["headers"] if pair[0].lower() not in gone]
        for cached in ("_headers", "_cookies"):
            connection.__dict__.pop(cached, None)
        return args, kwargs

    def refuse(self, request: Request, response: Response) -> Any:
        if request.state is not None and not is_endpoint(request.native, request.state.handler):
            stop(request.native, response)
        return as_response(response)

    async def arefuse(self, request: Request, response: Response) -> Any:
        if not request.websocket:
            return self.refuse(request, response)
        if request.state is not None and not is_endpoint(request.native, request.state.handler):
            stop(request.native, response)
        await refuse_websocket(request.native, response)
        return None

    def enter(self, request: Request, handler: Callable[..., Any], args: Args, kwargs: Kwargs, reply: Reply) -> Any:
        if kwargs:
            kwargs = _handlers_own(request, handler, kwargs)
        return self._finish_all(request, handler(*args, **kwargs), kwargs, reply)

    async def aenter(
        self, request: Request, handler: Callable[..., Coroutine[Any, Any, Any]], args: Args, kwargs: Kwargs, reply: Reply
    ) -> Any:
        if kwargs:
            kwargs = _handlers_own(request, handler, kwargs)
        if request.websocket:
            if reply.wanted:
                request.native._send = answering(request.native._send, reply)
            return await handler(*args, **kwargs)
        result = await handler(*args, **kwargs)
        if not kwargs and not reply.wanted and not reply.holding:  # nearly every endpoint of Starlette
            return self.in_context(result, reply.state)
        return self._finish_all(request, result, kwargs, reply)

    def _finish_all(self, request: Request, result: Any, kwargs: Kwargs, reply: Reply) -> Any:
        if kwargs:
            for value in kwargs.values():
                if isinstance(value, BackgroundTasks) and value.tasks:  # FastAPI's injected ones run after the response
                    value.tasks[:] = [InStateTasks(task, reply.state) for task in value.tasks]
        return self.finish(request, result, reply)

    def view(self, request: Request, result: Any) -> Response:
        assert isinstance(request, StarletteRequest)
        if isinstance(result, StarletteResponse):
            response = Response(result.status_code)
            raw = result.raw_headers
        else:  # FastAPI makes the response of a value, with the headers of the injected one
            injected = getattr(request, "injected", None)
            route = request.scope.get("route")
            response = Response((injected.status_code if injected else None) or getattr(route, "status_code", None) or 200)
            raw = injected.raw_headers if injected else []
        replace_headers(response, iter(decoded(raw)))
        return response

    def update(self, request: Request, result: Any, response: Response) -> Any:
        assert isinstance(request, StarletteRequest)
        if isinstance(result, StarletteResponse):
            result = _copy(result)
            result.raw_headers = encoded(changed_lines(decoded(result.raw_headers), response.headers))
        elif hasattr(request, "injected"):
            raw = request.injected.raw_headers
            raw[:] = encoded(changed_lines(decoded(raw), response.headers))
        return result

    def in_context(self, result: Any, state: State) -> Any:
        if isinstance(result, StarletteResponse):
            body = getattr(result, "body_iterator", None)
            if body is not None:
                result = _copy(result)
                result.body_iterator = AsyncInState(body, state)
            if result.background is not None:
                result = _copy(result)
                result.background = InStateTasks(result.background, state)
        return result

    def held(self, result: Any, reply: Reply) -> Any:
        if isinstance(result, StarletteResponse):
            kind = type(result)
            result = _copy(result)
            result.__class__ = _holding(kind)
            result._authkit_done = reply.hold(whole=kind.__call__ is StarletteResponse.__call__)  # else it streams, or may
        return result


_holding_kinds: dict[type, type] = {}


def _holding(kind: Any) -> type:
    """This kind of response, calling `_authkit_done` when it has been sent, or has failed, or its client is gone."""
    found = _holding_kinds.get(kind)
    if found is None:

        async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
            try:
                await kind.__call__(self, scope, receive, send)
            finally:
                self._authkit_done()

        found = _holding_kinds[kind] = type(kind.__name__, (kind,), {"__call__": call, "__module__": kind.__module__})
    return found


def _copy(response: StarletteResponse) -> Any:
    """A handler may return one response object for ever: what belongs to this request goes on a copy."""
    copy = object.__new__(type(response))
    copy.__dict__.update(response.__dict__)
    copy.__dict__.pop("_headers", None)  # a view of the list that it no longer has
    copy.raw_headers = list(response.raw_headers)
    return copy


def _handlers_own(request: Request, handler: Callable[..., Any], kwargs: Kwargs) -> Kwargs:
    """The handler's own keywords: without those that only we asked FastAPI for."""
    assert isinstance(request, StarletteRequest)
    injected = kwargs.get(RESPONSE)
    if injected is None:
        injected = next((value for value in kwargs.values() if isinstance(value, StarletteResponse)), None)
    if injected is not None:
        request.injected = injected
    if (REQUEST in kwargs or RESPONSE in kwargs) and not passes_on(handler):
        kwargs.pop(REQUEST, None)  # from the dictionary of this one call
        kwargs.pop(RESPONSE, None)
    return kwargs


def passes_on(handler: Any) -> bool:
    """Whether another guarded handler stands below this one, behind a foreign decorator, and wants those keywords itself."""
    below = getattr(handler, "__wrapped__", None)
    while below is not None:
        if getattr(getattr(below, "__authkit__", None), "wrapper", None) is below:
            return True
        below = getattr(below, "__wrapped__", None)
    return False


HOST = Starlette()
