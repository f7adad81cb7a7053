"""Whether the claims of a token that was really signed by us make it valid here and now, and for whom."""

from __future__ import annotations

from ..decision import FrozenDict, Principal
from ..errors import InvalidToken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    # Who it is, and between which times (epoch seconds) that holds: from the first, before the second.
    Validated: TypeAlias = tuple[Principal, float, float]

MAX_TIME = 253_402_300_799  # the last second of the year 9999: a NumericDate beyond it is a mistake or an attack

# The slots themselves: setting six of them is most of what a principal costs.
_new = Principal.__new__
_set_subject, _set_issuer, _set_scopes, _set_roles, _set_claims, _set_method = (
    getattr(Principal, name).__set__ for name in ("subject", "issuer", "scopes", "roles", "claims", "method")
)
_NOBODY: frozenset[str] = frozenset()


def validate(claims: FrozenDict, issuer: str, audience: str, leeway: float, now: float) -> Validated:
    """The principal of `claims`, and the time in which they are valid.

    Valid iff now < exp + leeway, nbf <= now + leeway and iat <= now + leeway; `iss` is exactly `issuer`; `aud` is `audience` or
    an array of text that has it (RFC 7519 section 4.1). Everything expected comes from the arguments, nothing from the token.

    Raises: `InvalidToken`.
    """
    get = claims.get
    if get("iss") != issuer:
        raise InvalidToken("token_issuer")
    aud = get("aud")
    if aud != audience and not (isinstance(aud, list) and audience in aud and all(type(one) is str for one in aud)):
        raise InvalidToken("token_audience")
    subject = get("sub")
    if type(subject) is not str or not subject or type(get("jti", "")) is not str:
        raise InvalidToken("token_claims")

    lower, upper = lifetime(claims, leeway, now)
    scopes = scopes_of(claims) if "scope" in claims or "scp" in claims else _NOBODY
    return (
        as_principal(subject, issuer, scopes, _roles(claims["roles"]) if "roles" in claims else _NOBODY, claims),
        lower,
        upper,
    )


def as_principal(subject: str, issuer: str, scopes: frozenset[str], roles: frozenset[str], claims: FrozenDict) -> Principal:
    """The principal of a bearer token, made without the constructor, which would check and copy what is known to be right."""
    principal = _new(Principal)
    _set_subject(principal, subject)
    _set_issuer(principal, issuer)
    _set_scopes(principal, scopes)
    _set_roles(principal, roles)
    _set_claims(principal, claims)
    _set_method(principal, "bearer")
    return principal


def lifetime(claims: FrozenDict, leeway: float, now: float) -> tuple[float, float]:
    """Between which times (epoch seconds) `claims` are valid: from the first, before the second; `now` is in between.

    Raises: `InvalidToken`.
    """
    exp: Any = claims.get("exp")
    if type(exp) is not int or not 0 <= exp <= MAX_TIME:
        _check_time(exp)
    upper = exp + leeway
    lower = 0.0
    if "iat" in claims:
        iat = claims["iat"]
        if type(iat) is not int or not 0 <= iat <= MAX_TIME:
            _check_time(iat)
        lower = iat - leeway
        if now < lower:
            raise InvalidToken("token_issued_in_future")
    if "nbf" in claims:
        _check_time(nbf := claims["nbf"])
        lower = max(lower, nbf - leeway)
        if now < lower:
            raise InvalidToken("token_not_yet_valid")
    if not now < upper:
        raise InvalidToken("token_expired")
    return lower, upper


def _check_time(value: Any) -> None:
    # bool is an int in Python, and null is not "no expiry".
    if type(value) not in (int, float) or not 0 <= value <= MAX_TIME:
        raise InvalidToken("token_claims")


def scopes_of(claims: FrozenDict) -> frozenset[str]:
    """What was granted: `scope` is text, names parted by one U+0020 (RFC 6749 section 3.3); `scp` the same, or an array."""
    scope = claims.get("scope")
    if type(scope) is not str and "scope" in claims:
        raise InvalidToken("token_claims")
    names = _NOBODY if not scope else frozenset(scope.split(" "))
    if "" in names:
        raise InvalidToken("token_claims")
    if "scp" in claims:
        scp = claims["scp"]
        listed = frozenset(scp.split(" ") if scp else ()) if type(scp) is str else names_of(scp)
        if listed is None or "" in listed or ("scope" in claims and listed != names):
            raise InvalidToken("token_claims")
        return listed
    return names


def _roles(value: object) -> frozenset[str]:
    """The roles of an array of text; none at all of anything else, so that whoever wants a role is refused with 403."""
    names = names_of(value)
    return _NOBODY if names is None or "" in names else names


def names_of(value: object) -> frozenset[str] | None:
    """The elements of an array, if each of them is text."""
    if not isinstance(value, list):
        return None
    for name in value:
        if type(name) is not str:
            return None
    return frozenset(value)
