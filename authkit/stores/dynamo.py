"""`DynamoStore`: state in a table of Amazon DynamoDB, for any number of machines and for functions that come and go."""

from __future__ import annotations

import time
from os import urandom
from random import random as _uniform

from ..errors import ConfigurationError
from ._digest import digest, space
from ._dynamo_change import KEY, TTL
from ._dynamo_gate import DynamoGate
from ._dynamo_limiter import DynamoLimiter
from ._dynamo_rules import SKEW, US
from ._dynamo_table import Table, place
from ._store import Store, settled, settled_gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._rate import Rate
    from ._store import Algorithm

_NOTES = space("notes")
_EPOCH = "epoch"
_ABSENT = f"attribute_not_exists({KEY})"


class DynamoStore(Store):
    """A store in the DynamoDB table `table` (a name or an ARN), whose key is the text `pk` and whose TTL attribute is `x`:
    `create_table` makes one. It needs GetItem, BatchGetItem, PutItem, UpdateItem and DeleteItem on it.

    `region`: otherwise boto3's own order. `endpoint`: another address than AWS's, https except to this machine. `client`: a
    boto3 client of the user's; its own time limits and attempts hold. `timeout`: seconds for a call, about, then
    `StoreUnavailable`; throttling and what may pass is tried again in them, after random waits, and what fails three times in a
    row is left alone but for a probe every half second. A take whose answer was lost may be counted twice, never not at all.

    `shards`: over how many items the permits of one key are split, for keys that take more than the 1000 writes a second of one
    item. No more than the limit is ever admitted. What asks is refused when two shards, chosen at random, have no permit left,
    though others may have some; one `cost` is at most the part of a shard, and `left` is an estimate.

    Time is the client's (`clock`, epoch seconds). Where clocks differ by s seconds, a token bucket admits at most s seconds'
    worth of permits more in a period, a sliding window is shorter by s, and a fixed window never holds more. A clock that is
    more than 300 s behind what it finds is taken to have jumped; AWS takes no request of such a one.
    Raises: `ConfigurationError`. Does no I/O until it is used.
    """

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        client: Any = None,
        shards: int = 1,
        timeout: float = 1.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        if type(shards) is not int or not 1 <= shards <= 1000:
            raise ConfigurationError("shards is a whole number from 1 to 1000")
        self._table = Table(table, region, endpoint, client, timeout, monotonic, sleep, random)
        self._shards = shards
        self._clock = clock

    def __repr__(self) -> str:
        return "<DynamoStore>"

    def create_table(self) -> None:
        """Make the table, paid for by request and with its TTL, unless it is there; waits until it can be used.

        For tests and first use: it needs CreateTable, DescribeTable and UpdateTimeToLive, which a service should not have.
        Raises: `StoreUnavailable`.
        """
        self._table.create()

    def limiter(self, name: str, rates: tuple[Rate, ...], algorithm: Algorithm = "token-bucket") -> DynamoLimiter:
        settled(rates, algorithm)
        return DynamoLimiter(name, rates, algorithm, self._shards, self._table, self._clock)

    def gate(self, name: str, limit: int) -> DynamoGate:
        settled_gate(limit)
        return DynamoGate(name, limit, self._table, self._clock)

    def get(self, key: str) -> bytes | None:
        item = self._table.read(_place(key))
        return bytes(item["v"]) if item.get("e", 0) > self._now() else None

    def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
        return self._put(key, value, ttl, f"{_ABSENT} OR e <= :now", None)

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        if old is not None:
            return self._put(key, new, ttl, "e > :now AND v = :old", old)
        if new is not None:
            return self.add(key, ttl, new)
        return self.get(key) is None

    def _put(self, key: str, value: bytes | None, ttl: float, condition: str, old: bytes | None) -> bool:
        """Without a value the item stays, over: it says who forgot it."""
        where, now, mine = _place(key), self._now(), urandom(12)
        until = now if value is None else now + int(ttl * US)
        item = {"v": value or b"", "e": until, "o": mine, TTL: (until + SKEW) // US + 1}
        done, doubtful = self._table.put(where, item, condition, {":now": now, **({} if old is None else {":old": old})})
        # Where an answer was lost, the condition may have failed because it was we who changed the item.
        return done or (doubtful and self._table.read(where).get("o") == mine)

    def look(self, *keys: str) -> tuple[float, list[bytes | None]]:
        """In one BatchGetItem, consistently."""
        places = [_place(key) for key in keys]
        found = self._table.read_all({_EPOCH, *places})
        now = self._now()
        items = [found.get(place, {}) for place in places]
        values = [bytes(item["v"]) if item.get("e", 0) > now else None for item in items]
        return (float(found[_EPOCH]["e"] / US) if _EPOCH in found else self.epoch()), values

    def epoch(self) -> float:
        item = self._table.read(_EPOCH)
        if not item:
            self._table.put(_EPOCH, {"e": self._now()}, _ABSENT)
            item = self._table.read(_EPOCH)
        return float(item["e"] / US)

    def adopt(self) -> float:
        now = self._now()
        self._table.put(_EPOCH, {"e": now})
        return now / US

    def _now(self) -> int:
        return int(self._clock() * US)


def _place(key: str) -> str:
    return place("n", digest(_NOTES, key))
