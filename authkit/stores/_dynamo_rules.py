"""What one rate of a `DynamoStore`'s limiter keeps in an item, and how a take is said as one conditional update.

Times are whole microseconds. A rule is asked about an item as it was last seen; what it says holds only under the conditions it
adds, so that an item that has changed since is never judged by what it was.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._dynamo_change import Change, Item
    from ._rate import Rate

US = 1_000_000  # microseconds in a second
# How far clocks may differ. Beyond that the one here has jumped, and what is to come counts as of now; AWS takes no request
# whose time is further off.
SKEW = 300 * US
_ROUND_UP = 2  # microseconds: who waits as told is not early by what floats lose


class Rule:
    """`lasting`: microseconds after which a key that takes nothing is as if new."""

    lasting: int

    def lacks(self, item: Item, now: int, cost: int) -> int:
        """0, or the microseconds until `cost` could be taken; a period or more if it never can."""
        raise NotImplementedError

    def answer(self, item: Item, now: int) -> tuple[int, float]:
        """The permits left, and the seconds until there is one more; 0 if all are there."""
        raise NotImplementedError

    def take(self, item: Item, now: int, cost: int, change: Change) -> None:
        """Take `cost`, which `lacks` nothing."""
        raise NotImplementedError

    def back(self, item: Item, now: int, cost: int, change: Change) -> None:
        """Give back `cost`, or what there is."""
        raise NotImplementedError

    def mend(self, item: Item, now: int, change: Change) -> None:
        """Set right what a clock that jumped has left."""
        raise NotImplementedError


class Bucket(Rule):
    """GCRA. `t`: when the bucket is full again, in microseconds times `count`, so that a permit is a whole number of them."""

    def __init__(self, place: int, rate: Rate) -> None:
        self._t = f"t{place}"
        self._count = rate.count
        self._permit = rate.period * US
        self._full = rate.burst * self._permit
        self.lasting = self._full // self._count + 1

    def lacks(self, item: Item, now: int, cost: int) -> int:
        missing = cost * self._permit - self._full + self._backlog(item, now) if cost else 0
        return -(-missing // self._count) + _ROUND_UP if missing > 0 else 0

    def answer(self, item: Item, now: int) -> tuple[int, float]:
        backlog = self._backlog(item, now)
        free = self._full - backlog
        left = max(0, free // self._permit)
        return left, ((left + 1) * self._permit - free + _ROUND_UP * self._count) / self._count / US if backlog else 0.0

    def take(self, item: Item, now: int, cost: int, change: Change) -> None:
        t, present, taken = self._t, now * self._count, cost * self._permit
        if item.get(t, 0) < present:
            change.hold(f"(attribute_not_exists({t}) OR {t} < {change.n(present)})")
            change.set(t, change.n(present + taken))
        else:
            change.hold(f"({t} BETWEEN {change.n(present)} AND {change.n(present + self._full - taken)})")
            change.set(t, f"{t} + {change.n(taken)}")

    def back(self, item: Item, now: int, cost: int, change: Change) -> None:
        if self._t in item:
            change.hold(f"attribute_exists({self._t})")
            change.set(self._t, f"{self._t} - {change.n(cost * self._permit)}")

    def mend(self, item: Item, now: int, change: Change) -> None:
        if self._jumped(item, now):
            change.hold(f"{self._t} = {change.n(item[self._t])}")
            change.set(self._t, change.n(now * self._count + self._full))

    def _jumped(self, item: Item, now: int) -> bool:
        return bool(item.get(self._t, 0) - now * self._count > self._full + SKEW * self._count)

    def _backlog(self, item: Item, now: int) -> int:
        return self._full if self._jumped(item, now) else max(0, item.get(self._t, 0) - now * self._count)


class Fixed(Rule):
    """`w`: the window that was used last, as a multiple of the period; `u`: what was taken in it."""

    def __init__(self, place: int, rate: Rate) -> None:
        self._w, self._u = f"w{place}", f"u{place}"
        self._count = rate.count
        self.lasting = self._period = rate.period * US
        self._ahead = SKEW // self._period + 1  # windows

    def lacks(self, item: Item, now: int, cost: int) -> int:
        return self._due(item, now) if cost and self._used(item, now) + cost > self._count else 0

    def answer(self, item: Item, now: int) -> tuple[int, float]:
        used = self._used(item, now)
        return max(0, self._count - used), self._due(item, now) / US if used else 0.0

    def take(self, item: Item, now: int, cost: int, change: Change) -> None:
        window, w, u = now // self._period, self._w, self._u
        if item.get(w, -1) < window:
            change.hold(f"(attribute_not_exists({w}) OR {w} < {change.n(window)})")
            change.set(w, change.n(window))
            change.set(u, change.n(cost))
        elif self._jumped(item, now):
            self._moved(item, window, cost, change)
        else:  # of a clock that is ahead of ours perhaps: then it is that window that is used
            change.hold(f"({w} BETWEEN {change.n(window)} AND {change.n(window + self._ahead)})")
            change.hold(f"{u} <= {change.n(self._count - cost)}")
            change.set(u, f"{u} + {change.n(cost)}")

    def back(self, item: Item, now: int, cost: int, change: Change) -> None:
        back = min(cost, self._used(item, now))
        if back:
            change.hold(f"{self._w} = {change.n(item[self._w])} AND {self._u} >= {change.n(back)}")
            change.set(self._u, f"{self._u} - {change.n(back)}")

    def mend(self, item: Item, now: int, change: Change) -> None:
        if self._jumped(item, now):
            self._moved(item, now // self._period, 0, change)

    def _moved(self, item: Item, window: int, cost: int, change: Change) -> None:
        change.hold(f"{self._w} = {change.n(item[self._w])} AND {self._u} = {change.n(item[self._u])}")
        change.set(self._w, change.n(window))
        change.set(self._u, change.n(item[self._u] + cost))

    def _jumped(self, item: Item, now: int) -> bool:
        return bool(item.get(self._w, -1) > now // self._period + self._ahead)

    def _used(self, item: Item, now: int) -> int:
        return int(item[self._u]) if item.get(self._w, -1) >= now // self._period else 0

    def _due(self, item: Item, now: int) -> int:
        window = now // self._period
        if not self._jumped(item, now):
            window = max(window, item.get(self._w, -1))
        return (window + 1) * self._period - now + _ROUND_UP
