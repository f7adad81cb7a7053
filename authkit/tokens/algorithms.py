"""The signature algorithms of JWS (RFC 7518 section 3, RFC 8037), each bound to one kind of key.

An algorithm is never chosen by a token and never listed by a caller: a `Key` has exactly one.
`cryptography` is imported by the first asymmetric key.
"""

from __future__ import annotations

from . import base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    # What is signed, and the signature as it stands in the token -> does it hold?
    Verify: TypeAlias = Callable[[bytes, str], bool]
    Sign: TypeAlias = Callable[[bytes], bytes]  # what is signed -> the raw signature


class Algorithm:
    """`kty`: the kind of key. `hash`: its name in hashlib. `curve`: as a JWK spells it. `size`: bytes of an EC coordinate."""

    __slots__ = ("name", "kty", "hash", "curve", "size", "order")

    def __init__(self, name: str, kty: str, hash: str = "", curve: str = "", size: int = 0, order: int = 0) -> None:
        self.name = name
        self.kty = kty
        self.hash = hash
        self.curve = curve
        self.size = size
        self.order = order

    def __repr__(self) -> str:
        return f"<Algorithm {self.name}>"


# Group orders: SEC 2 version 2, sections 2.4.2, 2.5.1 and 2.6.1.
_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
_P521 = int("01" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16)

ALGORITHMS = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("HS256", "oct", "sha256"),
        Algorithm("HS384", "oct", "sha384"),
        Algorithm("HS512", "oct", "sha512"),
        Algorithm("RS256", "RSA", "sha256"),
        Algorithm("RS384", "RSA", "sha384"),
        Algorithm("RS512", "RSA", "sha512"),
        Algorithm("PS256", "RSA", "sha256"),
        Algorithm("PS384", "RSA", "sha384"),
        Algorithm("PS512", "RSA", "sha512"),
        Algorithm("ES256", "EC", "sha256", "P-256", 32, _P256),
        Algorithm("ES384", "EC", "sha384", "P-384", 48, _P384),
        Algorithm("ES512", "EC", "sha512", "P-521", 66, _P521),
        Algorithm("EdDSA", "OKP", "", "Ed25519", 64),
    )
}
HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}  # least key length: the hash's own (RFC 7518 section 3.2)


def hmac_functions(algorithm: Algorithm, secret: bytes) -> tuple[Sign, Verify]:
    """How `secret` signs, and how it verifies."""
    import hashlib
    from hmac import compare_digest as equal

    # HMAC is H(key ^ opad, H(key ^ ipad, text)). Both paddings are hashed once, here, as RFC 2104 section 4 advises, and each
    # signature starts from copies: half the price of hmac.digest. The tests hold it against hmac itself.
    new = getattr(hashlib, algorithm.hash)
    block: int = new().block_size
    key = (secret if len(secret) <= block else new(secret).digest()).ljust(block, b"\0")
    inner = new(bytes(byte ^ 0x36 for byte in key)).copy
    outer = new(bytes(byte ^ 0x5C for byte in key)).copy
    encode = base64url.encode

    def sign(data: bytes) -> bytes:
        text, whole = inner(), outer()
        text.update(data)
        whole.update(text.digest())
        return bytes(whole.digest())

    def verify(data: bytes, signature: str) -> bool:
        # Compared as text: only the canonical spelling of the right signature is equal.
        text, whole = inner(), outer()
        text.update(data)
        whole.update(text.digest())
        return equal(encode(whole.digest()), signature.encode())

    return sign, verify


def public_verify(algorithm: Algorithm, public: Any) -> Verify:
    """How `public`, a public key of `cryptography`, verifies. Nothing that it is given makes it raise."""
    from cryptography.exceptions import InvalidSignature

    check = public.verify
    arguments = _arguments(algorithm)
    length = 2 * algorithm.size if algorithm.kty == "EC" else algorithm.size or (public.key_size + 7) // 8
    text_length = (length * 8 + 5) // 6
    decode = base64url.decode

    def verify(data: bytes, signature: str) -> bool:
        if len(signature) != text_length:
            return False
        try:
            check(decode(signature), data, *arguments)
        except (InvalidSignature, ValueError):
            return False
        return True

    if algorithm.kty != "EC":
        return verify

    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    size, order, number = algorithm.size, algorithm.order, int.from_bytes

    def verify_ecdsa(data: bytes, signature: str) -> bool:
        if len(signature) != text_length:
            return False
        try:
            raw = decode(signature)
            r, s = number(raw[:size], "big"), number(raw[size:], "big")
            # "If any of these checks fail, reject the signature": FIPS 186-5 section 6.4.2 step 1 (CVE-2022-21449).
            if not (0 < r < order and 0 < s < order):
                return False
            check(encode_dss_signature(r, s), data, *arguments)
        except (InvalidSignature, ValueError):
            return False
        return True

    return verify_ecdsa


def private_sign(algorithm: Algorithm, private: Any) -> Sign:
    """How `private`, a private key of `cryptography`, signs."""
    arguments = _arguments(algorithm)
    if algorithm.kty != "EC":
        return lambda data: bytes(private.sign(data, *arguments))

    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    size = algorithm.size

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(data, *arguments))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def _arguments(algorithm: Algorithm) -> tuple[Any, ...]:
    """What `cryptography` wants after the data: padding and hash, made once."""
    if algorithm.kty == "OKP":
        return ()
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    digests: dict[str, Any] = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
    digest = digests[algorithm.hash]()
    if algorithm.kty == "EC":
        return (ec.ECDSA(digest),)
    if algorithm.name.startswith("PS"):  # "The size of the salt value is the same size as the hash": RFC 7518 section 3.5
        return padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH), digest
    return padding.PKCS1v15(), digest
