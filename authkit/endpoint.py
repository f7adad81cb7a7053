"""`endpoint`: a handler of ours, `Request -> Response`, for any host."""

from __future__ import annotations

import sys

from . import _refusal
from ._audit import warn
from ._compose import PUBLIC_MARK
from ._run import arun, run
from .decision import Deny
from .errors import ConfigurationError, RequestError, SecretNotFound, Unavailable
from .hosts import named, proxy, recognise
from .http import MAX_BODY, Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any, TypeAlias, overload

    from .hosts._host import Host

    Answer: TypeAlias = Response | Deny | Awaitable[Response | Deny]

_COROUTINE = 0x80  # CO_COROUTINE of the inspect module


def problem(status: int, code: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal of an endpoint: the same problem document as a guard's (RFC 9457)."""
    return _refusal.response(Deny(status, code, headers=headers))


class Endpoint:
    """Serves `fn` on any host: bare on Lambda, ASGI, WSGI, Django and FastAPI, by name where a framework wants its own kind.

    `fn(request) -> Response`, sync (must not block) or async (I/O behind `await blocking(...)`); or a `Deny`, which is answered
    as a guard's. Other methods are answered with 405, a body over `body_limit` bytes with 413, a failed dependency with 503.
    `veto(args)` may raise.
    """

    csrf_exempt = False  # what Django's CsrfViewMiddleware asks a view: True of those that look after themselves

    def __init__(
        self,
        fn: Callable[[Request], Answer],
        *,
        methods: tuple[str, ...] = ("POST",),
        body_limit: int = MAX_BODY,
        veto: Callable[[tuple[Any, ...]], None] | None = None,
    ) -> None:
        self._fn = fn
        self._methods = methods
        self._body_limit = body_limit
        self._veto = veto
        self.__name__ = self.__qualname__ = getattr(fn, "__name__", "endpoint").strip("_")
        self.__doc__ = fn.__doc__

    async def answer(self, request: Request) -> Response:
        """The response to a request of any host."""
        decided = await self.decide(request)
        return _refusal.response(decided) if isinstance(decided, Deny) else decided

    async def decide(self, request: Request) -> Response | Deny:
        """The response of `fn`, or why there is none."""
        try:
            if request.method not in self._methods and not (request.method == "HEAD" and "GET" in self._methods):
                return Deny(405, "method_not_allowed", headers={"allow": ", ".join(self._methods)})
            await request.load_body(self._body_limit)
            answer: Any = self._fn(request)
            decided = await answer if hasattr(answer, "__await__") else answer
            if not isinstance(decided, (Response, Deny)):
                raise TypeError(f"endpoint {self.__name__!r} must return a Response, not {type(decided).__name__}")
            return decided
        except (RequestError, Unavailable, ConfigurationError, SecretNotFound) as error:
            if not isinstance(error, RequestError):
                warn("endpoint %s: %s", self.__name__, error)
            return _refusal.from_error(error)

    def _serve(self, args: tuple[Any, ...], kwargs: dict[str, Any], only: Host | None) -> Any:
        host, request = recognise(args, kwargs, only)
        request.state = host.find_state(request)  # what guards around it have established
        return host.refuse(request, run(self.answer(request)))

    async def _aserve(self, args: tuple[Any, ...], kwargs: dict[str, Any], only: Host | None) -> Any:
        host, request = recognise(args, kwargs, only)
        if request.lifespan:
            return await host.live(request, _live, _nothing)
        request.state = host.find_state(request)
        return await host.arefuse(request, await arun(self.answer(request)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._veto is not None:
            self._veto(args)
        if len(args) == 3 and isinstance(args[0], dict) and "type" in args[0] and callable(args[2]):
            return self._aserve(args, kwargs, named("asgi"))
        return self._serve(args, kwargs, None)

    @property
    def __signature__(self) -> Any:
        """What FastAPI sees: a request, and nothing of the client's."""
        return proxy("fastapi:endpoint_signature")() if "starlette" in sys.modules else None

    def _sync(self, host: str) -> Callable[..., Any]:
        only = named(host)

        def serve(*args: Any, **kwargs: Any) -> Any:
            return self._serve(args, kwargs, only)

        return self._named(serve)

    def _async(self, host: str) -> Callable[..., Any]:
        only = named(host)

        async def serve(*args: Any, **kwargs: Any) -> Any:
            return await self._aserve(args, kwargs, only)

        return self._named(serve)

    def _named(self, serve: Callable[..., Any]) -> Callable[..., Any]:
        serve.__name__ = serve.__qualname__ = self.__name__
        serve.__doc__ = self.__doc__
        if self.csrf_exempt:
            serve.csrf_exempt = True  # type: ignore[attr-defined]
        if PUBLIC_MARK in vars(self):  # in each of its forms it is as open on purpose as it is itself
            setattr(serve, PUBLIC_MARK, vars(self)[PUBLIC_MARK])
        return serve

    @property
    def aws_lambda(self) -> Callable[..., Any]:
        return self._sync("aws_lambda")

    @property
    def wsgi(self) -> Callable[..., Any]:
        return self._sync("wsgi")

    @property
    def flask(self) -> Callable[..., Any]:
        return self._sync("flask")

    @property
    def django(self) -> Callable[..., Any]:
        return self._sync("django")

    @property
    def asgi(self) -> Callable[..., Any]:
        only = named("asgi")

        async def serve(scope: Any, receive: Any, send: Any) -> Any:  # uvicorn tells an app by these parameters
            return await self._aserve((scope, receive, send), {}, only)

        return self._named(serve)

    @property
    def aiohttp(self) -> Callable[..., Any]:
        return self._async("aiohttp")

    @property
    def starlette(self) -> Callable[..., Any]:
        return self._async("starlette")

    @property
    def fastapi(self) -> Callable[..., Any]:
        serve = self._async("starlette")
        serve.__signature__ = proxy("fastapi:endpoint_signature")()  # type: ignore[attr-defined]
        return serve


async def _nothing() -> None:
    """An endpoint has nothing to warm up."""


async def _live(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """The lifespan of an endpoint that is a whole ASGI app by itself."""
    while True:
        phase = (await receive())["type"]
        await send({"type": f"{phase}.complete"})
        if phase == "lifespan.shutdown":
            return


if TYPE_CHECKING:

    @overload
    def endpoint(fn: Callable[[Request], Answer], /) -> Endpoint: ...
    @overload
    def endpoint(
        fn: None = None, /, *, methods: tuple[str, ...] = ..., body_limit: int = ...,
        veto: Callable[[tuple[Any, ...]], None] | None = ...,
    ) -> Callable[[Callable[[Request], Answer]], Endpoint]: ...  # fmt: skip


def endpoint(
    fn: Callable[[Request], Answer] | None = None,
    /,
    *,
    methods: tuple[str, ...] = ("POST",),
    body_limit: int = MAX_BODY,
    veto: Callable[[tuple[Any, ...]], None] | None = None,
) -> Any:
    """`fn` as a handler for any host; see `Endpoint`. A decorator, with or without arguments."""

    def make(fn: Callable[[Request], Answer]) -> Endpoint:
        return Endpoint(fn, methods=methods, body_limit=body_limit, veto=veto)

    return make if fn is None else make(fn)


class _Routed(Endpoint):
    """Several endpoints, each with its own methods and limit of a body."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        super().__init__(_not_found, body_limit=0)
        self.__name__ = self.__qualname__ = "app"
        self.__doc__ = "Endpoints, by exact path."
        self._endpoints = endpoints

    @property
    def csrf_exempt(self) -> bool:  # type: ignore[override]
        return all(item.csrf_exempt for item in self._endpoints.values())

    async def answer(self, request: Request) -> Response:
        found = self._endpoints.get(request.path)
        return problem(404, "not_found") if found is None else await found.answer(request)


def _not_found(request: Request) -> Deny:
    return Deny(404, "not_found")


def route(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    """One endpoint over several, by exact path. Mounted, the path is the one relative to the mount. It looks at `endpoints` at
    each request: what is added later is served too."""
    return _Routed(endpoints)


__all__ = ["Endpoint", "endpoint", "problem", "route"]
