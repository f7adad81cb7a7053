"""What limiters in memory share: places for keys, of which there are so many, and none is taken from a limited key early."""

from __future__ import annotations

import os
import threading

from ._store import Limiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._store import Taken

# One lock for all: it is held for about a microsecond and never across I/O, and after a fork there is one to renew, not one a
# table (a child may be born while another thread of its parent holds it). `with`, because an exception out of a signal
# handler, raised between `acquire` and `try`, would leave it held for ever.
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_LOOK = 4  # keys looked at to make room for one more


class MemoryLimiter(Limiter):
    """Keys and their states. What a state is, and what taking does to it, is the algorithm's, which inherits this.

    Two dictionaries take turns. A key in use lives in `_young`; with each newcomer two of `_old` are looked at, and moved over
    or dropped, so that what is no longer needed goes without a sweep that would make everybody wait.
    """

    __slots__ = ("_clock", "_start", "_max_keys", "_most", "_young", "_old", "_refused", "_fresh", "_overflow")

    def __init__(self, clock: Callable[[], float], start: float, max_keys: int, most: int, fresh: Any) -> None:
        self._clock = clock
        self._start = start  # time is counted from here
        self._max_keys = max_keys
        self._most = most  # permits that a key has at most: a cost above it is refused to everybody for ever
        self._young: dict[str, Any] = {}
        self._old: dict[str, Any] = {}
        self._refused: dict[str, float] = {}  # keys of those two that were refused more than one permit, and until when
        self._fresh = fresh  # the state of a key that has taken nothing
        self._overflow = fresh  # what newcomers share when every place is held by a key at its limit

    def _step(self, state: Any, now: float, cost: int) -> tuple[Any, Taken]:
        """What taking `cost` does to a key: its state afterwards, and the answer."""
        raise NotImplementedError

    def _back(self, state: Any, now: float, cost: int) -> Any:
        """The state of a key that is given back `cost`."""
        raise NotImplementedError

    def _used(self, state: Any, now: float) -> float:
        """How far a key is towards its limit: 0 is as if new, from 1 on it cannot take one more."""
        raise NotImplementedError

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
            after, taken = self._step(state, now, cost)
            self._young[key] = after
            if cost > 1 and taken[0]:
                self._hold(key, cost, now + taken[0])
            return taken

    take_here = take

    def give_back(self, key: str, cost: int = 1) -> None:
        if cost < 0:
            raise ValueError("the cost of a request is not negative")
        with _lock:
            for table in (self._young, self._old):
                state = table.get(key)
                if state is not None:
                    table[key] = self._back(state, self._clock() - self._start, cost)

    def reset(self, key: str) -> None:
        with _lock:
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._young.pop(key, None)
        self._old.pop(key, None)
        self._refused.pop(key, None)

    def _hold(self, key: str, cost: int, until: float) -> None:
        """Whoever was told to wait for so much does not have it earlier because others came: the key keeps its place."""
        if cost <= self._most:
            self._refused[key] = until

    def _take_new(self, key: str, cost: int, now: float) -> Taken:
        if len(self._young) + len(self._old) < self._max_keys:
            self._look(now)
            self._look(now)
            place = True
        else:
            place = self._make_room(now)
        after, taken = self._step(self._fresh if place else self._overflow, now, cost)
        if not place:
            self._overflow = after
        elif cost and not taken[0]:
            self._young[key] = after
        return taken

    def _look(self, now: float) -> tuple[str, float] | None:
        """Look at one old key: gone if it is as if new, else moved over and given with how used it is.

        Whoever waits for more than one permit is at its limit, too.
        """
        if not self._old:
            self._old, self._young = self._young, {}
            if not self._old:
                return None
        key, state = self._old.popitem()
        used = self._used(state, now)
        if key in self._refused:
            if used and now < self._refused[key]:
                used = 1.0
            else:
                del self._refused[key]
        if not used:
            return None
        self._young[key] = state
        return key, used

    def _make_room(self, now: float) -> bool:
        """Whether there is now a place for a newcomer: an old key is as if new, or one not at its limit is forgotten."""
        chosen, least = None, 1.0
        for _ in range(_LOOK):
            seen = self._look(now)
            if seen is None:
                return True
            if seen[1] < least:
                chosen, least = seen
        if chosen is None:
            return False
        self._drop(chosen)  # from either table: they may have taken turns meanwhile
        return True
