"""What a provider wants of ID tokens beside what everybody does, and whom they are about."""

from __future__ import annotations

from ..errors import InvalidToken
from ._judged import check_rule, names_at
from .profile import at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..decision import FrozenDict
    from .profile import TokenProfile


class LoginRules:
    """`own`: the provider's `login_profile`; None: it wants nothing, and a subject is `sub`. Roles are where they are in
    `usual`, its access tokens, unless `own` says so."""

    __slots__ = ("_own", "_places")

    def __init__(self, own: TokenProfile | None, usual: TokenProfile) -> None:
        self._own = own
        self._places = own or usual

    def subject(self, claims: FrozenDict) -> str:
        """Whom an ID token is about, if it has what is wanted. Raises: `InvalidToken`; `Unavailable` if the rule does."""
        own = self._own
        if own is None:
            return claims["sub"]  # type: ignore[no-any-return]  # it was seen to be text
        for place, values in own.required:
            found = at(claims, place)
            if not any(type(found) is type(value) and found == value for value in values):
                raise InvalidToken("token_type")
        if any(at(claims, place) is not None for place in own.forbidden):
            raise InvalidToken("token_type")
        if own.check is not None:
            check_rule(own.check, claims)
        subject = next((found for place in own.subject if (found := at(claims, place)) is not None), None)
        if type(subject) is not str or not subject:
            raise InvalidToken("token_claims")
        return subject

    def together(self, older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
        """What two documents say, the newer one's word first. An address is verified by the mark that came with it, and by no
        other."""
        found = {**older, **newer}
        pair = [place[0] for place in (self._places.email, self._places.email_verified) if place is not None]
        came = [name for name in pair if name in newer]
        if len(pair) == 2 and len(came) == 1 and newer[came[0]] != older.get(came[0]):
            found.pop(pair[1], None)
        return found

    def roles(self, claims: FrozenDict) -> tuple[str, ...]:
        found = names_at(claims, self._places.roles, strict=False)
        role = None if self._places.role is None else at(claims, self._places.role)
        return tuple(sorted(found | {role} if type(role) is str and role else found))
