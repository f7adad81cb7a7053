"""How a secret, as its provider shows it, becomes a key, and what each algorithm does with it. Nothing here raises but
`ConfigurationError` for a signature that a key cannot make: what is tried holds keys."""

from __future__ import annotations

import hashlib
from binascii import Error, a2b_base64, unhexlify
from hmac import compare_digest

from ..secrets.versions import as_bytes
from .mac import Mac, encoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .content import Content
    from .scheme import Scheme

    class Key(Protocol):
        """A key of one scheme."""

        def matches(self, signatures: list[str], contents: list[Content]) -> bool:
            """Whether one of the signatures is of one of the contents."""
            ...

        def sign(self, content: Content) -> str:
            """The signature as it is sent. Raises: `ConfigurationError` for a key that only verifies."""
            ...


def key_bytes(scheme: Scheme, secret: str | bytes) -> bytes | None:
    """What the secret says; None if it does not say it as the scheme wants."""
    shown = as_bytes(secret)
    if shown is None:
        return None
    prefixes = (scheme.key_prefix,) if isinstance(scheme.key_prefix, str) else scheme.key_prefix
    for prefix in prefixes:
        if prefix and shown.startswith(prefix.encode()):
            shown = shown[len(prefix) :]
            break
    try:
        if scheme.key in ("base64", "der") and not shown.startswith(b"-----BEGIN"):
            # Padding may be missing; anything else that is not base64 would be another key than the sender's.
            shown = a2b_base64(shown + b"=" * (-len(shown) % 4), strict_mode=True)
        elif scheme.key == "hex" and not shown.startswith(b"-----BEGIN"):
            shown = unhexlify(shown)
    except Error:
        return None
    return shown or None


def derived(scheme: Scheme, secret: str | bytes, *, signing: bool = False) -> Key | Mac | None:
    """The key that a secret makes under a scheme; a `Mac` alone where the scheme is read the short way. None if it makes none.

    `signing`: to sign with, which for a key pair is the private one.
    """
    raw = key_bytes(scheme, secret)
    if raw is None:
        return None
    if scheme.plain and not signing:
        return Mac(raw, scheme.hash)
    return MAKERS[scheme.algorithm](scheme, raw, signing)


class Shared:
    """A key that makes the signature anew and compares."""

    __slots__ = ("_digest", "_encode", "_hex")

    def __init__(self, digest: Callable[[bytes, bytes, bytes], bytes], encoding: str) -> None:
        self._digest = digest
        self._encode = encoder(encoding)
        self._hex = encoding == "hex"

    def matches(self, signatures: list[str], contents: list[Content]) -> bool:
        sent = [signature.lower() for signature in signatures] if self._hex else signatures
        matched = False
        for content in contents:
            expected = self._encode(self._digest(*content))
            for signature in sent:
                matched |= compare_digest(expected, signature)
        return matched

    def sign(self, content: Content) -> str:
        return self._encode(self._digest(*content))


class Token:
    """A secret that is sent as it is. What is compared is its hash, so that time does not even tell its length."""

    __slots__ = ("_reveal", "_hash")

    def __init__(self, shown: str) -> None:
        self._reveal: Callable[[], str] = lambda: shown
        self._hash = hashlib.sha256(shown.encode()).digest()

    def matches(self, signatures: list[str], contents: list[Content]) -> bool:
        matched = False
        for signature in signatures:
            matched |= compare_digest(hashlib.sha256(signature.encode()).digest(), self._hash)
        return matched

    def sign(self, content: Content) -> str:
        return self._reveal()


def _hmac(scheme: Scheme, raw: bytes, signing: bool) -> Key:
    return Shared(Mac(raw, scheme.hash).digest, scheme.encoding)


def _digest(scheme: Scheme, raw: bytes, signing: bool) -> Key:
    state = getattr(hashlib, scheme.hash)(raw)

    def digest(before: bytes, body: bytes, after: bytes) -> bytes:
        own = state.copy()
        for part in (before, body, after):
            own.update(part)
        return own.digest()  # type: ignore[no-any-return]

    return Shared(digest, scheme.encoding)


def _token(scheme: Scheme, raw: bytes, signing: bool) -> Key | None:
    if scheme.encoding != "text":
        return Token(encoder(scheme.encoding)(raw))
    return Token(raw.decode("ascii")) if raw.isascii() and raw.decode("ascii").isprintable() else None


def _pair(scheme: Scheme, raw: bytes, signing: bool) -> Key | None:
    from .key_pairs import made

    return made(scheme, raw, signing)


def _jws(scheme: Scheme, raw: bytes, signing: bool) -> Key | None:
    from .jws_keys import made

    return made(scheme, raw, signing)


MAKERS: dict[str, Callable[[Scheme, bytes, bool], Key | None]] = {
    "hmac": _hmac,
    "digest": _digest,
    "token": _token,
    "ed25519": _pair,
    "ecdsa": _pair,
    "rsa": _pair,
    "jws": _jws,
    "jws-detached": _jws,
}
