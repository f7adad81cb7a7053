"""A stand-in for the module os that fails, or dies, at the call that it is told; and one that remembers."""

from __future__ import annotations

import os
from typing import Any


class Died(BaseException):
    """The process ended here, as far as its file operations go: nothing that comes after it does anything."""


class Failing:
    """Passes every call on to os until the `at`-th (1 is the first): that one raises `error`, or, without one, the process
    "dies": that call and every later one raise `Died`, and `bury` closes its files as the kernel would."""

    def __init__(self, at: int = 0, error: OSError | None = None) -> None:
        self.at, self.error = at, error
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.failed: str | None = None
        self.open_files: set[int] = set()
        self._dead = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if not callable(real) or name.startswith("O_"):
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._dead:
                raise Died
            self.calls.append((name, args))
            if len(self.calls) == self.at:
                self.failed = name
                if self.error is not None:
                    if name == "close":
                        os.close(args[0])
                        self.open_files.discard(args[0])
                    raise OSError(self.error.errno, os.strerror(self.error.errno or 0))
                self._dead = True
                raise Died
            result = (
                None if name == "fsync" else real(*args, **kwargs)
            )  # a dead process leaves its writes: only the order counts
            if name == "open":
                self.open_files.add(result)
            if name == "close":
                self.open_files.discard(args[0])
            return result

        return call

    def die(self) -> None:
        """Now."""
        self._dead = True
        raise Died

    def bury(self) -> None:
        for file in self.open_files:
            os.close(file)
        self.open_files.clear()


class Full(Failing):
    """A disk with room for so many bytes more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, file: int, data: bytes) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        written = os.write(file, data[: self.room])
        self.room -= written
        return written
