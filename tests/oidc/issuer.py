"""The public `FakeIssuer`, with the short names of this suite.

with issuer() as op:                                  # discovery, keys; op.url is the issuer
    op.token(sub="alice"); op.rotate(); op.asked("/jwks")
    op.fault("/jwks", status=503); op.fault("/jwks", delay=1); op.fault("/jwks", drop=True); op.mend()
"""

from __future__ import annotations

import contextlib
import functools
import time
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authkit.testing import FakeIssuer
from authkit.testing._forged import forged
from authkit.tokens import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

AUDIENCE = "https://api.example"
DISCOVERY = "/.well-known/openid-configuration"


def pem(private: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    text: str = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    return text


@functools.cache
def rsa_pem(number: int = 0) -> str:
    """RSA keys take long: each is made once."""
    return pem(rsa.generate_private_key(65537, 2048))


def ec_key(kid: str | None = None) -> Key:
    return Key(pem(ec.generate_private_key(ec.SECP256R1())), kid=kid)


def ed_key(kid: str | None = None) -> Key:
    return Key(pem(ed25519.Ed25519PrivateKey.generate()), kid=kid)


def signed(key: Key, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
    """A token, with just these members in its header if they are given."""
    return forged({"typ": "at+jwt", "alg": key.alg, "kid": key.kid} if header is None else header, claims, key)


class Issuer(FakeIssuer):
    """`keys`: what it publishes, as JWKs; `key`: what it signs with. `says`: further members of its metadata."""

    def __init__(self, path: str = "", clock: Callable[[], float] = time.time) -> None:
        super().__init__(path, audience=AUDIENCE, clock=clock)
        self.key = ec_key("one")
        self.keys = [self.key.public_jwk()]

    def asked(self, place: str = "/jwks") -> int:
        return super().asked(place)

    def rotate(self, kid: str = "two", *, keep: bool = False) -> Key:  # type: ignore[override]
        """Sign with another key; the former one is published on, or no longer."""
        self.key = ec_key(kid)
        self.keys = [self.key.public_jwk(), *(self.keys if keep else ())]
        return self.key

    def token(self, header: Mapping[str, Any] | None = None, key: Key | None = None, **changes: Any) -> str:  # type: ignore[override]
        return signed(key or self.key, self.claims(**changes), header)

    def unknown(self, number: int) -> str:
        """A token that names a key which nobody has."""
        return self.token({"typ": "at+jwt", "alg": "ES256", "kid": f"none-{number}"})

    def metadata(self) -> dict[str, Any]:
        return {"issuer": self.url, "jwks_uri": f"{self.base}{self.root}/jwks", **self.says}

    def fault(self, place: str = "/jwks", **fault: Any) -> None:
        super().fault(place, **fault)


@contextlib.contextmanager
def issuer(path: str = "", clock: Callable[[], float] = time.time) -> Iterator[Issuer]:
    with Issuer(path, clock) as server:
        yield server


def until(true: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until `true()` is."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)
