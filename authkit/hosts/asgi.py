"""ASGI apps: http, websocket and lifespan (the asgiref specification, HTTP & WebSocket 2.x). Every other scope type is refused.

Whether a call is a request is decided by `scope["type"]` alone: the method, headers and path are the client's word.
"""

from __future__ import annotations

from .. import _audit
from .._run import arun
from .._state import State
from ..errors import BodyTooLarge, ConfigurationError, RequestError, SecretNotFound, Unavailable
from ..http import Headers, Request, Response
from ._fields import changed_lines
from ._host import Host, replace_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from typing import Any, TypeAlias

    from ._host import Args, Kwargs, Reply

    Scope: TypeAlias = dict[str, Any]
    Message: TypeAlias = dict[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[Any]]
    Send: TypeAlias = Callable[[Any], Awaitable[Any]]
    Pairs: TypeAlias = list[tuple[bytes, bytes]]

KEY = "authkit"  # where the scope carries our state: a copy of the scope by a middleware carries it on
POLICY_VIOLATION = 1008  # websocket close code, RFC 6455 section 7.4.1
_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


class Disconnected(RequestError):
    """The client went away before its body was read: there is nobody to answer, and the handler is not entered."""

    default_reason = "client_disconnected"


class RawHeaders(Headers):
    """Headers over ASGI's list of byte pairs: one look-up scans the list, which is cheaper than a map of all of it."""

    __slots__ = ("_raw",)
    _raw: Iterable[tuple[bytes, bytes]]

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    def get_all(self, name: str) -> list[str]:
        wanted = name.lower().encode()
        size = len(wanted)
        found: list[str] = []
        for key, value in self._raw:  # a loop, because a comprehension's own frame costs as much as this scan
            if len(key) == size and key.lower() == wanted:
                found.append(value.decode("latin-1"))
        return found

    def names(self) -> Iterable[str]:
        return dict.fromkeys(key.decode("latin-1").lower() for key, _ in self._raw)


def raw_path(scope: Mapping[str, Any]) -> str | None:
    """The path as sent, without its query, which older test clients and some servers leave on."""
    sent = scope.get("raw_path")
    return sent.partition(b"?")[0].decode("latin-1") if isinstance(sent, bytes) else None


class AsgiRequest(Request):
    """A connection. `taken`: the messages that a guard has received already, which the app is to receive again."""

    __slots__ = ("scope", "receive", "send", "before", "taken")
    scope: Scope
    receive: Receive
    send: Send
    before: Args  # what stood before the scope in the call: the instance of a bound method
    taken: list[Message] | None

    def __init__(self, scope: Scope, receive: Receive, send: Send, host: str, native: Any, before: Args = ()) -> None:
        # Request's own constructor is left out, and what few guards ask for is read when they do: this is every request's cost.
        # The path is read now, because routers write to the scope.
        websocket = scope["type"] == "websocket"
        self.host = host
        self.method = "GET" if websocket else scope["method"]
        self.path = route_path(scope) if scope.get("root_path") else scope["path"]
        self.websocket = websocket
        self.native = native
        self.state = None
        self._headers = None
        self._query = None
        self._body = None
        self.scope = scope
        self.receive = receive
        self.send = send
        self.before = before
        self.taken = None

    @property
    def raw_path(self) -> str | None:  # type: ignore[override]
        return raw_path(self.scope)

    @property
    def whole_path(self) -> str:
        root: str = self.scope.get("root_path") or ""
        path: str = self.scope["path"]
        return path if not root or route_path(self.scope) != path else root.rstrip("/") + path  # older servers leave it out

    @property
    def query_string(self) -> str:  # type: ignore[override]
        sent: bytes = self.scope.get("query_string", b"")
        return sent.decode("latin-1")

    @property
    def peer(self) -> str | None:  # type: ignore[override]
        client = self.scope.get("client")
        return client[0] or None if client else None  # None or empty on a unix socket

    @property
    def peer_is_socket(self) -> bool:  # type: ignore[override]
        client = self.scope.get("client")
        return not client or client[1] != 0  # port 0: uvicorn has put what a proxy's header says in the socket's place

    @property
    def scheme(self) -> str:  # type: ignore[override]
        scheme: str = self.scope.get("scheme", "http")
        return {"ws": "http", "wss": "https"}.get(scheme, scheme)

    def _read_headers(self) -> Headers:
        return RawHeaders(self.scope.get("headers", ()))

    def _read_params(self) -> Mapping[str, Any]:
        return self.scope.get("path_params") or {}

    def _read_route(self) -> str | None:
        route = self.scope.get("route")  # where the framework leaves it: known once the app has run
        found = getattr(route, "path", None)
        return found if isinstance(found, str) else None

    async def _read_body(self, limit: int) -> bytes:
        """What the client sends, as far as the limit goes; every message taken is there for the app again."""
        if self.websocket:
            return b""
        declared = self.headers.get("content-length")
        if declared is not None and declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
            raise BodyTooLarge
        size = 0
        more = True
        taken = self.taken = []
        while more:
            message = await self.receive()
            taken.append(message)
            if message["type"] != "http.request":
                raise Disconnected
            size += len(message.get("body", b""))
            if size > limit:
                raise BodyTooLarge
            more = message.get("more_body", False)
        whole = b"".join([message.get("body", b"") for message in taken])
        taken[:] = [{"type": "http.request", "body": whole, "more_body": False}]
        return whole


