"""`SqliteStore`: state in a file, for all processes of one machine."""

from __future__ import annotations

import time
from _operator import _compare_digest as same
from random import random as _uniform

from ..errors import ConfigurationError
from ._digest import digest, space
from ._sqlite_desk import Desk
from ._sqlite_file import settled as settled_file
from ._sqlite_gate import SqliteGate
from ._sqlite_limiter import SqliteLimiter
from ._sqlite_sweep import Sweep
from ._store import Store, settled, settled_gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable

    from ._rate import Rate
    from ._store import Algorithm

_NOTES = space("notes")
_EPOCH = "SELECT value FROM told WHERE name = 'epoch'"
_LOOK = "SELECT key, value, until FROM noted WHERE key IN ({}) UNION ALL SELECT NULL, value, 0 FROM told WHERE name = 'epoch'"
_WRITE = "INSERT OR REPLACE INTO noted (key, value, until) VALUES (?, ?, ?)"


class SqliteStore(Store):
    """A store in the file at `path`, made with mode 0600 when it is first used; for local disks, not for network file systems.

    What was answered outlives the process, whatever kills it. Noted keys and the epoch also outlive a power failure: they are
    on the disk when the call returns. Limits and gates are not waited for: a power failure gives back what was taken since the
    log was last brought to the disk (every 4 MB, or the next noted key).

    `timeout`: seconds to wait for other processes, then `StoreUnavailable`. `max_keys`: how many limited keys there may be at
    once; when full, keys not at their limit are forgotten, and if all are at their limit, newcomers share one place.
    `max_bytes`: of the file; what has no place raises `StoreUnavailable`. `clock`: epoch seconds.

    A file that is a symbolic link, belongs to another user or can be written by others is refused with `ConfigurationError`
    when it is opened, as is a database of something else. Who can write its directory can replace the file; that, like its
    loss, shows in the epoch.
    Raises: `ConfigurationError`. Does no I/O until it is used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 1.0,
        max_keys: int = 1_000_000,
        max_bytes: int = 1 << 30,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        place = settled_file(path, timeout, max_bytes)
        if type(max_keys) is not int or max_keys < 1:
            raise ConfigurationError("max_keys is a whole number of at least 1")
        self._clock = clock
        # What is read waits for nobody who writes.
        self._writes, self._reads = (Desk(place, max_bytes, timeout, clock, monotonic, sleep, random) for _ in range(2))
        self._sweep = Sweep(max_keys)

    def __repr__(self) -> str:
        return "<SqliteStore>"

    def limiter(self, name: str, rates: tuple[Rate, ...], algorithm: Algorithm = "token-bucket") -> SqliteLimiter:
        settled(rates, algorithm)
        return SqliteLimiter(name, rates, algorithm, self._writes, self._reads, self._sweep, self._clock)

    def gate(self, name: str, limit: int) -> SqliteGate:
        settled_gate(limit)
        return SqliteGate(name, limit, self._writes, self._reads, self._sweep, self._clock)

    def get(self, key: str) -> bytes | None:
        place = digest(_NOTES, key)
        return self._reads.read(lambda connection: self._noted(connection, place))

    def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
        return self.swap(key, None, value, ttl)

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        place = digest(_NOTES, key)

        def work(connection: sqlite3.Connection) -> bool:
            found = self._noted(connection, place)
            if found is None or old is None:
                if found is not old:
                    return False
            elif not same(found, old):
                return False
            if new is not None:
                now = self._clock()
                self._sweep.step(connection, "noted", now)
                connection.execute(_WRITE, (place, new, now + ttl))
            else:
                connection.execute("DELETE FROM noted WHERE key = ?", (place,))
            return True

        return self._writes.write(work, synced=True)

    def _noted(self, connection: sqlite3.Connection, place: bytes) -> bytes | None:
        row = connection.execute("SELECT value, until FROM noted WHERE key = ?", (place,)).fetchone()
        return bytes(row[0]) if row is not None and row[1] > self._clock() else None

    def look(self, *keys: str) -> tuple[float, list[bytes | None]]:
        places = [digest(_NOTES, key) for key in keys]

        def work(connection: sqlite3.Connection) -> tuple[float, list[bytes | None]]:
            rows = connection.execute(_LOOK.format(",".join("?" * len(places))), places).fetchall()
            now = self._clock()
            found = {place: bytes(value) for place, value, until in rows if place is not None and until > now}
            return next(float(value) for place, value, _ in rows if place is None), [found.get(place) for place in places]

        return self._reads.read(work)

    def epoch(self) -> float:
        return self._reads.read(lambda connection: float(connection.execute(_EPOCH).fetchone()[0]))

    def adopt(self) -> float:
        def work(connection: sqlite3.Connection) -> float:
            now = self._clock()
            connection.execute("UPDATE told SET value = ? WHERE name = 'epoch'", (now,))
            return now

        return self._writes.write(work, synced=True)

    def close(self) -> None:
        self._writes.close()
        self._reads.close()
