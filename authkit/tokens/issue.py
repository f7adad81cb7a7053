"""What goes into a token of ours, and what a caller may not put there."""

from __future__ import annotations

from . import base64url
from .keys import Key
from .strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

# Decided by us alone: what verification reads, and what RFC 7519 section 4.1 registers. `sid` is the family of refresh tokens
# that the token came with (the session, as in OpenID Connect's logout); `gen` shows that it was issued after a revocation.
RESERVED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "roles", "sid", "gen"})

_encode_json: Callable[[object], str] | None = None


def header_segment(key: Key, typ: str) -> str:
    """The first segment of every token of this key and type."""
    return _segment({"alg": key.alg, "typ": typ, "kid": key.kid}).decode()


def payload_segment(registered: dict[str, Any], scopes: Iterable[str], roles: Iterable[str], claims: Mapping[str, Any]) -> str:
    """The second segment. Raises: `ValueError` for what a verifier would refuse, or a caller may not set."""
    if not isinstance(registered["sub"], str) or not registered["sub"]:
        raise ValueError("subject is text, and not empty")
    if clash := sorted(RESERVED.intersection(claims)):
        raise ValueError(f"claims= cannot set {', '.join(clash)}: use the parameters of issue")
    if granted := _names(scopes, "scopes"):
        # scope-token of RFC 6749 section 3.3
        if not all(c == "!" or ("#" <= c <= "~" and c != "\\") for name in granted for c in name):
            raise ValueError("a scope is visible ASCII without space, quotation mark and backslash")
        registered["scope"] = " ".join(granted)
    if held := _names(roles, "roles"):
        registered["roles"] = held
    segment = _segment({**registered, **claims}).decode()
    if claims:
        parse_object(base64url.decode(segment))  # names that collide as text, nesting: what verify would refuse
    return segment


def _names(values: Iterable[Any], what: str) -> list[str]:
    if isinstance(values, (str, bytes)):
        raise ValueError(f"{what} is a list of names, not one text")
    names = list(dict.fromkeys(values))
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{what} are texts, and none is empty")
    return names


def _segment(members: dict[str, Any]) -> bytes:
    return base64url.encode(encoded(members))


def encoded(members: dict[str, Any]) -> bytes:
    """`members` as JSON. Raises: `ValueError` for what JSON cannot say."""
    global _encode_json
    if _encode_json is None:
        import json  # not before the first token is issued: a service that only verifies never needs it

        # Not escaped: verification is fastest on text without backslashes.
        _encode_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode
    try:
        text = _encode_json(members)
    except (TypeError, RecursionError):
        raise ValueError("claims= holds what JSON cannot say") from None
    return text.encode()
