"""What a value looks like: which kind of secret, and which options would generate another of its sort."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import AuthkitError, ConfigurationError

if TYPE_CHECKING:
    from ..secrets.versions import Sealed
    from ..tokens import Key

LEAST_HMAC = 32  # bytes
LEAST_RSA = 3072  # bits
KINDS = {"oct": "hmac", "RSA": "rsa", "EC": "ec", "OKP": "ed25519"}  # a JWK's kty: our word for it
ALGORITHMS = ("HS256", "RS256", "ES256", "ES384", "EdDSA")  # those that a key has by its kind alone

# How keys begin that only their vendor can make: Stripe, GitHub, GitLab, Slack, AWS, Google, SendGrid, npm, OpenAI and others.
_VENDORS = (
    *("sk_", "pk_", "rk_", "sk-", "ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xapp-", "AKIA"),
    *("ASIA", "AIza", "ya29.", "GOCSPX-", "SG.", "npm_", "pypi-", "dop_v1_", "shpat_", "hvs.", "eyJ"),
)


class Shape(NamedTuple):
    """The options of `generate` that make another one of the sort."""

    kind: str
    length: int | None = None
    encoding: str | None = None


def shape_of(value: Sealed) -> Shape:
    """The shape of a value that is in use, so that its successor fits where it is used: never shorter, never of another kind.

    A symmetric secret is "hmac" unless it is a webhook's: what is random enough for a signature is so for a password.
    Raises: `ConfigurationError` for what nobody can generate by its looks: a set of keys, a public one, one of an algorithm
    that PEM cannot say; an address, a JSON document, several lines, or what a vendor has issued.
    """
    pair = key_pair(value)
    if pair is not None:
        return pair
    if is_key(value):
        raise ConfigurationError(
            "the current value is a key of a sort that is not made here: say --kind, or give one with --value-from"
        )
    text = _ascii(value)
    if _is_given(text):
        raise ConfigurationError(
            "the current value looks like one that was given, not generated (an address, a JSON document, a vendor's key): "
            "give the next one with --value-from, name one member of a JSON secret, or say --kind"
        )
    if text.startswith("whsec_"):
        return Shape("webhook")
    if re.fullmatch(r"(?:[0-9a-f]{2}){32,1024}", text):
        return Shape("hmac", len(text) // 2, "hex")
    standard = re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text) and re.search(r"[+/=]", text)
    size = len(text) * 3 // 4
    size += -(-size * 4 // 3) < len(text)  # as text it is not to be shorter
    return Shape("hmac", min(1024, max(LEAST_HMAC, size)), "base64" if standard else "base64url")


def _is_given(text: str) -> bool:
    """Whether a value is of a sort that has its meaning elsewhere: a random one in its place would only break something."""
    return "://" in text or "\n" in text.strip() or text.lstrip().startswith(("{", "[")) or text.startswith(_VENDORS)


def key_pair(value: Sealed) -> Shape | None:
    """The shape of the one private key that a value is, as PEM or JWK; None for any other."""
    if not is_key(value):
        return None
    try:
        [key] = keys_of(value)
    except (AuthkitError, ValueError):
        return None
    if not key.can_sign or key.alg not in ALGORITHMS:
        return None
    kind = KINDS[key.algorithm.kty]
    if kind == "rsa":
        from ..tokens.base64url import decode

        return Shape(kind, max(LEAST_RSA, len(decode((key.public_jwk() or {})["n"])) * 8))
    return Shape(kind, 384 if key.alg == "ES384" else None)


def keys_of(value: Sealed) -> list[Key]:
    """The keys that a value makes, the signing one first: of a JWK Set all, of any other one. Raises: `ConfigurationError`."""
    from ..tokens import Key
    from ..tokens.forms import as_jwk

    members = (as_jwk(_ascii(value)) or {}).get("keys")
    if isinstance(members, list) and members and all(isinstance(member, dict) for member in members):
        return [Key(member) for member in members]
    return [Key(value())]


def is_key(value: Sealed) -> bool:
    """Whether a value is PEM, a JWK or a JWK Set, however damaged."""
    from ..tokens.forms import as_jwk, is_pem

    text = _ascii(value)
    return is_pem(text) or as_jwk(text) is not None


def _ascii(value: Sealed) -> str:
    found = value()
    return found if isinstance(found, str) else found.decode("latin-1")
