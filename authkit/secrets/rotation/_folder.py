"""An open directory, and one file in it replaced whole: at any instant there is the old file or the new one."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager

from ...errors import ConfigurationError, SecretUnavailable
from ..versions import sealed
from .target import Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..versions import Sealed

MAX_BYTES = 1_048_576  # what authkit._envfile reads
# `system` stands for the module os, so that a test can have any call of it fail, or the process die there.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC if os.name == "posix" else 0
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC if os.name == "posix" else 0
_OURS_TO_MEND = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV, errno.EBUSY, errno.ENOTDIR, errno.ENOENT, errno.ELOOP)


@contextmanager
def told(what: str) -> Iterator[None]:
    """An OSError inside becomes ours, which says what failed and holds nothing that was written.

    `ConfigurationError` where trying again cannot help (a right is missing, a read-only file system, a file that is mounted by
    itself and so cannot be replaced), `SecretUnavailable` for the rest (no space left, an input/output error).
    """
    try:
        yield
    except OSError as error:
        number, name = error.errno, type(error).__name__
    else:
        return
    reason = f"{errno.errorcode.get(number, name)}: {os.strerror(number)}" if number else name
    if number in (errno.EXDEV, errno.EBUSY):
        reason += "; is it mounted by itself? Mount the directory that it is in"
    kind = ConfigurationError if number in _OURS_TO_MEND else SecretUnavailable
    raise kind(
        f"{what} could not be read or changed ({reason}); it is what it was, or what it was to become, never a part of it"
    )


class Folder:
    """A directory held open: the names in it cannot be moved to another directory between two calls.

    Raises: `ConfigurationError` if every user can replace what is in it.
    """

    def __init__(self, path: str, *, system: Any = os) -> None:
        self._system = system
        self.path = path or "."
        self.fd: int = system.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        mode = system.fstat(self.fd).st_mode
        if mode & 0o002 and not mode & stat.S_ISVTX:
            system.close(self.fd)
            raise ConfigurationError(f"{self.path} is a directory where every user can replace files")

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._system.close(self.fd)
        except OSError:  # nothing was written through it
            pass

    def status(self, name: str) -> os.stat_result | None:
        """What `name` is, itself and not what it may point to. None: nothing is there."""
        try:
            return self._system.stat(name, dir_fd=self.fd, follow_symlinks=False)  # type: ignore[no-any-return]
        except FileNotFoundError:
            return None

    def read(self, name: str) -> tuple[Sealed, os.stat_result] | None:
        """The bytes of a file that may be replaced, sealed, and its status; None: nothing is there.

        Raises: `ConfigurationError` for what is no regular file of ours with one name, that we alone can write.
        """
        if self.check(name) is None:  # before it is opened: opening a device may do things
            return None
        file = self._system.open(name, _READ, dir_fd=self.fd)
        try:
            status = self._system.fstat(file)
            self._check(name, status)
            return self._content(file), status
        finally:
            self._system.close(file)

    def check(self, name: str) -> os.stat_result | None:
        """The status of a file that may be replaced; None: nothing is there. Raises: as `read`."""
        status = self.status(name)
        if status is not None:
            self._check(name, status)
        return status

    def _check(self, name: str, status: os.stat_result) -> None:
        refusal = refusal_of(status)
        if refusal is not None:
            raise ConfigurationError(f"{os.path.join(self.path, name)} {refusal}")

    def _content(self, file: int) -> Sealed:
        parts: list[Sealed] = []
        while True:
            parts.append(sealed(self._system.read(file, MAX_BYTES)))
            if not parts[-1]():
                return sealed(b"".join(part() for part in parts))  # type: ignore[misc]  # bytes, every one

    def replace(
        self,
        name: str,
        data: Sealed,
        *,
        like: os.stat_result | None = None,
        seen: os.stat_result | None = None,
        check: Callable[[str], None] | None = None,
    ) -> None:
        """Put `data` in the place of `name`: written beside it, brought to the disk, then renamed. Never copied.

        `like`: whose owner, group, mode and access list it takes, before there is anything in it (None: 0600). `check`: called
        with the new file's name before the rename; what it raises leaves the old file. `seen`: the status when it was read.
        Raises: `Busy` if somebody else has changed it since.
        """
        temporary = f"{name}.{os.urandom(8).hex()}.tmp"
        try:
            self.make(temporary, data, like=like, of=name)
            if check is not None:
                check(temporary)
            if seen is not None and not _same_file(seen, self.status(name)):
                raise Busy(
                    f"{os.path.join(self.path, name)} was changed by somebody else meanwhile: nothing was done, run again"
                )
            self._system.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:
            try:
                self._system.unlink(temporary, dir_fd=self.fd)
            except OSError:  # renamed already, or the next run will sweep it
                pass
            raise
        self._system.fsync(self.fd)

    def make(self, name: str, data: Sealed, *, like: os.stat_result | None = None, of: str | None = None) -> None:
        """A new file of that name, written and brought to the disk; its name is not, until the directory is.

        `of`: the name of the file whose access list it takes too.
        """
        file = self._system.open(name, _WRITE, 0o600, dir_fd=self.fd)
        try:
            if like is not None:
                self._dress(file, like, of or name)
            self._fill(file, data)
            self._system.fsync(file)
        finally:
            self._system.close(file)

    def _dress(self, file: int, like: os.stat_result, name: str) -> None:
        self._system.fchown(file, like.st_uid, like.st_gid)
        self._system.fchmod(file, stat.S_IMODE(like.st_mode))
        if not hasattr(self._system, "getxattr"):
            return
        try:
            access = self._system.getxattr(f"/proc/self/fd/{self.fd}/{name}", "system.posix_acl_access")
        except OSError:  # the file has no list, or the file system has none
            return
        self._system.setxattr(file, "system.posix_acl_access", access)

    def _fill(self, file: int, data: Sealed) -> None:
        written = 0
        while written < len(data()):
            written += self._system.write(file, data()[written:])

    def sweep(self, name: str) -> None:
        """Remove what killed runs left of `name`. Only under its lock: the temporary file of a run at work looks the same."""
        leftover = re.compile(re.escape(name) + r"\.[0-9a-f]{16}\.tmp")
        for found in self._system.listdir(self.fd):
            if leftover.fullmatch(found):
                status = self.status(found)
                if (
                    status is not None
                    and stat.S_ISREG(status.st_mode)
                    and status.st_uid == os.geteuid()
                    and status.st_nlink == 1
                ):
                    self._system.unlink(found, dir_fd=self.fd)


def spelled(path: str) -> str:
    """One spelling of the path of a file, by whichever links its directory is reached. The file itself may be no link."""
    folder, base = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), base)


def refusal_of(status: os.stat_result, *, private: bool = False) -> str | None:
    """Why a file is not replaced or written to, or None. `private`: nobody but its owner may even read it."""
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link, which is never followed: name the file itself"
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_nlink != 1:
        return "has another name too (a hard link), under which it would stay what it was"
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    if status.st_mode & (0o077 if private else 0o022):
        return "is open to other users: chmod 600 it" if private else "can be written by its group or by others: chmod 600 it"
    return "is larger than 1 MiB" if not private and status.st_size > MAX_BYTES else None


def _same_file(one: os.stat_result, other: os.stat_result | None) -> bool:
    return other is not None and all(
        getattr(one, what) == getattr(other, what) for what in ("st_dev", "st_ino", "st_size", "st_mtime_ns")
    )
