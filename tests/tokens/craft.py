"""Hostile and unusual tokens, put together by hand: what is signed here is exactly what was asked for."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authkit.errors import ConfigurationError
from authkit.tokens import Key, KeyRing, Tokens

ISSUER = "https://issuer.example"
AUDIENCE = "https://api.example.com"
NOW = 1_750_000_000
SECRET = "4cK9-tests-only-0b7e5d2f8a61c3-Zq"
OTHER_SECRET = "another-9f1d-tests-only-77ab02e4-Yw"

ALL = ("HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "EdDSA")


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def b64(raw: bytes | str) -> str:
    return base64.urlsafe_b64encode(raw.encode() if isinstance(raw, str) else raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@cache
def private(kind: str) -> Any:
    """A private key of `cryptography`, made once in a run."""
    made: dict[str, Any] = {
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
        "RSA-other": lambda: rsa.generate_private_key(65537, 2048),
        "RSA-1024": lambda: rsa.generate_private_key(65537, 1024),
        "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "P-256-other": lambda: ec.generate_private_key(ec.SECP256R1()),
        "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
    }
    return made[kind]()


def pem(kind: str) -> str:
    raw: bytes = private(kind).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return raw.decode()


def public_pem(kind: str) -> str:
    public = private(kind).public_key()
    raw: bytes = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return raw.decode()


def ssh(kind: str) -> str:
    public = private(kind).public_key()
    raw: bytes = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return raw.decode()


KINDS = {"RS256": "RSA", "PS256": "RSA", "ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}


@cache
def key_for(alg: str) -> Key:
    """A key that signs with `alg`."""
    if alg.startswith("HS"):
        return Key((SECRET * 3)[: int(alg[2:]) // 8], alg=alg)
    return Key(pem(KINDS[alg]), alg=alg)


def header(key: Key, **changes: Any) -> dict[str, Any]:
    return {"alg": key.alg, "typ": "at+jwt", "kid": key.kid, **changes}


def payload(**changes: Any) -> dict[str, Any]:
    """Good claims, with changes; a change to ... leaves the claim out."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 900, "jti": "1", **changes}
    return {name: value for name, value in claims.items() if value is not ...}


def sign(key: Key, head: dict[str, Any] | str | bytes, body: dict[str, Any] | str | bytes) -> str:
    """A token whose signature holds, whatever is in it."""
    signed = ".".join(b64(json.dumps(part) if isinstance(part, dict) else part) for part in (head, body))
    return f"{signed}.{b64(key.sign(signed.encode()))}"


def token(key: Key, head: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token of `key` with changed claims, and with changes to its header."""
    return sign(key, header(key, **(head or {})), payload(**changes))


def tokens(key: Any = None, **settings: Any) -> Tokens:
    settings = {"issuer": ISSUER, "audience": AUDIENCE, "clock": Clock(), **settings}
    return Tokens(key_for("HS256") if key is None else key, **settings)


def ring(*keys: Key) -> KeyRing:
    return KeyRing(keys[0], previous=keys[1:])


def refused_key(material: Any, alg: str | None = None, **more: Any) -> str:
    """The message with which the material is refused as a key; it does not hold the material."""
    with pytest.raises(ConfigurationError) as caught:
        Key(material, alg, **more)
    message = str(caught.value)
    text = material.decode("latin-1") if isinstance(material, bytes) else str(material)
    assert len(text.strip()) < 8 or text.strip()[:40] not in message
    return message
