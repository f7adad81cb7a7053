"""The `AUTHKIT_*` settings: from the environment, then from `.env` in the working directory. Read when first needed."""

from __future__ import annotations

import os

from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from ._envfile import EnvFile

ENVIRONMENTS: tuple[Literal["production"], Literal["development"], Literal["test"]] = ("production", "development", "test")


class Settings:
    """Settings by name. `environ`: another mapping instead of `os.environ`; `directory`: where `.env` lies (never upwards).

    A name that the environment defines is not looked for in `.env`, even if it is empty: empty means not set. `.env` is read
    once, when a name is first missing in the environment, under the rules for files of secrets (see `authkit.secrets.Dotenv`).
    """

    __slots__ = ("_find", "_path", "_file", "_read")

    def __init__(self, environ: Mapping[str, str] | None = None, directory: str = "") -> None:
        found = os.environ if environ is None else environ

        def find(name: str) -> str | None:  # a closure: an attribute would show the whole environment to whoever looks
            return found.get(name)

        self._find = find
        self._path = os.path.join(directory, ".env")
        self._file: EnvFile | None = None
        self._read = False

    def get(self, name: str) -> str | None:
        """The setting's value, or None if it is not set.

        Raises: `ConfigurationError` if it is not in the environment and `.env` is refused; `SecretUnavailable` if `.env`
        cannot be read.
        """
        value = self._find(name)
        if value is None:
            value = self._from_file(name)
        return value if value is not None and value.strip() else None

    def require(self, name: str) -> str:
        """The setting's value. Raises: `ConfigurationError` naming it if it is not set, and as `get` does."""
        value = self.get(name)
        if value is None:
            raise ConfigurationError(f"{name} is not set, neither in the environment nor in {self._path}")
        return value

    def environment(self) -> Literal["production", "development", "test"]:
        """What `AUTHKIT_ENV` says; production if it is not set.

        Raises: `ConfigurationError` for any other value, and as `get` does.
        """
        value = self.get("AUTHKIT_ENV")
        if value is None:
            return "production"
        for known in ENVIRONMENTS:
            if value == known:
                return known
        del value  # "never its value", in a traceback with locals too
        raise ConfigurationError(f"AUTHKIT_ENV is one of {', '.join(ENVIRONMENTS)}")

    def _from_file(self, name: str) -> str | None:
        if not self._read:
            self._file = self._checked()
            self._read = True
        if self._file is None:
            return None
        value = self._file.find(name)
        return None if value is None else value()

    def _checked(self) -> EnvFile | None:
        if not os.path.lexists(self._path):  # cheap, and python-dotenv stays unloaded
            return None
        from ._envfile import read

        file = read(self._path)
        if file is not None and file.readable_by_others:
            stated = self._find("AUTHKIT_ENV")
            if stated is None:
                in_file = file.find("AUTHKIT_ENV")
                stated = None if in_file is None else in_file()
            file.check_private(refuse=stated not in ("development", "test"))
        return file

    def __repr__(self) -> str:
        return f"Settings({self._path!r})"


default = Settings()
get = default.get
require = default.require
environment = default.environment
