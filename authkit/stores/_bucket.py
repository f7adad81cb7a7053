"""Token buckets in memory, as GCRA: a bucket's whole state is the time at which it will be full again.

Time is counted in permits (seconds times the rate), so that taking one adds a whole number to a float, which is exact.
"""

from __future__ import annotations

from math import floor

from . import _places
from ._places import MemoryLimiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ._rate import Rate
    from ._store import Taken

    Buckets: TypeAlias = tuple[float, ...]

_SLACK = 1e-5  # permits: more than rounding ever adds up to, far less than anybody could use
_NEXT = 1.0 + _SLACK
_LONG_AGO = float("-inf")  # when an unused bucket was full again


class BucketLimiter(MemoryLimiter):
    """One rate. A state is a float."""

    __slots__ = ("_speed", "_burst", "_brim", "_each")

    def __init__(self, rate: Rate, clock: Callable[[], float], max_keys: int) -> None:
        super().__init__(clock, clock(), max_keys, rate.burst, _LONG_AGO)
        self._speed = rate.count / rate.period
        self._each = rate.period / rate.count
        self._burst = float(rate.burst)
        self._brim = self._burst + _SLACK

    def take(self, key: str, cost: int = 1) -> Taken:
        # What nearly every request runs, written out: a key in use. All else is the general way.
        with _places._lock:
            full = self._young.get(key)
            if full is not None and cost > 0:
                now = (self._clock() - self._start) * self._speed
                if full < now:
                    full = now
                free = self._brim - cost - (full - now)
                if free >= 0.0:
                    self._young[key] = full + cost
                    left = floor(free)
                    return 0.0, ((left, (left - free + _NEXT) * self._each),)
                free += cost
                if free >= 0.0 and full > now:  # else the clock went back, or the cost is more than a full bucket
                    left = floor(free)
                    wait = (cost - free + _SLACK) * self._each
                    if cost > 1:
                        self._hold(key, cost, now * self._each + wait)
                    return wait, ((left, (left - free + _NEXT) * self._each),)
        return super().take(key, cost)

    take_here = take

    def _step(self, state: float, now: float, cost: int) -> tuple[float, Taken]:
        now *= self._speed
        backlog = state - now  # permits used and not yet come back
        if backlog < 0.0:
            backlog, state = 0.0, now
        elif backlog > self._brim:  # the clock went back: nobody is locked out longer than an empty bucket takes
            backlog, state = self._burst, now + self._burst
        free = self._brim - backlog
        wait = 0.0
        if cost > free:
            wait, cost = (cost - self._burst + backlog) * self._each, 0
        free -= cost
        left = floor(free)
        return state + cost, (wait, ((left, (left - free + _NEXT) * self._each if backlog + cost else 0.0),))

    def _back(self, state: float, now: float, cost: int) -> float:
        return max(state - cost, now * self._speed)

    def _used(self, state: float, now: float) -> float:
        return _used(state - now * self._speed, self._burst)


class BucketsLimiter(MemoryLimiter):
    """Several rates: all of them, or none. A state is a tuple of floats."""

    __slots__ = ("_rates",)

    def __init__(self, rates: tuple[Rate, ...], clock: Callable[[], float], max_keys: int) -> None:
        super().__init__(clock, clock(), max_keys, min(rate.burst for rate in rates), (_LONG_AGO,) * len(rates))
        self._rates = tuple((rate.count / rate.period, rate.period / rate.count, float(rate.burst)) for rate in rates)

    def _step(self, state: Buckets, now: float, cost: int) -> tuple[Buckets, Taken]:
        after, answer = [], []
        for (speed, each, burst), full in zip(self._rates, state):  # noqa: B905 (as many states as rates; strict= costs time)
            present = now * speed
            backlog = full - present
            if backlog < 0.0:
                backlog, full = 0.0, present
            free = burst + _SLACK - backlog - cost
            if free < 0.0:
                return self._refuse(state, now, cost)
            left = floor(free)
            after.append(full + cost)
            answer.append((left, (left - free + _NEXT) * each if backlog + cost else 0.0))
        return tuple(after), (0.0, tuple(answer))

    def _refuse(self, state: Buckets, now: float, cost: int) -> tuple[Buckets, Taken]:
        wait = 0.0
        after, answer = [], []
        for (speed, each, burst), full in zip(self._rates, state, strict=True):
            present = now * speed
            full = min(max(full, present), present + burst)  # above: the clock went back
            backlog = full - present
            if backlog + cost > burst + _SLACK:
                wait = max(wait, (backlog + cost - burst) * each)
            left = floor(burst + _SLACK - backlog)
            after.append(full)
            answer.append((left, (left + 1 - burst + backlog) * each if backlog else 0.0))
        return tuple(after), (wait, tuple(answer))

    def _back(self, state: Buckets, now: float, cost: int) -> Buckets:
        return tuple(max(full - cost, now * speed) for (speed, _, _), full in zip(self._rates, state, strict=True))

    def _used(self, state: Buckets, now: float) -> float:
        return max(_used(full - now * speed, burst) for (speed, _, burst), full in zip(self._rates, state, strict=True))


def _used(backlog: float, burst: float) -> float:
    if backlog <= 0.0:
        return 0.0
    return 1.0 if backlog > burst - 1.0 + _SLACK else backlog / burst
