"""A value that somebody gives: asked for without echo, or from a file or a pipe. Never from the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..secrets.rotation._same import same_value
from ..secrets.versions import is_blank, sealed
from ._exits import NotFound, Wrong

if TYPE_CHECKING:
    from ..secrets.versions import Sealed

same = same_value
LONGEST = 65_536  # bytes: what AWS Secrets Manager takes


def given(value_from: str | None, name: str) -> Sealed:
    """The value from that file ("-": stdin), or from whoever sits at the terminal. Text where it is UTF-8.

    Raises: `Wrong` where nobody can be asked, or for a value that is empty, too long, or not the same twice; `NotFound`.
    """
    value = _asked(name) if value_from is None else _read(value_from)
    if is_blank(value()):
        raise Wrong("the value is empty")
    return value


def told(value_from: str | None, variable: str | None, question: str) -> Sealed:
    """What is there already, and is asked for once: from that file ("-": stdin), from that environment variable, from a pipe
    if there is one, or from whoever sits at the terminal.

    Raises: `Wrong` for a value that is empty or too long, and for two places; `NotFound`.
    """
    if value_from is not None and variable is not None:
        raise Wrong("the value is named in two places: which is meant?")
    if variable is not None:
        value = _of_variable(variable)
    elif value_from is not None or not sys.stdin.isatty():
        value = _read("-" if value_from is None else value_from)
    else:
        value = _asked_once(question)
    if is_blank(value()):
        raise Wrong("the value is empty")
    return value


def _asked_once(question: str) -> Sealed:
    from getpass import getpass

    try:
        return sealed(getpass(f"{question}: "))
    except BaseException:
        sys.stderr.write("\n")  # the question stands there still
        raise


def _of_variable(name: str) -> Sealed:
    """The name is not repeated: it may be the value, typed in the wrong place."""
    import os

    if name not in os.environ:
        raise NotFound("there is no environment variable of that name")
    return sealed(os.environ[name])


def _asked(name: str) -> Sealed:
    if not sys.stdin.isatty():
        raise Wrong("there is no terminal to ask at: give the value with --value-from - or --value-from FILE")
    from getpass import getpass

    try:
        first, second = sealed(getpass(f"New value of {name}: ")), sealed(getpass("The same again: "))
    except BaseException:
        sys.stderr.write("\n")  # the question stands there still
        raise
    if not same(first, second):
        raise Wrong("the two values are not the same: nothing was done")
    return first


def _read(path: str) -> Sealed:
    raw = _bytes(path)
    if len(raw()) > LONGEST:
        raise Wrong(f"the value is longer than {LONGEST} bytes")
    return _text(raw)


def _bytes(path: str) -> Sealed:
    if path == "-":
        if sys.stdin.isatty():
            raise Wrong("--value-from - reads a pipe or a file: leave the option out to be asked")
        return sealed(sys.stdin.buffer.read(LONGEST + 3))
    try:
        with open(path, "rb") as file:
            return sealed(file.read(LONGEST + 3))
    except FileNotFoundError:  # the path is not repeated: it may be the value, typed in the wrong place
        raise NotFound("there is no file of the name that --value-from gives") from None
    except OSError as error:
        raise ConfigurationError(f"the file that --value-from names cannot be read ({type(error).__name__})") from None


def _text(raw: Sealed) -> Sealed:
    """It raises nothing, because its locals hold the value."""
    value = raw()
    assert isinstance(value, bytes)
    if value.endswith(b"\n"):
        value = value[:-2] if value.endswith(b"\r\n") else value[:-1]
    try:
        return sealed(value.decode())
    except UnicodeDecodeError:
        return sealed(value)
