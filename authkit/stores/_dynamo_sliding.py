"""The sliding window of a `DynamoStore`: what was taken when, in slots, each an attribute of the item."""

from __future__ import annotations

from ._dynamo_rules import SKEW, US, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._dynamo_change import Change, Item
    from ._rate import Rate

_EXACT = 64  # up to so many permits a slot is a millisecond; above, a 64th of the period
_FINEST = 1000  # microseconds
_MOST = 96  # slots that one update settles: DynamoDB takes expressions of 4 KB


class Sliding(Rule):
    """`u`: what was taken and is not yet settled; `s<slot>`: what was taken until the end of that slot, whose permits are back
    a period after it. Taking where `u` leaves room settles nothing, so that takes at the same time do not meet; what is seen to
    be over is settled along with the next one, on condition that it is still what was seen."""

    def __init__(self, place: int, rate: Rate, rules: int) -> None:
        self._u, self._s = f"u{place}", f"s{place}x"
        self._count = rate.count
        self._period = rate.period * US
        self._slot = -(-self._period // _EXACT) if rate.count > _EXACT else _FINEST
        self._most = _MOST // rules
        self.lasting = self._period + self._slot

    def lacks(self, item: Item, now: int, cost: int) -> int:
        slots = self._live(item, now)
        missing = cost - self._count + sum(slots.values()) if cost else 0
        return self._due(slots, now, missing) if missing > 0 else 0

    def answer(self, item: Item, now: int) -> tuple[int, float]:
        slots = self._live(item, now)
        used = sum(slots.values())
        return max(0, self._count - used), self._due(slots, now, 1) / US if used else 0.0

    def take(self, item: Item, now: int, cost: int, change: Change) -> None:
        over = self._settle(item, now, cost, change)
        change.hold(f"(attribute_not_exists({self._u}) OR {self._u} <= {change.n(self._count - cost + over)})")
        change.more(self._u, cost - over)

    def back(self, item: Item, now: int, cost: int, change: Change) -> None:
        slots = self._slots(item)
        given = 0
        for slot in sorted(self._live(item, now), reverse=True):  # the newest first
            some = min(cost - given, slots.get(slot, 0))
            if some <= 0:
                continue
            name = f"{self._s}{slot:x}"
            change.hold(f"{name} = {change.n(slots[slot])}")
            if some == slots[slot]:
                change.remove(name)
            else:
                change.set(name, change.n(slots[slot] - some))
            given += some
        if given:
            change.set(self._u, f"{self._u} - {change.n(given)}")

    def mend(self, item: Item, now: int, change: Change) -> None:
        if any(self._is_ahead(slot, now) for slot in self._slots(item)) or len(self._over(item, now)) > self._most:
            over = self._settle(item, now, 0, change)
            if over:
                change.set(self._u, f"{self._u} - {change.n(over)}")

    def _settle(self, item: Item, now: int, cost: int, change: Change) -> int:
        """Drop slots that are over, move those that a jumped clock left ahead to the present one, and add `cost` there. Gives
        how many permits went."""
        slots = self._slots(item)
        over = sorted(self._over(item, now))[: self._most]
        ahead = sorted(slot for slot in slots if self._is_ahead(slot, now))[: self._most - len(over)]
        for slot in (*over, *ahead):
            change.hold(f"{self._s}{slot:x} = {change.n(slots[slot])}")
            change.remove(f"{self._s}{slot:x}")
        added = cost + sum(slots[slot] for slot in ahead)
        if added:
            change.more(f"{self._s}{now // self._slot + 1:x}", added)
        return sum(slots[slot] for slot in over)

    def _slots(self, item: Item) -> dict[int, int]:
        return {int(name[len(self._s) :], 16): number for name, number in item.items() if name.startswith(self._s)}

    def _over(self, item: Item, now: int) -> list[int]:
        return [slot for slot in self._slots(item) if slot * self._slot + self._period <= now]

    def _is_ahead(self, slot: int, now: int) -> bool:
        return slot * self._slot > now + self._slot + SKEW

    def _live(self, item: Item, now: int) -> dict[int, int]:
        """What counts. As long as there is too much to settle in one update, the rest of what is over counts too."""
        slots = self._slots(item)
        for slot in sorted(self._over(item, now))[: self._most]:
            del slots[slot]
        return slots

    def _due(self, slots: dict[int, int], now: int, permits: int) -> int:
        """Microseconds until so many more are free than now; a period if there will never be so many."""
        for slot in sorted(slots):
            permits -= slots[slot]
            if permits <= 0:
                end = (now // self._slot + 1 if self._is_ahead(slot, now) else slot) * self._slot
                return max(1, end + self._period - now) + 2
        return self._period + self._slot