class Lifespan(AsgiRequest):
    """Start-up and shut-down of an app: no request."""

    __slots__ = ()
    lifespan = True

    def __init__(self, scope: Scope, receive: Receive, send: Send, before: Args) -> None:
        super().__init__({"type": "lifespan", "method": "", "path": "/"}, receive, send, "asgi", scope, before)
        self.scope = scope


def route_path(scope: Scope) -> str:
    """The path that the app's router sees: below the mount (`root_path`), whether or not the server repeats that in `path`."""
    path: str = scope["path"]
    root: str | None = scope.get("root_path")
    if root and path.startswith(root):
        rest = path[len(root) :]
        if not rest or rest[0] == "/":
            return rest
    return path


def replay(taken: list[Message] | None, receive: Receive) -> Receive:
    """`receive`, with the messages that were taken from it put back in front."""
    waiting = iter(taken or ())

    async def again() -> Any:
        for message in waiting:
            return message
        return await receive()

    return again


class Asgi(Host):
    name = "asgi"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        if kwargs:
            if kwargs.keys() != {"scope", "receive", "send"}:
                return None
            args = (*args, kwargs["scope"], kwargs["receive"], kwargs["send"])
        before: Args = ()
        if len(args) != 3:
            if len(args) != 4:
                return None
            before, args = args[:1], args[1:]
        if not isinstance(args[0], dict) or not callable(args[1]) or not callable(args[2]):
            return None
        scope, receive, send = args
        kind = scope.get("type")
        if kind == "http" or kind == "websocket":
            return AsgiRequest(scope, receive, send, "asgi", scope, before)
        if kind == "lifespan":
            return Lifespan(scope, receive, send, before)
        if isinstance(kind, str):
            raise TypeError(f"ASGI scope type {kind[:40]!r} is neither http, websocket nor lifespan: it cannot be guarded")
        return None

    def find_state(self, request: Request) -> State | None:
        assert isinstance(request, AsgiRequest)
        state = request.scope.get(KEY)
        return state if isinstance(state, State) else None

    def keep_state(self, request: Request, state: State) -> None:
        assert isinstance(request, AsgiRequest)
        request.scope[KEY] = state

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        assert isinstance(request, AsgiRequest)
        gone = {name.encode("latin-1", "replace") for name in names}
        kept = [pair for pair in request.scope.get("headers", ()) if pair[0].lower() not in gone]
        request.native = request.scope = {**request.scope, "headers": kept}
        return (*request.before, request.scope, request.receive, request.send), {}

    @staticmethod
    def awaits(handler: Any, args: Args) -> bool:
        """Every ASGI server awaits what the app returns, also that of a plain function."""
        return True

    async def arefuse(self, request: Request, response: Response) -> None:
        assert isinstance(request, AsgiRequest)
        await send_refusal(request.scope, request.receive, request.send, response)

    async def aenter(
        self, request: Request, handler: Callable[..., Coroutine[Any, Any, Any]], args: Args, kwargs: Kwargs, reply: Reply
    ) -> Any:
        assert isinstance(request, AsgiRequest)
        wanted = reply.wanted
        if wanted or request.taken:
            receive = replay(request.taken, request.receive) if request.taken else request.receive
            send = answering(request.send, reply) if wanted else request.send
            args, kwargs = (*request.before, request.scope, receive, send), _beside(kwargs)
        return await handler(*args, **kwargs)

    async def live(self, request: Request, app: Callable[..., Any], aprepare: Callable[[], Coroutine[Any, Any, None]]) -> Any:
        """Warm the chain up before the app starts. A wrong setting fails the start; what is unavailable now may come back."""
        assert isinstance(request, AsgiRequest)
        first = await request.receive()
        if first["type"] == "lifespan.startup":
            try:
                await aprepare()
            except (ConfigurationError, SecretNotFound) as error:
                await request.send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            except Unavailable as error:
                _audit.warn("guards could not be warmed up at start-up: %s", error)
            except Exception as error:  # servers take a lifespan that only raises for one that the app does not have
                message = f"{type(error).__name__} while guards were warmed up"
                await request.send({"type": "lifespan.startup.failed", "message": message})
                raise
        await app(*request.before, request.scope, replay([first], request.receive), request.send)


