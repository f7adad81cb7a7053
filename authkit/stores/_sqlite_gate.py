"""The gates of a `SqliteStore`: a row for each holder."""

from __future__ import annotations

from ._digest import digest, space
from ._store import Gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from ._sqlite_desk import Desk
    from ._sqlite_sweep import Sweep

_HALF = 16  # bytes for the key, and as many for the holder
_LAST = b"\xff" * _HALF


class SqliteGate(Gate):
    def __init__(self, name: str, limit: int, writes: Desk, reads: Desk, sweep: Sweep, clock: Callable[[], float]) -> None:
        self._space = space("gate", name, limit)
        self._limit = limit
        self._writes, self._reads, self._sweep, self._clock = writes, reads, sweep, clock

    def enter(self, key: str, holder: str, ttl: float) -> tuple[bool, int]:
        start, mine = self._places(key, holder)

        def work(connection: sqlite3.Connection) -> tuple[bool, int]:
            now = self._clock()
            self._sweep.step(connection, "held", now)
            connection.execute("DELETE FROM held WHERE key BETWEEN ? AND ? AND until <= ?", (start, start + _LAST, now))
            among = connection.execute("SELECT key FROM held WHERE key BETWEEN ? AND ?", (start, start + _LAST)).fetchall()
            held, inside = len(among), (mine,) in among
            if not inside and held >= self._limit:
                return False, held
            connection.execute("INSERT OR REPLACE INTO held (key, value, until) VALUES (?, x'', ?)", (mine, now + ttl))
            return True, held + (not inside)

        return self._writes.write(work)

    def renew(self, key: str, holder: str, ttl: float) -> bool:
        _, mine = self._places(key, holder)

        def work(connection: sqlite3.Connection) -> bool:
            now = self._clock()
            kept = connection.execute("UPDATE held SET until = ? WHERE key = ? AND until > ?", (now + ttl, mine, now))
            return kept.rowcount == 1

        return self._writes.write(work)

    def leave(self, key: str, holder: str) -> None:
        _, mine = self._places(key, holder)
        self._writes.write(lambda connection: connection.execute("DELETE FROM held WHERE key = ?", (mine,)))

    def held(self, key: str) -> int:
        start = digest(self._space, key, _HALF)

        def work(connection: sqlite3.Connection) -> int:
            asked = "SELECT count(*) FROM held WHERE key BETWEEN ? AND ? AND until > ?"
            return int(connection.execute(asked, (start, start + _LAST, self._clock())).fetchone()[0])

        return self._reads.read(work)

    def reset(self, key: str) -> None:
        start = digest(self._space, key, _HALF)
        self._writes.write(
            lambda connection: connection.execute("DELETE FROM held WHERE key BETWEEN ? AND ?", (start, start + _LAST))
        )

    def _places(self, key: str, holder: str) -> tuple[bytes, bytes]:
        start = digest(self._space, key, _HALF)
        return start, start + digest(self._space, holder, _HALF)
