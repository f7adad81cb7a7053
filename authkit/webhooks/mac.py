"""The HMAC of a delivery, with a key prepared once, over a body that is never copied."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class Mac:
    """HMAC (RFC 2104) under one key. It keeps the two hash states that the key leads to, and not the key.

    `hmac.HMAC` does the same in three layers of Python; a delivery of 1 KiB then takes half as long again.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, name: str) -> None:
        new = getattr(hashlib, name)
        if len(key) > new().block_size:
            key = new(key).digest()
        key = key.ljust(new().block_size, b"\0")
        self._inner = new(key.translate(_INNER))
        self._outer = new(key.translate(_OUTER))

    def digest(self, before: bytes, body: bytes, after: bytes) -> bytes:
        """The HMAC of the three, one after the other."""
        return self.over(before, body, after).digest()  # type: ignore[no-any-return]

    def over(self, before: bytes, body: bytes, after: bytes) -> Any:
        """The hash whose digest is the HMAC of the three."""
        inner = self._inner.copy()
        if before:
            inner.update(before)
        inner.update(body)
        if after:
            inner.update(after)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer


def _base64(digest: bytes) -> str:
    return b2a_base64(digest, newline=False).decode("ascii")


def _base64url(digest: bytes) -> str:
    return _base64(digest).rstrip("=").replace("+", "-").replace("/", "_")


def _text(digest: bytes) -> str:
    return digest.decode("ascii")


_ENCODERS: dict[str, Callable[[bytes], str]] = {"hex": bytes.hex, "base64": _base64, "base64url": _base64url, "text": _text}


def encoder(encoding: str) -> Callable[[bytes], str]:
    """The function that writes a digest as the scheme does. Signatures are compared so: only one spelling is right."""
    return _ENCODERS[encoding]
