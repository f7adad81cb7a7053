"""`DotenvTarget`: secrets changed in a `.env` file, of which every other byte stays."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager

from ... import _envfile
from ..._needs import needs
from ...errors import ConfigurationError, SecretNotFound
from ..source import versions_named
from ..versions import is_blank, sealed
from . import _dotenv_text as _text
from ._family import ENDS, FamilyTarget, check_name
from ._folder import MAX_BYTES, Folder, spelled, told
from ._lock import Holder, locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from ..versions import Sealed, SecretVersions


class DotenvTarget(FamilyTarget):
    """The secrets of one `.env` file: NAME, and beside it NAME__PREVIOUS, NAME__PREVIOUS_UNTIL and NAME__PENDING.

    Every step replaces the file by one rename: written beside it with the same owner, group and mode, read back, brought to the
    disk. Comments, order, blank lines and quotes of all else stay as they are. `backup`: before the first change under a lock
    the file is kept as `PATH.bak` (0600), which then holds secrets too.

    Raises, on use: `ConfigurationError` for a symbolic link, a hard link, what is no regular file, what others write or own,
    and a file in which the name cannot be told; `Busy` if somebody else changed it at the same moment.
    """

    def __init__(self, path: str | os.PathLike[str], *, backup: bool = False, system: Any = os) -> None:
        if os.name != "posix":
            raise ConfigurationError("a .env file is changed on POSIX systems only: others cannot replace it safely")
        self._path = os.path.abspath(os.fspath(path))
        self._folder, self._base = os.path.split(self._path)
        if not self._base or os.fspath(path).endswith("/"):
            raise ConfigurationError("a path to a .env file ends in the file's name")
        self._backup = backup
        self._system = system
        self._holder = Holder()
        self._kept = False

    def names(self) -> list[str]:
        with told(self._path), self._open() as folder:
            file = folder.read(self._base)
        if file is None:
            return []
        needs("dotenv.parser")
        found = _text.names(file[0])
        if found is None:
            raise ConfigurationError(f"{self._path} is not UTF-8")
        return [name for name in found if not name.endswith(ENDS)]

    def read(self, name: str) -> SecretVersions:
        versions = self._versions(name)
        if versions is None:
            raise SecretNotFound(f"the secret {name} is not in {self._path}")
        return versions

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """One lock a file, not a name: two rotations would each write the other's change away."""
        check_name(name)
        with ExitStack() as held:
            with told(self._path):
                folder = held.enter_context(self._open())
                folder.check(self._base)  # before a lock file is made beside what may be no file of ours
                held.enter_context(locked(folder, f"{self._base}.lock", self._path, system=self._system))
                folder.sweep(self._base)
            self._kept = False
            with self._holder.here():
                yield

    def __str__(self) -> str:
        return f"dotenv:{spelled(self._path)}"

    def __repr__(self) -> str:
        return f"DotenvTarget({self._path!r})"

    def _open(self) -> Folder:
        return Folder(self._folder, system=self._system)

    def _versions(self, name: str, path: str | None = None) -> SecretVersions | None:
        check_name(name)
        file = _envfile.read(path or self._path)
        return None if file is None else versions_named(name, file.find, self._path)

    def _change(self, name: str, changes: Callable[[SecretVersions | None], Mapping[str, Sealed | None]]) -> None:
        """One step, under the lock, which it takes if the thread does not hold it."""
        check_name(name)
        if not self._holder.mine:
            with self.locked(name):
                return self._change(name, changes)
        needs("dotenv.parser")
        with told(self._path), self._open() as folder:
            file = folder.read(self._base)
            wanted = changes(self._versions(name))
            for key, value in wanted.items():
                if value is not None and is_blank(value()):
                    raise ConfigurationError(f"the new value of {key} is empty, blank, or not text")
            if not wanted:
                return None
            old, status = (sealed(b""), None) if file is None else file
            text = _text.edited(old, name, wanted)
            if isinstance(text, str):
                raise ConfigurationError(f"{self._path} {text}; nothing was changed")
            if len(text()) > MAX_BYTES:
                raise ConfigurationError(f"{self._path} would be larger than 1 MiB; nothing was changed")
            if self._backup and not self._kept and file is not None:
                folder.replace(f"{self._base}.bak", old)
                self._kept = True

            def check(temporary: str) -> None:
                self._check(os.path.join(self._folder, temporary), old, text, wanted)

            folder.replace(self._base, text, like=status, seen=status, check=check)
        return None

    def _check(self, temporary: str, old: Sealed, new: Sealed, wanted: Mapping[str, Sealed | None]) -> None:
        """Read what was written, as a service will read it: what was to change has, and nothing else."""
        before, after = _envfile.read(self._path), _envfile.read(temporary)
        kept = [[key for key in _text.names(data) or () if key not in wanted] for data in (old, new)]
        same = after is not None and kept[0] == kept[1] and all(_found(before, key) == _found(after, key) for key in kept[0])
        if not same or not all(_is(_found(after, key), value) for key, value in wanted.items()):
            raise ConfigurationError(
                f"{self._path} could not be changed so that it reads back exactly: a line near one of these names "
                f"({', '.join(wanted)}) is not what it seems; nothing was changed"
            )


class _Broken:
    """A name that is there and cannot be read; like any other such."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Broken)

    __hash__ = None  # type: ignore[assignment]


class _Value:
    """A value that can be compared and not be seen."""

    __slots__ = ("value",)

    def __init__(self, value: Sealed) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and self.value() == other.value()

    __hash__ = None  # type: ignore[assignment]


def _found(file: _envfile.EnvFile | None, key: str) -> object:
    try:
        value = None if file is None else file.find(key, True)
    except ConfigurationError:
        return _Broken()
    return None if value is None else _Value(value)


def _is(found: object, value: Sealed | None) -> bool:
    """Whether a name now has that value; text or its bytes, since a file knows only text. Dropped: not there, or blank."""
    if not isinstance(found, _Value):
        return found is None and value is None
    if value is None:
        return is_blank(found.value())
    return found.value() == value() or str(found.value()).encode() == value()
