"""The limiters of a `SqliteStore`: one short transaction a decision."""

from __future__ import annotations

from ..errors import StoreUnavailable
from ._digest import digest, space_of
from ._state import Arithmetic
from ._store import Limiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from typing import Any

    from ._rate import Rate
    from ._sqlite_desk import Desk
    from ._sqlite_sweep import Sweep
    from ._store import Taken

_READ = "SELECT value FROM used WHERE key = ?"
_WRITE = (
    "INSERT INTO used (key, value, until, free) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE "
    "SET value = excluded.value, until = excluded.until, free = max(free, excluded.free)"
)
_HOLD = "UPDATE used SET free = ? WHERE key = ? AND free < ?"
_NEVER = 1 << 53  # epoch seconds
_LATER = 0.001  # seconds: no row goes early by what floats lose


class SqliteLimiter(Limiter):
    """A row for each key. Where there is no place for one more, newcomers share a row."""

    def __init__(
        self,
        name: str,
        rates: tuple[Rate, ...],
        algorithm: str,
        writes: Desk,
        reads: Desk,
        sweep: Sweep,
        clock: Callable[[], float],
    ) -> None:
        self._space = space_of(name, rates, algorithm)
        self._shared = digest(space_of(name, rates, algorithm, "shared"), "")
        self._arithmetic = Arithmetic(rates, algorithm)
        self._writes, self._reads, self._sweep, self._clock = writes, reads, sweep, clock

    def take(self, key: str, cost: int = 1) -> Taken:
        if cost < 0:
            raise ValueError("the cost of a request is not negative")
        place = digest(self._space, key)
        if not cost:
            state, now = self._reads.read(lambda connection: (self._state(connection, place), self._clock()))
            return self._arithmetic.step(self._arithmetic.fresh if state is None else state, now, 0)[1]
        return self._writes.write(lambda connection: self._take(connection, place, cost))

    def _take(self, connection: sqlite3.Connection, place: bytes, cost: int) -> Taken:
        now = self._clock()
        before = self._state(connection, place)
        if before is None and not self._sweep.room(connection, now):
            place = self._shared
            before = self._state(connection, place)
        after, taken = self._arithmetic.step(self._arithmetic.fresh if before is None else before, now, cost)
        limited = self._arithmetic.limited(taken, cost)
        free = _NEVER if place == self._shared else -int(-(now + limited) // 1) if limited else 0
        if after != before and (before is not None or not taken[0]):
            self._keep(connection, place, after, free)
            if before is None:
                self._sweep.count(connection, 1)
        elif cost > 1 and before is not None:  # of a wait for one permit the row says so already
            connection.execute(_HOLD, (free, place, free))
        return taken

    def give_back(self, key: str, cost: int = 1) -> None:
        if cost < 0:
            raise ValueError("the cost of a request is not negative")
        place = digest(self._space, key)

        def work(connection: sqlite3.Connection) -> None:
            now = self._clock()
            before = self._state(connection, place)
            if before is not None:
                self._keep(connection, place, self._arithmetic.back(before, now, cost), 0)

        self._writes.write(work)

    def reset(self, key: str) -> None:
        place = digest(self._space, key)

        def work(connection: sqlite3.Connection) -> None:
            gone = connection.execute("DELETE FROM used WHERE key = ?", (place,)).rowcount
            if gone:
                self._sweep.count(connection, -gone)

        self._writes.write(work)

    def _state(self, connection: sqlite3.Connection, place: bytes) -> Any:
        row = connection.execute(_READ, (place,)).fetchone()
        if row is None:
            return None
        try:
            return self._arithmetic.unpacked(row[0])
        except (ValueError, TypeError):
            raise StoreUnavailable("the store file holds a row that no store wrote") from None

    def _keep(self, connection: sqlite3.Connection, place: bytes, state: Any, free: int) -> None:
        until = self._arithmetic.until(state) + _LATER
        connection.execute(_WRITE, (place, self._arithmetic.packed(state), until, free))
