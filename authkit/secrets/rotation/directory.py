"""`FilesTarget`: secrets changed in a directory of one file each, all the files of a change at once."""

from __future__ import annotations

import os
import re
import stat
from contextlib import ExitStack, contextmanager

from ...errors import ConfigurationError, SecretNotFound, SecretUnavailable
from ..files import MountedFiles
from ..source import versions_named
from ..versions import as_bytes, is_blank, sealed
from ._family import ENDS, FamilyTarget, check_name
from ._folder import Folder, told
from ._lock import Holder, locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from ..versions import Sealed, SecretVersions

DATA = "..data"  # the name by which Kubernetes, too, swaps a directory of secrets for the next
_OURS = re.compile(r"\.\.authkit-[0-9a-f]{16}")
_INSIDE = re.compile(r"\.\.[^/\0.][^/\0]*")  # as Kubernetes names its own
_LINK = re.compile(r"\.\.authkit-[0-9a-f]{16}\.link")
_TRIES = 20  # each but the last lost to a change that came between


class FilesTarget(FamilyTarget):
    """The secrets of one directory, one file each: NAME, and beside it NAME__PREVIOUS, NAME__PREVIOUS_UNTIL, NAME__PENDING.

    The files live in a directory `..authkit-*` that `..data` points to, as in Kubernetes, and NAME is a link to `..data/NAME`.
    A step writes the next such directory whole and renames the link. Plain files, all that are there, move in at the first
    change, without a moment at which one is missing or another. Owner, group and mode of each file stay.

    Raises, when something is changed: `ConfigurationError` for a directory that Kubernetes manages, and for a file that is a
    link to elsewhere, has another name, or others write or own.
    """

    def __init__(self, directory: str | os.PathLike[str], *, system: Any = os) -> None:
        if os.name != "posix":
            raise ConfigurationError("a directory of secrets is changed on POSIX systems only: others cannot replace it safely")
        self._path = os.path.abspath(os.fspath(directory))
        self._system = system
        self._holder = Holder()

    def names(self) -> list[str]:
        with told(self._path), self._open() as folder:
            found = {name for name in self._system.listdir(folder.fd) if self._is_secret(folder, name)}
            generation = self._generation(folder)
            if generation is not None:
                with Folder(os.path.join(self._path, generation), system=self._system) as inner:
                    found |= {name for name in self._inside(generation) if self._is_secret(inner, name)}
        return sorted(name for name in found if not name.endswith(ENDS))

    def read(self, name: str) -> SecretVersions:
        """What is not ours to change, a directory of Kubernetes or Docker, is read as a service reads it."""
        check_name(name)
        with told(self._path), self._open() as folder:
            generation = self._generation(folder)
            if generation is not None and _OURS.fullmatch(generation):
                versions = self._versions(folder, name)
            elif generation is None and self._leads_inside(folder, name):
                versions = None  # the first change was killed before it was made
            else:
                versions = MountedFiles(self._path).fetch(name)
        if versions is None:
            raise SecretNotFound(f"the secret {name} is not in {self._path}")
        return versions

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """One lock a directory, because a change replaces all of it."""
        check_name(name)
        with ExitStack() as held:
            with told(self._path):
                folder = held.enter_context(self._open())
                self._generation(folder, ours=True)  # before a lock file is made in somebody else's directory
                held.enter_context(locked(folder, "..authkit-lock", self._path, system=self._system))
                self._sweep(folder)
            with self._holder.here():
                yield

    def __str__(self) -> str:
        return f"files:{os.path.realpath(self._path)}"

    def __repr__(self) -> str:
        return f"FilesTarget({self._path!r})"

    def _open(self) -> Folder:
        return Folder(self._path, system=self._system)

    def _change(self, name: str, changes: Callable[[SecretVersions | None], Mapping[str, Sealed | None]]) -> None:
        check_name(name)
        if not self._holder.mine:
            with self.locked(name):
                return self._change(name, changes)
        with told(self._path), self._open() as folder:
            wanted = changes(self._versions(folder, name))
            files = {key: _content(value) for key, value in wanted.items()}
            if any(value is not None and is_blank(value()) for value in files.values()):
                raise ConfigurationError(f"the new value of {name} is empty, blank, or text that UTF-8 cannot say")
            if not files:
                return None
            plain = self._plain(folder, name)
            if plain:
                self._advance(folder, plain)
                for key in plain:
                    self._link(folder, key)
            like = self._inner_status(folder, name)
            for key, value in files.items():
                if value is not None and folder.status(key) is None:
                    self._link(folder, key)  # leads nowhere until the change, so that every name appears in one moment
            self._advance(folder, {key: (value, like) if value is not None else None for key, value in files.items()})
            self._sweep(folder)
        return None

    def _advance(self, folder: Folder, changed: Mapping[str, tuple[Sealed, os.stat_result | None] | None]) -> None:
        """Write the next generation, the same as this one but for what has changed, and make it the one that counts."""
        system, this = self._system, self._generation(folder)
        following = f"..authkit-{os.urandom(8).hex()}"
        system.mkdir(following, 0o700, dir_fd=folder.fd)
        around = system.fstat(folder.fd)
        with Folder(os.path.join(self._path, following), system=system) as new:
            if this is not None:
                with Folder(os.path.join(self._path, this), system=system) as old:
                    for key in self._inside(this):
                        file = None if key in changed else old.read(key)
                        if file is not None:
                            new.make(key, file[0], like=file[1])
            for key, value in changed.items():
                if value is not None:
                    new.make(key, value[0], like=value[1])
            system.fchown(new.fd, around.st_uid, around.st_gid)
            system.fchmod(new.fd, stat.S_IMODE(around.st_mode) & 0o755)
            system.fsync(new.fd)
        self._point(folder, DATA, following)

    def _point(self, folder: Folder, name: str, to: str) -> None:
        """Have the symbolic link `name` lead to `to`, in one rename."""
        link = f"..authkit-{os.urandom(8).hex()}.link"
        self._system.symlink(to, link, dir_fd=folder.fd)
        self._system.rename(link, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
        self._system.fsync(folder.fd)

    def _link(self, folder: Folder, name: str) -> None:
        self._point(folder, name, f"{DATA}/{name}")

    def _generation(self, folder: Folder, *, ours: bool = False) -> str | None:
        """The directory that `..data` leads to, inside this one; None: there is none. Raises: `ConfigurationError` if it leads
        elsewhere, and with `ours` if it is not one that was made here."""
        if folder.status(DATA) is None:
            return None
        to = self._system.readlink(DATA, dir_fd=folder.fd)
        if not _OURS.fullmatch(to) and (ours or not _INSIDE.fullmatch(to)):
            raise ConfigurationError(f"{self._path} is managed by Kubernetes or the like: change the secret there")
        return str(to)

    def _inside(self, generation: str | None) -> list[str]:
        return [] if generation is None else sorted(self._system.listdir(os.path.join(self._path, generation)))

    def _is_secret(self, folder: Folder, name: str) -> bool:
        status = folder.status(name)
        return not name.startswith(".") and status is not None and stat.S_ISREG(status.st_mode)

    def _plain(self, folder: Folder, name: str) -> dict[str, tuple[Sealed, os.stat_result]]:
        """The files that are not in a generation yet, all of them: a reader of `..data` must find every one."""
        found = {}
        family = {name, *(name + end for end in ENDS)}
        for key in sorted(self._system.listdir(folder.fd)):
            status = folder.status(key)
            if status is None or key.startswith("."):
                continue
            if self._leads_inside(folder, key):
                continue
            if key in family or stat.S_ISREG(status.st_mode):
                file = folder.read(key)
                if file is not None:
                    found[key] = file
        return found

    def _leads_inside(self, folder: Folder, name: str) -> bool:
        status = folder.status(name)
        is_link = status is not None and stat.S_ISLNK(status.st_mode)
        return is_link and self._system.readlink(name, dir_fd=folder.fd) == f"{DATA}/{name}"

    def _inner_status(self, folder: Folder, name: str) -> os.stat_result | None:
        generation = self._generation(folder)
        if generation is None:
            return None
        with Folder(os.path.join(self._path, generation), system=self._system) as inner:
            return inner.status(name)

    def _versions(self, folder: Folder, name: str) -> SecretVersions | None:
        """The versions of one generation, never of two."""
        check_name(name)
        for _ in range(_TRIES):
            generation = self._generation(folder)
            try:
                with ExitStack() as opened:
                    inner = None
                    if generation is not None:
                        inner = opened.enter_context(Folder(os.path.join(self._path, generation), system=self._system))
                    family = {key: self._file(folder, inner, key) for key in (name, *(name + end for end in ENDS))}
            except FileNotFoundError:
                continue
            if self._generation(folder) == generation:
                return versions_named(name, lambda key, _, family=family: family[key], self._path)  # type: ignore[misc]
        raise SecretUnavailable(f"{self._path} is being changed all the time")

    def _file(self, folder: Folder, inner: Folder | None, key: str) -> Sealed | None:
        status = folder.status(key)
        if status is not None and stat.S_ISLNK(status.st_mode):
            if not self._leads_inside(folder, key):
                raise ConfigurationError(f"{os.path.join(self._path, key)} is a symbolic link, which is never followed")
            file = None if inner is None else inner.read(key)
        else:
            file = None if status is None else folder.read(key)
        return None if file is None else _value(file[0])

    def _sweep(self, folder: Folder) -> None:
        """Remove what no longer counts: older generations, those of killed runs, and links that lead nowhere."""
        this = self._generation(folder)
        inside = set(self._inside(this))
        for found in self._system.listdir(folder.fd):
            if _LINK.fullmatch(found):
                self._system.unlink(found, dir_fd=folder.fd)
            elif _OURS.fullmatch(found) and found != this:
                self._remove(folder, found)
            elif found not in inside and self._leads_inside(folder, found):
                self._system.unlink(found, dir_fd=folder.fd)

    def _remove(self, folder: Folder, generation: str) -> None:
        status = folder.status(generation)
        if status is None or not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            return
        with Folder(os.path.join(self._path, generation), system=self._system) as inner:
            for name in self._system.listdir(inner.fd):
                self._system.unlink(name, dir_fd=inner.fd)
        self._system.rmdir(generation, dir_fd=folder.fd)


def _content(value: Sealed | None) -> Sealed | None:
    """What is to stand in the file: one more newline after text that ends in one, since a reader drops one. Empty for text that
    UTF-8 cannot say. It raises nothing: its locals hold the value."""
    if value is None:
        return None
    content = as_bytes(value()) or b""
    is_text = isinstance(_value(sealed(content))(), str)
    return sealed(content + b"\n" if is_text and content.endswith(b"\n") else content)


def _value(content: Sealed) -> Sealed:
    """What a file's content says, as `MountedFiles` reads it. It raises nothing: its locals hold the value."""
    raw = content()
    assert isinstance(raw, bytes)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return content
    return sealed(text[:-2] if text.endswith("\r\n") else text[:-1] if text.endswith("\n") else text)
