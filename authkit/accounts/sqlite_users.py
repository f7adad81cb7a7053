"""`SqliteUsers`: users in a file, for all processes of one machine."""

from __future__ import annotations

import time
from random import random as _uniform

from ..errors import Unavailable
from ..stores._sqlite_desk import Desk
from ..stores._sqlite_file import Form, settled
from ._user_rows import checked, is_name, listed, restored
from .users import User, same_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    import sqlite3
    from builtins import list as List
    from collections.abc import Callable
    from typing import Any

APPLICATION = 0x75736572  # "user" in the file's header: not somebody else's database, and no store
VERSION = 1  # of the table

_TABLE = (
    "CREATE TABLE users (name TEXT PRIMARY KEY NOT NULL, subject TEXT NOT NULL, password_hash TEXT, roles TEXT NOT NULL, "
    "scopes TEXT NOT NULL, disabled INTEGER NOT NULL, password_changed REAL, factors TEXT) WITHOUT ROWID"
)
_ROW = "SELECT name, subject, password_hash, roles, scopes, disabled, password_changed, factors FROM users"


def _make(connection: sqlite3.Connection, _: float) -> None:
    connection.execute(_TABLE)


USERS = Form("users", "MemoryUsers", APPLICATION, VERSION, _make, erases=True)


class SqliteUsers:
    """Users in the file at `path`, made with mode 0600 when it is first used; for local disks, not for network file systems.

    What was answered outlives the process, whatever kills it, and a power failure: it is on the disk when a call returns. A
    store has a file of its own; so do users. Who is deleted, and a hash that is replaced, are overwritten in it.

    `timeout`: seconds to wait for other processes, then `Unavailable`. `max_bytes`: of the file; what has no place raises
    `Unavailable`, as do a full disk, a file that is damaged, and a row that nobody can have meant: nobody is let in by one.

    A file that is a symbolic link, belongs to another user or can be written by others is refused with `ConfigurationError`
    when it is opened, as is a database of something else. Who can write its directory can replace the file. What is lost with
    the file are the names as well: whoever registers one of them next has its `subject`, so keep copies.
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
        place = settled(path, timeout, max_bytes, USERS)
        # What is read waits for nobody who writes.
        self._writes, self._reads = (
            Desk(place, max_bytes, timeout, time.time, monotonic, sleep, random, USERS) for _ in range(2)
        )

    def __repr__(self) -> str:
        return "<SqliteUsers>"

    def find(self, username: str) -> User | None:
        """The user of exactly this canonical name, or None. Raises: `Unavailable`."""
        return self._reads.read(lambda connection: _found(connection, username)) if is_name(username) else None

    def add(self, user: User) -> bool:
        """Add `user`; False, and nothing changed, if the name is taken. Raises: `Unavailable`; `ValueError` for a user that
        cannot be kept, whose name is not canonical, say."""
        row = _row(checked(user))

        def work(connection: sqlite3.Connection) -> bool:
            done = connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
            return done.rowcount == 1

        return self._writes.write(work, synced=True)

    def update(self, old: User, new: User) -> bool:
        """Put `new` in the place of exactly `old`; False, and nothing changed, if there is another. Raises: as `add`."""
        same_name(old, new)
        row = _row(checked(new))

        def work(connection: sqlite3.Connection) -> bool:
            if _found(connection, old.username) != old:
                return False
            connection.execute("INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            return True

        return self._writes.write(work, synced=True)

    def remove(self, username: str) -> bool:
        """Delete the user of this name, also one whose row cannot be read; False if there is none. Raises: `Unavailable`."""
        if not is_name(username):
            return False

        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute("DELETE FROM users WHERE name = ?", (username,)).rowcount == 1

        return self._writes.write(work, synced=True)

    def list(self, after: str = "", limit: int = 100) -> List[User]:
        """At most `limit` users whose names come after `after`, by name. Raises: `Unavailable`."""

        def work(connection: sqlite3.Connection) -> List[User]:
            rows = connection.execute(f"{_ROW} WHERE name > ? ORDER BY name LIMIT ?", (after, max(0, limit))).fetchall()
            return [_user(row) for row in rows]

        return self._reads.read(work)

    def close(self) -> None:
        """Let go of the file. What is asked later opens it again."""
        self._writes.close()
        self._reads.close()


def _found(connection: sqlite3.Connection, username: str) -> User | None:
    row = connection.execute(f"{_ROW} WHERE name = ?", (username,)).fetchone()
    return None if row is None else _user(row)


def _user(row: tuple[Any, ...]) -> User:
    user = restored(row[0], row[1:])
    del row
    if isinstance(user, str):
        raise Unavailable(f"a row of the users file cannot be read: its column {user}")
    return user


def _row(user: User) -> tuple[Any, ...]:
    return (
        user.username,
        user.subject,
        user.password_hash,
        listed(user.roles),
        listed(user.scopes),
        int(user.disabled),
        user.password_changed,
        user.factors,
    )
