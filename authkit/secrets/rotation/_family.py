"""What the places have in common that keep a secret as NAME, NAME__PREVIOUS, NAME__PREVIOUS_UNTIL and NAME__PENDING."""

from __future__ import annotations

import math
import re
from abc import abstractmethod

from ...errors import ConfigurationError, SecretNotFound
from ..versions import sealed
from .target import RotationTarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..versions import Sealed, SecretVersions

ENDS = ("__PREVIOUS", "__PREVIOUS_UNTIL", "__PENDING")  # in the order in which they come to stand after a name
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")


class FamilyTarget(RotationTarget):
    """Every step as one change of several names at once."""

    @abstractmethod
    def _change(self, name: str, changes: Callable[[SecretVersions | None], Mapping[str, Sealed | None]]) -> None:
        """Set each name that `changes(versions)` gives to its value, or drop it (None): all in one, under the lock, which is
        taken if the thread does not hold it. An empty mapping: nothing is touched. `versions`: None if there is no secret."""

    def create(self, name: str, value: Sealed) -> None:
        self._change(name, lambda _: {name: value, f"{name}__PREVIOUS": None, f"{name}__PREVIOUS_UNTIL": None})

    def stage(self, name: str, value: Sealed) -> None:
        def changes(found: SecretVersions | None) -> Mapping[str, Sealed | None]:
            return {f"{name}__PENDING": value} if _there(found, name).pending is None else {}

        self._change(name, changes)

    def promote(self, name: str, previous_until: float) -> None:
        def changes(found: SecretVersions | None) -> Mapping[str, Sealed | None]:
            if _there(found, name).pending is None:
                return {}
            return {**_succeeded(found, name, "pending", previous_until), f"{name}__PENDING": None}

        self._change(name, changes)

    def roll_back(self, name: str, previous_until: float) -> None:
        def changes(found: SecretVersions | None) -> Mapping[str, Sealed | None]:
            if _there(found, name).previous is None:
                raise SecretNotFound(f"the secret {name} has no previous value in {self}")
            return _succeeded(found, name, "previous", previous_until)

        self._change(name, changes)

    def retire(self, name: str) -> None:
        def changes(found: SecretVersions | None) -> Mapping[str, Sealed | None]:
            gone = _there(found, name).previous is None
            return {} if gone else {f"{name}__PREVIOUS": None, f"{name}__PREVIOUS_UNTIL": None}

        self._change(name, changes)

    def discard(self, name: str) -> None:
        def changes(found: SecretVersions | None) -> Mapping[str, Sealed | None]:
            return {} if _there(found, name).pending is None else {f"{name}__PENDING": None}

        self._change(name, changes)


def check_name(name: str) -> None:
    """Raises: `ConfigurationError` for what cannot be the name of a secret in a file, or is that of another one's version."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError("a secret's name is ASCII letters, digits, '_', '.' and '-', and begins with a letter or '_'")
    if name.endswith(ENDS):
        raise ConfigurationError(f"{name} is a version of another secret: use that one's name")


def _there(found: SecretVersions | None, name: str) -> SecretVersions:
    if found is None:
        raise SecretNotFound(f"there is no secret {name} to change")
    return found


def _succeeded(found: SecretVersions | None, name: str, by: str, previous_until: float) -> dict[str, Sealed | None]:
    """What is to stand where `by` ("pending", "previous") becomes current, and current previous."""
    versions = _there(found, name)
    return {
        name: sealed(getattr(versions, by)),
        f"{name}__PREVIOUS": sealed(versions.current),
        f"{name}__PREVIOUS_UNTIL": sealed(str(math.ceil(previous_until))),
    }
