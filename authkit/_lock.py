"""A lock that a forked child finds open: the thread that held it in the parent does not exist there."""

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
        self.plain = threading.Lock()
        _all.add(self)

    def __enter__(self) -> None:
        self.plain.acquire()

    def __exit__(self, *_: Any) -> None:
        self.plain.release()


_all: WeakSet[ProcessLock] = WeakSet()


def _after_fork() -> None:
    for lock in list(_all):
        lock.plain = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
