"""Leases: a node takes permits by the handful and spends them itself, so that the store sees one request in many.

The bound, for M nodes that hold permits of a key and a lease of N (a node is a `LeasedLimiter`: one a guard and process):

- **A node holds at most N - 1** permits of a key. Only one thread at a time asks for more than its request needs, and only when
  what is held is less than that; what it then does not need is at most N - 1. What is given back beyond that, or meanwhile,
  goes to the store. (A request of a cost above 1 that waits for the store's answer has what it claimed, less than its cost.)
- **Over-admission: at most M * (N - 1)** above what the store itself would admit, in any period; from a start at which nothing
  is held: none. In a period, admitted = held at its start + taken - given back - held at its end - lost. The store lets
  "taken - given back" be no more than its algorithm admits: in a bucket what was taken and not given back raises the backlog,
  which ends at burst at most and sinks by the rate; in a window it is still counted at the end. The rest is what was held at
  the start.
- **Under-admission: at most (M - 1) * (N - 1)**. A node refuses only what the store refuses it, of what it does not hold
  itself. What is missing there is held by the others, spends itself there, and is otherwise given back after `ttl` seconds,
  when its node next talks to the store. A node that dies takes N - 1 with it at most, once: the store counts them as used.
"""

from __future__ import annotations

import os
import time
from _weakrefset import WeakSet

from ..errors import ConfigurationError, StoreUnavailable
from . import _places
from ._store import Limiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._rate import Rate
    from ._store import Taken

_GROWTH = 4  # a lease is so much larger than the one before, if that was spent within its time
_LONGEST = 10.0  # seconds that permits are held unspent, where the period is not shorter


class _Held:
    """What this node holds of one key."""

    __slots__ = ("permits", "since", "until", "size", "left", "states", "asking")

    def __init__(self) -> None:
        self.permits = 0
        self.since = self.until = 0.0
        self.size = 1  # of the next lease: one, until a key shows that it needs more
        self.left = 0  # at the store, when it was last asked
        self.states: tuple[tuple[int, float], ...] = ()
        self.asking = 0.0  # until when a thread that asks for a lease is waited for


