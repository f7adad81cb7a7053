"""Older hashes made with PBKDF2, with scrypt, or with one round of a digest: how a password is compared with them."""

from __future__ import annotations

import hashlib
from binascii import a2b_base64, b2a_base64
from hmac import compare_digest

from ..errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from typing import TypeAlias

    from .older import Matches

    Reads: TypeAlias = Callable[[str], bytes]  # a salt, as it stands in the hash
    Shows: TypeAlias = Callable[[bytes], str]  # what was computed, as the hash has it: the texts are compared, none is decoded

MOST_SCRYPT = 2**23  # n times r times p: 1 GiB where p is 1, and some seconds


def pbkdf2(digest: str, salt: Reads, shown: Shows) -> Matches:
    def matches(password: bytes, _: str | None, found: re.Match[str]) -> bool:
        made = hashlib.pbkdf2_hmac(digest, password, salt(found["salt"]), int(found["rounds"]))
        return same(shown(made), found["tag"])

    return matches


def scrypt(salt: Reads, shown: Shows, **fixed: int) -> Matches:
    """`fixed`: n, r and p where the hash does not say them."""

    def matches(password: bytes, _: str | None, found: re.Match[str]) -> bool:
        n, r, p = (fixed[name] if fixed else int(found[name]) for name in ("n", "r", "p"))
        if n < 2 or n & (n - 1) or n * r * p > MOST_SCRYPT:
            raise ValueError
        given = salt(found["salt"])
        try:
            made = hashlib.scrypt(password, salt=given, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2) + 2**20, dklen=64)
        except (ValueError, MemoryError):  # everything else was looked at before
            raise Unavailable("scrypt could not have its memory") from None
        return same(shown(made), found["tag"])

    return matches


def salted(digest: str) -> Matches:
    def matches(password: bytes, _: str | None, found: re.Match[str]) -> bool:
        return same(hashlib.new(digest, text(found["salt"]) + password, usedforsecurity=False).hexdigest(), found["tag"])

    return matches


def same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())


def text(value: str) -> bytes:
    return value.encode()


def from_hex(value: str) -> bytes:
    return bytes.fromhex(value)


def hexadecimal(raw: bytes) -> str:
    return raw.hex()


def base64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()


def ab64(raw: bytes) -> str:
    """passlib's: no padding, and a dot for the plus."""
    return base64(raw).rstrip("=").replace("+", ".")


def from_ab64(value: str) -> bytes:
    return a2b_base64(value.replace(".", "+") + "=" * (-len(value) % 4), strict_mode=True)
