"""Whether the claims of a token that its issuer really signed make it valid here and now, and for whom."""

from __future__ import annotations

from ..errors import InvalidToken, Unavailable
from ..tokens.claims import as_principal, lifetime, names_of, scopes_of
from ..tokens.verify import SignedBy
from .keyset import OneIssuersKey
from .profile import at, short_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..decision import FrozenDict
    from ..tokens.claims import Validated
    from ..tokens.keys import Key
    from .keyset import KeySet
    from .profile import Place, Rule, TokenProfile
    from .static_keys import StaticSet

_NOBODY: frozenset[str] = frozenset()
_USUAL_SCOPES = (("scope",), ("scp",))
_USUAL_ROLES = (("roles",),)


class SignedByIssuer(SignedBy):
    """Tokens of one issuer's keys, of the types that its profile names."""

    __slots__ = ("_types",)

    def __init__(self, keys: KeySet | StaticSet, profile: TokenProfile) -> None:
        super().__init__(keys, "")
        self._types = profile.types

    def claims(self, token: str) -> tuple[FrozenDict, Key]:
        claims, key = super().claims(token)
        if isinstance(key, OneIssuersKey) and not key.is_of(claims):
            raise InvalidToken("token_issuer")
        return claims, key

    def _is_type(self, typ: object) -> bool:
        if typ is None:
            return "" in self._types
        return type(typ) is str and typ != "" and short_type(typ) in self._types


def judged(
    claims: FrozenDict,
    profile: TokenProfile,
    issuers: Collection[str],
    audiences: frozenset[str],
    leeway: float,
    now: float,
    bound: bool = False,
    spelled: Mapping[str, str] | None = None,
) -> Validated:
    """The principal of `claims`, and the time in which they are valid.

    Everything expected comes from the arguments, nothing from the token: its issuer is exactly one of `issuers`, one of
    `audiences` is among its own, and it has the marks of `profile`, whose rule comes last. Time as for our own tokens.
    `bound`: whoever asks sees to the proof that a token wants which is bound to a key. `spelled`: how issuers are written in
    principals, where tokens write one in several ways.

    Raises: `InvalidToken`; `Unavailable` if the profile's rule does.
    """
    get = claims.get
    issuer = get("iss")
    if type(issuer) is not str or issuer not in issuers:
        raise InvalidToken("token_issuer")
    for place, values in profile.required:
        found = at(claims, place)
        if not any(type(found) is type(value) and found == value for value in values):
            raise InvalidToken("token_type")
    for place in profile.forbidden:
        if (get(place[0]) if len(place) == 1 else at(claims, place)) is not None:
            raise InvalidToken("token_type")
    place = profile.audience
    aud = get(place[0]) if len(place) == 1 else at(claims, place)
    if type(aud) is str:
        if aud not in audiences:
            raise InvalidToken("token_audience")
    elif audiences.isdisjoint(names_of(aud) or ()):
        raise InvalidToken("token_audience")
    subject = None
    for place in profile.subject:
        subject = get(place[0]) if len(place) == 1 else at(claims, place)
        if subject is not None:
            break
    if type(subject) is not str or not subject:
        raise InvalidToken("token_claims")
    lower, upper = lifetime(claims, leeway, now)
    if "cnf" in claims and not bound:  # to a key (RFC 7800), which whoever sends it as a bearer token has not shown to have
        raise InvalidToken("token_bound")
    scopes = scopes_of(claims) if profile.scopes == _USUAL_SCOPES else names_at(claims, profile.scopes, strict=True)
    roles = names_at(claims, profile.roles, strict=False) if profile.roles != _USUAL_ROLES or "roles" in claims else _NOBODY
    if profile.role is not None and type(role := at(claims, profile.role)) is str and role:
        roles |= {role}
    if profile.check is not None:
        check_rule(profile.check, claims)
    issuer = spelled.get(issuer, issuer) if spelled is not None else issuer
    return as_principal(subject, issuer, scopes, roles, claims), lower, upper


def check_rule(rule: Rule, claims: FrozenDict) -> None:
    """The provider's own rule. Whatever goes wrong in it refuses: claims are what others wrote, and it reads them."""
    try:
        if rule(claims) is True:
            return
    except Unavailable:
        raise
    except Exception:  # not passed on: it may hold claims
        pass
    raise InvalidToken("token_rule")


def names_at(claims: FrozenDict, places: tuple[Place, ...], *, strict: bool) -> frozenset[str]:
    """The names at all of these places: an array of text; or, of scopes, text parted by spaces."""
    names = _NOBODY
    for place in places:
        value = at(claims, place)
        if value is None:
            continue
        if strict and type(value) is str:
            found: frozenset[str] | None = frozenset(value.split(" ")) if value else _NOBODY
        else:
            found = names_of(value)
        if found is None or "" in found:
            if strict:
                raise InvalidToken("token_claims")
            continue  # whoever wants a role is refused with 403
        names |= found
    return names
