"""Django: sync and async views, class-based views, `method_decorator`; `MIDDLEWARE = ["project.security.api"]`."""

from __future__ import annotations

import sys

from .._run import blocking
from .._state import State, current
from ..errors import BodyTooLarge, BodyUnavailable, MalformedRequest
from ..http import Headers, Request, Response
from . import asgi, wsgi
from ._fields import changes
from ._host import Host, replace_headers
from ._stream import AsyncInState, InState
from .asgi import KEY as SCOPE_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ._host import Args, Kwargs, Reply


class DjangoRequest(wsgi.WsgiRequest):
    """An `HttpRequest`; `environ` is its META."""

    __slots__ = ()

    @property
    def raw_path(self) -> str | None:  # type: ignore[override]
        scope = getattr(self.native, "scope", None)
        if scope is None:
            return wsgi.raw_path(self.environ)
        return asgi.raw_path(scope)

    @property
    def scheme(self) -> str:  # type: ignore[override]
        return self.native.scheme or "http"  # with SECURE_PROXY_SSL_HEADER, where Django is told to trust one

    def _read_params(self) -> Mapping[str, Any]:
        match = self.native.resolver_match
        return {} if match is None else match.kwargs

    def _read_route(self) -> str | None:
        match = self.native.resolver_match
        return None if match is None else match.route

    async def _read_body(self, limit: int) -> bytes:
        declared = wsgi.content_length(self.environ)
        if declared is not None and declared > limit:
            raise BodyTooLarge
        if declared is None and "HTTP_TRANSFER_ENCODING" in self.environ and not hasattr(self.native, "scope"):
            raise MalformedRequest("body_length_unknown")  # Django reads no chunked body from WSGI: it would see an empty one
        body = await blocking(self._read_native, limit)
        if declared is not None and len(body) < declared:
            raise MalformedRequest("body_truncated")
        return body

    def _read_native(self, limit: int) -> bytes:
        from io import BytesIO

        native = self.native
        try:
            if hasattr(native, "_body") or wsgi.content_length(self.environ) is not None or not hasattr(native, "scope"):
                body: bytes = native.body
                return body
            if native._read_started:
                raise BodyUnavailable(_GONE)
            body = native.read(limit + 1)  # no length was declared, and Django's own `body` would read without a limit
            if len(body) > limit:
                native._stream.seek(0)
                native._read_started = False
                raise BodyTooLarge
        except sys.modules["django.core.exceptions"].RequestDataTooBig:
            raise BodyTooLarge from None
        except sys.modules["django.http"].RawPostDataException:
            raise BodyUnavailable(_GONE) from None
        native._body, native._stream = body, BytesIO(body)
        return body


_async_views: dict[type, bool] = {}  # Django works this out from the class's methods whenever it is asked
_GONE = "the body was read before the guard came to it: put the guard outside of what reads it"


