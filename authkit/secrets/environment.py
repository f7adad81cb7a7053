"""`Environment`: secrets in environment variables."""

from __future__ import annotations

import os

from ..errors import SecretNotFound
from .source import SecretSource, versions_named
from .versions import sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .versions import Sealed, SecretVersions


class Environment(SecretSource):
    """The process environment: NAME, and beside it NAME__PREVIOUS, NAME__PENDING and NAME__PREVIOUS_UNTIL (epoch seconds).

    `environ`: another mapping instead of `os.environ`.
    """

    local = True

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        found = os.environ if environ is None else environ

        def find(
            name: str, optional: bool
        ) -> Sealed | None:  # a closure: an attribute would show the whole mapping to whoever looks
            value = found.get(name)
            return None if value is None else sealed(value)

        self._find = find

    def fetch(self, name: str) -> SecretVersions:
        """Raises: `SecretNotFound`; `ConfigurationError` for an empty value or an end that is no number."""
        versions = versions_named(name, self._find, "the environment")
        if versions is None:
            raise SecretNotFound(f"the secret {name} is not in the environment")
        return versions

    def __repr__(self) -> str:
        return "Environment()"

    __str__ = __repr__
