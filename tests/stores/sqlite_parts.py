"""What the tests of `SqliteStore` share: a look at the file from outside, and children that are forked."""

from __future__ import annotations

import contextlib
import os
import sqlite3


def rows(file, table):
    with contextlib.closing(sqlite3.connect(file)) as looked:
        return looked.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def is_whole(file):
    with contextlib.closing(sqlite3.connect(file)) as looked:
        return looked.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def in_child(work):
    """Run `work` in a forked child; what it returns is its exit status (0 to 255)."""
    child = os.fork()
    if not child:
        status = 255
        try:
            status = int(work())
        finally:
            os._exit(status)
    return child


def status_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
