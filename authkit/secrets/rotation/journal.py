"""`Journal`: one line of JSON for every change: who, what and when, never a value."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Journal:
    """An append-only file of JSON lines, readable by its owner alone.

    Each line: `time` (epoch seconds) and `at` (the same, ISO 8601), `user`, `host`, `pid`, `action`, `step`, `name`, `target`,
    `rotation` (an id) and what the step adds (`previous_until`). Never a value, nor anything that is computed from one.
    """

    def __init__(self, path: str, *, clock: Callable[[], float] = time.time) -> None:
        self.path = str(path)
        self._clock = clock

    def write(self, *, action: str, step: str, name: str, target: str, rotation: str, **more: Any) -> None:
        """Append one line, and have it on the disk. Raises: `SecretUnavailable`, `ConfigurationError`."""
        raise NotImplementedError

    def entries(self, name: str | None = None, target: str | None = None) -> list[dict[str, Any]]:
        """The lines, oldest first; those on `name` and `target` alone. No file: none."""
        raise NotImplementedError


def state_file(name: str) -> str:
    """Where the journal of a target that is no file is kept: `$XDG_STATE_HOME/authkit/NAME.history.jsonl`."""
    raise NotImplementedError
