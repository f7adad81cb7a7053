"""`Journal`: one line of JSON for every change: who, what and when, never a value."""

from __future__ import annotations

import os
import re
import time

from ...errors import ConfigurationError
from ._folder import Folder, refusal_of, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

BESIDE = ".history.jsonl"  # follows the name of the file or the directory
LINE = 4096  # bytes; a line is written by one call, so that two writers never mix theirs


class Journal:
    """An append-only file of JSON lines, readable by its owner alone (0600, in a directory made 0700 if there is none).

    Each line: `time` (epoch seconds) and `at` (the same, ISO 8601), `user`, `host`, `pid`, `action`, `step`, `name`, `target`,
    `rotation` (an id) and what the step adds (`previous_until`). Never a value, nor anything that is computed from one.
    `who`: other fields than `user`, `host` and `pid`. A line is on the disk when `write` returns; one that a crash cut short is
    passed over.

    Raises, on use: `ConfigurationError` for a symbolic link, what is no regular file of ours, or is open to other users;
    `SecretUnavailable` if it cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], float] = time.time,
        who: Mapping[str, str | int] | None = None,
        system: Any = os,
    ) -> None:
        if os.name != "posix":
            raise ConfigurationError("a journal is kept on POSIX systems only: others cannot keep it to its owner")
        self.path = os.path.abspath(os.fspath(path))
        self._folder, self._base = os.path.split(self.path)
        self._clock = clock
        self._who = None if who is None else dict(who)
        self._system = system

    def write(self, *, action: str, step: str, name: str, target: str, rotation: str, **more: Any) -> dict[str, Any]:
        """Append one line, bring it to the disk, and give it back."""
        import json

        now = round(self._clock(), 3)
        entry: dict[str, Any] = {"time": now, "at": _iso(now), **(_who() if self._who is None else self._who)}
        entry |= {"action": action, "step": step, "name": name, "target": target, "rotation": rotation, **more}
        line = json.dumps(entry).encode() + b"\n"
        if len(line) > LINE:
            raise ConfigurationError(f"a line for {self.path} is longer than {LINE} bytes")
        with told(self.path):
            if not os.path.isdir(self._folder):
                os.makedirs(self._folder, mode=0o700, exist_ok=True)
            with Folder(self._folder, system=self._system) as folder:
                self._append(folder, line)
        return entry

    def _append(self, folder: Folder, line: bytes) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        known = folder.status(self._base)
        if known is not None:
            self._check(known)
        file = self._system.open(self._base, flags, 0o600, dir_fd=folder.fd)
        try:
            status = self._system.fstat(file)
            self._check(status)
            if status.st_size and self._system.pread(file, 1, status.st_size - 1) != b"\n":
                line = b"\n" + line  # the line before was cut short by a crash
            if self._system.write(file, line) != len(line):
                raise OSError(28, "No space left on device")
            self._system.fsync(file)
        finally:
            self._system.close(file)
        if known is None:
            self._system.fsync(folder.fd)

    def entries(self, name: str | None = None, target: str | None = None) -> list[dict[str, Any]]:
        """The lines, oldest first; those on `name` and `target` alone, where given. No file: none.

        A journal that lies beside the file or the directory that it is named after goes with it where that is moved.
        """
        key = None if target is None else self._key(target)
        read = [entry for entry in map(_read, self._lines()) if entry is not None]
        return [entry for entry in read if name in (None, entry["name"]) and key in (None, self._key(entry["target"]))]

    def _key(self, target: str) -> str:
        kind, _, path = target.partition(":")
        base = os.path.basename(path)
        return f"{kind}:{base}" if kind in ("dotenv", "files") and self._base == base + BESIDE else target

    def _lines(self) -> list[bytes]:
        if not os.path.isdir(self._folder):
            return []
        with told(self.path), Folder(self._folder, system=self._system) as folder:
            status = folder.status(self._base)
            if status is None:
                return []
            self._check(status)
            file = self._system.open(self._base, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder.fd)
            try:
                self._check(self._system.fstat(file))
                parts = [self._system.read(file, 1_048_576)]
                while parts[-1]:
                    parts.append(self._system.read(file, 1_048_576))
            finally:
                self._system.close(file)
        return b"".join(parts).splitlines()

    def _check(self, status: os.stat_result) -> None:
        refusal = refusal_of(status, private=True)
        if refusal is not None:
            raise ConfigurationError(f"the journal {self.path} {refusal}")

    def __repr__(self) -> str:
        return f"Journal({self.path!r})"


def state_file(name: str, environ: Mapping[str, str] | None = None) -> str:
    """Where the journal of a target that is no file is kept: `$XDG_STATE_HOME/authkit/NAME.history.jsonl`.

    `XDG_STATE_HOME` unset, or not absolute: `~/.local/state` (XDG Base Directory Specification).
    """
    home = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "authkit", re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".") + BESIDE)


def _read(line: bytes) -> dict[str, Any] | None:
    import json

    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("time"), (int, float)):
        return None
    return entry if all(isinstance(entry.get(key), str) for key in ("action", "step", "name", "target", "rotation")) else None


def _iso(now: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _who() -> dict[str, str | int]:
    import socket

    return {"user": _user(), "host": socket.gethostname(), "pid": os.getpid()}


def _user() -> str:
    """Whom the system knows us as; the environment could say anything."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError, AttributeError):
        return str(os.geteuid()) if hasattr(os, "geteuid") else os.environ.get("USERNAME", "unknown")
