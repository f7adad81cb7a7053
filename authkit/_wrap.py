"""A guard put in front of a handler: the handler's colour, name and parameters are kept, and a call finds its host."""

from __future__ import annotations

import sys
from functools import partial, update_wrapper
from types import BuiltinFunctionType, FunctionType, MethodType

from ._chain import Chain
from ._guard import Guard
from ._run import arun, run
from ._state import current
from ._visit import Visit
from .decision import ALLOW
from .errors import ConfigurationError
from .hosts import named, recognise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .hosts._host import Host

    H = TypeVar("H", bound=Callable[..., Any])

MARK = "__authkit__"
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, partial)
_ASGI = ("scope", "receive", "send")
_COROUTINE, _ASYNC_GENERATOR, _KEYWORDS = 0x80 | 0x100, 0x200, 0x08  # code flags, as named in the inspect module


class Mark:
    """What a guarded handler carries. It holds its own wrapper: `functools.wraps` of a foreign decorator copies the
    attribute, and then `marker.wrapper` is not the function that carries it."""

    __slots__ = ("wrapper", "handler", "chain", "host", "stacked")

    def __init__(
        self, wrapper: Any, handler: Callable[..., Any], chain: Chain, host: str | None, stacked: tuple[Guard, ...]
    ) -> None:
        self.wrapper = wrapper
        self.handler = handler
        self.chain = chain
        self.host = host
        self.stacked = stacked


def mark_of(handler: object) -> Mark | None:
    """The marker of a handler that authkit itself has wrapped last."""
    found = getattr(handler, MARK, None)
    return found if isinstance(found, Mark) and found.wrapper is handler else None


def _call_code(value: object) -> Any:
    """The code that runs when a callable object is called; None where it is not Python's."""
    return getattr(getattr(type(value), "__call__", None), "__code__", None)  # noqa: B004


def is_async(handler: Callable[..., Any]) -> bool:
    """Whether calling `handler` gives an awaitable."""
    while isinstance(handler, partial):
        handler = handler.func
    if getattr(handler, "_is_coroutine_mark", None) or getattr(handler, "_is_coroutine_marker", None):
        return True  # inspect.markcoroutinefunction, and asgiref's copy of it
    marked, coroutines = getattr(handler, "_is_coroutine", None), sys.modules.get("asyncio.coroutines")
    if marked is not None and marked is getattr(coroutines, "_is_coroutine", None):
        return True
    code = getattr(handler, "__code__", None)
    if code is None:
        code = _call_code(handler)
    return code is not None and bool(code.co_flags & _COROUTINE)


