"""`MemoryStore`: state in this process only. Exact under threads, bounded, and as fast as a dictionary."""

from __future__ import annotations

import time

from .._lock import ProcessLock
from ..errors import ConfigurationError
from ._bucket import BucketLimiter, BucketsLimiter
from ._gate import MemoryGate
from ._noted import Noted
from ._store import Store, settled, settled_gate
from ._window import Fixed, Sliding, WindowLimiter, WindowsLimiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._places import MemoryLimiter
    from ._rate import Rate
    from ._store import Algorithm


class MemoryStore(Store):
    """A store for one process; gone when it ends.

    `max_keys`: how many keys one limiter, one gate, and the noted keys, may hold at once. A limiter that is full of keys in use
    forgets those not at their limit, the least used first among a few; if all are at their limit, newcomers share one place.
    Noted keys and holders are never forgotten early: what has no place raises `StoreUnavailable` instead. `clock`: seconds, as
    `time.monotonic`. `wall`: epoch seconds, by which fixed windows begin and the epoch is told.
    """

    blocks = False

    def __init__(
        self,
        *,
        max_keys: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if type(max_keys) is not int or max_keys < 1:
            raise ConfigurationError("max_keys is a whole number of at least 1")
        self._max_keys = max_keys
        self._clock = clock
        self._wall = wall
        self._lock = ProcessLock()
        self._limiters: dict[tuple[str, tuple[Rate, ...], str], MemoryLimiter] = {}
        self._gates: dict[tuple[str, int], MemoryGate] = {}
        self._noted = Noted(clock, max_keys)
        self._epoch = wall()
        self._apart: MemoryStore | None = None

    def limiter(self, name: str, rates: tuple[Rate, ...], algorithm: Algorithm = "token-bucket") -> MemoryLimiter:
        settled(rates, algorithm)
        with self._lock:
            found = self._limiters.get((name, rates, algorithm))
            if found is None:
                found = self._limiters[name, rates, algorithm] = self._new(rates, algorithm)
            return found

    def _new(self, rates: tuple[Rate, ...], algorithm: Algorithm) -> MemoryLimiter:
        if algorithm != "token-bucket":
            kind, clock, start = (
                (Fixed, self._wall, 0.0) if algorithm == "fixed-window" else (Sliding, self._clock, self._clock())
            )
            if len(rates) == 1:
                return WindowLimiter(kind(rates[0]), clock, start, self._max_keys)
            return WindowsLimiter(tuple(map(kind, rates)), clock, start, self._max_keys)
        if len(rates) == 1:
            return BucketLimiter(rates[0], self._clock, self._max_keys)
        return BucketsLimiter(rates, self._clock, self._max_keys)

    def gate(self, name: str, limit: int) -> MemoryGate:
        settled_gate(limit)
        with self._lock:
            found = self._gates.get((name, limit))
            if found is None:
                found = self._gates[name, limit] = MemoryGate(limit, self._clock, self._max_keys)
            return found

    def apart(self) -> MemoryStore:
        """Another store, the same one each time: what fills it leaves this one its places."""
        with self._lock:
            if self._apart is None:
                self._apart = MemoryStore(max_keys=self._max_keys, clock=self._clock, wall=self._wall)
            return self._apart

    def get(self, key: str) -> bytes | None:
        return self._noted.get(key)

    def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
        return self._noted.add(key, ttl, value)

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        return self._noted.swap(key, old, new, ttl)

    def look(self, *keys: str) -> tuple[float, list[bytes | None]]:
        values = self._noted.several(keys)
        return self._epoch, values

    def epoch(self) -> float:
        return self._epoch

    def adopt(self) -> float:
        self._epoch = self._wall()
        return self._epoch
