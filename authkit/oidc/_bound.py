"""Whether a token that is bound to a key (`cnf`, RFC 7800) came with the proofs that it wants: all of them."""

from __future__ import annotations

from _operator import _compare_digest as compare_digest  # what `hmac` gives, which is slow to load

from ..decision import Principal
from ..errors import InvalidToken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def is_bound(principal: Principal) -> bool:
    return "cnf" in principal.claims


def check_binding(principal: Principal, proven: Mapping[str, str]) -> None:
    """`proven`: the members of `cnf` that the request has shown, by name: "jkt", "x5t#S256".

    A binding that nobody here can judge is not met. Raises: `InvalidToken`.
    """
    wanted = principal.claims.get("cnf")
    if not isinstance(wanted, dict) or not wanted:
        raise InvalidToken("token_unbound")
    for name, value in wanted.items():
        if type(value) is not str or not value.isascii() or not compare_digest(value, proven.get(name, "")):
            raise InvalidToken("token_bound")


def shown_by(principal: Principal, method: str) -> Principal:
    """The same principal, established by `method`."""
    return Principal(
        principal.subject,
        issuer=principal.issuer,
        scopes=principal.scopes,
        roles=principal.roles,
        claims=principal.claims,
        method=method,
    )
