"""`Hardcoded`: secrets in the program itself, for development and tests."""

from __future__ import annotations

from .. import settings as _settings
from .._samples import is_sample
from ..errors import ConfigurationError, SecretNotFound
from .source import SecretSource
from .versions import SecretVersions, is_blank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..settings import Settings


class Hardcoded(SecretSource):
    """Secrets written in the program: `Hardcoded({"JWT_SECRET": "..."})`. Whoever can read the program has them.

    Quiet where `AUTHKIT_ENV` is development or test; refused where it is production; one warning where it is unset.
    `insecure_in_production=True` lets it serve in production too: the secret is then in the repository, in every build and
    backup, and cannot be rotated without a release. A secret that was published as a sample is refused everywhere.

    Raises: `ConfigurationError` for a value that is empty, blank, or a known sample.
    """

    local = True

    def __init__(
        self,
        values: Mapping[str, str | bytes | SecretVersions],
        *,
        insecure_in_production: bool = False,
        settings: Settings | None = None,
    ) -> None:
        versions, wrong = _sealed(values)
        del values  # what is raised below may be shown with its locals
        self._versions = versions
        if wrong:
            raise ConfigurationError(f"the hardcoded secret {wrong}")
        self._insecure_in_production = insecure_in_production
        self._settings = settings or _settings.default
        self._warned = False

    def fetch(self, name: str) -> SecretVersions:
        """Raises: `SecretNotFound`; `ConfigurationError` in production."""
        versions = self._versions.get(name)
        if versions is None:
            raise SecretNotFound(f"the secret {name} is not hardcoded")
        if not self._insecure_in_production:
            self._check_environment(name)
        return versions

    def _check_environment(self, name: str) -> None:
        if self._settings.environment() != "production":
            return
        if self._settings.get("AUTHKIT_ENV") is not None:
            raise ConfigurationError(
                f"the secret {name} is hardcoded, which is refused in production: "
                "use another source, or say insecure_in_production=True"
            )
        if not self._warned:
            import warnings

            self._warned = True
            warnings.warn(
                f"the secret {name} is hardcoded: set AUTHKIT_ENV to development, or use another source", stacklevel=2
            )

    def __repr__(self) -> str:
        return f"Hardcoded({', '.join(sorted(self._versions))})"

    __str__ = __repr__


def _sealed(values: Mapping[str, str | bytes | SecretVersions]) -> tuple[dict[str, SecretVersions], str | None]:
    """The values out of sight, and what is wrong with them. It raises nothing, because its locals hold them."""
    found = {}
    for name, value in values.items():
        if not isinstance(value, SecretVersions):
            if is_blank(value):
                return {}, f"{name} is empty, blank, or not text or bytes"
            value = SecretVersions(value)
        for _, one in value.named():
            if is_sample(one):
                return {}, f"{name} is a sample that was published: everybody knows it"
        found[name] = value
    return found, None
