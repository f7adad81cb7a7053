"""Where secret values come from: the one method that a source has, and what several sources share."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from ..errors import ConfigurationError, SecretUnavailable
from .versions import SecretVersions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .versions import Sealed


EARLIEST = 315_619_200.0  # epoch seconds, 1980-01-02: the first time that a zip archive can say, in any zone


class OneSecretUnavailable(SecretUnavailable):
    """This one cannot be read; that says nothing of the others that the same call asked for."""


class SecretSource(ABC):
    """Somewhere that secret values are kept. Subclass it with `fetch` for a place of your own.

    `local`: asking costs no network. Such a source may be asked name by name, to find out which names to ask of one behind it.
    `str(source)` is what errors and logs say of it: the class's name, unless a subclass tells more. It never holds a value.
    """

    local: bool = False

    @abstractmethod
    def fetch(self, name: str) -> SecretVersions | str:
        """The secret's versions, or its current value alone. It may block.

        Raises: `SecretNotFound` if this source does not have it (the next one is asked); `SecretUnavailable` if it
        cannot tell (the next one is not asked, because it may be a weaker one); `ConfigurationError` if the value is there and
        cannot be used. Any other exception counts as `SecretUnavailable`, and its message is not repeated.
        It is called on a thread of ours, which is not waited for longer than 30 s. What it reads of the same `Secrets` is asked
        for at once, and its own name never is.
        """

    def fetch_many(self, names: Sequence[str], *, current_only: bool = False) -> Mapping[str, SecretVersions | str | bytes]:
        """As `fetch` for `names[0]`, and whatever can be told of the other names at no extra cost.

        `names`: the secret that is wanted, then the others that somebody holds a handle of. What is left out of the answer is
        asked for again when it is wanted. A source whose one call brings several secrets overrides this.
        `current_only`: nobody asks for other versions than the current ones, so the answers may leave them out.

        Raises: as `fetch`, for `names[0]` alone. A name that is not known, or that failed, is left out.
        """
        return {names[0]: self.fetch(names[0])}

    def __str__(self) -> str:
        return type(self).__name__


def absolute(path: str) -> str:
    """`path` from where the process is now. A later chdir must not have another file read, or a weaker source asked."""
    try:
        return os.path.abspath(path)
    except OSError:
        raise ConfigurationError(f"{path} is relative, and the working directory of this process is gone") from None


def dated(versions: SecretVersions, written: float | None) -> SecretVersions:
    """`versions` with `written` (epoch seconds) as the moment by which their previous value had been replaced.

    A time before 1980 is none: where files are made to be the same in every build, it is what they are given.
    """
    if versions.previous is None or written is None or written < EARLIEST:
        return versions
    return versions.since(written)


def versions_named(name: str, find: Callable[[str, bool], Sealed | None], where: str) -> SecretVersions | None:
    """The versions kept as NAME, NAME__PREVIOUS, NAME__PENDING and NAME__PREVIOUS_UNTIL; None if there is no NAME.

    An empty NAME is refused, not passed over: a weaker source might have another. The other three may be empty.
    `find(name, optional)`: the value behind a function; not optional: None means that it is surely not there.
    """
    current = find(name, False)
    if current is None:
        return None
    if not current().strip():
        raise ConfigurationError(f"the secret {name} is empty in {where}")
    previous = find(f"{name}__PREVIOUS", True)
    pending = find(f"{name}__PENDING", True)
    if previous is not None and not previous().strip():
        previous = None
    until = None if previous is None else find(f"{name}__PREVIOUS_UNTIL", False)
    previous_until = None
    if until is not None and until().strip():
        previous_until = _epoch_seconds(until())
        if previous_until is None:
            raise ConfigurationError(f"{name}__PREVIOUS_UNTIL in {where} is not a whole number of epoch seconds")
    return SecretVersions(
        current(),
        None if previous is None else previous(),
        pending() if pending is not None and pending().strip() else None,
        previous_until,
    )


def _epoch_seconds(text: str | bytes) -> int | None:
    # int() alone would take "1_000", Arabic digits and surrounding space; 12 digits reach the year 33658
    return int(text) if text.isdigit() and text.isascii() and len(text) <= 12 else None
