"""The versions that a rotation function's methods are given: of one member, with the rest of the document at hand."""

from __future__ import annotations

from ...errors import ConfigurationError
from ..versions import SecretVersions
from ._members import Members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..versions import Sealed


class RotatedVersions(SecretVersions):
    """The versions of the secret, or of the member, that is rotated. `document()` has what is needed beside it to log in."""

    __slots__ = ("_documents",)
    _documents: Mapping[str, Sealed]

    def __init__(
        self, documents: Mapping[str, Sealed], current: Sealed, previous: Sealed | None, pending: Sealed | None
    ) -> None:
        object.__setattr__(self, "_documents", documents)
        super().__init__(current(), None if previous is None else previous(), None if pending is None else pending())

    def document(self, version: str = "current") -> dict[str, object]:
        """All members of the JSON secret, by name, as that version has them ("current", "previous", "pending").

        Raises: `ConfigurationError` for a secret that is no JSON object, and for a version that is not there.
        """
        text = self._documents.get(version)
        found = None if text is None else Members.of(text)
        if found is None:
            raise ConfigurationError(f"the secret has no {version} version that is a JSON object")
        return found.all()
