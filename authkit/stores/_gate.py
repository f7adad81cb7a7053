"""A gate in memory: at most so many holders of a key at once."""

from __future__ import annotations

from .._lock import ProcessLock
from ..errors import StoreUnavailable
from ._store import Gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class MemoryGate(Gate):
    """For each key its holders, and when each is forgotten. A key without holders takes no place."""

    __slots__ = ("_limit", "_clock", "_max_keys", "_lock", "_young", "_old")

    def __init__(self, limit: int, clock: Callable[[], float], max_keys: int) -> None:
        self._limit = limit
        self._clock = clock
        self._max_keys = max_keys
        self._lock = ProcessLock()
        self._young: dict[str, dict[str, float]] = {}
        self._old: dict[str, dict[str, float]] = {}  # the two take turns, as in `MemoryLimiter`

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def enter(self, key: str, holder: str, ttl: float) -> tuple[bool, int]:
        with self._lock:
            now = self._clock()
            holders = self._holders(key, now)
            if not holders:
                self._make_room(now)
            if holder not in holders and len(holders) >= self._limit:
                return False, len(holders)
            holders[holder] = now + ttl
            self._young[key] = holders
            return True, len(holders)

    def renew(self, key: str, holder: str, ttl: float) -> bool:
        with self._lock:
            now = self._clock()
            holders = self._holders(key, now)
            if holder not in holders:
                return False
            holders[holder] = now + ttl
            return True

    def leave(self, key: str, holder: str) -> None:
        with self._lock:
            holders = self._holders(key, self._clock())
            holders.pop(holder, None)
            if not holders:
                self._young.pop(key, None)

    def held(self, key: str) -> int:
        with self._lock:
            return len(self._holders(key, self._clock()))

    def reset(self, key: str) -> None:
        with self._lock:
            self._young.pop(key, None)
            self._old.pop(key, None)

    def _holders(self, key: str, now: float) -> dict[str, float]:
        """Who is in; what stands in `_young`, unless nobody is."""
        holders = self._young.pop(key, None) or self._old.pop(key, None) or {}
        for holder in [holder for holder, until in holders.items() if until <= now]:
            del holders[holder]
        if holders:
            self._young[key] = holders
        return holders

    def _make_room(self, now: float) -> None:
        """Look at two old keys, and if that leaves no place at all of them. Raises: `StoreUnavailable`."""
        self._look(now, 2)
        if len(self) >= self._max_keys:
            self._look(now, 2 * len(self))
            if len(self) >= self._max_keys:
                raise StoreUnavailable("the memory store is full: raise max_keys")

    def _look(self, now: float, times: int) -> None:
        for _ in range(times):
            if not self._old:
                self._old, self._young = self._young, {}
            if self._old:
                key, holders = self._old.popitem()
                if any(until > now for until in holders.values()):
                    self._young[key] = holders
