"""What the guards have established about one request, and `current_principal`, which reads it from anywhere below."""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .decision import Principal


class State:
    """One request's record. Two chains in one request share it; the outermost writes the audit event."""

    # Class attributes are the defaults: a request sets only what it needs, which keeps this cheap to make.
    principal: Principal | None = None
    client: str | None = None  # the client address, once a ClientAddress has resolved it; "": there is none
    body: bytes | None = None
    native: Any = None
    passed: tuple[tuple[Any, ...], ...] = ()  # guards that have let this request through, by chain
    undecided: tuple[Any, ...] = ()  # those of them that let it through without a decision (a CORS preflight)
    headers: list[tuple[str, str]] | None = None  # for the response, of the chain that is deciding
    dropped: tuple[str, ...] = ()
    values: dict[str, Any] | None = None
    listeners: tuple[Callable[[Mapping[str, Any]], object], ...] = ()
    outcome: str = "error"
    status: int | None = None
    guard: str | None = None
    reason: str | None = None
    shadow: str | None = None
    hash_key: bytes | None = None
    handler: Any = None  # the one that a refusal keeps from running
    kept: dict[Any, Any] | None = None  # what guards remember from their decision until their response hook
    limits: Any = None  # the rate limit that has counted it, or a tuple of them
    closing: list[Callable[[], None]] | None = None  # what is to be called when the response is finished
    resource: Any = None  # the protected resource whose metadata a 401, and a 403 for want of a scope, shall name
    proofs: tuple[Any, ...] = ()  # those of this very request that have been noted: a chain further in meets them again
    settles = False  # some of it has to be awaited, once the handler has returned
    ended: bool = False  # the outermost chain is done with this request
    ns: int = 0  # nanoseconds spent in guards

    def said(self) -> tuple[Any, ...]:
        """What guards have said of this request so far, for `unsay`."""
        headers = self.headers
        return self.principal, self.passed, self.dropped, self.values, None if headers is None else headers.copy()

    def unsay(self, said: tuple[Any, ...]) -> None:
        """Forget what has been said since: by guards that refused, where the request goes on all the same."""
        self.principal, self.passed, self.dropped, self.values, self.headers = said


current: ContextVar[State | None] = ContextVar("authkit_current", default=None)


def current_principal() -> Principal | None:
    """The principal of the request that is being handled; None if it is anonymous.

    Works in every thread and task that runs the handler, until the response is finished. Raises: `LookupError` outside a guard.
    """
    state = current.get()
    if state is None:
        raise LookupError("no guarded request is being handled here")
    return state.principal
