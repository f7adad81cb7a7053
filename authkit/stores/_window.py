"""Windows in memory: the sliding one, and the fixed one that begins with the clock's own minutes, hours and days."""

from __future__ import annotations

from ._places import MemoryLimiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ._rate import Rate
    from ._store import Taken

    State: TypeAlias = tuple[float, ...]

_EXACT = 64  # up to so many permits every one has a time of its own; above, those of a 64th of the period share one
_ROUND_UP = 1e-6  # seconds: who waits as told is not early by what floats lose


class Sliding:
    """At most `count` in any `[t, t + period)`.

    A state is `(used, time, permits, time, permits, ...)`, oldest first: the permits taken at a time are back one period later.
    Above 64 the time is the end of a slot of period / 64, so no permit is back early, none more than 1/64 of a period late, and
    a key keeps at most 65 times.
    """

    __slots__ = ("count", "_period", "_slot")
    fresh: State = (0,)

    def __init__(self, rate: Rate) -> None:
        self.count = rate.count
        self._period = rate.period
        self._slot = rate.period / _EXACT if rate.count > _EXACT else 0.0

    def settled(self, state: State, now: float) -> State:
        """The state without what is over."""
        ended = now - self._period
        place, used = 1, state[0]
        while place < len(state) and state[place] <= ended:
            used -= state[place + 1]
            place += 2
        if place > 1:
            state = (used, *state[place:])
        if len(state) > 1 and state[-2] > now + self._slot:  # the clock went back: as if all that is to come were taken now
            past = [pair for pair in zip(state[1::2], state[2::2], strict=True) if pair[0] <= now]
            kept = sum(permits for _, permits in past)
            state = (used, *(number for pair in past for number in pair), self._time(now), used - kept)
        return state

    def _time(self, now: float) -> float:
        return (now // self._slot + 1) * self._slot if self._slot else now

    def free(self, state: State) -> int:
        return self.count - int(state[0])

    def charged(self, state: State, now: float, cost: int) -> State:
        time = self._time(now)
        used, *log = state
        if log and log[-2] >= time:
            log[-1] += cost
        else:
            log += (time, cost)
        return (used + cost, *log)

    def back(self, state: State, cost: int) -> State:
        used, *kept = state
        while cost and kept:  # the newest first
            some = min(cost, int(kept[-1]))
            cost -= some
            used -= some
            kept[-1] -= some
            if not kept[-1]:
                del kept[-2:]
        return (used, *kept)

    def due(self, state: State, now: float, permits: int) -> float:
        """Seconds until so many more are free than now; a period if there will never be so many."""
        for place in range(1, len(state), 2):
            permits -= int(state[place + 1])
            if permits <= 0:
                return state[place] + self._period - now + _ROUND_UP
        return self._period + self._slot


class Fixed:
    """At most `count` from one multiple of the period to the next. A state is `(multiple, used)`."""

    __slots__ = ("count", "_period")
    fresh: State = (-1, 0)

    def __init__(self, rate: Rate) -> None:
        self.count = rate.count
        self._period = rate.period

    def settled(self, state: State, now: float) -> State:
        window = now // self._period
        if state[0] == window:
            return state
        return (window, 0 if state[0] < window else state[1])  # above: the clock went back, and what was used stays used

    def free(self, state: State) -> int:
        return self.count - int(state[1])

    def charged(self, state: State, now: float, cost: int) -> State:
        return (state[0], state[1] + cost)

    def back(self, state: State, cost: int) -> State:
        return (state[0], max(0, state[1] - cost))

    def due(self, state: State, now: float, permits: int) -> float:
        """Seconds until the next window."""
        return (state[0] + 1) * self._period - now + _ROUND_UP


class WindowLimiter(MemoryLimiter):
    """One window. A state is the window's."""

    __slots__ = ("_window", "_count")

    def __init__(self, window: Sliding | Fixed, clock: Callable[[], float], start: float, max_keys: int) -> None:
        super().__init__(clock, start, max_keys, window.count, window.fresh)
        self._window = window
        self._count = window.count

    def _step(self, state: State, now: float, cost: int) -> tuple[State, Taken]:
        window = self._window
        state = window.settled(state, now)
        left = window.free(state)
        wait = 0.0
        if cost > left:
            wait = window.due(state, now, cost - left)
        elif cost:
            state = window.charged(state, now, cost)
            left -= cost
        return state, (wait, ((left, window.due(state, now, 1) if left < self._count else 0.0),))

    def _back(self, state: State, now: float, cost: int) -> State:
        return self._window.back(self._window.settled(state, now), cost)

    def _used(self, state: State, now: float) -> float:
        return 1.0 - self._window.free(self._window.settled(state, now)) / self._count


class WindowsLimiter(MemoryLimiter):
    """Several windows: all of them, or none. A state is a tuple of theirs."""

    __slots__ = ("_windows",)

    def __init__(self, windows: tuple[Sliding | Fixed, ...], clock: Callable[[], float], start: float, max_keys: int) -> None:
        most = min(window.count for window in windows)
        super().__init__(clock, start, max_keys, most, tuple(window.fresh for window in windows))
        self._windows = windows

    def _step(self, state: tuple[State, ...], now: float, cost: int) -> tuple[tuple[State, ...], Taken]:
        wait = 0.0
        after = []
        for window, one in zip(self._windows, state, strict=True):
            one = window.settled(one, now)
            missing = cost - window.free(one)
            if missing > 0:
                wait = max(wait, window.due(one, now, missing))
            after.append(one)
        if cost and not wait:
            after = [window.charged(one, now, cost) for window, one in zip(self._windows, after, strict=True)]
        answer = []
        for window, one in zip(self._windows, after, strict=True):
            left = window.free(one)
            answer.append((left, window.due(one, now, 1) if left < window.count else 0.0))
        return tuple(after), (wait, tuple(answer))

    def _back(self, state: tuple[State, ...], now: float, cost: int) -> tuple[State, ...]:
        pairs = zip(self._windows, state, strict=True)
        return tuple(window.back(window.settled(one, now), cost) for window, one in pairs)

    def _used(self, state: tuple[State, ...], now: float) -> float:
        pairs = zip(self._windows, state, strict=True)
        return max(1.0 - window.free(window.settled(one, now)) / window.count for window, one in pairs)
