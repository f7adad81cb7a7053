"""`Key`: material together with the one algorithm that it is for."""

from __future__ import annotations

from .._needs import needs
from ..errors import ConfigurationError
from ..secrets.versions import as_bytes
from . import base64url, forms, jwk
from .algorithms import ALGORITHMS, Algorithm, hmac_functions, private_sign, public_verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .algorithms import Sign, Verify

MIN_RSA_BITS = 2048  # RFC 7518 sections 3.3 and 3.5
_BY_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class Key:
    """One key, bound to one algorithm. A public key only verifies.

    `material`: text or bytes for HMAC, PEM of an RSA, EC or Ed25519 key, or a JWK. `alg`: by default HS256 for a secret,
    RS256 for RSA, ES256 and ES384 for P-256 and P-384, EdDSA for Ed25519; a JWK's own `alg` wins. `kid`: by default the JWK's
    own, else the thumbprint of RFC 7638, else (for a secret) a keyed hash, which tells the key from others and nothing of it.

    Raises: `ConfigurationError` for material that is empty, too short (32/48/64 bytes for HS256/384/512, RSA below 2048 bits),
    a known sample, not for signatures, or not of the algorithm's kind; and for PEM, SSH or certificate text as an HMAC key.
    """

    __slots__ = ("algorithm", "kid", "named", "_public", "_sign", "verify")
    algorithm: Algorithm
    kid: str
    named: bool  # whether somebody gave the kid, or it can be computed by everybody
    verify: Verify

    def __init__(self, material: str | bytes | Mapping[str, Any], alg: str | None = None, kid: str | None = None) -> None:
        if alg is not None and (not isinstance(alg, str) or alg not in ALGORITHMS):
            raise ConfigurationError(f"alg is none of {', '.join(ALGORITHMS)}")
        if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= 256):
            raise ConfigurationError("kid is text of 1 to 256 characters")
        self._public: Any = None
        self._sign: Sign | None = None
        if isinstance(material, str):
            material = forms.as_jwk(material) or material
        if isinstance(material, (bytes, bytearray, memoryview)):
            material = forms.as_jwk(bytes(material).decode("utf-8", "replace")) or bytes(material)

        if isinstance(material, dict):
            self._read_jwk(material, alg, kid)
        elif isinstance(material, (str, bytes)):
            self._read_text(material, alg, kid)
        else:
            raise ConfigurationError(f"a token key is text, bytes, PEM or a JWK, not {type(material).__name__}")

    def _read_jwk(self, found: Mapping[str, Any], alg: str | None, kid: str | None) -> None:
        jwk.check_use(found)
        alg = jwk.algorithm_of(found, alg)
        own = found.get("kid")
        if kid is None and own is not None:
            if not isinstance(own, str) or not 0 < len(own) <= 256:
                raise ConfigurationError("the JWK's kid is text of 1 to 256 characters")
            kid = own
        if found.get("kty") == "oct":
            self._take_secret(jwk.read_secret(found), alg or "HS256", kid)
        else:
            self._take_asymmetric(jwk.read_asymmetric(found), alg, kid)
        if not jwk.may_sign(found):
            self._sign = None

    def _read_text(self, text: str | bytes, alg: str | None, kid: str | None) -> None:
        raw = as_bytes(text)
        if raw is None:
            raise ConfigurationError("the token key holds text that UTF-8 cannot encode")
        shown = raw.decode("utf-8", "replace")
        if forms.is_pem(shown) and (alg is None or not alg.startswith("HS")):
            self._take_asymmetric(_read_pem(raw, shown), alg, kid)
        else:
            self._take_secret(raw, alg or "HS256", kid)

    def _take_secret(self, secret: bytes, alg: str, kid: str | None) -> None:
        self.algorithm = ALGORITHMS[alg]
        if self.algorithm.kty != "oct":
            raise ConfigurationError(f"{alg} wants a key pair (PEM or JWK), and this is a secret")
        forms.check_hmac(secret, alg)
        self._sign, self.verify = hmac_functions(self.algorithm, secret)
        self.named = kid is not None
        # Under the key itself, so that it is no oracle that a token would not be already.
        self.kid = kid or base64url.encode(self._sign(b"authkit key id")[:12]).decode()

    def _take_asymmetric(self, key: Any, alg: str | None, kid: str | None) -> None:
        private = hasattr(key, "sign")
        self._public = key.public_key() if private else key
        self.algorithm = _algorithm_for(self._public, alg)
        self.verify = public_verify(self.algorithm, self._public)
        if private:
            self._sign = private_sign(self.algorithm, key)
            if self.algorithm.kty == "RSA" and not (_fits_together(key) and self._signs_what_it_verifies()):
                raise ConfigurationError("the token key is an RSA key whose parts do not belong together")
        self.named = True
        self.kid = kid or jwk.thumbprint(jwk.public_jwk(self._public, self.algorithm))

    def _signs_what_it_verifies(self) -> bool:
        try:
            return self.verify(b"whose?", base64url.encode(self.sign(b"whose?")).decode())
        except Exception:  # there are several ways to say no
            return False

    @property
    def alg(self) -> str:
        """The one algorithm of this key, as JWS names it."""
        return self.algorithm.name

    @property
    def can_sign(self) -> bool:
        """Whether this key signs as well as verifies."""
        return self._sign is not None

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`. Raises: `ConfigurationError` for a key that only verifies."""
        if self._sign is None:
            raise ConfigurationError("this key only verifies: issuing tokens wants the private key")
        return self._sign(data)

    def public_jwk(self) -> dict[str, Any] | None:
        """What others need to verify, as a JWK; None for a secret, which nobody else may have."""
        if self._public is None:
            return None
        members = jwk.public_jwk(self._public, self.algorithm)
        return {**members, "use": "sig", "alg": self.alg, "kid": self.kid}

    def __repr__(self) -> str:
        if not hasattr(self, "kid"):  # the constructor is about to refuse
            return "<Key>"
        return f"<Key {self.alg} {self.kid!r}>"


def _read_pem(raw: bytes, text: str) -> Any:
    if "CERTIFICATE" in text:
        raise ConfigurationError("the token key is a certificate: pass the key itself, as PEM")
    if "BEGIN OPENSSH" in text or "BEGIN SSH2" in text:  # the letters alone may stand in any key's base64
        raise ConfigurationError("the token key is in a form of SSH: convert it to PEM (PKCS8)")
    if "ENCRYPTED" in text:
        raise ConfigurationError("the token key is encrypted PEM: decrypt it where it is stored")
    if text.count("-----BEGIN ") - text.count("-----BEGIN EC PARAMETERS") != 1:
        raise ConfigurationError("the token key is not one PEM block")
    needs("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    try:
        if "PRIVATE KEY-----" in text:
            return load_pem_private_key(raw, None, unsafe_skip_rsa_key_validation=True)  # `_fits_together` looks
        return load_pem_public_key(raw)
    except Exception:  # the parsers have several ways to say no, and their words may hold the material
        pass
    raise ConfigurationError("the token key is PEM that cannot be read")


def _fits_together(private: Any) -> bool:
    """Whether the parts of an RSA private key are of one key (RFC 8017 section 3.2). It raises nothing: it holds them.

    The parsers are told not to look: proving its primes takes half a second for 4096 bits, in which no other thread runs. That
    they are primes is seen by a signature that holds.
    """
    numbers = private.private_numbers()
    n, e = numbers.public_numbers.n, numbers.public_numbers.e
    p, q, d = numbers.p, numbers.q, numbers.d
    return (
        min(p, q) > 2
        and p * q == n
        and n % 2 == e % 2 == 1
        and 3 <= e < n
        and 0 < d < n
        and d * e % (p - 1) == d * e % (q - 1) == 1
        and (numbers.dmp1, numbers.dmq1) == (d % (p - 1), d % (q - 1))
        and 0 < numbers.iqmp < p
        and numbers.iqmp * q % p == 1
    )


def _algorithm_for(public: Any, alg: str | None) -> Algorithm:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(public, rsa.RSAPublicKey):
        if public.key_size < MIN_RSA_BITS:
            raise ConfigurationError(f"the RSA token key has {public.key_size} bits: at least {MIN_RSA_BITS} are wanted")
        kinds, default = "RSA", "RS256"
        fits = alg is None or ALGORITHMS[alg].kty == "RSA"
    elif isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _BY_CURVE:
        kinds, default = f"EC {public.curve.name}", _BY_CURVE[public.curve.name]
        fits = alg in (None, default)
    elif isinstance(public, ed25519.Ed25519PublicKey):
        kinds, default = "Ed25519", "EdDSA"
        fits = alg in (None, default)
    else:
        raise ConfigurationError("the token key is of a kind that signs no tokens: use RSA, P-256, P-384, P-521 or Ed25519")
    if not fits:
        raise ConfigurationError(f"{alg} does not go with an {kinds} key")
    return ALGORITHMS[alg or default]
