"""`Dotenv`: secrets in `.env` files."""

from __future__ import annotations

from .. import settings as _settings
from .._envfile import read
from ..errors import ConfigurationError, SecretNotFound
from .source import SecretSource, versions_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..settings import Settings
    from .versions import SecretVersions


class Dotenv(SecretSource):
    """`.env`, `.env.local`, `.env.{stage}` and `.env.{stage}.local`: the last that defines a name gives it, with its versions.

    `path`: the first of the files; the others lie beside it. Nowhere else is looked, never upwards. `$` means nothing, and the
    process environment is neither read nor changed. A file that group or others can write, or that another user owns, is
    refused; one that others can read gives one warning, and is refused with `strict=True`, with `stage="production"`, or where
    `AUTHKIT_ENV` says production or is not set.
    """

    def __init__(
        self, path: str = ".env", *, stage: str | None = None, strict: bool = False, settings: Settings | None = None
    ) -> None:
        self._path = str(path)
        self._stage = stage
        if stage is not None and not (stage.isascii() and stage.replace("-", "").replace("_", "").isalnum()):
            raise ConfigurationError("a stage is ASCII letters, digits, '-' and '_'")
        self._strict = strict or stage == "production"
        self._settings = settings or _settings.default
        ends = ("", ".local") if stage is None else ("", ".local", f".{stage}", f".{stage}.local")
        self._paths = tuple(self._path + end for end in ends)

    def fetch(self, name: str) -> SecretVersions:
        """Reads the files again each time: a changed file is seen when the memo asks.

        Raises: `SecretNotFound`; `ConfigurationError` for a file that is refused, an empty value, or a line that may mean this
        name and does not parse; `SecretUnavailable` if reading fails.
        """
        for path in reversed(self._paths):
            file = read(path)
            if file is None:
                continue
            if file.readable_by_others:
                file.check_private(refuse=self._strict or self._settings.environment() == "production")
            versions = versions_named(name, file.find, path)
            if versions is not None:
                return versions
        raise SecretNotFound(f"the secret {name} is not in {self._path} or the files beside it")

    def __repr__(self) -> str:
        return f"Dotenv({self._path!r})" if self._stage is None else f"Dotenv({self._path!r}, stage={self._stage!r})"

    __str__ = __repr__
