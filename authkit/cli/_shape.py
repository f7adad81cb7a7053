"""What a value looks like: which kind of secret, and which options would generate another of its sort."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import AuthkitError

if TYPE_CHECKING:
    from ..secrets.versions import Sealed

LEAST_HMAC = 32  # bytes
LEAST_RSA = 3072  # bits


class Shape(NamedTuple):
    """The options of `generate` that make another one of the sort."""

    kind: str
    length: int | None = None
    encoding: str | None = None


def shape_of(value: Sealed) -> Shape:
    """The shape of a value that is in use, so that its successor fits where it is used: never shorter, never of another kind.

    A symmetric secret is "hmac" unless it is a webhook's: what is random enough for a signature is so for a password.
    """
    pair = key_pair(value)
    if pair is not None:
        return pair
    text = _ascii(value)
    if text.startswith("whsec_"):
        return Shape("webhook")
    if re.fullmatch(r"(?:[0-9a-f]{2}){32,1024}", text):
        return Shape("hmac", len(text) // 2, "hex")
    standard = re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text) and re.search(r"[+/=]", text)
    size = len(text) * 3 // 4
    size += -(-size * 4 // 3) < len(text)  # as text it is not to be shorter
    return Shape("hmac", min(1024, max(LEAST_HMAC, size)), "base64" if standard else "base64url")


def key_pair(value: Sealed) -> Shape | None:
    """The shape of the private or public key that a value is, as PEM or JWK; None for any other."""
    from ..tokens import Key
    from ..tokens.forms import as_jwk, is_pem

    text = _ascii(value)
    if not is_pem(text) and as_jwk(text) is None:
        return None
    try:
        key = Key(value())
    except AuthkitError:
        return None
    jwk: dict[str, Any] = key.public_jwk() or {"kty": "oct"}
    if jwk["kty"] == "RSA":
        from ..tokens.base64url import decode

        return Shape("rsa", max(LEAST_RSA, len(decode(jwk["n"])) * 8))
    if jwk["kty"] == "EC":
        return Shape("ec", 384 if jwk["crv"] != "P-256" else None)
    return Shape("ed25519") if jwk["kty"] == "OKP" else Shape("hmac")


def _ascii(value: Sealed) -> str:
    found = value()
    return found if isinstance(found, str) else found.decode("latin-1")
