"""A file of our own in SQLite's form, a store's or the users': whose it is, how it is opened, and what stands in it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading

from ..errors import ConfigurationError, StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Inode: TypeAlias = tuple[int, int]

APPLICATION = 0x61757468  # "auth" in the file's header: not somebody else's database
VERSION = 1  # of the tables
PAGE = 4096  # bytes
_WAL_KEPT = 4_194_304  # bytes of the write-ahead log that stay after a flood
_SCHEMA = (
    "CREATE TABLE told (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID",
    # Epoch seconds: after `until` the row says nothing; from `free` on a limited key may make way for another
    *(
        f"CREATE TABLE {table} (key BLOB PRIMARY KEY, value BLOB NOT NULL, until REAL NOT NULL, "
        "free INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"
        for table in ("noted", "used", "held")
    ),
    "INSERT INTO told VALUES ('used', 0)",  # how many rows `used` has
)


class Form:
    """What a file is. `noun`, `memory`: for messages. `application`, `version`: in its header. `make`: makes its tables.
    `erases`: what is deleted is overwritten."""

    __slots__ = ("noun", "memory", "application", "version", "make", "erases")

    def __init__(
        self,
        noun: str,
        memory: str,
        application: int,
        version: int,
        make: Callable[[sqlite3.Connection, float], object],
        *,
        erases: bool = False,
    ) -> None:
        self.noun = noun
        self.memory = memory
        self.application = application
        self.version = version
        self.make = make
        self.erases = erases


def _make_store(connection: sqlite3.Connection, now: float) -> None:
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO told VALUES ('epoch', ?)", (now,))


STORE = Form("store", "MemoryStore", APPLICATION, VERSION, _make_store)


def settled(path: object, timeout: object, max_bytes: object, form: Form = STORE) -> str:
    """The whole path of the file. Raises: `ConfigurationError`."""
    place = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if type(place) is not str:
        raise ConfigurationError(f"the path of a {form.noun} file is a text")
    if not place or "\0" in place or place == ":memory:":
        raise ConfigurationError(f"a {form.noun} file has a path; in memory there is {form.memory}")
    if type(timeout) not in (int, float) or not 0 < timeout <= 60:  # type: ignore[operator]
        raise ConfigurationError(f"the timeout of a {form.noun} file is a number of seconds, up to 60")
    if type(max_bytes) is not int or max_bytes < 16 * PAGE:
        raise ConfigurationError(f"max_bytes is a whole number of at least {16 * PAGE}")
    return os.path.abspath(place)  # the working directory may change


# Whoever closes any descriptor of a file gives up all of SQLite's locks on it (POSIX): nobody may be about to open the file
# while we create it, and what exists is looked at by name only.
_creating = threading.Lock()


def found(path: str, form: Form = STORE) -> Inode:
    """Which file is there, made if need be.

    Raises: `ConfigurationError` for a file that is not ours alone to write; `StoreUnavailable` if there is none and none can be
    made.
    """
    with _creating:
        status = _status(path, form)
        if status is None:
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
            try:
                os.close(os.open(path, flags, 0o600))
            except FileExistsError:
                pass  # another process was quicker
            except OSError as error:
                raise StoreUnavailable(f"the {form.noun} file {path} cannot be made: {error.strerror}") from None
            status = _status(path, form)
            if status is None:
                raise StoreUnavailable(f"the {form.noun} file {path} was taken away while it was made")
    for side in ("", "-wal", "-shm"):
        beside = _status(path + side, form) if side else status
        refusal = _refusal(beside) if beside is not None else None
        if refusal:
            raise ConfigurationError(f"the {form.noun} file {path}{side} {refusal}")
    return status.st_dev, status.st_ino


def same_file(path: str, inode: Inode) -> bool:
    """Whether the file at `path` is still that one."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == inode


def opened(path: str, max_bytes: int, form: Form = STORE) -> sqlite3.Connection:
    """A connection that waits for nobody: whoever finds the file in use tries again. Raises: `sqlite3.Error`."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN")  # one look, while others may be making the tables
        mine, version, tables = (
            connection.execute(asked).fetchone()[0]
            for asked in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
        )
        connection.execute("COMMIT")
        if (mine or version or tables) and mine != form.application:
            raise ConfigurationError(f"{path} is a database of something else: a {form.noun} file is one of its own")
        if version > form.version:
            raise ConfigurationError(f"{path} was made by a newer version of authkit")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreUnavailable(f"the {form.noun} file {path} cannot be shared here: its file system has no write-ahead log")
        connection.execute("PRAGMA synchronous = NORMAL")
        if form.erases:
            connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        connection.execute(f"PRAGMA max_page_count = {max_bytes // PAGE}")
    except BaseException:
        connection.close()
        raise
    return connection


def furnish(connection: sqlite3.Connection, now: float, form: Form = STORE) -> None:
    """Make the tables of a new file. Raises: `sqlite3.Error`."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == form.version:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] != form.version:  # nobody was quicker
            form.make(connection, now)
            connection.execute(f"PRAGMA application_id = {form.application}")
            connection.execute(f"PRAGMA user_version = {form.version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _status(path: str, form: Form) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"the {form.noun} file {path} cannot be looked at: {error.strerror}") from None


def _refusal(status: os.stat_result) -> str | None:
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link: name the file itself"
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if os.name != "posix":
        return None
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    if status.st_mode & 0o022:
        return "can be written by its group or by others: chmod 600 it"
    return None
