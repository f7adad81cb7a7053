"""What was used once in this process, for a while."""

from __future__ import annotations

from .._lock import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 20_000  # of each half; past it the oldest are forgotten early


class Used:
    """Names that were used in the last `ttl` seconds, and perhaps in twice as many."""

    __slots__ = ("_ttl", "_clock", "_lock", "_young", "_old", "_since")

    def __init__(self, ttl: float, clock: Callable[[], float]) -> None:
        self._ttl = ttl
        self._clock = clock
        self._lock = ProcessLock()
        self._young: set[str] = set()
        self._old: set[str] = set()
        self._since = clock()

    def add(self, name: str) -> bool:
        """True for exactly one of those who say this name meanwhile."""
        with self._lock:
            now = self._clock()
            if len(self._young) >= _MOST or now - self._since >= self._ttl:
                self._young, self._old, self._since = set(), self._young, now
            if name in self._young or name in self._old:
                return False
            self._young.add(name)
            return True
