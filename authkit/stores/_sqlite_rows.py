"""Rows of one table in a file of their own, each found by its key: users, API keys. What a row is, whoever keeps them says."""

from __future__ import annotations

import time

from ..errors import Unavailable
from ._sqlite_desk import Desk
from ._sqlite_file import settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable
    from typing import Any

    from ._sqlite_file import Form


class SqliteRows:
    """`table`, `columns`: the first column is the key. `pack`: a record's fields in their order, which raises for one that
    cannot be kept. `unpack`: the record of such fields, or the name of the column that nobody can have meant. `clashes`: of the
    record that is there, or None, and the new one: whether that has what is another's; asked in the transaction, it may raise.

    What was answered is on the disk. Raises: `ConfigurationError`; `Unavailable` when it is used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        timeout: float,
        max_bytes: int,
        form: Form,
        table: str,
        columns: tuple[str, ...],
        pack: Callable[[Any], tuple[Any, ...]],
        unpack: Callable[[tuple[Any, ...]], Any],
        monotonic: Callable[[], float],
        sleep: Callable[[float], object],
        random: Callable[[], float],
        clashes: Callable[[sqlite3.Connection, Any, Any], bool] | None = None,
    ) -> None:
        place = settled(path, timeout, max_bytes, form)
        # What is read waits for nobody who writes.
        self.writes, self.reads = (Desk(place, max_bytes, timeout, time.time, monotonic, sleep, random, form) for _ in range(2))
        self._noun, self._key = form.noun, columns[0]
        self._select = f"SELECT {', '.join(columns)} FROM {table} WHERE"  # noqa: S608  # names of ours
        self._insert = f"INTO {table} VALUES ({', '.join('?' * len(columns))})"
        self._delete = f"DELETE FROM {table} WHERE {columns[0]} = ?"  # noqa: S608  # as above
        self._pack, self._unpack, self._clashes = pack, unpack, clashes

    def find(self, key: str) -> Any:
        """The record of exactly this key, or None."""
        return self.reads.read(lambda connection: self._found(connection, key))

    def add(self, record: Any) -> bool:
        """Add a record; False, and nothing changed, if its key is taken, or it clashes."""
        row = self._pack(record)

        def work(connection: sqlite3.Connection) -> bool:
            if self._clashes is not None and self._clashes(connection, None, record):
                return False
            return connection.execute(f"INSERT {self._insert} ON CONFLICT DO NOTHING", row).rowcount == 1

        return self.writes.write(work, synced=True)

    def update(self, old: Any, new: Any) -> bool:
        """Put `new` in the place of exactly `old`, which has the same key; False, and nothing changed, if there is another."""
        row = self._pack(new)

        def work(connection: sqlite3.Connection) -> bool:
            if self._found(connection, row[0]) != old:
                return False
            if self._clashes is not None and self._clashes(connection, old, new):
                return False
            connection.execute(f"INSERT OR REPLACE {self._insert}", row)
            return True

        return self.writes.write(work, synced=True)

    def remove(self, key: str) -> bool:
        """Delete the record of this key, also one that cannot be read; False if there is none."""

        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute(self._delete, (key,)).rowcount == 1

        return self.writes.write(work, synced=True)

    def list(self, after: str, limit: int, where: tuple[str, str] | None = None) -> list[Any]:
        """At most `limit` records whose keys come after `after`, by key. `where`: a column, and what stands in it."""
        further, values = ("", ()) if where is None else (f"{where[0]} = ? AND", where[1:])
        statement = f"{self._select} {further} {self._key} > ? ORDER BY {self._key} LIMIT ?"

        def work(connection: sqlite3.Connection) -> list[Any]:
            return [self._read(row) for row in connection.execute(statement, (*values, after, max(0, limit))).fetchall()]

        return self.reads.read(work)

    def close(self) -> None:
        """Let go of the file. What is asked later opens it again."""
        self.writes.close()
        self.reads.close()

    def _found(self, connection: sqlite3.Connection, key: str) -> Any:
        row = connection.execute(f"{self._select} {self._key} = ?", (key,)).fetchone()
        return None if row is None else self._read(row)

    def _read(self, row: tuple[Any, ...]) -> Any:
        record = self._unpack(row)
        del row  # it holds a hash
        if isinstance(record, str):
            raise Unavailable(f"a row of the {self._noun} file cannot be read: its column {record}")
        return record
