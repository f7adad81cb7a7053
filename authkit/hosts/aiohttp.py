"""aiohttp handlers: coroutine functions, methods, and methods of `web.View`.

What the chain adds to a response that the handler has prepared itself (`StreamResponse.prepare`, a websocket) comes too late
and is not sent. `drop_headers` covers the request object that the handler is given. `Content-Encoding` bodies are refused where
a guard reads the body: aiohttp has decompressed them, and the bytes that were signed are gone.
"""

from __future__ import annotations

import sys

from .._state import State
from ..errors import BodyTooLarge, BodyUnavailable, MalformedRequest
from ..http import Headers, Request, Response
from . import wsgi
from ._fields import changes
from ._host import Host, replace_headers
from ._stream import AsyncHolding, AsyncInState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from typing import Any

    from ._host import Args, Kwargs, Reply


class _Headers(Headers):
    """aiohttp's own multi-dict, looked up where it is."""

    __slots__ = ("_native",)

    def __init__(self, native: Any) -> None:
        self._native = native

    def get_all(self, name: str) -> list[str]:
        found: list[str] = self._native.getall(name, [])
        return found

    def names(self) -> Iterable[str]:
        return dict.fromkeys(name.lower() for name in self._native)


class AiohttpRequest(Request):
    __slots__ = ()

    def _read_headers(self) -> Headers:
        return _Headers(self.native.headers)

    def _read_params(self) -> Mapping[str, Any]:
        found = self.native._match_info
        return {} if found is None else dict(found)

    def _read_route(self) -> str | None:
        found = self.native._match_info
        resource = None if found is None else found.route.resource
        return None if resource is None else resource.canonical

    async def _read_body(self, limit: int) -> bytes:
        native = self.native
        declared = native.content_length
        if declared is not None and declared > limit:
            raise BodyTooLarge
        if native._message.compression:
            raise MalformedRequest("body_was_decompressed")
        if native._read_bytes is not None:
            kept: bytes = native._read_bytes
            return kept
        stream = native.content
        if not native.body_exists:
            return b""
        if native._post is not None or getattr(stream, "_cursor", 0) > 0:
            raise BodyUnavailable("the body was read before the guard came to it: put the guard outside of what reads it")
        parts: list[bytes] = []
        size = 0
        while part := await stream.readany():
            parts.append(part)
            size += len(part)
            if size > limit:
                _put_back(stream, b"".join(parts))  # for whoever goes on all the same: a chain in shadow
                raise BodyTooLarge
        body = b"".join(parts)
        if declared is not None and len(body) != declared:
            raise MalformedRequest("body_truncated")
        native._read_bytes = body
        _put_back(stream, body)
        return body


def _put_back(stream: Any, data: bytes) -> None:
    """Let the handler stream the body once more (`request.content`, `multipart()`)."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        stream.unread_data(data)


def _key() -> Any:
    """Where the state stands in a request: a key of aiohttp's own kind where it has one, which text is deprecated for."""
    global _KEY
    if _KEY is None:
        kind = getattr(sys.modules["aiohttp.web"], "RequestKey", None)
        _KEY = wsgi.KEY if kind is None else kind("authkit_state", State)
    return _KEY


_KEY: Any = None


class Aiohttp(Host):
    name = "aiohttp"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        web = sys.modules["aiohttp.web"]
        for native in args[:2]:
            if isinstance(native, web.View):
                native = native.request
            if isinstance(native, web.Request):
                break
        else:
            return None
        return AiohttpRequest(
            native.method, native.path, host="aiohttp", raw_path=_raw_path(native.raw_path),
            query_string=_raw_query(native.raw_path), peer=native.remote or None, scheme=native.scheme, native=native,
        )  # fmt: skip

    def find_state(self, request: Request) -> State | None:
        state = request.native.get(_key())
        return state if isinstance(state, State) else None

    def keep_state(self, request: Request, state: State) -> None:
        request.native[_key()] = state

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        native = request.native
        body, native._read_bytes = native._read_bytes, None  # clone() refuses a request that has been read
        headers = native.headers.copy()  # a multidict: aiohttp 3.10.0 takes no list of pairs
        for name in names:
            headers.popall(name, None)
        seen = native.clone(headers=headers)
        native._read_bytes = seen._read_bytes = body
        found = list(args)
        for place, item in enumerate(args[:2]):
            if item is native:
                found[place] = seen
                break
            if getattr(item, "_request", None) is native:
                item._request = seen
                break
        return tuple(found), kwargs

    def refuse(self, request: Request, response: Response) -> Any:
        made = sys.modules["aiohttp.web"].Response(body=response.body, status=response.status)
        made.headers.popall("content-type", None)
        made.headers.extend(response.headers.items())
        return made

    async def aenter(
        self, request: Request, handler: Callable[..., Coroutine[Any, Any, Any]], args: Args, kwargs: Kwargs, reply: Reply
    ) -> Any:
        try:
            result = await handler(*args, **kwargs)
        except sys.modules["aiohttp.web"].HTTPException as answer:
            reply.state.status = answer.status
            raise
        return self.finish(request, result, reply)

    def view(self, request: Request, result: Any) -> Response:
        response = Response(getattr(result, "status", 200))
        replace_headers(response, iter(_lines(result)))
        return response

    def update(self, request: Request, result: Any, response: Response) -> Any:
        for name, values in changes(_lines(result), response.headers).items():
            if name == "set-cookie":
                values = values[len(result.cookies) :]  # those set with `set_cookie` are sent by themselves
            result.headers.popall(name, None)
            for value in values:
                result.headers.add(name, value)
        return result

    def in_context(self, result: Any, state: State) -> Any:
        body: Any = getattr(result, "body", None)
        source = getattr(body, "_iter", None)  # aiohttp's payload of an async iterable
        if source is not None:
            body._iter = AsyncInState(source, state)
        return result

    def held(self, result: Any, reply: Reply) -> Any:
        body: Any = getattr(result, "body", None)
        source = getattr(body, "_iter", None)
        if source is not None:
            body._iter = AsyncHolding(source, reply.state, reply.hold())
        return result


def _lines(result: Any) -> list[tuple[str, str]]:
    """The response's header lines; cookies set with `set_cookie` are kept apart until it is sent."""
    lines = [("set-cookie", cookie.OutputString()) for cookie in getattr(result, "cookies", {}).values()]
    lines.extend(getattr(result, "headers", {}).items())
    return lines


def _raw_query(target: str) -> str:
    """As it was sent: aiohttp's own `query_string` is decoded, and would be decoded again."""
    return target.partition("#")[0].partition("?")[2]


def _raw_path(target: str) -> str:
    path = target.partition("?")[0]
    return path if path[:1] == "/" else "/" + path.partition("://")[2].partition("/")[2]


HOST = Aiohttp()
