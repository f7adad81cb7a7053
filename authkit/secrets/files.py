"""`MountedFiles`: secrets in a directory, one file each, as Docker, Kubernetes and systemd mount them."""

from __future__ import annotations

import os
import stat

from ..errors import AuthkitError, ConfigurationError, SecretNotFound, SecretUnavailable
from .source import SecretSource, absolute, dated, versions_named
from .versions import sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .versions import Sealed, SecretVersions

MAX_BYTES = 1_048_576  # what one Kubernetes secret may hold
SWAPS = 20  # generations that may come and go while one is read
DATA = "..data"  # the link that Kubernetes turns from one generation to the next

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class MountedFiles(SecretSource):
    """`MountedFiles("/run/secrets")`: the file NAME is the secret NAME; NAME__PREVIOUS and the like are its other versions.

    A file of UTF-8 is text, without exactly one line ending at its end, if it has one; any other is bytes, as they are. All
    versions are of one generation: where the directory has the link `..data`, as Kubernetes makes it, it is followed once for
    each fetch, and a change meanwhile has them all read again. Otherwise symbolic links in the directory are refused.

    Who may read a file is not checked: Docker and Kubernetes mount them readable. One that every user can write, or a
    directory where every user can replace one, is refused. The grace of a previous value without an end counts from when its
    file and that of the current one were written. A directory that is not there is `SecretUnavailable`, not an empty
    one: a mount that failed must not let a weaker source answer.
    """

    local = True

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = os.fspath(directory)
        if not isinstance(self._directory, str) or not self._directory or "\0" in self._directory:
            raise ConfigurationError("MountedFiles needs the path of a directory")
        self._path = absolute(self._directory)

    def fetch(self, name: str) -> SecretVersions:
        """Reads the files again each time: a changed one is seen when the memo asks.

        Raises: `SecretNotFound`; `ConfigurationError` for what is refused (see the class), larger than 1 MiB, empty, or not
        readable by this process; `SecretUnavailable` if the directory is not there or reading fails.
        """
        return self.fetch_many((name,))[name]

    def fetch_many(self, names: Sequence[str], *, current_only: bool = False) -> Mapping[str, SecretVersions]:
        """The secrets of `names`, all of one generation. Raises: as `fetch`, for `names[0]`."""
        del current_only  # asking for all costs next to nothing
        for _ in range(SWAPS):
            base, generation = self._generation()
            if base is None:
                continue
            found, failure = self._read(names, base)
            if generation == self._generation()[1]:
                if failure is not None:
                    raise failure.with_traceback(None)
                return found
        raise SecretUnavailable(f"{self._directory} changed {SWAPS} times while it was read, or its {DATA} leads nowhere")

    def _generation(self) -> tuple[str | None, object]:
        """The directory that the files are in now, and what differs once anything in it is replaced. None: just gone."""
        try:
            top = os.stat(self._path)
            base = os.path.realpath(self._path)
            try:
                base = os.path.realpath(os.path.join(base, os.readlink(os.path.join(base, DATA))))
            except OSError:  # there is none, or it is no link
                now = os.stat(base)
            else:
                try:
                    now = os.stat(base)
                except FileNotFoundError:
                    return None, None
        except OSError as error:
            raise SecretUnavailable(f"the directory {self._directory} cannot be read ({type(error).__name__})") from None
        for status in (top, now):
            if not stat.S_ISDIR(status.st_mode):
                raise ConfigurationError(f"{self._directory} is not a directory")
            if os.name == "posix" and status.st_mode & 0o002 and not status.st_mode & stat.S_ISVTX:
                raise ConfigurationError(f"{self._directory} is a directory where every user can replace files")
        return base, (base, now.st_dev, now.st_ino, now.st_mtime_ns)

    def _read(self, names: Sequence[str], base: str) -> tuple[dict[str, SecretVersions], AuthkitError | None]:
        """What can be read of `names`, and what is wrong with the first of them."""
        found: dict[str, SecretVersions] = {}
        failure: AuthkitError | None = None
        for name in names:
            times: list[float] = []
            try:
                versions = versions_named(name, _finder(base, times), self._directory)
                if versions is None:
                    raise SecretNotFound(f"the secret {name} is not in {self._directory}")
                found[name] = dated(versions, max(times))
            except AuthkitError as error:
                if name == names[0]:
                    failure = error
        return found, failure

    def __repr__(self) -> str:
        return f"MountedFiles({self._directory!r})"

    __str__ = __repr__


def _is_file_name(name: str) -> bool:
    """Whether `name` can be a file of the directory itself; `..x` are Kubernetes' own."""
    if (
        not name
        or name == "."
        or name.startswith("..")
        or "/" in name
        or "\\" in name
        or "\0" in name
        or os.path.splitdrive(name)[0]
    ):
        return False
    try:
        return len(os.fsencode(name)) <= 255
    except UnicodeEncodeError:
        return False


def _finder(base: str, times: list[float]) -> Callable[[str, bool], Sealed | None]:
    return lambda name, optional: _content(base, name, times)


def _content(base: str, name: str, times: list[float]) -> Sealed | None:
    """The value in the file `name`, whose time is put with the others."""
    if not _is_file_name(name):
        return None
    path = os.path.join(base, name)
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):  # asked first for the sake of the message; O_NOFOLLOW decides
            raise ConfigurationError(f"{path} is a symbolic link, which could lead anywhere")
        file = os.open(path, _FLAGS | getattr(os, "O_NOFOLLOW", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise ConfigurationError(f"{path} is there, but this process may not read it") from None
    except OSError as error:
        raise SecretUnavailable(f"{path} cannot be opened ({type(error).__name__})") from None
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(f"{path} is not a regular file")
        if os.name == "posix" and status.st_mode & 0o002:
            raise ConfigurationError(f"{path} can be written by every user of this machine: chmod o-w it")
        content, wrong = _value(file)
    finally:
        os.close(file)
    if content is None:
        raise (SecretUnavailable if wrong is None else ConfigurationError)(f"{path} {wrong or 'cannot be read'}")
    times.append(status.st_mtime)
    return content


def _value(file: int) -> tuple[Sealed | None, str | None]:
    """The value, or what is wrong with it; neither: reading failed. It raises nothing, because its locals hold the value."""
    parts, size = [], 0
    while True:
        try:
            part = os.read(file, 65_536)
        except OSError:
            return None, None
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            return None, "is larger than 1 MiB"
    data = b"".join(parts)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return sealed(data), None
    if text.endswith("\n"):
        text = text[:-2] if text.endswith("\r\n") else text[:-1]
    return sealed(text), None
