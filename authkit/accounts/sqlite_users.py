"""`SqliteUsers`: users in a file, for all processes of one machine."""

from __future__ import annotations

import time
from random import random as _uniform

from .._kept import listed
from ..stores._sqlite_file import Form
from ..stores._sqlite_rows import SqliteRows
from ._user_rows import FIELDS, checked, is_name, restored
from .users import NOT_ITS_OWN, User, same_name

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
_SUBJECTS = "CREATE INDEX subjects ON users (subject)"
_OTHERS = "SELECT 1 FROM users WHERE name <> ?1 AND (name = ?2 OR subject IN (?1, ?2))"  # of a name and a subject
_COLUMNS = ("name", *FIELDS)


def _make(connection: sqlite3.Connection, _: float) -> None:
    connection.execute(_TABLE)
    connection.execute(_SUBJECTS)


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
        self._rows = SqliteRows(
            path, timeout, max_bytes, USERS, "users", _COLUMNS, _row, _user, monotonic, sleep, random, _clashes
        )

    def __repr__(self) -> str:
        return "<SqliteUsers>"

    def find(self, username: str) -> User | None:
        """The user of exactly this canonical name, or None. Raises: `Unavailable`."""
        found: User | None = self._rows.find(username) if is_name(username) else None
        return found

    def add(self, user: User) -> bool:
        """Add `user`; False, and nothing changed, if the name or the subject is taken. Raises: `Unavailable`; `ValueError` for
        a user that cannot be kept, whose name is not canonical, say."""
        return self._rows.add(checked(user))

    def update(self, old: User, new: User) -> bool:
        """Put `new` in the place of exactly `old`; False, and nothing changed, if there is another. Raises: as `add`."""
        same_name(old, new)
        return self._rows.update(old, checked(new))

    def remove(self, username: str) -> bool:
        """Delete the user of this name, also one whose row cannot be read; False if there is none. Raises: `Unavailable`."""
        return is_name(username) and self._rows.remove(username)

    def list(self, after: str = "", limit: int = 100) -> List[User]:
        """At most `limit` users whose names come after `after`, by name. Raises: `Unavailable`."""
        return self._rows.list(after, limit)

    def close(self) -> None:
        """Let go of the file. What is asked later opens it again."""
        self._rows.close()


def _clashes(connection: sqlite3.Connection, old: User | None, new: User) -> bool:
    """Whether the name or the subject is another user's name or subject. Raises: `ValueError` if a subject would become so."""
    if old is not None and old.subject == new.subject:
        return False
    found = connection.execute(_OTHERS, (new.username, new.subject)).fetchone() is not None
    if found and old is not None:
        raise ValueError(NOT_ITS_OWN)
    return found


def _user(row: tuple[Any, ...]) -> User | str:
    return restored(row[0], row[1:])


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
