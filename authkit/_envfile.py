"""One `.env` file: read with care, parsed, and its values kept out of sight."""

from __future__ import annotations

import os
import stat

from ._needs import needs
from .errors import ConfigurationError, SecretUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 1_048_576  # more than any settings file; a limit so that a wrong path cannot fill the memory

_warned: set[str] = set()


class EnvFile:
    """The values of one file, each behind a function, so that nothing that prints objects shows them.

    `broken`: the lines that cannot be served, by name (no value, or a quoting we do not know), or under None: a line that
    does not parse and might define any name. `written`: epoch seconds.
    """

    __slots__ = ("path", "readable_by_others", "written", "_values", "_broken", "_lines", "_literal")

    def __init__(
        self,
        path: str,
        readable_by_others: bool,
        values: dict[str, Callable[[], str]],
        broken: dict[str | None, int],
        lines: dict[str, int],
        literal: set[str],
        written: float,
    ) -> None:
        self.path = path
        self.readable_by_others = readable_by_others
        self._values = values
        self._broken = broken
        self._lines = lines
        self._literal = literal
        self.written = written

    def find(self, name: str, optional: bool = False) -> Callable[[], str] | None:
        """The value of `name` behind a function, or None if the file does not define it.

        Raises: `ConfigurationError` if the file may mean to define it, in a line that cannot be read: passing that over
        could let a weaker source answer. With `optional` only if it surely means to.
        """
        value = self._values.get(name)
        if value is None:
            line = self._broken.get(name, None if optional else self._broken.get(None))
            if line is not None:
                raise ConfigurationError(f"{name} cannot be read from {self.path}: line {line} does not parse")
        return value

    def line(self, name: str) -> int | None:
        """The line that defines `name`, counted from 1."""
        return self._lines.get(name)

    def is_literal(self, name: str) -> bool:
        """Whether the value stands in single quotes, in which nothing is ever interpolated."""
        return name in self._literal

    def check_private(self, *, refuse: bool) -> None:
        """Others can read the file: refused if `refuse`, otherwise one warning for each file."""
        if not self.readable_by_others:
            return
        if refuse:
            raise ConfigurationError(
                f"{self.path} can be read by every user of this machine, which is refused in production (AUTHKIT_ENV unset "
                f"counts as that) and in strict mode: chmod 600 {self.path}"
            )
        if self.path not in _warned:
            import warnings

            _warned.add(self.path)
            warnings.warn(f"{self.path} can be read by every user of this machine: chmod 600 {self.path}", stacklevel=2)


def read(path: str, *, uid: int | None = None) -> EnvFile | None:
    """The file at `path`, or None if there is none. Nothing is interpolated, and no process environment is touched.

    `uid`: who may own it (default: the user we run as). Raises: `ConfigurationError` if group or others can write the file,
    another user owns it, its directory lets others replace it, it is no regular file, larger than 1 MiB, not UTF-8, holds a
    NUL, or defines a name twice; `SecretUnavailable` if reading fails.
    """
    file = _opened(path)
    if file is None:
        return None
    try:
        status = os.fstat(file)
        refusal = _refusal(path, status, uid)
        if refusal is not None:
            raise ConfigurationError(f"{path} {refusal}")
        needs("dotenv.parser")
        parsed = _parsed(path, status, file)
    finally:
        os.close(file)
    if isinstance(parsed, str):
        raise ConfigurationError(f"{path} {parsed}")
    return parsed


def _opened(path: str) -> int | None:
    # O_NONBLOCK: opening a FIFO must not hang
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise ConfigurationError(f"{path} is there, but this process may not read it") from None
    except OSError as error:
        raise SecretUnavailable(f"{path} cannot be opened ({type(error).__name__})") from None


def _refusal(path: str, status: os.stat_result, uid: int | None) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_size > MAX_BYTES:
        return "is larger than 1 MiB"
    if os.name != "posix":
        return None
    if status.st_mode & 0o022:
        return "can be written by its group or by others: chmod 600 it"
    if status.st_uid != (os.geteuid() if uid is None else uid):
        return "belongs to another user"
    directory = os.stat(os.path.dirname(path) or ".")
    if directory.st_mode & 0o002 and not directory.st_mode & stat.S_ISVTX:
        return "is in a directory where every user can replace it"
    return None


def _parsed(path: str, status: os.stat_result, file: int) -> EnvFile | str:
    """The file's values, or what is wrong with it. It raises nothing, because its locals hold the file's text."""
    try:
        with os.fdopen(os.dup(file), "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError:
        return "cannot be read"
    if b"\0" in data:
        return f"holds a NUL in line {_line(data, data.index(0))}"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"is not UTF-8 in line {_line(data, error.start)}"
    from io import StringIO

    from dotenv.parser import parse_stream

    values: dict[str, Callable[[], str]] = {}
    lines: dict[str, int] = {}
    broken: dict[str | None, int] = {}
    literal: set[str] = set()
    for binding in parse_stream(StringIO(text.replace("\r\n", "\n"))):
        key, value, original = binding.key, binding.value, binding.original
        line = original.line + len(original.string) - len(original.string.lstrip("\r\n"))
        if binding.error:
            broken.setdefault(None, line)
        elif key is None:
            continue
        elif key in lines:
            # Without a value, or if it is no name, what was taken for a name may be a secret that was pasted alone.
            named = key.isidentifier() and value and key in values and values[key]()
            return f"defines {key if named else 'a name'} twice, in lines {lines[key]} and {line}"
        else:
            lines[key] = line
            written = original.string.partition("=")[2].lstrip()
            # A back-tick quotes in JavaScript's dotenv and not here: the value would be a guess.
            if value is None or written.startswith("`"):
                broken[key] = line
            else:
                values[key] = _behind(value)
                if written.startswith("'"):
                    literal.add(key)
    readable_by_others = bool(status.st_mode & 0o004) and os.name == "posix"
    return EnvFile(path, readable_by_others, values, broken, lines, literal, status.st_mtime)


def _line(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _behind(value: str) -> Callable[[], str]:
    return lambda: value
