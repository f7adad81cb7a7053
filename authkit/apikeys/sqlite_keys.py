"""`SqliteKeys`: API keys in a file, for all processes of one machine."""

from __future__ import annotations

import time
from random import random as _uniform

from .._kept import is_text
from ..stores._sqlite_file import Form
from ..stores._sqlite_rows import SqliteRows
from .form import is_id
from .rows import FIELDS, packed, restored
from .tables import checked, same_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    import sqlite3
    from builtins import list as List
    from collections.abc import Callable
    from typing import Any

    from .key import ApiKey

APPLICATION = 0x6B657973  # "keys" in the file's header: not somebody else's database
VERSION = 1  # of the table

_TABLE = (
    "CREATE TABLE keys (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL, digest TEXT NOT NULL, "
    "scopes TEXT NOT NULL, roles TEXT NOT NULL, created REAL NOT NULL, expires REAL, last_used REAL, "
    "disabled INTEGER NOT NULL, prefix TEXT NOT NULL, ttl REAL) WITHOUT ROWID",
    "CREATE INDEX keys_of ON keys (subject, id)",
)


def _make(connection: sqlite3.Connection, _: float) -> None:
    for statement in _TABLE:
        connection.execute(statement)


KEYS = Form("API keys", "MemoryKeys", APPLICATION, VERSION, _make, erases=True)


class SqliteKeys:
    """API keys in the file at `path`, made with mode 0600 when it is first used; for local disks, not for network file systems.

    `timeout`, `max_bytes`, and what is refused of a file: as `SqliteUsers`. What was answered outlives the process and a power
    failure. What is deleted is overwritten. Keys have a file of their own.
    Raises: `ConfigurationError`. Does no I/O until it is used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 1.0,
        max_bytes: int = 1 << 34,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        columns = ("id", *FIELDS)
        self._rows = SqliteRows(path, timeout, max_bytes, KEYS, "keys", columns, _row, _key, monotonic, sleep, random)

    def __repr__(self) -> str:
        return "<SqliteKeys>"

    def find(self, id: str) -> ApiKey | None:
        """The key of this id, or None. Raises: `Unavailable`."""
        found: ApiKey | None = self._rows.find(id) if is_id(id) else None
        return found

    def add(self, key: ApiKey) -> bool:
        """Add `key`; False, and nothing changed, if its id is taken. Raises: `Unavailable`; `ValueError` for one that cannot be
        kept."""
        return self._rows.add(checked(key))

    def update(self, old: ApiKey, new: ApiKey) -> bool:
        """Put `new` in the place of exactly `old`; False, and nothing changed, if there is another. Raises: as `add`."""
        same_id(old, new)
        return self._rows.update(old, checked(new))

    def remove(self, id: str) -> bool:
        """Delete the key of this id, also one whose row cannot be read; False if there is none. Raises: `Unavailable`."""
        return is_id(id) and self._rows.remove(id)

    def list(self, subject: str | None = None, after: str = "", limit: int = 100) -> List[ApiKey]:
        """At most `limit` keys whose ids come after `after`, by id; of one subject, or of all. Raises: `Unavailable`."""
        if not is_text(after) or not (subject is None or is_text(subject)):  # SQLite cannot even be asked
            return []
        return self._rows.list(after, limit, None if subject is None else ("subject", subject))

    def close(self) -> None:
        """Let go of the file. What is asked later opens it again."""
        self._rows.close()


def _row(key: ApiKey) -> tuple[Any, ...]:
    return key.id, *packed(key).values()


def _key(row: tuple[Any, ...]) -> ApiKey | str:
    return restored(row[0], dict(zip(FIELDS, row[1:], strict=True)))
