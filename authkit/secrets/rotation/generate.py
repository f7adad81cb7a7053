"""New secret values, from the randomness of the operating system."""

from __future__ import annotations

import os

from ..._needs import needs
from ...errors import ConfigurationError
from ..versions import sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..versions import Sealed

KINDS = ("hmac", "rsa", "ec", "ed25519", "webhook", "password")
ENCODINGS = ("base64url", "base64", "hex")
HMAC_BYTES = 32  # 256 bits: RFC 7518 section 3.2 wants a key at least as long as the hash
LONGEST = 1024  # bytes or characters; more is a mistake, and a .env file holds 1 MiB
RSA_BITS = 3072  # the strength of SHA-256's 128 bits (NIST SP 800-57 part 1, table 2)
WEBHOOK_BYTES = (32, 64)  # Standard Webhooks allows 24 to 64; 256 bits here too
PASSWORD_BITS = 128
PASSWORD_LENGTH = 43  # of the 62 letters and digits: 256 bits
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def generate(
    kind: str = "hmac",
    *,
    length: int | None = None,
    alphabet: str | None = None,
    encoding: str | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> Sealed:
    """A new value of that kind, sealed; text, whatever the kind.

    "hmac": `length` random bytes (default 32, never fewer) as `encoding` "base64url" (default, no padding), "base64" or "hex".
    "rsa": a private key of `length` bits (default 3072, at least 2048); "ec": one on P-256 (`length` 384: P-384); "ed25519":
    one of those; each a PEM of PKCS #8, not encrypted. "webhook": `whsec_` and base64 of 32 bytes (`length` up to 64), as
    Standard Webhooks writes a key. "password": `length` characters (default 43), each as likely as any other of `alphabet`
    (default letters and digits), at least 128 bits.

    `random(n)` gives n bytes; RSA and EC keys take theirs from OpenSSL, which seeds itself from the operating system, and again
    after a fork. Raises: `ConfigurationError` for an unknown kind, an option that the kind does not have, or too little.
    """
    make = _MAKERS.get(kind) if isinstance(kind, str) else None
    if make is None:
        raise ConfigurationError(f"a secret is generated as one of these kinds: {', '.join(KINDS)}")
    if length is not None and (isinstance(length, bool) or not isinstance(length, int)):
        raise ConfigurationError("length is a whole number")
    if alphabet is not None and kind != "password":
        raise ConfigurationError(f"an alphabet is for passwords; a secret of kind {kind} has none")
    if encoding is not None and kind != "hmac":
        raise ConfigurationError(f"an encoding is for hmac; a secret of kind {kind} has its own")
    if encoding is not None and encoding not in ENCODINGS:
        raise ConfigurationError(f"encoding is one of {', '.join(ENCODINGS)}")
    return make(length, alphabet, encoding, random)


def _hmac(length: int | None, alphabet: str | None, encoding: str | None, random: Callable[[int], bytes]) -> Sealed:
    count = _within(length, HMAC_BYTES, HMAC_BYTES, LONGEST, "bytes")
    return _encoded(_bytes(random, count), encoding or "base64url")


def _webhook(length: int | None, alphabet: str | None, encoding: str | None, random: Callable[[int], bytes]) -> Sealed:
    count = _within(length, WEBHOOK_BYTES[0], *WEBHOOK_BYTES, "bytes")
    return _encoded(_bytes(random, count), "base64", "whsec_")


def _password(length: int | None, alphabet: str | None, encoding: str | None, random: Callable[[int], bytes]) -> Sealed:
    from math import log2

    letters = ALPHABET if alphabet is None else alphabet
    count = _within(length, PASSWORD_LENGTH, 1, LONGEST, "characters")
    if not isinstance(letters, str) or len(set(letters)) != len(letters) or not 2 <= len(letters) <= 256:
        raise ConfigurationError("an alphabet is 2 to 256 different characters")
    if not letters.isprintable() or any(letter.isspace() for letter in letters):
        raise ConfigurationError("an alphabet holds neither space nor anything that cannot be seen")
    if count * log2(len(letters)) < PASSWORD_BITS:
        raise ConfigurationError(f"{count} characters out of {len(letters)} are fewer than {PASSWORD_BITS} bits: take more")
    return _drawn(letters, count, random)


def _rsa(length: int | None, alphabet: str | None, encoding: str | None, random: Callable[[int], bytes]) -> Sealed:
    bits = _within(length, RSA_BITS, 2048, 8192, "bits")
    needs("cryptography")
    from cryptography.hazmat.primitives.asymmetric import rsa

    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def _ec(length: int | None, alphabet: str | None, encoding: str | None, random: Callable[[int], bytes]) -> Sealed:
    if length not in (None, 256, 384):
        raise ConfigurationError("an ec key is of 256 or 384 bits (P-256, P-384)")
    needs("cryptography")
    from cryptography.hazmat.primitives.asymmetric import ec

    return _pem(ec.generate_private_key(ec.SECP384R1() if length == 384 else ec.SECP256R1()))


def _ed25519(length: int | None, alphabet: str | None, encoding: str | None, random: Callable[[int], bytes]) -> Sealed:
    if length is not None:
        raise ConfigurationError("an ed25519 key has one length only")
    needs("cryptography")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _pem(Ed25519PrivateKey.from_private_bytes(_bytes(random, 32)()))  # type: ignore[arg-type]


_MAKERS = {"hmac": _hmac, "rsa": _rsa, "ec": _ec, "ed25519": _ed25519, "webhook": _webhook, "password": _password}


def _within(length: int | None, default: int, least: int, most: int, unit: str) -> int:
    if length is None:
        return default
    if not least <= length <= most:
        raise ConfigurationError(f"length is {least} to {most} {unit}")
    return length


def _bytes(random: Callable[[int], bytes], count: int) -> Sealed:
    made = sealed(random(count))
    if not isinstance(made(), bytes) or len(made()) != count:
        raise ConfigurationError("random(n) has to give n bytes")
    return made


def _encoded(made: Sealed, encoding: str, prefix: str = "") -> Sealed:
    """It raises nothing, because its locals hold the value."""
    from base64 import b64encode, urlsafe_b64encode

    value = made()
    assert isinstance(value, bytes)
    if encoding == "hex":
        return sealed(prefix + value.hex())
    return sealed(
        prefix + (b64encode(value).decode() if encoding == "base64" else urlsafe_b64encode(value).decode().rstrip("="))
    )


def _drawn(letters: str, count: int, random: Callable[[int], bytes]) -> Sealed:
    # A byte at or above the largest multiple of len(letters) is thrown away: taken modulo, it would favour the first letters.
    fair = 256 - 256 % len(letters)
    drawn: list[Sealed] = []
    while len(drawn) < count:
        byte = _bytes(random, 1)
        if ord(byte()) < fair:
            drawn.append(byte)
    return sealed("".join(letters[ord(byte()) % len(letters)] for byte in drawn))


def _pem(key: object) -> Sealed:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return sealed(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()  # type: ignore[attr-defined]
    )
