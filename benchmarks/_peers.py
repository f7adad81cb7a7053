"""What the framework benchmarks share: a token for each, and PyJWT as people write it by hand."""

from __future__ import annotations

from typing import Any

import jwt

from authkit import Tokens

from ._timing import AUDIENCE, ISSUER, SECRET

OPTIONS: Any = {"require": ["exp", "iss", "aud", "sub"]}


def tokens() -> Tokens:
    return Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, access_ttl=86_400)


def token() -> str:
    """One token, read by authkit and by PyJWT."""
    return tokens().issue("user-1", scopes=["orders:read"], roles=["admin"])


def by_hand(header: str | None) -> dict[str, Any] | None:
    """The claims behind an `Authorization` header, as a careful tutorial has it; None if there are none to be trusted."""
    scheme, _, credential = (header or "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        claims: dict[str, Any] = jwt.decode(
            credential, SECRET, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER, options=OPTIONS
        )
    except jwt.InvalidTokenError:
        return None
    return claims