def _beside(kwargs: Kwargs) -> Kwargs:
    """What guards filled in, without the three arguments of the call itself."""
    return {name: value for name, value in kwargs.items() if name not in ("scope", "receive", "send")} if kwargs else kwargs


def encoded(lines: Iterable[tuple[str, str]]) -> Pairs:
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in lines]


def decoded(pairs: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


def refusal_headers(response: Response) -> Pairs:
    """The headers of a refusal, with the length that it has."""
    if "content-length" not in response.headers and response.status not in (204, 304):
        response.headers["content-length"] = str(len(response.body))
    return encoded(response.headers.items())


async def send_refusal(scope: Mapping[str, Any], receive: Receive, send: Send, response: Response) -> None:
    """Answer in place of the app. A websocket is refused before it is accepted."""
    prefix = ""
    if scope["type"] == "websocket":
        if (await receive())["type"] != "websocket.connect":
            return
        if "websocket.http.response" not in (scope.get("extensions") or ()):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        prefix = "websocket."
    headers = refusal_headers(response)
    await send({"type": prefix + "http.response.start", "status": response.status, "headers": headers})
    await send({"type": prefix + "http.response.body", "body": response.body})


def answering(send: Send, reply: Reply) -> Send:
    """`send`, letting `reply` at the start of the response."""
    started = False

    async def sender(message: Any) -> None:
        nonlocal started
        if not started:
            kind = message["type"]
            if kind in _STARTS:
                started = True
                message = _with_reply(message, reply)
            elif kind == "websocket.close":  # before it was accepted: servers answer 403 (the ASGI specification, "Close")
                started = True
                reply.apply(Response(403))
        elif reply.state.settles and message["type"] == "http.response.body" and not message.get("more_body"):
            await arun(reply.settle())  # the last part: whoever gets it has the whole response
        await send(message)

    return sender


def _with_reply(message: Message, reply: Reply) -> Message:
    response = Response(message.get("status", 101))
    before = decoded(message.get("headers") or ())
    replace_headers(response, iter(before))
    reply.apply(response)
    after = changed_lines(before, response.headers)
    return message if after is before else {**message, "headers": encoded(after)}


HOST = Asgi()
