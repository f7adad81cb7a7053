"""What is known of every secret, how old it may be, and what holds while its source fails. No I/O, and no waiting."""

from __future__ import annotations

import os
from _weakrefset import WeakSet  # what `weakref` and `threading` import as well

from .._lock import ProcessLock
from ..errors import ConfigurationError, SecretNotFound, SecretUnavailable
from .slot import NOTHING, SLACK, Entry, Slot, elapsed
from .versions import Masked, SecretVersions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from .slot import Keeper, Key, Moment

    Fetch: TypeAlias = tuple[Moment, int, int]

RETRY = 10.0  # seconds between two attempts at a source that is down, at first; they double up to
RETRY_AT_MOST = 60.0
RETRY_COLD = 1.0  # the same where no value is known, so that every reader is refused meanwhile; up to RETRY
OVERDUE = 30.0  # seconds after which nobody waits for a fetch any more: it hangs, or the machine was frozen in the midst of it
MISSING = 10.0  # seconds for which a secret that no source has is not asked for again


class Terms:
    """The numbers that `Secrets` was given, in seconds."""

    __slots__ = ("ttl", "grace", "stale", "cooldown", "pass_over")

    def __init__(self, ttl: float, grace: float, stale: float, cooldown: float, pass_over: bool) -> None:
        self.ttl = ttl
        self.grace = grace
        self.stale = stale
        self.cooldown = cooldown
        self.pass_over = pass_over


