"""Items of one kind in a table of DynamoDB, each found by its key: users, API keys. What one is, whoever keeps them says."""

from __future__ import annotations

import json
from os import urandom

from ..errors import Unavailable
from ._dynamo_change import KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._dynamo_change import Item
    from ._dynamo_table import Table

_ABSENT = f"attribute_not_exists({KEY})"


class DynamoRows:
    """`prefix`: before each key, because others may have the same table. `noun`: for messages. `pack`: a record's fields by
    name, ready for JSON, without its key. `unpack`: the record of a key and its fields, or the name of the field that nobody
    can have meant; it may raise `KeyError`, `TypeError` and `ValueError`.

    Reads are consistent, and each change is one conditional write. Raises: `Unavailable`.
    """

    def __init__(
        self,
        table: Table,
        prefix: str,
        noun: str,
        pack: Callable[[Any], dict[str, Any]],
        unpack: Callable[[str, dict[str, Any]], Any],
    ) -> None:
        self.table = table
        self._prefix, self._noun, self._pack, self._unpack = prefix, noun, pack, unpack

    def find(self, key: str) -> Any:
        """The record of exactly this key, or None."""
        return self._found(key)[1]

    def add(self, key: str, record: Any) -> bool:
        """Add a record; False, and nothing changed, if its key is taken."""
        return self._put(key, record, _ABSENT, None)

    def update(self, key: str, old: Any, new: Any) -> bool:
        """Put `new` in the place of exactly `old`; False, and nothing changed, if there is another."""
        item, found = self._found(key)
        return bool(found == old) and self._put(key, new, "o = :seen", {":seen": item["o"]})

    def remove(self, key: str) -> bool:
        """Delete the record of this key, also one that cannot be read; False if there is none."""
        return self.table.remove(self._prefix + key)

    def list(self, after: str, limit: int, wanted: Callable[[Any], bool] | None = None) -> list[Any]:
        """At most `limit` records whose keys come after `after`, by key, of those that are `wanted`. Reads the whole table."""
        found = {place.removeprefix(self._prefix): item for place, item in self.table.scan(self._prefix)}
        records: list[Any] = []
        for key in sorted(key for key in found if key > after):
            if len(records) >= limit:
                break
            record = self._read(key, found[key])
            if wanted is None or wanted(record):
                records.append(record)
        return records

    def _found(self, key: str) -> tuple[Item, Any]:
        item = self.table.read(self._prefix + key)
        return item, self._read(key, item) if item else None

    def _put(self, key: str, record: Any, condition: str, values: Item | None) -> bool:
        where, mine = self._prefix + key, urandom(12)
        item = {"v": json.dumps(self._pack(record)).encode(), "o": mine}
        done, doubtful = self.table.put(where, item, condition, values)
        # Where an answer was lost, the condition may have failed because it was we who changed the item.
        return done or (doubtful and self.table.read(where).get("o") == mine)

    def _read(self, key: str, item: Item) -> Any:
        record = self._unpacked(key, item)
        del item
        if isinstance(record, str):
            raise Unavailable(f"an item of the {self._noun} table cannot be read: its {record}")
        return record

    def _unpacked(self, key: str, item: Item) -> Any:
        """The record, or what of the item nobody can have meant. It raises nothing, because its locals hold a hash."""
        if not isinstance(item.get("o"), bytes):
            return "attribute o"
        try:
            return self._unpack(key, json.loads(item.get("v", b"")))
        except (ValueError, RecursionError, TypeError, KeyError):
            return "attribute v"
