"""JSON Web Keys (RFC 7517): reading one, writing the public half, and its thumbprint (RFC 7638)."""

from __future__ import annotations

from .._needs import needs
from ..errors import ConfigurationError
from . import base64url
from .algorithms import ALGORITHMS, Algorithm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_RSA_PARTS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
_COORDINATES = {"P-256": 32, "P-384": 48, "P-521": 66}


def check_use(jwk: Mapping[str, Any]) -> None:
    """Raises `ConfigurationError` if the JWK says that it is not for signatures (RFC 7517 sections 4.2 and 4.3)."""
    if "keys" in jwk:
        raise ConfigurationError("this is a JWK Set: pass one key of it, or a KeyRing")
    if jwk.get("use", "sig") != "sig":
        raise ConfigurationError("the JWK is not for signatures: its use is not sig")
    operations = jwk.get("key_ops", ["sign", "verify"])
    if not isinstance(operations, list) or not {"sign", "verify"} & {o for o in operations if isinstance(o, str)}:
        raise ConfigurationError("the JWK is not for signatures: its key_ops has neither sign nor verify")


def may_sign(jwk: Mapping[str, Any]) -> bool:
    """Whether the JWK is allowed to sign, as far as its own words go."""
    return "sign" in jwk.get("key_ops", ("sign",))


def read_secret(jwk: Mapping[str, Any]) -> bytes:
    """The bytes of a symmetric JWK (RFC 7518 section 6.4)."""
    try:
        return base64url.decode(jwk["k"])
    except (KeyError, TypeError, ValueError):  # not passed on: the exception may hold the material
        pass
    raise ConfigurationError("the JWK has no readable k")


def read_asymmetric(jwk: Mapping[str, Any]) -> Any:
    """The key of an RSA, EC or OKP JWK, as `cryptography` has it: private if the JWK is."""
    needs("cryptography.hazmat.primitives.serialization")  # jwt goes on without it, with fewer algorithms
    if jwk.get("kty") == "RSA" and (private := _rsa_private(jwk)) is not None:
        return private
    needs("jwt.algorithms")
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    readers: dict[str, Any] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in readers:
        raise ConfigurationError("the JWK has an unknown kty")
    try:
        return readers[kty].from_jwk(dict(jwk))
    except Exception:  # the readers have several ways to say no, and their words may hold the material
        pass
    raise ConfigurationError(f"the {kty} JWK cannot be read")


def _rsa_private(jwk: Mapping[str, Any]) -> Any | None:
    """An RSA private key with all its parts (RFC 7518 section 6.3.2), not judged; None for any other, which takes longer."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers

    if "oth" in jwk:
        return None
    try:
        n, e, d, p, q, dp, dq, qi = (int.from_bytes(base64url.decode(jwk[part]), "big") for part in _RSA_PARTS)
        return RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n)).private_key(unsafe_skip_rsa_key_validation=True)
    except Exception:  # a part is missing, or nonsense
        return None


def public_jwk(public: Any, algorithm: Algorithm) -> dict[str, Any]:
    """The members that make up a public key, and no other: what a thumbprint is computed over."""
    if algorithm.kty == "RSA":
        numbers = public.public_numbers()
        return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    if algorithm.kty == "EC":
        numbers = public.public_numbers()
        curve = _CURVES[public.curve.name]
        size = _COORDINATES[curve]
        return {"crv": curve, "kty": "EC", "x": _number(numbers.x, size), "y": _number(numbers.y, size)}
    return {"crv": algorithm.curve, "kty": "OKP", "x": base64url.encode(public.public_bytes_raw()).decode()}


def thumbprint(public: Mapping[str, Any]) -> str:
    """The SHA-256 thumbprint of a public JWK: RFC 7638 section 3."""
    import json
    from hashlib import sha256

    text = json.dumps(public, separators=(",", ":"), sort_keys=True)
    return base64url.encode(sha256(text.encode()).digest()).decode()


def algorithm_of(jwk: Mapping[str, Any], alg: str | None) -> str | None:
    """The algorithm's name: the JWK's own if it has one, else `alg`."""
    own = jwk.get("alg")
    if own is None:
        return alg
    if not isinstance(own, str) or own not in ALGORITHMS:
        raise ConfigurationError("the JWK names an unknown alg")
    return own


def _number(value: int, size: int | None = None) -> str:
    return base64url.encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big")).decode()
