"""How the file of a `SqliteStore` stays small: with each new row a few others are looked at, and what is over goes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

LOOK = 4  # rows looked at for each new one: what is over goes four times as fast as rows come
_TRIES = 4  # times, to make room where there is none


class Sweep:
    """Walks round a table. `max_keys`: how many rows `used` has at most; one that is at its limit is not forgotten early."""

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._place = {"noted": b"", "used": b"", "held": b""}  # each process walks for itself

    def step(self, connection: sqlite3.Connection, table: str, now: float) -> list[tuple[bytes, float, int]]:
        """Look at the next few rows and delete what is over; gives the others that were seen."""
        seen = connection.execute(
            f"SELECT key, until, free FROM {table} WHERE key > ? ORDER BY key LIMIT {LOOK}",  # noqa: S608 (our own names)
            (self._place[table],),
        ).fetchall()
        self._place[table] = seen[-1][0] if len(seen) == LOOK else b""
        over = [(key,) for key, until, _ in seen if until <= now]
        if over:
            connection.executemany(f"DELETE FROM {table} WHERE key = ?", over)  # noqa: S608
            if table == "used":
                self.count(connection, -len(over))
        return [row for row in seen if row[1] > now]

    def room(self, connection: sqlite3.Connection, now: float) -> bool:
        """Whether `used` has a place for one more: if it is full, one of the next few that is not at its limit makes way."""
        for _ in range(_TRIES):
            seen = self.step(connection, "used", now)
            if connection.execute("SELECT value FROM told WHERE name = 'used'").fetchone()[0] < self._max_keys:
                return True
            for key, _, free in seen:
                if free <= now:
                    connection.execute("DELETE FROM used WHERE key = ?", (key,))
                    self.count(connection, -1)
                    return True
        return False

    def count(self, connection: sqlite3.Connection, more: int) -> None:
        """Note how many rows `used` has."""
        connection.execute("UPDATE told SET value = value + ? WHERE name = 'used'", (more,))
