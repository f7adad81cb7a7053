"""The limiters of a `DynamoStore`: one conditional write a decision, where nobody else has changed what was last seen."""

from __future__ import annotations

from ._digest import digest, space_of
from ._dynamo_change import TTL, Change
from ._dynamo_rules import SKEW, US, Bucket, Fixed, Rule
from ._dynamo_sliding import Sliding
from ._dynamo_table import Attempts, place
from ._rate import Rate
from ._store import Limiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ._dynamo_change import Item
    from ._dynamo_table import Table
    from ._store import Taken

    T = TypeVar("T")

_REMEMBERED = 2048  # items whose last state is remembered, for a first guess and nothing else
_TAKES = 256  # of a key, whose shards are known when they are given back


class DynamoLimiter(Limiter):
    """With `shards` a key's permits are split over so many items, as evenly as they go; a take that one item refuses is asked
    of one other."""

    def __init__(
        self,
        name: str,
        rates: tuple[Rate, ...],
        algorithm: str,
        shards: int,
        table: Table,
        clock: Callable[[], float],
    ) -> None:
        shards = min(shards, *(min(rate.count, rate.burst) for rate in rates))
        self._space = space_of(name, rates, algorithm, shards)
        self._shards = [_rules(rates, algorithm, shards, shard) for shard in range(shards)]
        self._table, self._clock = table, clock
        self._seen: dict[str, Item] = {}
        self._last: dict[str, list[int]] = {}  # the shards that a key took from, the last one last

    def take(self, key: str, cost: int = 1) -> Taken:
        if cost < 0:
            raise ValueError("the cost of a request is not negative")
        shards = len(self._shards)
        if shards == 1:
            return self._take(self._place(key, 0), self._shards[0], cost)
        if not cost:
            return self._look(key)
        first = int(self._table.random() * shards) % shards
        taken = self._take(self._place(key, first), self._shards[first], cost)
        if taken[0]:
            second = (first + 1 + int(self._table.random() * (shards - 1)) % (shards - 1)) % shards
            other = self._take(self._place(key, second), self._shards[second], cost)
            if not other[0]:
                first = second
            taken = other if other[0] < taken[0] else taken
        if not taken[0]:
            shards_of = _bounded(self._last).setdefault(key, [])
            shards_of.append(first)
            del shards_of[:-_TAKES]
        return taken[0], tuple((left * shards, following) for left, following in taken[1])

    def give_back(self, key: str, cost: int = 1) -> None:
        if cost < 0:
            raise ValueError("the cost of a request is not negative")
        if not cost:
            return
        taken_of = self._last.get(key)
        shard = taken_of.pop() if taken_of else 0
        where, rules = self._place(key, shard), self._shards[shard]
        for _ in Attempts(self._table):
            item = self._table.read(where)
            change, now = Change(), self._now()
            for rule in rules:
                rule.back(item, now, cost, change)
            if not change:
                return
            after, _ = self._table.update(where, change, once=True)  # twice, and more would be admitted than there is
            if after is not None:
                self._remember(where, after)
                return

    def reset(self, key: str) -> None:
        for shard in range(len(self._shards)):
            where = self._place(key, shard)
            self._seen.pop(where, None)
            self._table.drop(where)

    def _take(self, where: str, rules: tuple[Rule, ...], cost: int) -> Taken:
        item, fresh = self._seen.get(where, {}), False
        for _ in Attempts(self._table):
            now = self._now()
            if not cost and not fresh:
                item, fresh = self._table.read(where), True
            wait = max(rule.lacks(item, now, cost) for rule in rules)
            change = Change()
            if not wait and cost:
                for rule in rules:
                    rule.take(item, now, cost, change)
                change.set(TTL, change.n((now + max(rule.lasting for rule in rules) + SKEW) // US + 1))
            elif not fresh:
                item, fresh = self._table.read(where), True  # others may have given back since
                continue
            elif cost:
                for rule in rules:
                    rule.mend(item, now, change)
            if not change:
                self._remember(where, item)
                return wait / US, tuple(rule.answer(item, now) for rule in rules)
            after, found = self._table.update(where, change)
            if after is not None and not wait:
                self._remember(where, after)
                return 0.0, tuple(rule.answer(after, now) for rule in rules)
            item, fresh = after or found or self._table.read(where), True
        raise AssertionError("attempts end by raising")

    def _look(self, key: str) -> Taken:
        """The shards together."""
        all_ = [self._take(self._place(key, shard), rules, 0)[1] for shard, rules in enumerate(self._shards)]
        return 0.0, tuple(
            (sum(left for left, _ in one), min((following for _, following in one if following), default=0.0))
            for one in zip(*all_, strict=True)
        )

    def _now(self) -> int:
        return int(self._clock() * US)

    def _place(self, key: str, shard: int) -> str:
        return place("l", digest(self._space, key), shard)

    def _remember(self, where: str, item: Item) -> None:
        _bounded(self._seen)[where] = item


def _rules(rates: tuple[Rate, ...], algorithm: str, shards: int, shard: int) -> tuple[Rule, ...]:
    """The rules of one shard: its part of each rate."""

    def part(number: int) -> int:
        return number // shards + (shard < number % shards)

    parts = [Rate(part(rate.count), rate.period, part(rate.burst)) for rate in rates]
    if algorithm == "token-bucket":
        return tuple(Bucket(place, rate) for place, rate in enumerate(parts))
    if algorithm == "fixed-window":
        return tuple(Fixed(place, rate) for place, rate in enumerate(parts))
    return tuple(Sliding(place, rate, len(parts)) for place, rate in enumerate(parts))


def _bounded(table: dict[str, T]) -> dict[str, T]:
    if len(table) >= _REMEMBERED:
        table.clear()
    return table
