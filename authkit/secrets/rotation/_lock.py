"""One rotation at a time: a lock file that the kernel frees when its holder dies."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager

from ...errors import ConfigurationError
from ._folder import refusal_of
from .target import Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ._folder import Folder

_TRIES = 100  # each but the last lost to a holder that removed its lock file at that moment


@contextmanager
def locked(folder: Folder, name: str, what: str, *, system: Any = os) -> Iterator[None]:
    """Hold the lock file `name` of `folder`. Raises: `Busy` at once if somebody holds it; `ConfigurationError` for one that is
    not ours alone: whoever can open it can hold it for ever."""
    file = _held(folder, name, what, system)
    try:
        yield
    finally:
        # Unlinked before it is closed, while nobody else can hold it; _held looks whether what it locked still has the name.
        _quietly(system.unlink, name, dir_fd=folder.fd)
        _quietly(system.close, file)


def _quietly(release: Callable[..., object], *args: object, **kwargs: object) -> None:
    try:
        release(*args, **kwargs)
    except OSError:  # the work is done, nothing was written to this file, and closing closes it also then
        pass


def _held(folder: Folder, name: str, what: str, system: Any) -> int:
    import fcntl

    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    for _ in range(_TRIES):
        status = folder.status(name)
        _check(folder, name, status)
        file: int = system.open(name, flags, 0o600, dir_fd=folder.fd)
        try:
            # flock, not lockf: it holds against other threads, and closing another descriptor of the file does not free it
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine, there = system.fstat(file), folder.status(name)
            if there is not None and os.path.samestat(mine, there):
                _check(folder, name, mine)
                return file
        except BlockingIOError:
            system.close(file)
            break
        except BaseException:
            system.close(file)
            raise
        system.close(file)
    raise Busy(f"another rotation of {what} is under way")


def _check(folder: Folder, name: str, status: os.stat_result | None) -> None:
    refusal = None if status is None or not status.st_nlink else refusal_of(status, private=True)
    if refusal is not None:
        raise ConfigurationError(f"the lock file {os.path.join(folder.path, name)} {refusal}")


class Holder:
    """Which thread holds the lock, so that a step within `locked` does not ask for it again."""

    __slots__ = ("_thread",)

    def __init__(self) -> None:
        self._thread: int | None = None

    @property
    def mine(self) -> bool:
        return self._thread == threading.get_ident()

    @contextmanager
    def here(self) -> Iterator[None]:
        self._thread = threading.get_ident()
        try:
            yield
        finally:
            self._thread = None