class Django(Host):
    name = "django"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        kind = sys.modules["django.http"].HttpRequest
        for native in args[:2]:  # second in a method that was decorated directly
            if isinstance(native, kind):
                break
        else:
            return None
        meta = native.META
        request = DjangoRequest.__new__(DjangoRequest)
        request.host = "django"
        request.native = native
        request.environ = meta
        request.start_response = None
        request.method = native.method or ""
        request.path = native.path_info
        request.query_string = meta.get("QUERY_STRING", "")
        request.peer = meta.get("REMOTE_ADDR") or None
        request.peer_is_socket = True
        request.websocket = False
        request.state = request._headers = request._query = request._body = None
        return request

    def find_state(self, request: Request) -> State | None:
        native = request.native
        state: State | None = wsgi.find_state(native.META)  # under WSGI this is the environ
        if state is None and hasattr(native, "scope"):
            state = native.scope.get(SCOPE_KEY)
        return state

    def keep_state(self, request: Request, state: State) -> None:
        request.native.META[wsgi.KEY] = state

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        native = request.native
        request._headers = Headers(list(request.headers.items()))  # the guards still see what was sent
        wsgi.hide(native.META, names)
        for kept in ("headers", "accepted_types", "accepted_types_by_precedence"):  # what Django has derived from headers
            native.__dict__.pop(kept, None)
        if "content-type" in names:
            native.content_type, native.content_params = "", {}
        if "cookie" in names:
            native.__dict__.pop("COOKIES", None)
        scope = getattr(native, "scope", None)
        if scope is not None:
            hidden = {name.encode("latin-1") for name in names}
            native.scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() not in hidden]}
        return args, kwargs

    def refuse(self, request: Request, response: Response) -> Any:
        made = sys.modules["django.http"].HttpResponse(response.body, status=response.status)
        del made["Content-Type"]
        _set(made, {name: response.headers.get_all(name) for name in response.headers.names()})
        return made

    @staticmethod
    def awaits(handler: Any, args: Args) -> bool:
        """Whether this is `dispatch` of an async class-based view: a plain function that returns a coroutine."""
        if getattr(handler, "__name__", "") != "dispatch":
            return False
        while hasattr(handler, "func"):  # `method_decorator` hands over a partial of the bound method
            handler = handler.func
        owner = type(getattr(handler, "__self__", None) or args[0])
        found = _async_views.get(owner)
        if found is None:
            found = bool(getattr(owner, "view_is_async", False))
            if len(_async_views) < 1024:
                _async_views[owner] = found
        return found

    def view(self, request: Request, result: Any) -> Response:
        response = Response(result.status_code)
        replace_headers(response, iter(_lines(result)))
        return response

    def update(self, request: Request, result: Any, response: Response) -> Any:
        _set(result, changes(_lines(result), response.headers))
        return result

    def in_context(self, result: Any, state: State) -> Any:
        if getattr(result, "streaming", False) and getattr(result, "file_to_stream", None) is None:
            kind = AsyncInState if result.is_async else InState
            result._iterator = kind(result._iterator, state)
            result._resource_closers = [_InState(closer, state) for closer in result._resource_closers]
        return result

    def held(self, result: Any, reply: Reply) -> Any:
        if getattr(result, "streaming", False):
            result._resource_closers.append(reply.hold())  # what Django calls when it closes the response, sent or not
        return result


def _lines(response: Any) -> list[tuple[str, str]]:
    """The response's header lines; Django keeps its cookies apart from them."""
    lines = list(response.items())
    lines.extend(("set-cookie", cookie.OutputString()) for cookie in response.cookies.values())
    return lines


def _set(response: Any, fields: Mapping[str, list[str]]) -> None:
    """Put these fields on the response. Django has one value a name, and cookies as objects."""
    for name, values in fields.items():
        if name == "set-cookie":
            response.cookies.clear()
            for place, value in enumerate(values):
                dict.__setitem__(response.cookies, _cookie_key(response, value, place), _line(value))
        elif values:
            response[name] = ", ".join(values)
        else:
            del response[name]


def _cookie_key(response: Any, line: str, place: int) -> str:
    name = line.partition("=")[0]
    return name if name not in response.cookies else f"{name};{place}"  # two lines of one name are kept, as on other hosts


def _line(value: str) -> Any:
    """A cookie that is sent as it was written."""
    from http.cookies import Morsel

    class Line(Morsel[str]):
        def OutputString(self, attrs: Any = None) -> str:
            return value

    line: Any = Line()
    name, _, rest = value.partition("=")
    sent = rest.partition(";")[0]
    line.__setstate__({"key": name, "value": sent, "coded_value": sent})
    return line


class _InState:
    """A call made with `state` current."""

    __slots__ = ("_call", "_state")

    def __init__(self, call: Callable[[], Any], state: State) -> None:
        self._call = call
        self._state = state

    def __call__(self) -> Any:
        token = current.set(self._state)
        try:
            return self._call()
        finally:
            current.reset(token)


HOST = Django()
