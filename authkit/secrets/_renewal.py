"""When a secret is fetched again, by whom, and what holds while that fails."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from functools import partial

from .._run import SingleFlight, arun, run
from ..errors import AuthkitError, ConfigurationError, SecretUnavailable, Unavailable
from ._ledger import RETRY, Ledger
from .slot import NOTHING, Keeper, Slot, elapsed
from .versions import Masked, SecretVersions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._asking import Chain
    from .slot import Key, Moment

TOGETHER = 49  # other names that one question may carry
LOOK = 5.0  # seconds that a verification that failed waits for the look at the source that it caused
LOOK_ON = 1.0  # seconds from its begin that those wait for it who come meanwhile: anybody may send many


class Within:
    """A fetch that is under way, to whatever its source does meanwhile."""

    __slots__ = ("keeper", "name", "over")

    def __init__(self, keeper: Renewal, name: str) -> None:
        self.keeper = keeper
        self.name = name
        self.over = False


_within: ContextVar[tuple[Within, ...]] = ContextVar("authkit_secrets_within", default=())


class Renewal(Masked, Keeper):
    """The fetches that fill the slots of one `Secrets`: one at a time for each, in the background if that is enough."""

    __slots__ = ("_chain", "_ledger", "_flights", "_bounded")

    def __init__(self, chain: Chain, ledger: Ledger) -> None:
        self._chain = chain
        self._ledger = ledger
        self._flights = SingleFlight()
        self._bounded = not chain.local  # a local source may be asked in the reader's own thread: it does not hang

    # Reading

    def at_hand(self, slot: Slot, whole: bool) -> SecretVersions | None:
        """What may be used now, having started what should happen in the background."""
        with self._ledger.lock:
            entry = slot.full if whole else slot.entry
            now = slot.now()
            versions, refresh = self._ledger.judged(slot, entry, now)
            if refresh:
                if slot.covered is not None:  # what was under way came to no end in time: the next one does not join it
                    slot.round += 1
                    slot.covered = None
                slot.refreshing, slot.begun = True, now
        if refresh:
            self._in_background(slot)
        return versions

    async def load(self, slot: Slot, whole: bool) -> SecretVersions:
        """The versions, fetched once however many wait, none of them longer than a fetch may take."""
        if whole:
            slot.whole = True
        return await self._loaded(slot, whole)

    async def _loaded(self, slot: Slot, whole: bool) -> SecretVersions:
        names = self._names_within()
        for _ in range(2):
            versions = self.at_hand(slot, whole)
            if versions is not None:
                return versions
            if names:
                return self._alone(slot, whole, names)
            covered, round = self._ledger.under_way(slot, slot.now()), slot.round
            if covered is None:
                break
            if not await self._flights.join(covered):  # it may be under way for another name, and bring this one as well
                return self._given_up(slot, round, whole, "waited too long for another caller's fetch")
        with self._ledger.lock:
            refusal = self._ledger.refusal(slot)
            key = self._ledger.next_key(slot, whole)
        if refusal is not None:
            raise refusal
        try:
            return await self._flights.do(key, partial(self._renewed, slot, key, whole, False), bounded=self._bounded)
        except Unavailable as error:
            if isinstance(error, SecretUnavailable):
                raise
            message = str(error)
        return self._given_up(slot, key[2], whole, message)

    def _names_within(self) -> tuple[str, ...]:
        """What is being fetched here by the very caller: its sources read one secret to fetch another."""
        found = _within.get()
        return tuple(one.name for one in found if one.keeper is self and not one.over) if found else ()

    def _alone(self, slot: Slot, whole: bool, names: tuple[str, ...]) -> SecretVersions:
        """Fetched here and now: to wait for a fetch that covers it would be to wait for oneself."""
        if slot.name in names:
            raise ConfigurationError(f"the secret {slot.name} is read by a source in order to fetch it")
        with self._ledger.lock:
            refusal = self._ledger.refusal(slot)
        if refusal is not None:
            raise refusal
        return self._renewed(slot, (slot.name, self._ledger.generation, slot.round, whole, names), whole, False, alone=True)

    def fill(self) -> None:
        """Have all versions of every slot at hand. Raises: what the first of those that failed raised, when all were tried."""
        _first_failure([run(self._tried(slot)) for slot in self._ledger.slots()])

    async def afill(self) -> None:
        """`fill` on an event loop, many at once; where one call may bring several, that one first."""
        import asyncio

        slots = self._ledger.slots()
        ahead = slots[:1] if self._chain.batches else []
        tried = [await arun(self._tried(slot)) for slot in ahead]
        for start in range(len(ahead), len(slots), TOGETHER):
            tried += await asyncio.gather(*[arun(self._tried(slot)) for slot in slots[start : start + TOGETHER]])
        _first_failure(tried)

    async def _tried(self, slot: Slot) -> AuthkitError | None:
        try:
            await self._loaded(slot, True)
        except AuthkitError as error:
            return error
        return None

    def _given_up(self, slot: Slot, round: int, whole: bool, message: str) -> SecretVersions:
        """What holds for one that waited for a fetch too long, or found no thread free for it."""
        message = f"the secret {slot.name}: {message}"
        now = slot.now()
        with self._ledger.lock:
            if (
                slot.round == round and slot.aloft
            ):  # the source has said nothing for all that time; the first to give up: the next fetch waits for nobody
                slot.round += 1
                slot.covered, slot.refreshing = None, False
                self._ledger.failed(slot, SecretUnavailable(message), now)
            versions, _ = self._ledger.judged(slot, slot.full if whole else slot.entry, now)
            refusal = self._ledger.refusal(slot)
        if versions is not None:
            return versions
        raise refusal or SecretUnavailable(message)

    # Fetching

    def _in_background(self, slot: Slot) -> None:
        thread = threading.Thread(target=self._refreshed, args=(slot,), name="authkit-secrets", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread to be had, or the interpreter is closing: a reader will fetch it when it must
            slot.refreshing = False

    def _refreshed(self, slot: Slot) -> None:
        """One refresh, in a thread of its own that ends with it."""
        with self._ledger.lock:
            key = self._ledger.next_key(slot, False)
        try:
            run(self._flights.do(key, partial(self._renewed, slot, key, key[3], False)))
        except BaseException:
            pass  # it was noted and told when it happened
        finally:
            slot.refreshing = False

    def _renewed(self, slot: Slot, key: Key, whole: bool, forced: bool, alone: bool = False) -> SecretVersions:
        """One fetch, and what holds after it. It may block."""
        now = slot.now()
        with self._ledger.lock:
            entry = slot.full if whole else slot.entry
            if not forced and self._ledger.settled(entry, now):
                return entry.in_force(now)  # another flight has just landed
            refusal = self._ledger.refusal(slot)  # or has just failed
            usable = entry is not NOTHING and elapsed(entry.at, now) < self._ledger.terms.ttl + self._ledger.terms.stale
            refusal = refusal or self._ledger.crowded(slot, now)
            slots = [slot, *self._companions(slot, now)] if refusal is None and not alone else [slot]
            fetch = self._ledger.begin(slots if refusal is None and not alone else [], key, now)
        if refusal is not None:
            raise refusal
        current_only = not whole and not any(one.whole for one in slots)
        within = Within(self, slot.name)
        token = _within.set((*_within.get(), within))
        try:
            answer = self._chain.ask([one.name for one in slots], current_only, self._ledger.terms.pass_over and not usable)
        except BaseException as error:
            with self._ledger.lock:
                self._ledger.end(slots, key)
                if not isinstance(error, KeyboardInterrupt) and self._ledger.is_news(slot, fetch):
                    said = f"the secret {slot.name}: its source raised {type(error).__name__}"
                    self._ledger.failed(slot, SecretUnavailable(said), slot.now())
            raise error.with_traceback(None) from None  # the frames of a source may hold values
        finally:
            within.over = True
            _within.reset(token)
            self._ledger.aloft -= 1
            slot.aloft -= 1
        soft = self._ledger.soft()
        if answer.weaker:
            soft = min(soft, RETRY)  # look soon whether the source that should have it is back
        with self._ledger.lock:
            self._ledger.end(slots, key)
            landed = {
                name: self._ledger.land(self._ledger.known[name], versions, complete, fetch, soft)
                for name, (versions, complete) in answer.found.items()
            }
            if answer.failure is None:
                return landed[slot.name].in_force(now)
            now = slot.now()
            for one in (slot, *(self._ledger.known[name] for name in answer.failed_too)):
                if self._ledger.is_news(one, fetch) and (one is slot or not one.rests(now)):
                    self._ledger.failed(one, answer.failure, now)
            known, _ = self._ledger.judged(slot, slot.full if whole else slot.entry, now)
        if known is None:
            raise answer.failure
        _warn_stale(slot.name, answer.failure)
        return known

    def _companions(self, slot: Slot, now: Moment) -> Iterable[Slot]:
        """Whose names go along with the one that is wanted: those that are longest without news first."""
        if not self._chain.batches:
            return ()
        others = [one for one in self._ledger.slots() if one is not slot and not one.rests(now)]
        return sorted(others, key=lambda one: one.entry.at[1])[:TOGETHER]

    async def recheck(self, slot: Slot, seen: SecretVersions | None) -> bool:
        """Fetch once more, unless that was done within the cooldown; whether there is something other than `seen`."""
        now = slot.now()
        with self._ledger.lock:
            entry = slot.full
            before = seen if seen is not None else entry.versions
            if entry is NOTHING or entry.versions is not before:
                return seen is not None
            if slot.rests(now) or self._names_within():
                return False
            if self._ledger.may_look(slot, now):
                slot.rechecked = now  # before the fetch: one that fails or takes long is not repeated either
                slot.rechecking = (slot.name, self._ledger.generation, slot.round, True, now)
            key = slot.rechecking
        if key:  # who does not lead may be here before the leader has set out: whoever comes first flies
            try:
                follow = max(0.0, LOOK_ON - elapsed(key[4], now))
                look = partial(self._looked_again, slot, key, before)
                await self._flights.do(key, look, bounded=self._bounded, lead=LOOK, follow=follow)
            except AuthkitError:
                pass  # it was noted and told when it happened
        return slot.full.versions is not before

    def _looked_again(self, slot: Slot, key: Key, before: SecretVersions) -> None:
        """The one fetch of a cooldown, unless it has landed between the question and this."""
        if slot.rechecking == key:
            try:
                self._renewed(slot, key, True, True)
            finally:
                changed = slot.full.versions.named() != before.named()  # and not only in the end of the previous value
                with self._ledger.lock:
                    self._ledger.looked(slot, changed, slot.now())
                    if slot.rechecking == key:
                        slot.rechecking = ()


def _first_failure(tried: list[AuthkitError | None]) -> None:
    for failure in tried:
        if failure is not None:
            raise failure


def _warn_stale(name: str, error: Exception) -> None:
    import logging

    logging.getLogger("authkit.secrets").warning(
        "the secret %s could not be read again (%s: %s): the value that is known stays in use",
        name,
        type(error).__name__,
        error,
    )
