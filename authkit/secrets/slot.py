"""What is known of one secret, and for how long it is good: what a handle reads without asking anybody."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from .usage import Usage
from .versions import Masked, SecretVersions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Moment: TypeAlias = tuple[float, float]  # epoch seconds by the wall clock, seconds by the monotonic one
    Key: TypeAlias = tuple[Any, ...]  # of a fetch: the name, the generation, the round, ...

NEVER = float("-inf")
EVER = float("inf")
NEVER_YET = (NEVER, NEVER)  # the moment of what has not happened
FORMER = 8  # versions remembered after they were replaced: a request that began with them may still log them
SLACK = 1.0  # seconds that a wall clock may be set back without anybody asking
SET_BACK = 60.0  # seconds that it may be set back before what was read is held to be of another time
GRANTS = 16  # previous values without an end of their own of which it is remembered what end they were given


def elapsed(then: Moment, now: Moment) -> float:
    """Seconds from `then` to `now` by whichever clock says more.

    A monotonic clock stands still while a machine is frozen, and a wall clock may be set back: neither makes anything immortal.
    """
    return max(now[0] - then[0], now[1] - then[1])


class Entry(Masked):
    """What one fetch brought. `since`, `until` and `ticks` say when `versions` may be read off without a further thought."""

    __slots__ = (
        "versions",
        "text",
        "since",
        "until",
        "ticks",
        "seen",
        "bare",
        "complete",
        "at",
        "soft",
        "ends",
        "generation",
        "order",
    )

    def __init__(
        self,
        seen: SecretVersions,
        *,
        at: Moment,
        soft: float = EVER,
        complete: bool = True,
        generation: int = 0,
        order: int = 0,
    ) -> None:
        self.seen = seen  # what the source said, with the end of `previous` that we gave it if the source gave none
        self.bare: SecretVersions | None = None  # the same without `previous`, once its time was over
        self.complete = complete  # False: previous and pending were not asked for
        self.at = at
        self.soft = soft  # age in seconds at which it is fetched again in the background
        self.ends = EVER if seen.previous_until is None else at[1] + seen.previous_until - at[0]  # of `previous`, monotonic
        self.generation = generation
        self.order = order  # of the fetch: what was begun later counts, whenever it arrived
        self.versions = seen
        self.text: Callable[[], str] | None = None  # gives the current value of `versions`, if that is text
        self.since, self.until, self.ticks = EVER, NEVER, NEVER

    def follow(self, known: Entry) -> None:
        """Be the successor of `known`: the same objects where nothing has changed, and the end that `previous` had."""
        seen = self.seen
        if seen.same_as(known.seen):
            self.seen, self.bare, self.ends = known.seen, known.bare, known.ends
        elif known.bare is not None and seen.same_as(known.bare):
            self.seen = known.bare
        self.versions = self.seen

    def in_force(self, now: Moment) -> SecretVersions:
        """The versions without a previous one whose time is over by either clock; the same object each time."""
        end = self.seen.previous_until
        if end is None or (now[0] < end and now[1] < self.ends):
            return self.seen
        if self.bare is None:
            self.bare = SecretVersions(self.seen.current, None, self.seen.pending)
        return self.bare

    def arm(self, now: Moment, seconds: float) -> SecretVersions:
        """Good for so many seconds more, and no longer than its previous value: until then nobody is asked."""
        versions = self.in_force(now)
        until, ticks = now[0] + seconds, now[1] + seconds
        if versions is self.seen and versions.previous_until is not None:
            until, ticks = min(until, versions.previous_until), min(ticks, self.ends)
        self.versions, self.text = versions, versions.text()  # before the deadlines: whoever sees those finds these
        self.since = now[0] - SLACK
        self.ticks = ticks
        self.until = until
        return versions

    def disarm(self) -> None:
        """Good for nothing without a further thought."""
        self.until = NEVER


# In place of None, so that readers need not look: it is never good, and its value is nobody's.
NOTHING = Entry(SecretVersions(os.urandom(32)), at=NEVER_YET, complete=False, generation=-1)


class Keeper(ABC):
    """Who knows the versions of the secrets that handles stand for."""

    __slots__ = ()

    @abstractmethod
    def at_hand(self, slot: Slot, whole: bool) -> SecretVersions | None:
        """The versions, if they are at hand and still good. No I/O. `whole`: previous and pending are wanted too."""

    @abstractmethod
    async def load(self, slot: Slot, whole: bool) -> SecretVersions:
        """The versions, fetched if need be; whoever awaits it drives the I/O."""

    @abstractmethod
    async def recheck(self, slot: Slot, seen: SecretVersions | None) -> bool:
        """Fetch once more, unless that was done just now; whether there is something other than `seen`."""


class Slot(Masked):
    """The place of one secret: every handle on it holds this very object. Written under its keeper's lock, read without."""

    __slots__ = (
        "name", "keeper", "clock", "monotonic", "usage", "entry", "full", "former", "granted", "whole", "failures", "failed",
        "pause", "failure", "doubted", "refreshing", "begun", "round", "covered", "aloft", "flown", "rechecked", "rechecking",
        "fruitless", "forgiven", "_warned",
    )  # fmt: skip

    def __init__(self, name: str, keeper: Keeper, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.name = name
        self.keeper = keeper
        self.clock = clock
        self.monotonic = monotonic
        self.usage = Usage()
        self.entry: Entry = NOTHING
        self.full: Entry = NOTHING  # `entry` if that is complete
        self.former: tuple[SecretVersions, ...] = ()  # what `entry` replaced, the last first
        self.granted: tuple[SecretVersions, ...] = ()  # whose previous value was given an end here, the last first
        self.whole = False  # whether previous and pending are of interest to somebody
        self.failures = 0  # in a row
        self.failed: Moment = NEVER_YET
        self.pause = 0.0  # seconds after `failed` before the source is asked again
        self.failure: tuple[type[Exception], str] | None = None
        self.doubted = False  # whether it was not there at the last look, though its value was good for longer
        self.refreshing = False  # whether a thread is at it in the background
        self.begun: Moment = NEVER_YET  # the last fetch
        self.round = 0  # goes up when a fetch is given up, so that the next one does not wait for it
        self.covered: Key | None = None  # the flight for another name that brings this one as well
        self.aloft = 0  # fetches of this secret that have begun and not ended
        self.flown: Moment = NEVER_YET  # when the last of them began
        self.rechecked: Moment = NEVER_YET
        self.rechecking: Key = ()
        self.fruitless = 0  # looks in a row that brought nothing new
        self.forgiven: Moment = NEVER_YET  # when a look last was not counted, because it brought something
        self._warned = 0  # the process that was told

    def now(self) -> Moment:
        return self.clock(), self.monotonic()

    def put(self, entry: Entry) -> None:
        """Have `entry` in place of the one that is there."""
        known = self.entry
        if known is not NOTHING and known.seen is not entry.seen:
            self.former = (known.seen, *self.former)[:FORMER]
        self.full = entry if entry.complete else NOTHING
        self.entry = entry

    def read(self) -> tuple[SecretVersions, ...]:
        """What was read last, and what that replaced: for whoever wants to know a value that should not be seen."""
        return self.former if self.entry is NOTHING else (self.entry.seen, *self.former)

    def rests(self, now: Moment) -> bool:
        """Whether the source failed so recently that it is not asked again yet."""
        return self.failures > 0 and elapsed(self.failed, now) < self.pause

    def first_in_this_process(self) -> bool:
        """True once in each process."""
        mine = os.getpid()
        first, self._warned = self._warned != mine, mine
        return first
