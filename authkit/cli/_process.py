"""One process with a value in its environment, and nothing left of it afterwards."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from ..secrets.versions import as_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..secrets.versions import Sealed

MAX_OUTPUT = 65_536  # bytes, the last ones
LOOK = 0.02  # seconds between two looks whether it has ended
_PDEATHSIG = 1  # prctl(2)


def ended(words: list[str], names: Iterable[str], value: Sealed, seconds: float, margin: int) -> tuple[int | None, bytes, bool]:
    """Its exit code (None: it was not done after `seconds`), the last 64 KiB that it said and `margin` bytes before them, and
    whether more was said. Whoever it started is ended with it. Raises: `OSError` if it cannot be started."""
    process = _started(words, names, value)
    said = _Said(process, MAX_OUTPUT + margin)
    end = time.monotonic() + seconds
    try:
        while not _is_over(process) and time.monotonic() < end:
            said.read(LOOK)
        over = _is_over(process)
    finally:
        _end(process)
        said.read(0, all_of_it=True)  # what the pipe holds; it may be held open for ever by what has left the group
        said.close()
    return (process.returncode if over else None), bytes(said.kept), said.cut


class _Said:
    """The last of what a process says. Windows cannot wait for a pipe with a time limit: there nothing is kept."""

    def __init__(self, process: subprocess.Popen[bytes], most: int) -> None:
        self._pipe = process.stdout
        self._open = self._pipe is not None
        self._most = most
        self.kept, self.cut = bytearray(), False
        if self._pipe is not None:
            os.set_blocking(self._pipe.fileno(), False)

    def read(self, wait: float, *, all_of_it: bool = False) -> None:
        """What there is, after at most `wait` seconds; a pipe's fill of it with `all_of_it`."""
        if not self._open or self._pipe is None:
            time.sleep(wait)
            return
        for _ in range(32 if all_of_it else 1):
            if not select.select([self._pipe], [], [], wait)[0]:
                return
            found = os.read(self._pipe.fileno(), 65_536)
            if not found:
                self._open = False
                return
            self.kept += found
            if len(self.kept) > self._most:
                del self.kept[: -self._most]
                self.cut = True

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()


def _started(words: list[str], names: Iterable[str], value: Sealed) -> subprocess.Popen[bytes]:
    with_us = _with_us()
    environment = {**os.environ, **dict.fromkeys(names, os.fsdecode(as_bytes(value()) or b""))}
    return subprocess.Popen(  # noqa: S603
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if os.name == "posix" else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=with_us,
    )


def _with_us() -> Callable[[], object] | None:
    """What has a new process killed when this one is, where the system can (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    prctl: Any = getattr(ctypes.CDLL(None), "prctl", None)
    us = os.getpid()

    def ask() -> None:
        prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != us:  # we ended between the fork and this
            os._exit(1)

    return None if prctl is None else ask


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended. It stays a zombie, so that nobody else has its number, nor its group's, before that is killed."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it started, also where it has ended itself."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # nobody is left; macOS says the second of a zombie
            pass
    elif process.poll() is None:
        process.kill()
    process.wait()
