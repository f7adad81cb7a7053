"""Which versions of a secret are still in use: how often, and when last, each of them verified something."""

from __future__ import annotations

import os
from _weakrefset import WeakSet  # what `weakref` and `threading` import as well
from itertools import count

from .._lock import ProcessLock

VERSIONS = ("current", "previous", "pending")


class Used:
    """How often one version was used by this process, and when last: `count`, and `last` in epoch seconds, None if never."""

    __slots__ = ("count", "last")

    def __init__(self, count: int, last: float | None) -> None:
        self.count = count
        self.last = last

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Used) and (self.count, self.last) == (other.count, other.last)

    def __hash__(self) -> int:
        return hash((self.count, self.last))

    def __repr__(self) -> str:
        return f"Used(count={self.count}, last={self.last})"


class Usage:
    """The counters of one secret. One use is `steps[version]()` and `last[version] = now`, written out where it is counted.

    A forked child counts from zero: what the parent did is told by the parent.
    """

    __slots__ = ("steps", "last", "_lock", "_readings", "__weakref__")

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self.reset()
        _all.add(self)

    def reset(self) -> None:
        # next() of itertools.count is one step that no thread can come between, where `+= 1` may lose or take back a count
        self.steps = {version: count().__next__ for version in VERSIONS}
        self.last: dict[str, float] = {}
        self._readings = 0

    def read(self) -> dict[str, Used]:
        """By version: a version that was never used has a count of 0."""
        with self._lock:  # to read such a counter is to move it: the readings are taken off again
            readings = self._readings
            self._readings += 1
            return {version: Used(step() - readings, self.last.get(version)) for version, step in self.steps.items()}


_all: WeakSet[Usage] = WeakSet()


def _after_fork() -> None:
    for usage in list(_all):
        usage.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
