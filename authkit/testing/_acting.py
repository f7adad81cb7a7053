"""A principal for code that stands below a guard, where the test calls that code without any guard."""

from __future__ import annotations

from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction

from .._state import State, current
from ..decision import Principal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextvars import Token
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


class _Acting:
    """A context manager and a decorator, sync and async. May be entered again, also while it is entered."""

    __slots__ = ("principal", "_tokens")

    def __init__(self, principal: Principal | None) -> None:
        self.principal = principal
        self._tokens: list[Token[State | None]] = []

    def __enter__(self) -> Principal | None:
        state = State()
        state.principal = self.principal
        state.ended = True  # the state of no request: should a guard ever come across it, it decides anew
        self._tokens.append(current.set(state))
        return self.principal

    def __exit__(self, *_: object) -> None:
        current.reset(self._tokens.pop())

    def __call__(self, fn: F) -> F:
        if isinstance(fn, type) or isgeneratorfunction(fn) or isasyncgenfunction(fn):
            raise TypeError("as_principal decorates a function or a coroutine function: elsewhere use it as a context manager")
        if iscoroutinefunction(fn):

            @wraps(fn)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with _Acting(self.principal):
                    return await fn(*args, **kwargs)

            return awaited  # type: ignore[return-value]

        @wraps(fn)
        def called(*args: Any, **kwargs: Any) -> Any:
            with _Acting(self.principal):
                return fn(*args, **kwargs)

        return called  # type: ignore[return-value]


def as_principal(
    who: str | Principal | None,
    *,
    issuer: str | None = None,
    scopes: Iterable[str] = (),
    roles: Iterable[str] = (),
    claims: Mapping[str, Any] | None = None,
) -> _Acting:
    """`current_principal()` is `who` inside; None: an anonymous request. A context manager, or a decorator of one test.

    It is for code below a guard, and never makes a guard pass: a test of a guarded handler sends a token of `TokenMint`.
    Raises: `TypeError` if `who` is a `Principal` and something else is given with it.
    """
    if isinstance(who, str):
        return _Acting(Principal(who, issuer=issuer, scopes=scopes, roles=roles, claims=claims or {}, method="test"))
    if issuer is not None or tuple(scopes) or tuple(roles) or claims:
        raise TypeError("as_principal takes either a Principal, or a subject with its scopes, roles and claims")
    return _Acting(who)
