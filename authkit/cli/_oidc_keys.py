"""The keys that an issuer publishes: what each is, whether tokens are verified with it here, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ConfigurationError, Unavailable
from ._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._oidc_asked import Asked

MEND = "look at the network, the address and the certificate"
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")  # RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2
_CURVES = {"P-256": 256, "P-384": 384, "P-521": 521, "secp256k1": 256, "Ed25519": 255, "Ed448": 448, "X25519": 255, "X448": 448}


class Published(NamedTuple):
    """One key of a set, as far as that may be shown. `algs`: those that it verifies here; `why`: why none."""

    kid: str | None
    kty: str | None
    alg: str | None
    use: str | None
    bits: int | None
    algs: tuple[str, ...]
    why: str
    private: bool


def published(members: Sequence[Any]) -> list[Published]:
    return [_published(member) for member in members]


def of_issuer(issuer: str, url: str) -> list[Finding]:
    """The findings on the keys at `url`, that they cannot be had included."""
    from ._oidc_asked import asked

    try:
        found = asked(url, "its keys")
    except Unavailable as error:
        return [Finding("error", "keys_unreachable", issuer, str(error), MEND)]
    return list(of_keys(issuer, found))


def of_keys(issuer: str, found: Asked) -> Iterator[Finding]:
    from ..oidc.keyset import MAX_KEYS
    from ._oidc_findings import of_clock, of_lifetime

    members = found.said.get("keys")
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        says = f"what its keys' address leads to is no JWK Set of at most {MAX_KEYS} keys"
        yield Finding("error", "no_usable_key", issuer, says, "look at the address, and have the issuer drop its old keys")
        return
    keys = published(members)
    for key in keys:
        if key.private:
            says = f"the key {(key.kid or 'without kid')[:60]!r} is published with what is to be kept secret of it"
            mend = "have the issuer replace it at once: everybody can sign with it"
            yield Finding("error", "private_key_published", issuer, says, mend)
    usable = [key for key in keys if key.algs]
    if not usable:
        reasons = ", ".join(dict.fromkeys(key.why for key in keys)) or "it has none"
        mend = "have the issuer publish an RSA key of 2048 bits or more, a P-256 or an Ed25519 key"
        yield Finding("error", "no_usable_key", issuer, f"none of its keys verifies tokens here: {reasons}", mend)
    if len(usable) > 1 and any(key.kid is None for key in usable):
        says = "one of several keys has no kid: a token that names it misses it"
        yield Finding("warning", "key_without_kid", issuer, says, "have the issuer give each key a kid")
    yield from of_lifetime(issuer, found.headers)
    yield from of_clock(issuer, found.skew)


def _published(member: Any) -> Published:
    if not isinstance(member, dict):
        return Published(None, None, None, None, None, (), "it is no JSON object", False)
    told = {name: value if isinstance(value := member.get(name), str) else None for name in ("kid", "kty", "alg", "use")}
    algs = _algorithms(member)
    private = any(name in member for name in _PRIVATE)
    return Published(**told, bits=_bits(member), algs=algs, why="" if algs else _why_not(member), private=private)


def _algorithms(member: dict[str, Any]) -> tuple[str, ...]:
    from ..oidc import KeySet
    from ..tokens.algorithms import ALGORITHMS

    try:
        keys = KeySet([member])
    except ValueError:
        return ()
    kid = member.get("kid")
    return tuple(alg for alg in ALGORITHMS if keys.candidates(kid if isinstance(kid, str) else None, alg))


def _why_not(member: dict[str, Any]) -> str:
    """Why `KeySet` leaves it out, in the order in which it looks."""
    from ..oidc.keyset import PARTS, SAME
    from ..tokens import Key

    kty, use = member.get("kty"), member.get("use", "sig")
    if kty == "oct":
        return "a secret (kty oct) verifies nothing that somebody else signed"
    if not isinstance(kty, str) or kty not in PARTS:
        return "its kind (kty) is not known here"
    if use != "sig":
        return "it is for encryption (use)" if use == "enc" else "it is not for signatures (use)"
    operations = member.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return "it is not for verifying (key_ops)"
    public = {name: member.get(name) for name in ("kty", *PARTS[kty])}
    if not all(isinstance(value, str) for value in public.values()):
        return f"it lacks {' or '.join(PARTS[kty])}"
    told = member.get("alg")
    if any(not isinstance(member.get(name, ""), str) for name in ("kid", "alg", "issuer")):
        return "its kid, alg or issuer is no text"
    try:
        Key(public, None if told is None else SAME.get(told, told))
    except ConfigurationError as error:
        return str(error)
    return "it is not one that verifies tokens"


def _bits(member: dict[str, Any]) -> int | None:
    from ..tokens import base64url

    curve = member.get("crv")
    if isinstance(curve, str) and curve in _CURVES:
        return _CURVES[curve]
    modulus = member.get("n")
    try:
        return int.from_bytes(base64url.decode(modulus), "big").bit_length() if isinstance(modulus, str) else None
    except ValueError:
        return None
