"""What form key material has, and whether it is fit to be a secret. Messages name the form, never the material."""

from __future__ import annotations

from .._needs import needs
from .._samples import is_sample
from ..errors import ConfigurationError
from ..secrets.versions import as_bytes
from .algorithms import HMAC_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_SSH = ("ssh-rsa", "ssh-dss", "ssh-ed25519", "ssh-ed448", "ecdsa-sha2-nistp", "sk-ssh-", "sk-ecdsa-", "rsa-sha2-")

_FILES = (".pem", ".key", ".pub", ".crt", ".cer", ".der", ".jwk", ".jwks", ".json", ".txt")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def as_jwk(text: str) -> dict[str, Any] | None:
    """The JWK that `text` is, or None if it is none. A JWK taken for a secret would make a public key one."""
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}") and '"k' in stripped):
        return None
    from .strict_json import parse_object

    try:
        found = parse_object(stripped.encode())
    except ValueError:
        return None
    return found if "kty" in found or "keys" in found else None


def is_pem(text: str) -> bool:
    """Whether `text` is armoured: PEM, or the SSH form of it (RFC 4716), however damaged."""
    return "-BEGIN " in text or "- BEGIN " in text or "-----END " in text


def is_quick(value: str | bytes) -> bool:
    """Whether it takes next to no time to find out what key `value` makes: it is neither PEM nor JSON nor DER, and not long."""
    raw = as_bytes(value)
    if raw is None:
        return True  # and none
    return len(raw) <= 256 and b"BEGIN " not in raw and raw.lstrip()[:1] not in (b"{", b"M", b"\x30")


def check_hmac(secret: bytes, alg: str) -> None:
    """Raises `ConfigurationError` unless `secret` is fit to be the HMAC key of `alg` (RFC 7518 section 3.2)."""
    if not secret.strip():
        raise ConfigurationError("the token key is empty")
    for reading in _readings(secret):
        public = _public_form(reading)
        if public is not None:
            raise ConfigurationError(f"{alg} wants a secret, and this is {public}")
    if len(secret) < HMAC_BYTES[alg]:
        raise ConfigurationError(f"the token key is too short: {alg} wants at least {HMAC_BYTES[alg]} bytes")
    if _repeats_a_sample(secret.decode("utf-8", "replace")):
        raise ConfigurationError("the token key is a sample from documentation, which everybody knows: generate one")


def _readings(secret: bytes) -> Iterator[bytes]:
    """`secret`, and what it was before somebody quoted it, wrote it as UTF-16, or encoded it for an environment variable."""
    yield secret
    plain = secret.replace(b"\x00", b"").strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\"'")
    yield plain
    packed = b"".join(plain.split())
    try:
        yield bytes.fromhex(packed.decode())
    except ValueError:
        pass
    bare = packed.rstrip(b"=")
    if not bare.translate(None, _BASE64) and len(bare) % 4 != 1:
        from binascii import a2b_base64

        yield a2b_base64(bare.translate(_FROM_URL) + b"=" * (-len(bare) % 4))


def _public_form(secret: bytes) -> str | None:
    """What `secret` is that others may read, with what to do about it; None if it is nothing of the kind."""
    text = secret.decode("utf-8", "replace").strip()
    words = text.split()
    if is_pem(text) or _is_armour(words):
        return "PEM or certificate text, which others may read"
    if any(word.startswith(_SSH) and rest.startswith("AAAA") for word, rest in zip(words, words[1:], strict=False)):  # noqa: RUF007
        return "an SSH key, which others may read"
    if as_jwk(text) is not None or (text[:1] in ("{", "[") and ("kty" in text or "keys" in text)):
        return "the text of a JWK: pass the JWK itself, without alg"
    scheme, colon, rest = text.partition("://")
    if colon and scheme[:1].isalpha() and _is_of(scheme, "+.-") and rest and _is_of(rest.partition("/")[0], ".-_:[]@%"):
        return "a URL, which others may read: pass what stands there"
    if ("/" in text or "\\" in text) and text.lower().endswith(_FILES) and _is_of(text, "._-~@:/\\"):
        return "the name of a file, which others may know: pass what stands in it"
    return "a DER key or certificate: pass it as PEM" if _is_der(secret) else None


def _is_of(text: str, others: str) -> bool:
    """Whether it has letters, digits and these alone: of a random secret with other signs in it that is seldom so."""
    return all(char.isalnum() or char in others for char in text)


def _is_armour(words: list[str]) -> bool:
    """Whether "BEGIN ... KEY" or "END CERTIFICATE", say, is among them: PEM that has lost its dashes."""
    ends = ("KEY", "CERTIFICATE")
    return any(word in ("BEGIN", "END") and any(end in words[at + 1 : at + 5] for end in ends) for at, word in enumerate(words))


def _repeats_a_sample(text: str) -> bool:
    """Whether `text` is a sample, or one written again and again until it was long enough."""
    if is_sample(text):
        return True
    plain = "".join(filter(str.isalnum, text.lower()))
    for period in range(3, len(plain) // 2 + 1):
        if plain[period:] == plain[:-period]:  # the shortest unit decides
            return is_sample(plain[:period])
    return False


def _is_der(secret: bytes) -> bool:
    """Whether `secret` is a key or certificate in DER, the body of a PEM."""
    # SEQUENCE, then SEQUENCE or INTEGER: by chance in one random secret of four million, and then the parsers decide.
    if len(secret) < 40 or secret[0] != 0x30 or not (b"\x30" in secret[2:5] or b"\x02" in secret[2:5]):
        return False
    needs("cryptography.hazmat.primitives.serialization")
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

    for load in (load_der_public_key, lambda raw: load_der_private_key(raw, None), x509.load_der_x509_certificate):
        try:
            load(secret)
        except TypeError:
            return True  # an encrypted private key
        except Exception:  # noqa: S112  # the parsers have several ways to say no
            continue
        return True
    return False