class LeasedLimiter(Limiter):
    """A limiter that takes up to `lease` permits of `limiter` at a time and spends them here.

    A key that comes once takes one permit, as without leases; the more it comes within `ttl` seconds, the more it takes, up to
    `lease` and to half of what is left. What it says is left is as of its last question to the store.
    `rates`: those of `limiter`. `ttl`: by default the shortest period, 10 seconds at most. `clock`: epoch seconds.
    For a limit of many permits; M nodes times `lease` should be well below it.

    Raises: `ConfigurationError` for a lease that is not a whole number from 1 to the smallest burst.
    """

    __slots__ = ("_limiter", "_lease", "_ttl", "_max_keys", "_clock", "_young", "_old")

    def __init__(
        self,
        limiter: Limiter,
        rates: tuple[Rate, ...],
        lease: int,
        *,
        ttl: float | None = None,
        max_keys: int = 100_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if type(lease) is not int or not 1 <= lease <= min(rate.burst for rate in rates):
            raise ConfigurationError("a lease is a whole number from 1 to the smallest limit")
        self._limiter = limiter
        self._lease = lease
        self._ttl = min(_LONGEST, *(rate.period for rate in rates)) if ttl is None else ttl
        self._max_keys = max_keys
        self._clock = clock
        self._young: dict[str, _Held] = {}
        self._old: dict[str, _Held] = {}  # the two take turns, so that the idle are looked at one by one
        _all.add(self)

    def take(self, key: str, cost: int = 1) -> Taken:
        if cost <= 0:
            wait, states = self._limiter.take(key, cost)
            return wait, _with(states, self.held(key))
        taken = self._spend(key, cost)
        return self._ask(key, cost) if taken is None else taken

    def take_here(self, key: str, cost: int = 1) -> Taken | None:
        taken = self._spend(key, cost)
        if taken is not None:
            return taken
        with _places._lock:
            held = self._find(key)
            if held is not None and held.permits:  # too few, or to be given back first
                return None
        return self._limiter.take_here(key, cost)

    def give_back(self, key: str, cost: int = 1) -> None:
        with _places._lock:
            now = self._clock()
            held = self._find(key)
            if (
                cost > 0
                and held is not None
                and held.size > 1
                and held.since <= now < held.until
                and not self._asked(held, now)
            ):
                kept = min(cost, self._lease - 1 - held.permits)
                held.permits += kept
                cost -= kept
                if not cost:
                    return
        self._limiter.give_back(key, cost)

    def reset(self, key: str) -> None:
        with _places._lock:
            self._young.pop(key, None)
            self._old.pop(key, None)
        self._limiter.reset(key)

    def held(self, key: str) -> int:
        """Permits of `key` that this node holds."""
        with _places._lock:
            held = self._find(key)
            return held.permits if held is not None and held.since <= self._clock() < held.until else 0

    def close(self) -> None:
        """Give back everything that is held. Raises: `StoreUnavailable`."""
        with _places._lock:
            every = {**self._old, **self._young}
            self._young, self._old = {}, {}
        for key, held in every.items():
            permits, held.permits = held.permits, 0
            if permits:
                self._limiter.give_back(key, permits)

    def _spend(self, key: str, cost: int) -> Taken | None:
        with _places._lock:
            held = self._young.get(key) or self._find(key)
            if held is None or not held.permits >= cost > 0 or not held.since <= self._clock() < held.until:
                return None
            permits = held.permits = held.permits - cost
            states = held.states
        if len(states) == 1:
            left, following = states[0]
            return 0.0, ((left + permits, following),)
        return 0.0, _with(states, permits)

    def _ask(self, key: str, cost: int) -> Taken:
        """Ask the store: for a lease, or, where another thread does that already, for what this request needs."""
        with _places._lock:
            now = self._clock()  # in here, so that no thread looks with an older time at what another has just set
            held = self._find(key) or self._place(key)
            unspent = self._renewed(held, now)
            mine = min(held.permits, cost)
            held.permits -= mine
            leads = not self._asked(held, now)
            need = want = cost - mine
            if leads:
                held.asking = now + self._ttl
                want = max(need, min(held.size, held.left // 2))
        spare, taken = mine, None
        try:
            self._return(key, unspent)
            self._return(*self._idle())
            answer = self._limiter.take(key, want)
            if answer[0] and want > need:
                want, answer = need, self._limiter.take(key, need)
            spare = mine if answer[0] else want - need
            taken = answer
        finally:
            self._return(key, self._keep(held, leads, spare, taken, now))
        if answer[0]:
            arrived = self._spend(key, cost)  # another thread's lease, while this one asked
            if arrived is not None:
                return arrived
        return answer[0], _with(answer[1], spare)

    def _find(self, key: str) -> _Held | None:
        held = self._young.get(key)
        if held is None and (held := self._old.pop(key, None)) is not None:
            self._young[key] = held
        return held

    def _place(self, key: str) -> _Held:
        held = _Held()
        if len(self._young) + len(self._old) < self._max_keys:
            self._young[key] = held  # else it holds nothing, for its size is 1
        return held

    def _asked(self, held: _Held, now: float) -> bool:
        """Whether a thread is asking for a lease. One that never came back is not waited for."""
        return now < held.asking <= now + self._ttl

    def _renewed(self, held: _Held, now: float) -> int:
        """Decide how large the next lease is. Gives the permits whose time is over."""
        if held.since <= now < held.until:
            if not self._asked(held, now):
                held.size = min(self._lease, held.size * _GROWTH)
            return 0
        unspent, held.permits = held.permits, 0
        if unspent:
            held.size = max(1, held.size - unspent)
        elif not held.until <= now < held.until + self._ttl:
            held.size = 1
        return unspent

    def _keep(self, held: _Held, leads: bool, spare: int, taken: Taken | None, now: float) -> int:
        """Keep what was not needed. Gives what is more than may be held."""
        with _places._lock:
            if leads:
                held.asking = 0.0
            if taken is not None:
                held.states = taken[1]
                held.left = min([left for left, _ in taken[1]])
                if leads and not taken[0]:
                    held.since, held.until = now, now + self._ttl
            held.permits += spare
            surplus = max(0, held.permits - self._lease + 1)
            held.permits -= surplus
            return surplus

    def _idle(self) -> tuple[str, int]:
        """Look at one old key: dropped if its time is over. Gives it and what it had left."""
        with _places._lock:
            now = self._clock()
            if not self._old:
                self._old, self._young = self._young, {}
            if not self._old:
                return "", 0
            key, held = self._old.popitem()
            if self._asked(held, now) or held.since <= now < held.until:
                self._young[key] = held
                return key, 0
            unspent, held.permits = held.permits, 0
            return key, unspent

    def _return(self, key: str, permits: int) -> None:
        if permits:
            try:
                self._limiter.give_back(key, permits)
            except StoreUnavailable:
                pass  # the store counts them as used, which is on the safe side


def _with(states: tuple[tuple[int, float], ...], permits: int) -> tuple[tuple[int, float], ...]:
    return tuple([(left + permits, following) for left, following in states])


_all: WeakSet[LeasedLimiter] = WeakSet()


def _after_fork() -> None:
    """What is held is the parent's."""
    for limiter in list(_all):
        limiter._young, limiter._old = {}, {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
