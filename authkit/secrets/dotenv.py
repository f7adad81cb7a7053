"""`Dotenv`: secrets in `.env` files."""

from __future__ import annotations

from .. import settings as _settings
from .._envfile import read
from ..errors import AuthkitError, ConfigurationError, SecretNotFound
from .source import SecretSource, absolute, dated, versions_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._envfile import EnvFile
    from ..settings import Settings
    from .versions import Sealed, SecretVersions


class Dotenv(SecretSource):
    """`.env`, `.env.local`, `.env.{stage}` and `.env.{stage}.local`: the last that defines a name gives it, with its versions.

    `path`: the first of the files, from where the process is now; the others lie beside it. Nowhere else is looked, never
    upwards. A file that group or others can write, or that another user owns, is refused; one that others can read gives one
    warning, and is refused with `strict=True`, with `stage="production"`, or where `AUTHKIT_ENV` says production or is not set.

    The process environment is neither read nor changed. Where it is to go before the files, as is the custom, say so:
    `Secrets(Environment(), Dotenv())`.

    `$` means nothing. With `interpolate=True`, `${NAME}` and `${NAME:-default}` in a value that is not in single quotes stand
    for another value of these files; never for a variable of the process, and never for a command.
    """

    local = True

    def __init__(
        self,
        path: str = ".env",
        *,
        stage: str | None = None,
        strict: bool = False,
        interpolate: bool = False,
        settings: Settings | None = None,
    ) -> None:
        self._path = str(path)
        self._stage = stage
        if stage is not None and not (stage.isascii() and stage.replace("-", "").replace("_", "").isalnum()):
            raise ConfigurationError("a stage is ASCII letters, digits, '-' and '_'")
        self._strict = strict or stage == "production"
        self._interpolate = interpolate
        self._settings = settings or _settings.default
        ends = ("", ".local") if stage is None else ("", ".local", f".{stage}", f".{stage}.local")
        first = absolute(self._path)
        self._paths = tuple(first + end for end in ends)

    def fetch(self, name: str) -> SecretVersions:
        """Reads the files again each time: a changed file is seen when the memo asks.

        Raises: `SecretNotFound`; `ConfigurationError` for a file that is refused, an empty value, or a line that may mean this
        name and does not parse, or refers to what is not there; `SecretUnavailable` if reading fails.
        """
        return self.fetch_many((name,))[name]

    def fetch_many(self, names: Sequence[str], *, current_only: bool = False) -> Mapping[str, SecretVersions]:
        """The secrets of `names`, each file read once. Raises: as `fetch`, for `names[0]`."""
        del current_only  # the files hold all versions
        opened: dict[str, EnvFile | None] = {}
        found: dict[str, SecretVersions] = {}
        for name in names:
            try:
                found[name] = self._one(name, opened)
            except AuthkitError:
                if name == names[0]:
                    raise
        return found

    def _one(self, name: str, opened: dict[str, EnvFile | None]) -> SecretVersions:
        for path in reversed(self._paths):
            file = self._file(path, opened)
            if file is not None:
                versions = versions_named(name, self._finder(file, opened), path)
                if versions is not None:
                    return dated(versions, file.written)
        raise SecretNotFound(f"the secret {name} is not in {self._path} or the files beside it")

    def _file(self, path: str, opened: dict[str, EnvFile | None]) -> EnvFile | None:
        if path not in opened:
            file = read(path)
            if file is not None and file.readable_by_others:
                file.check_private(refuse=self._strict or self._settings.environment() == "production")
            opened[path] = file
        return opened[path]

    def _finder(self, file: EnvFile, opened: dict[str, EnvFile | None]) -> Callable[[str, bool], Sealed | None]:
        if not self._interpolate:
            return file.find
        from ._interpolate import interpolated

        def find(name: str, optional: bool) -> Sealed | None:
            value = file.find(name, optional)
            if value is None or file.is_literal(name):
                return value
            result = interpolated(value, lambda other: self._look_up(other, opened))
            if isinstance(result, str):
                raise ConfigurationError(f"{name} in line {file.line(name)} of {file.path} {result}")
            return result

        return find

    def _look_up(self, name: str, opened: dict[str, EnvFile | None]) -> tuple[Sealed, bool] | None:
        for path in reversed(self._paths):
            file = self._file(path, opened)
            value = None if file is None else file.find(name)
            if file is not None and value is not None:
                return (value, file.is_literal(name)) if value() else None
        return None

    def __repr__(self) -> str:
        return f"Dotenv({self._path!r})" if self._stage is None else f"Dotenv({self._path!r}, stage={self._stage!r})"

    __str__ = __repr__
