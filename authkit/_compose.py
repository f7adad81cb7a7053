"""Small ways to make guards: from a function, from alternatives; and the mark that a handler is open on purpose."""

from __future__ import annotations

import os

from ._chain import Chain
from ._guard import Guard
from ._lock import ProcessLock
from ._run import blocking
from .decision import ALLOW, Allow, Deny
from .errors import ConfigurationError, Unavailable
from .http import MAX_BODY, Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar, overload

    from ._state import State
    from .decision import Decision

    H = TypeVar("H", bound=Callable[..., Any])


def _is_async(fn: Callable[..., Any]) -> bool:
    from ._wrap import is_async

    return is_async(fn)


class FunctionGuard(Guard):
    """A guard whose check is one function of the user's; made by `@guard`."""

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        blocks: bool,
        body: bool,
        body_limit: int,
        name: str | None,
        state: Callable[[], Any] | None,
        identifies: bool,
    ) -> None:
        self._fn = fn
        self._async = _is_async(fn)
        if self._async and blocks:
            raise ConfigurationError("@guard(blocking=True) is for a sync function; an async one awaits")
        self._blocks = blocks
        self._state = state
        self._built: tuple[int, Any] | None = None
        self._building = ProcessLock()
        self.identifies = identifies
        self.needs_body = body
        self.body_limit = body_limit
        self.name = name or str(getattr(fn, "__name__", "guard"))

    async def check(self, request: Request) -> Decision:
        args = (request,) if self._state is None else (request, self._of_process())
        if self._blocks:
            decision: Decision = await blocking(self._fn, *args)
        elif self._async:
            decision = await self._fn(*args)
        else:
            decision = self._fn(*args)
        return decision

    def _of_process(self) -> Any:
        """The state that the guard builds once per process, and again in a forked child."""
        pid, built = os.getpid(), self._built
        if built is None or built[0] != pid:
            with self._building:
                built = self._built
                if built is None or built[0] != pid:
                    assert self._state is not None
                    built = self._built = (pid, self._state())
        return built[1]


class HookGuard(Guard):
    """A response hook; made by `@guard.after`. It lets every request through."""

    reads_request = False

    def __init__(self, fn: Callable[[Request, Response | None], None]) -> None:
        if not callable(fn):
            raise ConfigurationError("@guard.after decorates a function that takes a request and a response")
        if _is_async(fn):
            raise ConfigurationError("@guard.after takes a sync function: hooks also run where there is no event loop")
        self.name = getattr(fn, "__name__", "after")
        self.after = fn

    async def check(self, request: Request) -> Decision:
        return ALLOW


class _GuardDecorator:
    """`@guard` makes a guard of a function `request -> Allow | Deny`, sync or async.

    A sync function runs in place and must not block; `@guard(blocking=True)` runs it on a thread where there is an event loop.
    `@guard(body=True)` has the body read first, at most `body_limit` bytes. `@guard(state=build)`: `build()` is called once per
    process, and its result is the function's second argument. `@guard(identifies=True)`: it says who is calling, so that it may
    stand in `any_of`, and before what judges a principal.
    """

    if TYPE_CHECKING:

        @overload
        def __call__(self, fn: Callable[..., Decision | Awaitable[Decision]], /) -> FunctionGuard: ...
        @overload
        def __call__(
            self, fn: None = None, /, *, blocking: bool = ..., body: bool = ..., body_limit: int = ..., name: str | None = ...,
            identifies: bool = ..., state: Callable[[], Any] | None = ...,
        ) -> Callable[[Callable[..., Decision | Awaitable[Decision]]], FunctionGuard]: ...  # fmt: skip

    def __call__(
        self,
        fn: Any = None,
        /,
        *,
        blocking: bool = False,
        body: bool = False,
        body_limit: int = MAX_BODY,
        name: str | None = None,
        state: Callable[[], Any] | None = None,
        identifies: bool = False,
    ) -> Any:
        def make(fn: Callable[..., Any]) -> FunctionGuard:
            if not callable(fn) or isinstance(fn, type):
                raise ConfigurationError("@guard decorates a function that takes a request and returns Allow or Deny")
            return FunctionGuard(
                fn, blocks=blocking, body=body, body_limit=body_limit, name=name, state=state, identifies=identifies
            )

        return make if fn is None else make(fn)

    @staticmethod
    def after(fn: Callable[[Request, Response | None], None]) -> HookGuard:
        """A response hook: sees request and response of both outcomes, and may set headers.

        The response is None if the handler raised. It joins by `chain(..., hook)`; hooks run last guard first.
        """
        return HookGuard(fn)