class Ledger(Masked):
    """The slots of one `Secrets`. Whatever takes a slot or an entry is called with `lock` held."""

    __slots__ = ("terms", "lock", "known", "generation", "_order", "_clock", "_monotonic", "_random", "__weakref__")

    def __init__(
        self, terms: Terms, clock: Callable[[], float], monotonic: Callable[[], float], random: Callable[[int], bytes]
    ) -> None:
        self.terms = terms
        self.lock = ProcessLock()  # held for a few steps in memory, never over a fetch
        self.known: dict[str, Slot] = {}
        self.generation = 0
        self._order = 0
        self._clock = clock
        self._monotonic = monotonic
        self._random = random
        _all.add(self)

    def slot(self, name: str, keeper: Keeper) -> Slot:
        """The one slot of that name."""
        slot = self.known.get(name)
        if slot is None:
            slot = self.known.setdefault(name, Slot(name, keeper, self._clock, self._monotonic))
        return slot

    def slots(self) -> list[Slot]:
        """Every slot whose name was handed out, in that order."""
        return list(self.known.values())

    def expire(self) -> None:
        """Have everything fetched again at its next use, failures forgotten."""
        with self.lock:
            self.generation += 1
            for slot in self.slots():
                slot.entry.disarm()
                slot.failures = 0

    # Reading

    def judged(self, slot: Slot, entry: Entry, now: Moment) -> tuple[SecretVersions | None, bool]:
        """The versions, None if they have to be fetched first; and whether to fetch in the background."""
        if entry is NOTHING:
            return None, False
        age = elapsed(entry.at, now)
        resting = slot.rests(now)
        idle = self.under_way(slot, now) is None and not (slot.refreshing and elapsed(slot.begun, now) < OVERDUE)
        if self.fresh(entry, now):
            if age < entry.soft:
                return entry.arm(now, entry.soft - age), False
            wait = self.terms.ttl - age
            return entry.arm(now, min(wait, self.rest(slot, now)) if resting else wait), idle and not resting
        wait = self.terms.ttl + self.terms.stale - age
        if wait <= 0 or slot.failures == 0 or slot.failure is None or slot.failure[0] is not SecretUnavailable:
            return None, False
        return entry.arm(now, min(wait, self.rest(slot, now)) if resting else wait), idle and not resting

    def fresh(self, entry: Entry, now: Moment) -> bool:
        """Whether it is within its time by both clocks, and no `refresh()` has come since."""
        return (
            entry is not NOTHING
            and entry.generation == self.generation
            and now[0] >= entry.at[0] - SLACK
            and elapsed(entry.at, now) < self.terms.ttl
        )

    def under_way(self, slot: Slot, now: Moment) -> Key | None:
        """The fetch that will bring this secret, if there is one to wait for."""
        covered = slot.covered
        if covered is None or covered[1] != self.generation or elapsed(slot.begun, now) >= OVERDUE:
            return None
        return covered

    def next_key(self, slot: Slot, whole: bool) -> Key:
        """What names the fetch that is to be joined or begun now: not one from before `refresh()`, nor an overdue one."""
        if slot.covered is not None and self.under_way(slot, slot.now()) is None:
            slot.round += 1
        return slot.name, self.generation, slot.round, whole or slot.whole

    @staticmethod
    def rest(slot: Slot, now: Moment) -> float:
        """Seconds until the source is asked again."""
        return slot.pause - elapsed(slot.failed, now)

    def refusal(self, slot: Slot) -> Exception | None:
        """What the source said last, if that was so short ago that it is not asked again."""
        now = slot.now()
        if slot.failure is None or not slot.rests(now):
            return None
        kind, message = slot.failure
        if kind is SecretUnavailable:
            return SecretUnavailable(message, retry_after=int(self.rest(slot, now)) + 1)
        return kind(message)

    # Writing

    def begin(self, slots: Iterable[Slot], key: Key, now: Moment) -> Fetch:
        """A fetch of these secrets is under way: the moment, the generation, and its place among all fetches."""
        self._order += 1
        for one in slots:
            one.covered, one.begun = key, now
        return now, key[1], self._order

    def end(self, slots: Iterable[Slot], key: Key) -> None:
        for one in slots:
            if one.covered == key:
                one.covered = None

    def is_news(self, slot: Slot, fetch: Fetch) -> bool:
        """Whether neither a `refresh()` nor a fetch that began later has made this one meaningless."""
        return fetch[1] == self.generation and fetch[2] > slot.entry.order

    def land(self, slot: Slot, seen: SecretVersions, complete: bool, fetch: Fetch, soft: float) -> Entry:
        """Take in what a fetch brought; the entry that holds for whoever asked for it."""
        at, generation, order = fetch
        known = slot.entry
        if seen.previous is not None and seen.previous_until is None:
            granted = _granted(known.seen, seen) if known is not NOTHING else None
            seen = seen.until(at[0] + self.terms.grace if granted is None else granted)
        entry = Entry(seen, at=at, soft=soft, complete=complete, generation=generation, order=order)
        if known is not NOTHING:
            entry.follow(known)
            if known.order > order:  # a fetch that began later has landed already
                return known if known.complete or not complete else entry
        if complete and (seen.previous is not None or seen.pending is not None):
            slot.whole = True  # to leave them out now and then would begin the grace of the previous one anew
        now = slot.now()
        if self.fresh(entry, now):
            entry.arm(now, max(0.0, soft - elapsed(at, now)))
        slot.put(entry)
        slot.failures, slot.failure = 0, None
        return entry

    def failed(self, slot: Slot, failure: Exception, now: Moment) -> None:
        """Remember what was said and when to ask again. A secret that is gone is not used on."""
        kinds = (SecretNotFound, SecretUnavailable, ConfigurationError)
        kind: type[Exception] = next((kind for kind in kinds if isinstance(failure, kind)), ConfigurationError)
        if kind is SecretNotFound:
            slot.put(NOTHING)
            pause = MISSING
        else:
            first, most = (RETRY_COLD, RETRY) if slot.entry is NOTHING else (min(RETRY, self.terms.ttl), RETRY_AT_MOST)
            pause = min(most, first * 2.0 ** min(slot.failures, 16))
            pause *= 0.75 + 0.5 * self.chance()
        slot.failures += 1
        slot.failed, slot.pause, slot.failure = now, pause, (kind, str(failure))
        slot.entry.disarm()

    def soft(self) -> float:
        """Seconds after which a value is fetched again in the background: another number for each fetch and each process."""
        return self.terms.ttl * (0.7 + 0.2 * self.chance())

    def chance(self) -> float:
        """From 0 to 1."""
        return int.from_bytes(self._random(4), "big") / 0xFFFFFFFF

    def after_fork(self) -> None:
        """In the child: none of the parent's threads is here, and not all children are to refresh at one moment."""
        for slot in self.slots():
            slot.refreshing, slot.covered = False, None
            if slot.entry.soft > RETRY:
                slot.entry.soft = self.soft()
            slot.entry.disarm()


def _granted(known: SecretVersions, seen: SecretVersions) -> float | None:
    """The end that this very previous value was given when it was first seen; reading it again does not prolong it."""
    return known.previous_until if known.previous == seen.previous else None


_all: WeakSet[Ledger] = WeakSet()


def _after_fork() -> None:
    for ledger in list(_all):
        ledger.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
