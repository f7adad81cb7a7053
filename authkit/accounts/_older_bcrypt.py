"""Older hashes made with bcrypt, which looks at 72 bytes: of a password alone, or of its digest.

A longer password was cut by whoever made the hash, so that others of the same beginning match it as well. Here it matches
nothing; the work is done all the same, so that no clock tells what kind of hash somebody has.
"""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from hmac import digest

from .._needs import needs
from ._older_kdf import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

MOST_BYTES = 72
LEAST_COST = 4  # the binary logarithm of its rounds


def plain(password: bytes, _: str | None, found: re.Match[str]) -> bool:
    matches = _same(password[:MOST_BYTES], found["setting"], found["tag"])
    return matches and len(password) <= MOST_BYTES


def prehashed_hex(password: bytes, _: str | None, found: re.Match[str]) -> bool:
    """Django's."""
    return _same(hashlib.sha256(password).hexdigest().encode(), found["setting"], found["tag"])


def prehashed_base64(password: bytes, _: str | None, found: re.Match[str]) -> bool:
    """passlib's first."""
    return _same(b2a_base64(hashlib.sha256(password).digest(), newline=False), _setting(found), found["tag"])


def prehashed_hmac(password: bytes, _: str | None, found: re.Match[str]) -> bool:
    """passlib's second, which takes the salt into the digest."""
    made = digest(found["salt"].encode(), password, "sha256")
    return _same(b2a_base64(made, newline=False), _setting(found), found["tag"])


def _setting(found: re.Match[str]) -> str:
    return f"${found['ident']}${int(found['cost']):02}${found['salt']}"


def _same(password: bytes, setting: str, tag: str) -> bool:
    if int(setting.split("$")[2]) < LEAST_COST:  # bcrypt 4 panics, with what is no Exception
        raise ValueError("bcrypt: the cost is at least 4")
    made: bytes = needs("bcrypt", "authkit-middleware[bcrypt]").hashpw(password, setting.encode())
    return same(made[-len(tag) :].decode(), tag)