guard = _GuardDecorator()


class AnyOf(Guard):
    """The first of several identifying guards that allows."""

    identifies = True

    def __init__(self, guards: tuple[Guard, ...]) -> None:
        if len(guards) < 2:
            raise ConfigurationError("any_of needs at least two guards")
        for item in guards:
            if not isinstance(item, Guard) or not item.identifies:
                raise ConfigurationError("any_of takes guards that identify the caller, such as require_auth")
            if isinstance(item, Chain) and item.lets_through:
                raise ConfigurationError("any_of: a guard in shadow mode or with except_for would let everybody through")
        self.guards = guards
        self.name = "any_of(" + ",".join(item.name for item in guards) + ")"
        self.needs_body = any(item.needs_body for item in guards)
        self.body_limit = max(item.body_limit for item in guards)
        self.loads_body = all(item.loads_body for item in guards if item.needs_body)
        self.reads_request = any(item.reads_request for item in guards)
        self.sent_in = tuple(dict.fromkeys(name for item in guards for name in item.sent_in))
        self.needs_handler = any(item.needs_handler for item in guards)
        self.fills = tuple(dict.fromkeys(name for item in guards for name in item.fills))
        hooks = [hook for item in reversed(guards) for hook in item.as_chain().hooks]
        if hooks:

            def run_hooks(request: Request, response: Response | None) -> None:
                for hook in hooks:
                    hook(request, response)

            self.after = run_hooks

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None:
        for item in self.guards:
            own = item.flat() if isinstance(item, Chain) else [item]
            for place, one in enumerate(own):
                one.seal((*before, *own[:place]), (*own[place + 1 :], *after))

    async def warm(self) -> None:
        for item in self.guards:
            for one in item.flat() if isinstance(item, Chain) else (item,):
                await one.warm()

    async def check(self, request: Request) -> Decision:
        """First Allow that names somebody wins; a bad credential refuses, without asking the next guard."""
        state: State = request.state
        unavailable: Unavailable | None = None
        missing: list[Deny] = []
        anonymous: Allow | None = None
        for item in self.guards:
            said = state.said()
            try:
                decision = await item.check(request)
            except Unavailable as error:
                unavailable = unavailable or error
                state.unsay(said)  # a chain has perhaps named somebody before it failed
                continue
            if isinstance(decision, Allow):
                if decision.principal is not None or (isinstance(item, Chain) and state.principal is not None):
                    return decision
                anonymous = anonymous or decision  # an optional guard: somebody else may still know the caller
            elif isinstance(decision, Deny):
                if not decision.no_credential:
                    if unavailable is not None:  # whose credential it is could not be asked: it may be a good one
                        raise unavailable
                    return decision
                missing.append(decision)
                state.guard = None
                state.unsay(said)
            else:
                raise TypeError(f"guard {item.name!r} must return Allow or Deny, not {type(decision).__name__}")
        if unavailable is not None:
            raise unavailable
        if anonymous is not None:
            return anonymous
        led = next((deny for deny in missing if deny.respond is not None), None)
        if led is not None:  # a browser, which one of them sends to log in
            return led
        challenges = [challenge for deny in missing for challenge in deny.challenge]
        return Deny(401, "unauthorized", reason="no_credential", challenge=list(dict.fromkeys(challenges)), no_credential=True)


def any_of(*guards: Guard) -> AnyOf:
    """Any one of several guards that identify the caller.

    A credential that was sent and is bad refuses, with no fall-through. If none allows: 503 if one could not decide, else 401
    with every guard's challenge, or the first's answer that sends a browser to log in. Raises: `ConfigurationError` for fewer
    than two guards, or one that identifies nobody.
    """
    return AnyOf(guards)


PUBLIC_MARK = "__authkit_public__"


def public(*, reason: str) -> Callable[[H], H]:
    """Mark a handler as open on purpose, for `open_routes` and for readers. It never switches a guard off."""
    if not isinstance(reason, str) or not reason.strip():
        raise ConfigurationError("public(reason=...) says why the handler is open")

    def mark(handler: H) -> H:
        setattr(handler, PUBLIC_MARK, reason)
        return handler

    return mark
