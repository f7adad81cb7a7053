"""One connection to a file of our own in SQLite's form, for one process: taken in turns, tried again while it is in use."""

from __future__ import annotations

import os
import sqlite3
import threading
from _weakrefset import WeakSet

from ..errors import StoreUnavailable
from . import _sqlite_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ._sqlite_file import Form

    T = TypeVar("T")

_SHORTEST = 0.0005  # seconds between two tries
_LONGEST = 0.01  # seconds
_IN_USE = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL))
_SAID = {
    sqlite3.SQLITE_FULL: "is full, or its disk is: raise max_bytes or make room",
    sqlite3.SQLITE_READONLY: "cannot be written: its mode, its directory or its file system is read-only",
    sqlite3.SQLITE_CORRUPT: "is damaged: stop the service, put the file aside, and take a new one into use",
    sqlite3.SQLITE_NOTADB: "is no database, or damaged: put it aside, and take a new one into use",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its directory must let this process read and write",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk refuses",
    sqlite3.SQLITE_TOOBIG: "cannot hold a value so large",
}


class Desk:
    """`timeout`: seconds to wait for the file, in which every further try comes after a random wait.

    A connection never outlives a fork: SQLite's locks belong to a process, and what it remembers of them would lie to the
    child. So all are closed before a fork, and opened again when needed, on both sides.
    """

    def __init__(
        self,
        path: str,
        max_bytes: int,
        timeout: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        sleep: Callable[[float], object],
        random: Callable[[], float],
        form: Form = _sqlite_file.STORE,
    ) -> None:
        self._path = path
        self._form = form
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._clock, self._monotonic, self._sleep, self._random = clock, monotonic, sleep, random
        self._lock = threading.Lock()
        self._inside = 0  # the thread that holds it
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._synced = False  # whether each commit waits for the disk
        self._lost = False
        self._resting = False  # held by a fork under way
        _all.add(self)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` finds. Raises: `StoreUnavailable`, `ConfigurationError`."""
        return self._done(work, None)

    def write(self, work: Callable[[sqlite3.Connection], T], *, synced: bool = False) -> T:
        """What `work` gives, in one transaction that nobody else writes in; it may be called again. `synced`: it is on the
        disk when this returns, so that it outlives a power failure too. Raises: `StoreUnavailable`, `ConfigurationError`."""
        return self._done(work, synced)

    def _done(self, work: Callable[[sqlite3.Connection], T], synced: bool | None) -> T:
        deadline = self._monotonic() + self._timeout
        wait = _SHORTEST
        while True:
            caller = self._not_inside()
            with self._lock:
                self._inside = caller
                try:
                    connection = self._connected()
                    if synced is None:
                        return work(connection)
                    if synced is not self._synced:
                        connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
                        self._synced = synced
                    return self._written(connection, work)
                except sqlite3.Error as error:
                    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                    if code not in _IN_USE:
                        self._close()
                        raise StoreUnavailable(f"the {self._form.noun} file {self._path} {_said(code)}") from None
                finally:
                    self._inside = 0
            if self._monotonic() + wait > deadline:
                raise StoreUnavailable(f"the {self._form.noun} file {self._path} is in use by others for too long")
            self._sleep(wait * (0.5 + self._random()))
            wait = min(_LONGEST, wait * 1.5)

    def _not_inside(self) -> int:
        """The calling thread. Raises: `StoreUnavailable` if it is in a call already: a signal handler asks, or what the
        collector lets go of, and would wait for itself."""
        caller = threading.get_ident()
        if caller == self._inside:
            raise StoreUnavailable(f"the {self._form.noun} file was asked from within a call to it")
        return caller

    def _written(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection.execute("BEGIN IMMEDIATE")
            done = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._close()
            raise
        return done

    def _connected(self) -> sqlite3.Connection:
        if self._lost:
            raise StoreUnavailable(
                f"the process was forked in the middle of a call to its {self._form.noun} file: open that anew"
            )
        if self._connection is not None:
            if _sqlite_file.same_file(self._path, self._inode):
                return self._connection
            self._close()  # taken away or replaced: what is there now counts, and has an epoch of its own
        inode = _sqlite_file.found(self._path, self._form)
        connection = _sqlite_file.opened(self._path, self._max_bytes, self._form)
        try:
            _sqlite_file.furnish(connection, self._clock(), self._form)
            if not _sqlite_file.same_file(self._path, inode):
                raise StoreUnavailable(f"the {self._form.noun} file {self._path} was replaced while it was opened")
        except BaseException:
            connection.close()
            raise
        self._connection, self._inode, self._synced = connection, inode, False
        return connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                pass

    def close(self) -> None:
        """Let go of the file. What is asked later opens it again. Raises: `StoreUnavailable` from within a call."""
        self._not_inside()
        with self._lock:
            self._close()

    def _before_fork(self) -> None:
        if self._inside != threading.get_ident() and self._lock.acquire(timeout=2 * self._timeout):
            self._resting = True
            self._close()

    def _after_fork(self, in_child: bool) -> None:
        if self._resting:
            self._resting = False
            self._lock.release()
        elif in_child:  # a call was under way, perhaps about to open its connection
            self._lock, self._inside = threading.Lock(), 0
            self._lost = True
            if self._connection is not None:
                _left_behind.append(self._connection)  # not even closed: that would tell the parent's locks away
                self._connection = None


_all: WeakSet[Desk] = WeakSet()
_left_behind: list[sqlite3.Connection] = []


def _said(code: int) -> str:
    return _SAID.get(code, f"cannot be used (SQLite's code {code})")


def _before_fork() -> None:
    for desk in list(_all):
        desk._before_fork()


def _after_fork_in_parent() -> None:
    for desk in list(_all):
        desk._after_fork(False)


def _after_fork_in_child() -> None:
    for desk in list(_all):
        desk._after_fork(True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
