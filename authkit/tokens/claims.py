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

_set = object.__setattr__
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
    if type(subject) is not str or not subject:
        raise InvalidToken("token_claims")

    exp: Any = get("exp")
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

    scopes = _scopes(claims) if "scope" in claims or "scp" in claims else _NOBODY
    roles = get("roles")
    principal = Principal.__new__(Principal)  # its constructor would check and copy what is known to be right
    _set(principal, "subject", subject)
    _set(principal, "issuer", issuer)
    _set(principal, "scopes", scopes)
    _set(principal, "roles", _roles(roles) if roles is not None else _NOBODY)
    _set(principal, "claims", claims)
    _set(principal, "method", "bearer")
    return principal, lower, upper


def _check_time(value: Any) -> None:
    # bool is an int in Python, and null is not "no expiry".
    if type(value) not in (int, float) or not 0 <= value <= MAX_TIME:
        raise InvalidToken("token_claims")


def _scopes(claims: FrozenDict) -> frozenset[str]:
    """What was granted: `scope` is text, names parted by one U+0020 (RFC 6749 section 3.3); `scp` the same, or an array."""
    found = []
    if "scope" in claims:
        scope = claims["scope"]
        if type(scope) is not str:
            raise InvalidToken("token_claims")
        found.append(_split(scope))
    if "scp" in claims:
        scp = claims["scp"]
        found.append(_split(scp) if type(scp) is str else _names(scp))
    if len(found) == 2 and found[0] != found[1]:
        raise InvalidToken("token_claims")
    return found[0]


def _split(text: str) -> frozenset[str]:
    names = frozenset(text.split(" "))
    if "" in names:
        if not text:
            return _NOBODY
        raise InvalidToken("token_claims")
    return names


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(type(name) is str and name and " " not in name for name in value):
        raise InvalidToken("token_claims")
    return frozenset(value)


def _roles(value: object) -> frozenset[str]:
    """The roles of an array of text; none at all of anything else, so that whoever wants a role is refused with 403."""
    if not isinstance(value, list) or not all(type(role) is str and role for role in value):
        return _NOBODY
    return frozenset(value)
