"""Which versions of a secret are still in use: how often, and when last, each of them verified something."""

from __future__ import annotations

from itertools import count

from .._lock import ProcessLock
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    """The counters of one secret. `note` is called for every credential that is verified, so it is one step in C."""

    __slots__ = ("_clock", "_next", "_last", "_lock", "_readings")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # next() of itertools.count is one step that no thread can come between, where `+= 1` may lose or take back a count
        self._next = {version: count().__next__ for version in VERSIONS}
        self._last: dict[str, float] = {}
        self._lock = ProcessLock()
        self._readings = 0

    def note(self, version: str) -> None:
        """Count one use. Raises: `ConfigurationError` for what is no version's name."""
        step = self._next.get(version)
        if step is None:
            raise ConfigurationError(f"a secret's version is one of {', '.join(VERSIONS)}")
        step()
        self._last[version] = self._clock()

    def read(self) -> Mapping[str, Used]:
        """By version: a version that was never used has a count of 0."""
        with self._lock:  # to read such a counter is to move it: the readings are taken off again
            readings = self._readings
            self._readings += 1
            return {version: Used(step() - readings, self._last.get(version)) for version, step in self._next.items()}
