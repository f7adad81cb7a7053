"""`SecretVersions`: the values that one secret has at one moment, and how a value is kept out of sight."""

from __future__ import annotations

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeAlias

    Sealed: TypeAlias = Callable[[], "str | bytes"]

# A value is kept in a closure, not in an attribute: whatever walks attributes (vars, pprint, rich, a debugger's dump, a
# traceback with locals) then shows a function. Functions here that may raise hold no raw value in a local variable.


def sealed(value: str | bytes) -> Sealed:
    """`value` behind a function."""

    def reveal() -> str | bytes:
        return value

    return reveal


# White space, what nobody sees (an empty file of some editors holds a byte order mark), and NUL: HMAC pads its key with that,
# and a key of nothing else is the empty one.
_NOTHING = (
    " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\0\xad\u200b\u200c\u200d\u2060\ufeff"
)
_NO_BYTES = b" \t\n\r\v\f\0\xef\xbb\xbf"


def is_blank(value: object) -> bool:
    """Whether `value` is no secret at all: None, not text or bytes, empty, or only white space, NUL, or what nobody sees."""
    if isinstance(value, str):
        return not value.strip(_NOTHING)
    return not isinstance(value, bytes) or not value.strip(_NO_BYTES)


def as_bytes(value: str | bytes) -> bytes | None:
    """`value` in UTF-8; bytes that the environment could not decode come out as they were. None if it is not encodable."""
    if isinstance(value, bytes):
        return value
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # not passed on: the exception holds the value
        return None


class Masked:
    """Shows nothing of itself, is never pickled, and a copy of it is itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: object) -> Any:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is never pickled: it would carry its value into a file or another process")

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} has no state to give away")


class SecretVersions(Masked):
    """The values of one secret: what is signed with, and what is still or already accepted.

    `current` signs and verifies. `previous` verifies until `previous_until` (epoch seconds; None: as long as the
    `Secrets` that reads it grants). `pending` verifies where a sender may move first. `==` is identity: while nothing
    changes a secret gives the same object, so it may be the key of a cache.

    Raises: `ConfigurationError` for a value that is empty, blank, or neither str nor bytes.
    """

    __slots__ = ("_current", "_previous", "_pending", "_previous_until", "_previous_since")
    _current: Sealed
    _previous: Sealed | None
    _pending: Sealed | None
    _previous_until: float | None
    _previous_since: float | None

    def __init__(
        self,
        current: str | bytes | None,
        previous: str | bytes | None = None,
        pending: str | bytes | None = None,
        previous_until: float | None = None,
    ) -> None:
        wrong = _wrong(current, previous, pending)
        _set(self, "_current", sealed(current))  # type: ignore[arg-type]  # None is refused below, when no value is in sight
        _set(self, "_previous", None if previous is None else sealed(previous))
        _set(self, "_pending", None if pending is None else sealed(pending))
        _set(self, "_previous_until", previous_until)
        _set(self, "_previous_since", None)
        del current, previous, pending
        if wrong:
            raise ConfigurationError(f"a secret's {wrong} value is empty, blank, or not text or bytes")
        if previous_until is not None and not _is_time(previous_until):
            raise ConfigurationError("previous_until is a number of epoch seconds")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("SecretVersions is immutable")

    @property
    def current(self) -> str | bytes:
        """The value to sign with."""
        return self._current()

    @property
    def previous(self) -> str | bytes | None:
        """The value before `current`, or None."""
        return None if self._previous is None else self._previous()

    @property
    def pending(self) -> str | bytes | None:
        """The value that comes next, or None."""
        return None if self._pending is None else self._pending()

    @property
    def previous_until(self) -> float | None:
        """Epoch seconds after which `previous` is no longer accepted, or None."""
        return self._previous_until

    @property
    def previous_since(self) -> float | None:
        """Epoch seconds since when at the latest `current` is in `previous`' place, where the source knows it."""
        return self._previous_since

    def text(self) -> Callable[[], str] | None:
        """A function that gives the current value; None if that is bytes."""
        return self._current if isinstance(self._current(), str) else None  # type: ignore[return-value]  # what was just seen

    def named(self) -> tuple[tuple[str, str | bytes], ...]:
        """The values there are, each with its name: "current", "previous", "pending"."""
        values = (("current", self._current), ("previous", self._previous), ("pending", self._pending))
        return tuple((name, value()) for name, value in values if value is not None)

    def same_as(self, other: SecretVersions) -> bool:
        """Whether every value is the same, `previous_until` included."""
        return self.named() == other.named() and self._previous_until == other._previous_until

    def until(self, previous_until: float | None) -> SecretVersions:
        """The same values with another end of `previous`."""
        return SecretVersions(self.current, self.previous, self.pending, previous_until)

    def since(self, previous_since: float | None) -> SecretVersions:
        """The same values from a source that knows since when (epoch seconds) `previous` is no longer the current one.

        The grace of a previous value without an end counts from then, instead of from when each process first sees it.
        """
        versions = self.until(self._previous_until)
        if previous_since is not None and not _is_time(previous_since):
            raise ConfigurationError("previous_since is a number of epoch seconds")
        _set(versions, "_previous_since", previous_since)
        return versions

    def in_force(self, now: float) -> SecretVersions:
        """These versions, or the same without `previous` if it has expired by `now` (epoch seconds)."""
        if self._previous_until is None or now < self._previous_until:
            return self
        return SecretVersions(self.current, None, self.pending)


_set = object.__setattr__


def _wrong(current: object, previous: object, pending: object) -> str | None:
    if is_blank(current):
        return "current"
    if previous is not None and is_blank(previous):
        return "previous"
    return "pending" if pending is not None and is_blank(pending) else None


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e15
