"""What a rotation needs of the place where a secret is kept: few steps, each atomic, each safe to repeat."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...errors import AuthkitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ..versions import Sealed, SecretVersions


class Busy(AuthkitError):
    """Another rotation of the same place is under way."""


class RotationTarget(ABC):
    """A place whose secrets can be changed. Values are passed sealed (a function that gives the value) and never printed.

    Every step is one atomic change: whoever reads meanwhile sees all of the state before it or all of the state after it,
    and in both there is a current value. Each raises `SecretNotFound` if there is no secret of that name (`create` makes it),
    `SecretUnavailable` if the place does not answer, `ConfigurationError` if it refuses (a missing right is named).

    `str(target)` says where it is, and holds no value.
    """

    @abstractmethod
    def names(self) -> list[str]:
        """The names of the secrets kept here, without those of their other versions."""

    @abstractmethod
    def read(self, name: str) -> SecretVersions:
        """All versions as they are kept, straight from the place: also a previous one whose time is over."""

    @abstractmethod
    def locked(self, name: str) -> AbstractContextManager[None]:
        """Held while one rotation works; the lock of a process that has died is free. Raises: `Busy`."""

    @abstractmethod
    def create(self, name: str, value: Sealed) -> None:
        """Make `value` current at once, with no previous; for a name that is new, or whose old value must not live on."""

    @abstractmethod
    def stage(self, name: str, value: Sealed) -> None:
        """Keep `value` as pending. Where one is pending already, that one stays: it may be in use at a sender's."""

    @abstractmethod
    def promote(self, name: str, previous_until: float) -> None:
        """Pending becomes current, current becomes previous until then (epoch seconds). Nothing pending: nothing changes."""

    @abstractmethod
    def roll_back(self, name: str, previous_until: float) -> None:
        """Previous becomes current, and what was current becomes previous until then. No previous: `SecretNotFound`."""

    @abstractmethod
    def retire(self, name: str) -> None:
        """Drop the previous value. There is none: nothing changes."""

    @abstractmethod
    def discard(self, name: str) -> None:
        """Drop the pending value. There is none: nothing changes."""

    def ids(self, name: str) -> tuple[str | None, str | None]:
        """What tells the current and the pending value from any other, such as the ids of their versions: nothing computed from
        a value. None: there is no such value, or the place has no ids."""
        return None, None

    def place(self, name: str) -> str:
        """By what a journal knows the place of `name`: the same however it was spelled, another for another place."""
        return str(self)

    def __str__(self) -> str:
        return type(self).__name__
