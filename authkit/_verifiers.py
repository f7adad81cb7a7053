"""Which of a verifier's methods speaks for it: the most derived one, so that no check of a subclass is passed by."""

from __future__ import annotations

from ._run import blocking, may_await
from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeAlias

    from .decision import Principal
    from .http import Request

    Asked: TypeAlias = Callable[[str], Awaitable[Principal]]

# `verify` may block, `averify` wants a loop, and `verifying` (ours) waits as whoever drives us can.
_METHODS = ("verify", "averify", "verifying")


def issuers_of(verifier: Any) -> frozenset[str]:
    """Every issuer whose tokens `verifier` judges: its `issuers`, and its `issuer`; none: those of no issuer.

    Raises: `ConfigurationError` for what is no text, or a single one where there are to be several.
    """
    one, several = getattr(verifier, "issuer", None), getattr(verifier, "issuers", None)
    if isinstance(several, (str, bytes)):
        raise ConfigurationError("require_auth: a verifier's issuers are a set of text")
    found = [*(several or ()), *(() if one is None else (one,))]
    if not all(isinstance(issuer, str) and issuer for issuer in found):
        raise ConfigurationError("require_auth: a verifier's issuer is text, or None")
    return frozenset(found)


def in_place(verifier: Any) -> Callable[[str], Any] | None:
    """The verifier's `verify`, if it says that it never waits (`in_place = True`), and if that was said of this very one."""
    if getattr(verifier, "in_place", False) is not True:
        return None
    own = _first(verifier, "verify")
    if _first(verifier, "in_place") > own or any(_first(verifier, name) < own for name in _METHODS if _has(verifier, name)):
        return None
    return verifier.verify  # type: ignore[no-any-return]


def recalled(verifier: Any) -> Callable[[str], Principal | None] | None:
    """The verifier's `recall`, if it is as derived as whatever verifies: what was overridden since checks something more."""
    if getattr(verifier, "in_place", None) is None or not _has(verifier, "recall"):  # None: it is not ours
        return None
    own = _first(verifier, "recall")
    if own == _beyond(verifier) or any(_first(verifier, name) < own for name in _METHODS if _has(verifier, name)):
        return None
    return verifier.recall  # type: ignore[no-any-return]


def asked(verifier: Any) -> Asked:
    """How to ask `verifier` from a guard's own coroutine. Its most derived method is asked, the awaitable one on a loop.

    Raises: `ConfigurationError` if two levels of a class override different ones, so that each would pass the other's check by.
    What is returned raises it on a sync host, if a check stands in `averify` alone.
    """
    quick = in_place(verifier)
    if quick is not None:

        async def at_once(token: str) -> Principal:
            return quick(token)  # type: ignore[no-any-return]

        return at_once
    first = {name: _first(verifier, name) for name in _METHODS if _has(verifier, name)}
    leading = [name for name in first if first[name] == min(first.values())]
    if "verifying" in leading:
        _refuse(verifier, _passed_by(verifier, "verifying"), "verifying")
        return lambda token: verifier.verifying(token)
    awaited = "averify" in leading
    asleep = _passed_by(verifier, "verify")
    _refuse(verifier, _passed_by(verifier, "averify") if awaited else asleep, "averify" if awaited else "verify")

    async def either(token: str) -> Principal:
        if awaited and await may_await():
            return await verifier.averify(token)  # type: ignore[no-any-return]
        if asleep is not None:
            _refuse(verifier, asleep, "verify", " for a sync handler")
        return await blocking(verifier.verify, token)

    return either


def asked_bound(verifier: Any) -> Asked:
    """How to ask `verifier` about a token whose proof the caller checks (`verifying_bound`).

    Raises: `ConfigurationError` if it has no such method, or one that would pass by the check of a method overridden since.
    """
    if not _has(verifier, "verifying_bound"):
        raise ConfigurationError(f"{type(verifier).__name__} has no verifying_bound: it verifies no bound tokens")
    _refuse_overridden(verifier, "verifying_bound")
    return verifier.verifying_bound  # type: ignore[no-any-return]


def judging(verifier: Any) -> Callable[[Request, str], Awaitable[Principal]] | None:
    """How to ask a verifier that judges a token by its request (`judging`); None: the token is all that it wants.

    Raises: as `asked_bound` does.
    """
    if not _has(verifier, "judging"):
        return None
    _refuse_overridden(verifier, "judging")
    return verifier.judging  # type: ignore[no-any-return]


def _refuse_overridden(verifier: Any, method: str) -> None:
    for name in _METHODS:
        if _has(verifier, name) and _first(verifier, name) < _first(verifier, method):
            raise ConfigurationError(
                f"{type(verifier).__name__} overrides {name}, which {method} would pass by: override that beside it"
            )


def _refuse(verifier: Any, passed_by: str | None, method: str, where: str = "") -> None:
    if passed_by is not None:
        raise ConfigurationError(
            f"{type(verifier).__name__} overrides {passed_by}, and {method}, which would be asked{where}, would pass it by: "
            f"override {method} beside it"
        )


def _passed_by(verifier: Any, method: str) -> str | None:
    """A method that is overridden at a level where `method` is not, or None."""
    own = _levels(verifier, method)
    for name in _METHODS:
        if name != method:
            *overrides, _ = _levels(verifier, name) or [0]
            if any(level not in own for level in overrides):
                return name
    return None


def _has(verifier: Any, name: str) -> bool:
    return callable(getattr(verifier, name, None))


def _first(verifier: Any, name: str) -> int:
    """How derived what stands under `name` is: 0 is the object itself, then come its classes."""
    levels = _levels(verifier, name)
    return levels[0] if levels else _beyond(verifier)


def _levels(verifier: Any, name: str) -> list[int]:
    """Where `name` is defined, the most derived level first."""
    found = [0] if name in getattr(verifier, "__dict__", ()) else []
    for level, kind in enumerate(type(verifier).__mro__, 1):
        if name in vars(kind) and not getattr(vars(kind)[name], "__isabstractmethod__", False):
            found.append(level)
    if hasattr(type(verifier), "__getattr__") and _has(verifier, name):  # a wrapper: what it wraps may have them all
        found.append(_beyond(verifier))
    return found


def _beyond(verifier: Any) -> int:
    return len(type(verifier).__mro__) + 1