def _filled_parameters(handler: Callable[..., Any], filled: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `filled` that the handler takes, looking through decorators that pass keywords on."""
    names: set[str] = set()
    fn: Any = handler
    for _ in range(100):
        while isinstance(fn, partial):
            fn = fn.func
        code = getattr(fn, "__code__", None) or _call_code(fn)
        if code is None:
            break
        names.update(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        fn = getattr(fn, "__wrapped__", None)
        if fn is None or not code.co_flags & _KEYWORDS:
            break
    return tuple(name for name in filled if name in names)


def wrap(guard: Guard, handler: H, host: str | None) -> H:
    """`handler` behind `guard`; stacked decorators become one chain."""
    if not callable(handler) or isinstance(handler, (Guard, type)):
        raise ConfigurationError(
            f"a guard decorates a handler or an app, not {type(handler).__name__}: decorate its method or instance"
        )
    stacked: tuple[Guard, ...] = (guard,)
    target: Callable[..., Any] = handler
    below = mark_of(handler)
    if below is not None:
        stacked += below.stacked
        target, host = below.handler, host or below.host
    chain = guard.as_chain() if below is None else _merged(stacked)
    code = getattr(target, "__code__", None)
    if code is not None and code.co_flags & _ASYNC_GENERATOR:
        raise ConfigurationError(
            "an async generator function cannot be guarded: it runs before anything can be decided; return one"
        )
    only = named(host) if host is not None else None
    door = _Door(chain, target, only)
    wrapper = _asgi_shaped(target, door.asynchronous()) if is_async(target) else door.synchronous()
    if isinstance(target, _FUNCTIONS):
        update_wrapper(wrapper, target)
    else:  # an app or another callable object: its attributes stay its own
        wrapper.__name__ = wrapper.__qualname__ = type(target).__name__
        wrapper.__doc__ = target.__doc__
        wrapper.__wrapped__ = target  # type: ignore[attr-defined]
    _fit_signature(wrapper, target, host, chain.fills)
    setattr(wrapper, MARK, Mark(wrapper, target, chain, host, stacked))
    return wrapper  # type: ignore[return-value]


def _asgi_shaped(target: Any, guarded: Callable[..., Any]) -> Callable[..., Any]:
    """`guarded` with the parameters of an ASGI app where the target has them: uvicorn takes what can be called without
    arguments for a factory, and calls it."""
    code = getattr(target, "__code__", None)
    if code is None:
        code = _call_code(target)
    names = () if code is None else code.co_varnames[: code.co_argcount]
    if names[1:4] == _ASGI and isinstance(target, FunctionType):

        async def method(self: Any, scope: Any, receive: Any, send: Any) -> Any:
            return await guarded(self, scope, receive, send)

        return method
    if names[:3] != _ASGI and names[1:4] != _ASGI:
        return guarded

    async def app(scope: Any, receive: Any, send: Any) -> Any:
        return await guarded(scope, receive, send)

    return app


_chains: dict[tuple[int, ...], Chain] = {}  # by the identity of the guards, which the chain keeps alive


def _merged(stacked: tuple[Guard, ...]) -> Chain:
    """The one chain of these guards. Kept, because Django's `method_decorator` decorates anew at every request."""
    key = tuple(map(id, stacked))
    found = _chains.get(key)
    if found is None:
        found = Chain(stacked)
        if len(_chains) < 1024:
            _chains[key] = found
    return found


def _fit_signature(wrapper: Any, handler: Callable[..., Any], host: str | None, filled: tuple[str, ...]) -> None:
    """Frameworks that inject by signature must not see what guards fill in."""
    if "starlette" in sys.modules and host in (None, "starlette", "fastapi"):
        from .hosts import proxy

        proxy("fastapi:fit_signature")(wrapper, handler, filled)


class _Door:
    """One handler's entrance."""

    __slots__ = ("chain", "handler", "host", "fills")

    def __init__(self, chain: Chain, handler: Callable[..., Any], host: Host | None) -> None:
        self.chain = chain
        self.handler = handler
        self.host = host
        self.fills = _filled_parameters(handler, chain.fills)

    def synchronous(self) -> Callable[..., Any]:
        chain, handler, only, fills = self.chain, self.handler, self.host, self.fills

        def guarded(*args: Any, **kwargs: Any) -> Any:
            host, request = recognise(args, kwargs, only)
            if host.awaits is not None and host.awaits(handler, args):
                return self.asynchronous()(*args, **kwargs)
            visit = Visit(chain, host, request)
            state = visit.state
            try:
                recalled = visit.outermost and chain.recalls(request, state)
                decision = ALLOW if recalled else run(chain.judge(request, state))
                if state.closing is not None:
                    visit.closing, state.closing = state.closing, None
                if decision is not ALLOW:
                    state.handler = handler
                    return host.refuse(request, visit.refusal(decision))
                if (
                    fills
                    or state.dropped
                    or state.headers is not None
                    or visit.outer_headers is not None
                    or "principal" in kwargs
                ):
                    args, kwargs = self.arguments(visit, args, kwargs)
                state.outcome = "allow"
                token = current.set(state)
                try:
                    answer = host.enter(request, handler, args, kwargs, visit)
                    if state.settles:
                        run(visit.settle())
                    return answer
                except Exception:
                    visit.failed()
                    raise
                finally:
                    current.reset(token)
            finally:
                visit.end()

        return guarded

    def asynchronous(self) -> Callable[..., Any]:
        chain, handler, only, fills = self.chain, self.handler, self.host, self.fills

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            host, request = recognise(args, kwargs, only)
            if request.lifespan:  # start-up and shut-down of an ASGI app: no request, and the moment to warm up
                return await host.live(request, handler, chain.aprepare)
            visit = Visit(chain, host, request)
            state = visit.state
            try:
                recalled = visit.outermost and chain.recalls(request, state)
                decision = ALLOW if recalled else await arun(chain.judge(request, state))
                if state.closing is not None:
                    visit.closing, state.closing = state.closing, None
                if decision is not ALLOW:
                    state.handler = handler
                    return await host.arefuse(request, visit.refusal(decision))
                if (
                    fills
                    or state.dropped
                    or state.headers is not None
                    or visit.outer_headers is not None
                    or "principal" in kwargs
                ):
                    args, kwargs = self.arguments(visit, args, kwargs)
                state.outcome = "allow"
                token = current.set(state)
                try:
                    answer = await host.aenter(request, handler, args, kwargs, visit)
                    if state.settles:
                        await arun(visit.settle())
                    return answer
                except Exception:
                    visit.failed()
                    raise
                finally:
                    current.reset(token)
            finally:
                visit.end()

        return guarded

    def arguments(self, visit: Visit, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The handler's arguments: without dropped headers, with what the guards fill in."""
        state = visit.state
        visit.judged()
        if state.dropped:
            args, kwargs = visit.host.without(visit.request, args, kwargs, state.dropped)
        # Over whatever the call brought, also to a handler of whose parameters nothing is known (a decorator that passes on
        # what it gets): a path parameter named principal is the client's word.
        fills = self.fills if "principal" not in kwargs or "principal" in self.fills else ("principal", *self.fills)
        for name in fills:
            kwargs = {**kwargs, name: state.principal if name == "principal" else (state.values or {}).get(name)}
        return args, kwargs
