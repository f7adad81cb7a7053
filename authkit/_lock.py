"""A lock that a forked child finds open: the thread that held it in the parent does not exist there.

A thread may take it again. The collector and handlers of signals run in the middle of anything, with it held too, and may let
go of something that is kept under the same lock: that thread would wait for itself, for ever.
"""

from __future__ import annotations

import os
import threading
from _weakrefset import WeakSet  # what `weakref` and `threading` import as well

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ProcessLock:
    """A mutual exclusion within one process. `with lock.plain:` is the same, and quicker: for what is locked all the time."""

    __slots__ = ("plain", "__weakref__")

    def __init__(self) -> None:
        self.plain = threading.RLock()
        _all.add(self)

    def __enter__(self) -> None:
        self.plain.acquire()

    def __exit__(self, *_: Any) -> None:
        self.plain.release()


_all: WeakSet[ProcessLock] = WeakSet()


def _after_fork() -> None:
    for lock in list(_all):
        lock.plain = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
