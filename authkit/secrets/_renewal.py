"""When a secret is fetched again, by whom, and what holds while that fails."""

from __future__ import annotations

import threading
from functools import partial

from .._run import SingleFlight, arun, run
from ..errors import AuthkitError, SecretUnavailable, Unavailable
from ._ledger import RETRY, Ledger
from .slot import NEVER_YET, NOTHING, Keeper, Slot, elapsed
from .versions import Masked, SecretVersions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._asking import Chain
    from .slot import Key, Moment

TOGETHER = 49  # other names that one question may carry


class Renewal(Masked, Keeper):
    """The fetches that fill the slots of one `Secrets`: one at a time for each, in the background if that is enough."""

    __slots__ = ("_chain", "_ledger", "_flights")

    def __init__(self, chain: Chain, ledger: Ledger) -> None:
        self._chain = chain
        self._ledger = ledger
        self._flights = SingleFlight()

    # Reading

    def at_hand(self, slot: Slot, whole: bool) -> SecretVersions | None:
        """What may be used now, having started what should happen in the background."""
        with self._ledger.lock:
            entry = slot.full if whole else slot.entry
            now = slot.now()
            versions, refresh = self._ledger.judged(slot, entry, now)
            if refresh:
                slot.refreshing, slot.begun = True, now
        if refresh:
            self._in_background(slot)
        return versions

    async def load(self, slot: Slot, whole: bool) -> SecretVersions:
        """The versions, fetched by one caller however many wait; whoever awaits it drives the I/O."""
        if whole:
            slot.whole = True
        return await self._loaded(slot, whole)

    async def _loaded(self, slot: Slot, whole: bool) -> SecretVersions:
        for _ in range(2):
            versions = self.at_hand(slot, whole)
            if versions is not None:
                return versions
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
            return await self._flights.do(key, partial(self._renewed, slot, key, whole, False))
        except Unavailable as error:
            if isinstance(error, SecretUnavailable):
                raise
            message = str(error)
        return self._given_up(slot, key[2], whole, message)

    def fill(self) -> None:
        """Have all versions of every slot at hand. Raises: what the first of those that failed raised, when all were tried."""
        _first_failure([run(self._tried(slot)) for slot in self._ledger.slots()])

    async def afill(self) -> None:
        """`fill` on an event loop, all at once; where one call may bring several, that one first."""
        import asyncio

        slots = self._ledger.slots()
        ahead = slots[:1] if self._chain.batches else []
        tried = [await arun(self._tried(slot)) for slot in ahead]
        tried += await asyncio.gather(*[arun(self._tried(slot)) for slot in slots[len(ahead) :]])
        _first_failure(tried)

    async def _tried(self, slot: Slot) -> AuthkitError | None:
        try:
            await self._loaded(slot, True)
        except AuthkitError as error:
            return error
        return None

    def _given_up(self, slot: Slot, round: int, whole: bool, message: str) -> SecretVersions:
        """What holds for one that waited for another's fetch too long, or found no thread free for its own."""
        message = f"the secret {slot.name}: {message}"
        now = slot.now()
        with self._ledger.lock:
            if slot.round == round:  # the first to give up: the next fetch waits for nobody
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
        except (AuthkitError, Warning):
            pass  # it was noted and told when it happened
        finally:
            slot.refreshing = False

    def _renewed(self, slot: Slot, key: Key, whole: bool, forced: bool) -> SecretVersions:
        """One fetch, and what holds after it. It may block."""
        now = slot.now()
        with self._ledger.lock:
            entry = slot.full if whole else slot.entry
            if not forced and self._ledger.fresh(entry, now) and elapsed(entry.at, now) < entry.soft:
                return entry.in_force(now)  # another flight has just landed
            refusal = self._ledger.refusal(slot)  # or has just failed
            usable = entry is not NOTHING and elapsed(entry.at, now) < self._ledger.terms.ttl + self._ledger.terms.stale
            slots = [slot, *self._companions(slot, now)] if refusal is None else []
            fetch = self._ledger.begin(slots, key, now)
        if refusal is not None:
            raise refusal
        current_only = not whole and not any(one.whole for one in slots)
        try:
            answer = self._chain.ask([one.name for one in slots], current_only, self._ledger.terms.pass_over and not usable)
        except BaseException:
            with self._ledger.lock:
                self._ledger.end(slots, key)
            raise
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
            if self._ledger.is_news(slot, fetch):
                self._ledger.failed(slot, answer.failure, now)
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
            if slot.rests(now):
                return False
            leads = elapsed(slot.rechecked, now) >= self._ledger.terms.cooldown
            if leads:
                slot.rechecked = now  # before the fetch: one that fails or takes long is not repeated either
                slot.rechecking = (slot.name, self._ledger.generation, slot.round, True, now)
            key = slot.rechecking
        if key:  # who does not lead may be here before the leader has set out: whoever comes first flies
            try:
                await self._flights.do(key, partial(self._looked_again, slot, key))
            except (AuthkitError, Warning):
                pass  # it was noted and told when it happened
        changed = slot.full.versions is not before
        if changed and slot.full.versions.named() != before.named():  # and not only another end of the previous value
            slot.rechecked = NEVER_YET  # no bad credential makes a secret change: the next rotation is seen as soon as this one
        return changed

    def _looked_again(self, slot: Slot, key: Key) -> None:
        """The one fetch of a cooldown, unless it has landed between the question and this."""
        if slot.rechecking == key:
            try:
                self._renewed(slot, key, True, True)
            finally:
                with self._ledger.lock:
                    if slot.rechecking == key:
                        slot.rechecking = ()


def _first_failure(tried: list[AuthkitError | None]) -> None:
    for failure in tried:
        if failure is not None:
            raise failure


def _warn_stale(name: str, error: Exception) -> None:
    import logging

    logging.getLogger("authkit.secrets").warning(
        "the secret %s could not be read again (%s): the value that is known stays in use", name, type(error).__name__
    )
