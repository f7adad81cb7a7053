"""Keys of senders who sign with a private key and show the public one: Ed25519, ECDSA over P-256, RSA. `cryptography` is
imported by the first of them."""

from __future__ import annotations

from binascii import Error, a2b_base64, unhexlify

from .._needs import needs
from ..errors import ConfigurationError
from .mac import encoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .content import Content
    from .scheme import Scheme

MIN_RSA_BITS = 2048


class Pair:
    """A public key, and the private one if it is there."""

    __slots__ = ("_public", "_private", "_arguments", "_encode", "_decode", "_hex")

    def __init__(self, public: Any, private: Any, arguments: tuple[Any, ...], encoding: str) -> None:
        self._public = public
        self._private = private
        self._arguments = arguments
        self._encode = encoder(encoding)
        self._decode = _DECODERS[encoding]
        self._hex = encoding == "hex"

    def matches(self, signatures: list[str], contents: list[Content]) -> bool:
        from cryptography.exceptions import InvalidSignature

        raws = [raw for signature in signatures if (raw := self._raw(signature)) is not None]
        matched = False
        for content in contents:
            data = b"".join(content)
            for raw in raws:
                try:
                    self._public.verify(raw, data, *self._arguments)
                except (InvalidSignature, ValueError):
                    continue
                matched = True
        return matched

    def _raw(self, signature: str) -> bytes | None:
        """The signature's bytes, from its one spelling."""
        try:
            raw = self._decode(signature)
        except (Error, ValueError):
            return None
        return raw if self._encode(raw) == (signature.lower() if self._hex else signature) else None

    def sign(self, content: Content) -> str:
        if self._private is None:
            raise ConfigurationError("this webhook key is a public one: signing wants the private key")
        return self._encode(self._private.sign(b"".join(content), *self._arguments))


_DECODERS: dict[str, Callable[[str], bytes]] = {
    "hex": unhexlify,
    "base64": lambda text: a2b_base64(text, strict_mode=True),
    "base64url": lambda text: a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), strict_mode=True),
}


def made(scheme: Scheme, raw: bytes, signing: bool) -> Pair | None:
    """The key pair that these bytes are; None if they are none of the scheme's kind. It raises nothing that shows them."""
    needs("cryptography.hazmat.primitives.serialization")
    key = _loaded(raw, signing, raw_is_key=scheme.algorithm == "ed25519")
    if key is None:
        return None
    private = key if hasattr(key, "sign") else None
    public = key.public_key() if private is not None else key
    arguments = _arguments(scheme, public)
    if arguments is None or (signing and private is None):
        return None
    return Pair(public, private, arguments, scheme.encoding)


def of_certificate(scheme: Scheme, material: bytes, now: float) -> Pair | None:
    """The public key of a certificate in PEM that is in force, or of a public key."""
    needs("cryptography.x509")
    from cryptography import x509

    try:
        if b"CERTIFICATE" in material[:64]:
            certificate = x509.load_pem_x509_certificate(material)
            begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
            if not begins <= now <= ends:
                return None
            public: Any = certificate.public_key()
        else:
            public = _loaded(material, False, raw_is_key=False)
    except Exception:  # the parsers have several ways to say no
        return None
    arguments = None if public is None or hasattr(public, "sign") else _arguments(scheme, public)
    return None if arguments is None else Pair(public, None, arguments, scheme.encoding)


def _loaded(raw: bytes, signing: bool, *, raw_is_key: bool) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        if raw.startswith(b"-----BEGIN"):
            if b"CERTIFICATE" in raw[:64]:
                return x509.load_pem_x509_certificate(raw).public_key()
            if b"PRIVATE KEY-----" in raw:
                return serialization.load_pem_private_key(raw, None)
            return serialization.load_pem_public_key(raw)
        if raw_is_key and len(raw) in (32, 64):  # 64: the seed and the public key after it
            if signing:
                return ed25519.Ed25519PrivateKey.from_private_bytes(raw[:32])
            return ed25519.Ed25519PublicKey.from_public_bytes(raw) if len(raw) == 32 else None
        if signing:
            return serialization.load_der_private_key(raw, None)
        return serialization.load_der_public_key(raw)
    except Exception:  # the parsers have several ways to say no, and their words may hold the material
        return None


def _arguments(scheme: Scheme, public: Any) -> tuple[Any, ...] | None:
    """What `cryptography` wants beside the data; None for a key of another kind."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    if scheme.algorithm == "ed25519":
        return () if isinstance(public, ed25519.Ed25519PublicKey) else None
    digests: dict[str, Any] = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
    digest = digests[scheme.hash]()
    if scheme.algorithm == "ecdsa":
        fits = isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name == "secp256r1"
        return (ec.ECDSA(digest),) if fits else None
    fits = isinstance(public, rsa.RSAPublicKey) and public.key_size >= MIN_RSA_BITS
    return (padding.PKCS1v15(), digest) if fits else None
