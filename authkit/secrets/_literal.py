"""The keeper of secrets that are written down where they are used: nothing is fetched, only a previous value ends."""

from __future__ import annotations

import time

from .slot import EVER, Entry, Keeper, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .versions import SecretVersions


class Literal(Keeper):
    """Knows what it was given. `==` of two literals is identity, so each has a slot of its own."""

    __slots__ = ()

    def slot(self, versions: SecretVersions, clock: Callable[[], float]) -> Slot:
        slot = Slot("(literal)", self, clock, time.monotonic)
        slot.entry = slot.full = Entry(versions, at=slot.now())
        self.at_hand(slot, True)
        return slot

    def at_hand(self, slot: Slot, whole: bool) -> SecretVersions:
        versions = slot.entry.arm(slot.now(), EVER)
        slot.entry.since = -EVER
        return versions

    async def load(self, slot: Slot, whole: bool) -> SecretVersions:
        return self.at_hand(slot, whole)

    async def recheck(self, slot: Slot, seen: SecretVersions | None) -> bool:
        return seen is not None and self.at_hand(slot, True) is not seen


LITERAL = Literal()
