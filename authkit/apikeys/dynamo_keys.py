"""`DynamoKeys`: API keys in a table of Amazon DynamoDB, for any number of machines and for functions that come and go."""

from __future__ import annotations

import time
from random import random as _uniform

from ..stores._dynamo_rows import DynamoRows
from ..stores._dynamo_table import Table
from .form import is_id
from .rows import packed, restored
from .tables import checked, same_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builtins import list as List
    from collections.abc import Callable
    from typing import Any

    from .key import ApiKey

_PLACE = "apikey."  # before the id: a `DynamoStore` and `DynamoUsers` may have the same table


class DynamoKeys:
    """API keys in the DynamoDB table `table` (a name or an ARN), whose key is the text `pk`: `create_table` makes one, and that
    of a `DynamoStore` or of `DynamoUsers` will do. Verifying needs dynamodb:GetItem, and PutItem to note when a key was used;
    making and revoking keys needs both; DeleteItem to delete them; Scan for `list`, which reads the whole table and is for the
    command line.

    `region`, `endpoint`, `client`, `timeout`: as `DynamoUsers`. Reads are consistent, and each change is one conditional write.
    Raises: `ConfigurationError`. Does no I/O until it is used.
    """

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        client: Any = None,
        timeout: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        self._table = Table(table, region, endpoint, client, timeout, monotonic, sleep, random)
        self._rows = DynamoRows(self._table, _PLACE, "API keys", packed, restored)

    def __repr__(self) -> str:
        return "<DynamoKeys>"

    def create_table(self) -> None:
        """Make the table, paid for by request, unless it is there; waits until it can be used.

        For tests and first use: it needs CreateTable, DescribeTable and UpdateTimeToLive, which a service should not have.
        Raises: `Unavailable`.
        """
        self._table.create()

    def find(self, id: str) -> ApiKey | None:
        """The key of this id, or None. Raises: `Unavailable`."""
        found: ApiKey | None = self._rows.find(id) if is_id(id) else None
        return found

    def add(self, key: ApiKey) -> bool:
        """Add `key`; False, and nothing changed, if its id is taken. Raises: `Unavailable`; `ValueError` for one that cannot be
        kept."""
        return self._rows.add(key.id, checked(key))

    def update(self, old: ApiKey, new: ApiKey) -> bool:
        """Put `new` in the place of exactly `old`; False, and nothing changed, if there is another. Raises: as `add`."""
        same_id(old, new)
        return self._rows.update(old.id, old, checked(new))

    def remove(self, id: str) -> bool:
        """Delete the key of this id, also one whose item cannot be read; False if there is none. Raises: `Unavailable`."""
        return is_id(id) and self._rows.remove(id)

    def list(self, subject: str | None = None, after: str = "", limit: int = 100) -> List[ApiKey]:
        """At most `limit` keys whose ids come after `after`, by id; of one subject, or of all. Raises: `Unavailable`."""
        return self._rows.list(after, limit, None if subject is None else lambda key: key.subject == subject)
