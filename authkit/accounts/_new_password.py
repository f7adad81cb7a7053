"""What a new password has to be. Those that are there already are only ever compared."""

from __future__ import annotations

from .._run import blocking, may_await
from ..errors import ConfigurationError, Unavailable
from .names import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeAlias

    Breached: TypeAlias = Callable[[str], "bool | Awaitable[bool]"]

ON_ERROR = ("deny", "insecure_allow")


class NewPassword:
    """`min_length` in characters; `breached(password)` says whether attackers know it."""

    __slots__ = ("_min_length", "_breached", "_allows")

    def __init__(self, min_length: int, breached: Breached | None, on_error: str) -> None:
        if type(min_length) is not int or not 1 <= min_length <= 64:
            raise ConfigurationError("min_length is a whole number from 1 to 64")
        if breached is not None and not callable(breached):
            raise ConfigurationError("breached is a callable that says whether a password is known to attackers")
        if on_error not in ON_ERROR:
            raise ConfigurationError(f"breached_on_error is one of {', '.join(ON_ERROR)}")
        self._min_length = min_length
        self._breached = breached
        self._allows = on_error == "insecure_allow"

    async def refusing(self, password: str, username: str | None) -> str | None:
        """Why not, or None. `password` is a prepared one. Raises: `Unavailable`; `ConfigurationError`."""
        if len(password) < self._min_length:
            return "password_too_short"
        if username is not None and canonical(password) == canonical(username):
            return "password_not_acceptable"
        if self._breached is None:
            return None
        try:
            found = await self._asked(password)
        except ConfigurationError:
            raise
        except Exception as error:  # its words may hold the password: only its kind is told
            self._failed(type(error).__name__)
            return None
        if type(found) is not bool:
            self._failed("neither True nor False")
        return "password_breached" if found is True else None

    async def _asked(self, password: str) -> Any:
        assert self._breached is not None
        found: Any = await blocking(self._breached, password)
        if not hasattr(found, "__await__"):
            return found
        if not await may_await():
            if hasattr(found, "close"):
                found.close()
            raise ConfigurationError("breached is async, and the host is sync: pass one that is not")
        return await found

    def _failed(self, kind: str) -> None:
        import logging

        logging.getLogger("authkit.accounts").warning("it cannot be said whether a new password is a known one: %s", kind)
        if not self._allows:
            raise Unavailable("it cannot be said whether a new password is a known one") from None
