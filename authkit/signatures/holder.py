"""Whose key it is: the principal that a signature under it stands for."""

from __future__ import annotations

from ..decision import Principal
from ..errors import ConfigurationError
from ..secrets.secret import Secret
from ..secrets.versions import Masked, SecretVersions, is_blank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

MISSING = "the key is missing, empty, blank, or of a type that is no key"


class Holder(Masked):
    """A key, and who is calling when it verifies a request. `subject`: None: the key id."""

    __slots__ = ("subject", "scopes", "roles", "claims")
    subject: str | None
    scopes: frozenset[str]
    roles: frozenset[str]
    claims: dict[str, Any]

    def _belongs(
        self, subject: str | None, scopes: Iterable[str], roles: Iterable[str], claims: Mapping[str, Any] | None
    ) -> None:
        if subject is not None and (not isinstance(subject, str) or not subject):
            raise ConfigurationError("the subject of a key is text, and not empty")
        if isinstance(scopes, str) or isinstance(roles, str):
            raise ConfigurationError("the scopes and roles of a key are collections of names, not one text")
        self.subject = subject
        self.scopes = frozenset(scopes)
        self.roles = frozenset(roles)
        self.claims = dict(claims or {})

    def principal(self, keyid: str) -> Principal:
        """Who signed, under the key id that the request named."""
        return Principal(
            self.subject or keyid,
            scopes=self.scopes,
            roles=self.roles,
            claims={**self.claims, "keyid": keyid},
            method="signature",
        )


class SharedSecret(Holder):
    """A secret that one client shares with us, for `HmacRequests`, and what that client may.

    `secret`: a `Secret` or literal, as `authkit.webhooks.Verifier` takes it. Raises: `ConfigurationError` if it is blank.
    """

    __slots__ = ("secret",)
    secret: Secret

    def __init__(
        self,
        secret: Any,
        *,
        subject: str | None = None,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        held = _secret(secret)
        del secret  # what is raised below may be shown with its locals
        if held is None:
            raise ConfigurationError(MISSING)
        self.secret = held
        self._belongs(subject, scopes, roles, claims)


def _secret(given: Any) -> Secret | None:
    """It raises nothing: its frame holds the value."""
    if isinstance(given, Secret):
        return given
    return Secret.of(given) if isinstance(given, SecretVersions) or not is_blank(given) else None
