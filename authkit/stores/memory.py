"""`MemoryStore`: state in this process only. Exact under threads, bounded, and as fast as a dictionary."""

from __future__ import annotations

import os
import threading
import time

from ..errors import ConfigurationError, StoreUnavailable
from ._store import Limiter, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ._rate import Rate
    from ._store import Taken

    State: TypeAlias = tuple[float, ...]

# One lock for all: it is held for well under a microsecond and never across I/O, and after a fork there is one to renew, not
# one a table (a child may be born while another thread of its parent holds it).
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_SLACK = 1e-5  # permits: more than rounding ever adds up to, far less than anybody could use
_LONG_AGO = float("-inf")  # when an unused bucket was full again
_LOOK = 4  # keys looked at to make room for one more


class MemoryStore(Store):
    """A store for one process; gone when it ends.

    `max_keys`: how many keys one limiter, and the noted keys, may hold at once. A limiter that is full of keys in use forgets
    those not at their limit, the least used first among a few; if all are at their limit, newcomers share one bucket. Noted
    keys are never forgotten early: `add` raises `StoreUnavailable` instead. `clock`: seconds, as `time.monotonic`.
    """

    blocks = False

    def __init__(self, *, max_keys: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        if type(max_keys) is not int or max_keys < 1:
            raise ConfigurationError("max_keys is a whole number of at least 1")
        self._max_keys = max_keys
        self._clock = clock
        self._limiters: dict[tuple[str, tuple[Rate, ...]], MemoryLimiter] = {}
        self._noted: dict[str, float] = {}
        self._older: dict[str, float] = {}

    def limiter(self, name: str, rates: tuple[Rate, ...]) -> MemoryLimiter:
        with _lock:
            found = self._limiters.get((name, rates))
            if found is None:
                found = self._limiters[name, rates] = MemoryLimiter(rates, self._clock, self._max_keys)
            return found

    def add(self, key: str, ttl: float) -> bool:
        with _lock:
            now = self._clock()
            for table in (self._noted, self._older):
                until = table.get(key)
                if until is not None:
                    if until > now:
                        return False
                    del table[key]
            for _ in range(2):
                if not self._older:
                    self._older, self._noted = self._noted, {}
                if self._older:
                    other, until = self._older.popitem()
                    if until > now:
                        self._noted[other] = until
            if len(self._noted) + len(self._older) >= self._max_keys:
                self._noted = {other: until for other, until in (self._noted | self._older).items() if until > now}
                self._older = {}
                if len(self._noted) >= self._max_keys:
                    raise StoreUnavailable("the memory store is full: raise max_keys")
            self._noted[key] = now + ttl
            return True


class MemoryLimiter(Limiter):
    """GCRA: a key's whole state is the time at which its bucket will be full again, for each rate.

    Time is counted in permits (seconds times the rate), so that taking one adds a whole number to a float, which is exact.

    Two dictionaries take turns. A key in use lives in `_young`; with each newcomer two of `_old` are looked at, and moved over
    or dropped, so that what is no longer needed goes without a sweep that would make everybody wait.
    """

    def __init__(self, rates: tuple[Rate, ...], clock: Callable[[], float], max_keys: int) -> None:
        if not rates:
            raise ConfigurationError("a limiter needs at least one rate")
        self._clock = clock
        self._start = clock()  # counted from here, time stays small and floats fine
        self._max_keys = max_keys
        self._young: dict[str, State] = {}
        self._old: dict[str, State] = {}
        self._rates = tuple((rate.count / rate.period, float(rate.burst)) for rate in rates)
        self._fresh: State = (_LONG_AGO,) * len(rates)
        self._overflow: State = self._fresh  # what newcomers share when every place is held by a key at its limit
        self._single = len(rates) == 1
        self._speed, self._burst = self._rates[0]

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def take(self, key: str, cost: int = 1) -> Taken:
        if cost < 0:
            raise ValueError("the cost of a request is not negative")
        with _lock:
            now = self._clock() - self._start
            state = self._young.get(key)
            if state is None:
                state = self._old.pop(key, None)
                if state is None:
                    return self._take_new(key, cost, now)
                self._young[key] = state
            if not self._single:
                after, taken = self._step_all(state, now, cost)
                self._young[key] = after
                return taken
            # One rate, written out: this is what nearly every request runs.
            speed, burst, full = self._speed, self._burst, state[0]
            now *= speed
            backlog = full - now
            if backlog < 0.0:
                backlog, full = 0.0, now
            elif backlog > burst + _SLACK:  # the clock went back: nobody is locked out longer than an empty bucket takes
                backlog, full = burst, now + burst
                self._young[key] = (full,)
            after_one = backlog + cost
            if after_one <= burst + _SLACK:
                self._young[key] = (full + cost,)
                free = burst - after_one
                left = int(free + _SLACK)
                return 0.0, ((left, (left + 1 - free) / speed if after_one else 0.0),)
            free = burst - backlog
            left = int(free + _SLACK)
            return (after_one - burst) / speed, ((left, (left + 1 - free) / speed),)

    def reset(self, key: str) -> None:
        with _lock:
            self._young.pop(key, None)
            self._old.pop(key, None)

    def _step_all(self, state: State, now: float, cost: int) -> tuple[State, Taken]:
        """What `cost` does to a key: all of its rates, or none. Its state afterwards, and the answer."""
        wait = 0.0
        before: list[float] = []  # when each bucket is full again
        backlogs: list[float] = []  # permits used and not yet come back
        for (speed, burst), full in zip(self._rates, state, strict=True):
            present = now * speed
            backlog = full - present
            if backlog < 0.0:
                backlog, full = 0.0, present
            elif backlog > burst + _SLACK:
                backlog, full = burst, present + burst
            if backlog + cost > burst + _SLACK:
                wait = max(wait, (backlog + cost - burst) / speed)
            before.append(full)
            backlogs.append(backlog)
        charged = 0 if wait else cost
        left = []
        for (speed, burst), backlog in zip(self._rates, backlogs, strict=True):
            free = burst - backlog - charged
            whole = int(free + _SLACK)
            left.append((whole, (whole + 1 - free) / speed if backlog + charged else 0.0))
        return tuple(full + charged for full in before), (wait, tuple(left))

    def _take_new(self, key: str, cost: int, now: float) -> Taken:
        if len(self) < self._max_keys:
            self._look(now)
            self._look(now)
            place = True
        else:
            place = self._make_room(now)
        after, taken = self._step_all(self._fresh if place else self._overflow, now, cost)
        if not place:
            self._overflow = after
        elif cost and not taken[0]:
            self._young[key] = after
        return taken

    def _look(self, now: float) -> tuple[str, float] | None:
        """Look at one old key: gone if its buckets are full again, else moved over and given with how used it is."""
        if not self._old:
            self._old, self._young = self._young, {}
            if not self._old:
                return None
        key, state = self._old.popitem()
        used = self._used(state, now)
        if not used:
            return None
        self._young[key] = state
        return key, used

    def _make_room(self, now: float) -> bool:
        """Whether there is now a place for a newcomer: an old key is full again, or one not at its limit is forgotten."""
        chosen, least = None, 1.0
        for _ in range(_LOOK):
            seen = self._look(now)
            if seen is None:
                return True
            if seen[1] < least:
                chosen, least = seen
        if chosen is None:
            return False
        self._young.pop(chosen, None)
        self._old.pop(chosen, None)  # the tables may have taken turns meanwhile
        return True

    def _used(self, state: State, now: float) -> float:
        """How far a key is towards its limit: 0 is a full bucket, from 1 on it cannot take one more."""
        used = 0.0
        for (speed, burst), full in zip(self._rates, state, strict=True):
            backlog = full - now * speed
            if backlog > 0.0:
                used = max(used, 1.0 if backlog > burst - 1.0 + _SLACK else backlog / burst)
        return used
