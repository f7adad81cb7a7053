"""The gates of a `DynamoStore`: an item for each key, in which every holder is an attribute."""

from __future__ import annotations

from ._digest import digest, space
from ._dynamo_change import TTL, Change
from ._dynamo_rules import US
from ._dynamo_table import Attempts, place
from ._store import Gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._dynamo_change import Item
    from ._dynamo_table import Table

_KEPT = 7 * 86_400  # seconds that an item outlives the time of who entered last: the others' may be longer
_MOST = 80  # holders that one update forgets: DynamoDB takes expressions of 4 KB
_LENGTH = 10  # bytes of a holder's digest


class DynamoGate(Gate):
    """`n`: holders in the item; `h<digest>`: until when one is in. Whose time is over counts until the gate is found full."""

    def __init__(self, name: str, limit: int, table: Table, clock: Callable[[], float]) -> None:
        self._space = space("gate", name, limit)
        self._limit = limit
        self._table, self._clock = table, clock

    def enter(self, key: str, holder: str, ttl: float) -> tuple[bool, int]:
        where, mine = self._places(key, holder)
        item: Item = {}  # a first guess: nobody is in
        for _ in Attempts(self._table):
            now = int(self._clock() * US)
            over = [name for name in sorted(item) if name[0] == "h" and item[name] <= now and name != mine][:_MOST]
            held = item.get("n", 0) - len(over)
            enters = mine in item or held < self._limit
            if not enters and len(over) < _MOST:
                return False, held
            change = Change()
            if mine in item:
                change.hold(f"attribute_exists({mine})")
            else:
                for name in over:
                    change.hold(f"{name} = {change.n(item[name])}")
                    change.remove(name)
                if enters:
                    change.hold(f"attribute_not_exists({mine})")
                    change.hold(f"(attribute_not_exists(n) OR n <= {change.n(self._limit - 1 + len(over))})")
                change.more("n", enters - len(over))
            if enters:
                until = now + int(ttl * US)
                change.set(mine, change.n(until))
                change.set(TTL, change.n(until // US + _KEPT))
            after, found = self._table.update(where, change)
            if after is not None and enters:
                return True, sum(name[0] == "h" and until > now for name, until in after.items())
            item = after or found or self._table.read(where)
        raise AssertionError("attempts end by raising")

    def renew(self, key: str, holder: str, ttl: float) -> bool:
        where, mine = self._places(key, holder)
        now = int(self._clock() * US)
        until = now + int(ttl * US)
        change = Change()
        change.hold(f"{mine} > {change.n(now)}")
        change.set(mine, change.n(until))
        change.set(TTL, change.n(until // US + _KEPT))
        return self._table.update(where, change)[0] is not None

    def leave(self, key: str, holder: str) -> None:
        where, mine = self._places(key, holder)
        change = Change()
        change.hold(f"attribute_exists({mine})")
        change.remove(mine)
        change.set("n", f"n - {change.n(1)}")
        self._table.update(where, change)

    def held(self, key: str) -> int:
        now = int(self._clock() * US)
        return sum(name[0] == "h" and until > now for name, until in self._table.read(self._place(key)).items())

    def reset(self, key: str) -> None:
        self._table.drop(self._place(key))

    def _place(self, key: str) -> str:
        return place("g", digest(self._space, key))

    def _places(self, key: str, holder: str) -> tuple[str, str]:
        return self._place(key), "h" + digest(self._space, holder, _LENGTH).hex()
