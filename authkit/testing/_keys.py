"""Keys for tests, made anew each time: nobody has the private half but the process that made it."""

from __future__ import annotations

import os

from .._needs import needs
from ..tokens import Key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}


def made_key(alg: str, *, kid: str | None = None, random: Callable[[int], bytes] = os.urandom) -> Key:
    """A new key for `alg`, with its private half. Raises: `ValueError` for an algorithm that nobody has."""
    size = _HMAC_BYTES.get(alg)
    return Key(random(size) if size is not None else _private_pem(alg), alg=alg, kid=kid)


def _private_pem(alg: str) -> bytes:
    needs("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private: Any
    if alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        private = rsa.generate_private_key(65_537, 2048)
    elif alg in ("ES256", "ES384", "ES512"):
        curve: Any = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}[alg]
        private = ec.generate_private_key(curve)
    elif alg == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        raise ValueError(f"no key can be made for alg={alg!r}")
    pem: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem
