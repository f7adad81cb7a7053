"""What is known of every secret, how old it may be, and what holds while its source fails. No I/O, and no waiting."""

from __future__ import annotations

import os
from _weakrefset import WeakSet  # what `weakref` and `threading` import as well
from itertools import count

from .._lock import ProcessLock
from ..errors import ConfigurationError, SecretNotFound, SecretUnavailable
from .slot import GRANTS, NEVER_YET, NOTHING, SET_BACK, SLACK, Entry, Slot, elapsed
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
ALOFT = 8  # fetches of one secret that may be under way together, those that hang included; and of all secrets, for a second
ALOFT_TOGETHER = 64
CROWDED = 600.0  # seconds between two fetches beyond that: what hangs for ever may be the old ones alone
COOLDOWN_AT_MOST = 30.0  # seconds; the cooldown doubles with every look that brings nothing new
COOLDOWN_LOCAL_AT_MOST = 0.5  # the same where a look costs no network


class Terms:
    """The numbers that `Secrets` was given, in seconds."""

    __slots__ = ("ttl", "grace", "stale", "cooldown", "cooldown_at_most", "pass_over")

    def __init__(self, ttl: float, grace: float, stale: float, cooldown: float, pass_over: bool, local: bool) -> None:
        self.ttl = ttl
        self.grace = grace
        self.stale = stale
        self.cooldown = cooldown
        self.cooldown_at_most = max(cooldown, COOLDOWN_LOCAL_AT_MOST if local else COOLDOWN_AT_MOST)
        self.pass_over = pass_over


