"""`Identity`: who the tokens of a provider say that somebody is, wherever that provider writes it."""

from __future__ import annotations

from ..decision import _set, _Value
from ..tokens.claims import names_of
from .profile import at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .profile import Place, TokenProfile


class Identity(_Value):
    """Somebody whom an issuer knows. Whoever keeps people keeps them by `key`, and by nothing else.

    `email` is one that the provider calls verified, or None; `unverified_email` is what stands there, whoever wrote it: it may
    be shown, and says nothing of who somebody is. Addresses are given to other people, and subjects are not.
    """

    __slots__ = ("issuer", "subject", "tenant", "groups", "email", "unverified_email", "name")
    issuer: str
    subject: str
    tenant: str | None
    groups: frozenset[str]
    email: str | None
    unverified_email: str | None
    name: str | None

    def __init__(
        self,
        issuer: str,
        subject: str,
        *,
        tenant: str | None = None,
        groups: frozenset[str] = frozenset(),
        email: str | None = None,
        unverified_email: str | None = None,
        name: str | None = None,
    ) -> None:
        _set(self, "issuer", issuer)
        _set(self, "subject", subject)
        _set(self, "tenant", tenant)
        _set(self, "groups", groups)
        _set(self, "email", email)
        _set(self, "unverified_email", email if unverified_email is None else unverified_email)
        _set(self, "name", name)

    @property
    def key(self) -> tuple[str, str]:
        """Issuer and subject, which together are nobody else's (OpenID Connect Core section 5.7)."""
        return self.issuer, self.subject

    @property
    def email_verified(self) -> bool:
        """Whether the provider says that `email` is theirs."""
        return self.email is not None

    def __repr__(self) -> str:
        return f"<Identity {self.subject!r} of {self.issuer!r}>"


def identity_of(claims: Mapping[str, Any], issuer: str, subject: str, profile: TokenProfile) -> Identity:
    """The identity in `claims`, found where `profile` says. What is of another type than it should be is not there."""
    groups: frozenset[str] = frozenset()
    for place in profile.groups:
        groups |= names_of(at(claims, place)) or frozenset()
    email = _text_at(claims, profile.email)
    mark = None if profile.email_verified is None else at(claims, profile.email_verified)
    verified = mark is True or (type(mark) is str and mark == "true")  # the text is what Apple and Cognito write
    return Identity(
        issuer,
        subject,
        tenant=_text_at(claims, profile.tenant),
        groups=groups - {""},
        email=email if verified else None,
        unverified_email=email,
        name=_text_at(claims, profile.name),
    )


def _text_at(claims: Mapping[str, Any], place: Place | None) -> str | None:
    found = None if place is None else at(claims, place)
    return found if type(found) is str and found else None