class Ledger(Masked):
    """The slots of one `Secrets`. Whatever takes a slot or an entry is called with `lock` held."""

    __slots__ = (
        "terms", "lock", "known", "generation", "aloft", "_generations", "_order", "_clock", "_monotonic", "_random",
        "__weakref__",
    )  # fmt: skip

    def __init__(
        self, terms: Terms, clock: Callable[[], float], monotonic: Callable[[], float], random: Callable[[int], bytes]
    ) -> None:
        self.terms = terms
        self.lock = ProcessLock()  # held for a few steps in memory, never over a fetch
        self.known: dict[str, Slot] = {}
        self._generations = count()
        self.generation = next(self._generations)
        self.aloft = 0
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
        """Have everything fetched again at its next use, failures forgotten.

        It takes no lock: a signal handler may call it, in the midst of whatever its thread was doing.
        """
        self.generation = next(self._generations)
        for slot in self.slots():
            slot.entry.disarm()  # after the generation: whoever arms it meanwhile sees that
            slot.failures, slot.doubted = 0, False

    # Reading

    def judged(self, slot: Slot, entry: Entry, now: Moment) -> tuple[SecretVersions | None, bool]:
        """The versions, None if they have to be fetched first; and whether to fetch in the background."""
        if entry is NOTHING:
            return None, False
        generation = self.generation
        age = elapsed(entry.at, now)
        if self.settled(entry, now):
            versions = entry.arm(now, entry.soft - age)
            if self.generation != generation:
                entry.disarm()
            return versions, False
        wait = self.terms.ttl - age
        if not self.fresh(entry, now):
            wait += self.terms.stale
            if wait <= 0 or slot.failures == 0 or slot.failure is None or slot.failure[0] is not SecretUnavailable:
                return None, False
        resting = slot.rests(now)
        idle = self.under_way(slot, now) is None and not (slot.refreshing and elapsed(slot.begun, now) < OVERDUE)
        # An attempt that hangs is looked after before long, and another one made.
        versions = entry.arm(now, min(wait, self.rest(slot, now) if resting else OVERDUE))
        if self.generation != generation:
            entry.disarm()
        return versions, idle and not resting

    def settled(self, entry: Entry, now: Moment) -> bool:
        """Whether it is good, and not yet due to be fetched in the background."""
        return self.fresh(entry, now) and elapsed(entry.at, now) < entry.soft and now[0] >= entry.at[0] - SLACK

    def fresh(self, entry: Entry, now: Moment) -> bool:
        """Whether it is within its time by both clocks, and no `refresh()` has come since."""
        return (
            entry is not NOTHING
            and entry.generation == self.generation
            and now[0] >= entry.at[0] - SET_BACK
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

    def may_look(self, slot: Slot, now: Moment) -> bool:
        """Whether the source may be asked because a verification failed: rarer with every such look that brought nothing."""
        cooldown = min(self.terms.cooldown_at_most, self.terms.cooldown * 2.0 ** min(max(0, slot.fruitless - 1), 16))
        under_way = bool(slot.rechecking) and elapsed(slot.rechecked, now) < OVERDUE
        return not under_way and elapsed(slot.rechecked, now) >= cooldown

    def crowded(self, slot: Slot, now: Moment) -> Exception | None:
        """What is said where so many fetches hang that another one would only hold another thread. None: go, and it counts."""
        free = slot.aloft < ALOFT and (self.aloft < ALOFT_TOGETHER or not slot.aloft)
        if free or elapsed(slot.flown, now) >= CROWDED:
            slot.flown = now
            slot.aloft += 1
            self.aloft += 1
            return None
        return SecretUnavailable(f"the secret {slot.name}: {slot.aloft} fetches have not come to an end")

    # Writing

    def looked(self, slot: Slot, changed: bool, now: Moment) -> None:
        """Whether such a look brought another value. One in a cooldown that did is not counted, so that the next rotation is
        seen as soon as this one; not every one, because there are sources that say something else each time."""
        if not changed:
            slot.fruitless += 1
            return
        slot.fruitless = 0
        if elapsed(slot.forgiven, now) >= self.terms.cooldown:
            slot.rechecked, slot.forgiven = NEVER_YET, now

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
        if slot.granted:  # what is current again was not granted anything for its next time as the previous one
            slot.granted = tuple(one for one in slot.granted if one.previous != seen.current)
        if seen.previous is not None:
            seen = self._granted(slot, seen, at[0])
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
        if known is not NOTHING and known.seen.current != seen.current:
            slot.fruitless = 0
        slot.put(entry)
        slot.failures, slot.failure, slot.doubted = 0, None, False
        return entry

    def _granted(self, slot: Slot, seen: SecretVersions, now: float) -> SecretVersions:
        """`seen` with an end of its previous value: where none is said the one it was last said or given, however often it
        comes and goes."""
        others = tuple(one for one in slot.granted if one.previous != seen.previous)
        if seen.previous_until is None:
            for one in slot.granted:
                if one.previous == seen.previous:
                    return seen.until(one.previous_until)
            since = now
            if seen.previous_since is not None:
                since = min(now, seen.previous_since)
                known = slot.entry
                if known is not NOTHING and known.seen.current == seen.previous:  # we saw it in use later than that
                    since = max(since, min(now, known.at[0]))
            seen = seen.until(since + self.terms.grace)
        slot.granted = (seen, *others)[:GRANTS]
        return seen

    def failed(self, slot: Slot, failure: Exception, now: Moment) -> None:
        """Remember what was said and when to ask again.

        A secret that is gone is not used on; but if its value was good for longer, only when it is gone at the next look too:
        a file may be in the midst of being written.
        """
        kinds = (SecretNotFound, SecretUnavailable, ConfigurationError)
        kind: type[Exception] = next((kind for kind in kinds if isinstance(failure, kind)), ConfigurationError)
        if kind is SecretNotFound and not slot.doubted and self.fresh(slot.entry, now):
            slot.doubted = True
            slot.entry.soft = 0.0
            kind, failure = SecretUnavailable, SecretUnavailable(f"{failure} (a moment ago it was there)")
            pause = RETRY_COLD
        elif kind is SecretNotFound:
            slot.put(NOTHING)
            slot.doubted = False
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
        self.aloft = 0
        for slot in self.slots():
            slot.refreshing, slot.covered, slot.aloft = False, None, 0
            if slot.entry.soft > RETRY:
                slot.entry.soft = self.soft()
            slot.entry.disarm()


_all: WeakSet[Ledger] = WeakSet()


def _after_fork() -> None:
    for ledger in list(_all):
        ledger.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
