"""What an API key looks like: `<prefix>_<id><secret><checksum>`, found by scanners, and no typo costs I/O."""

from __future__ import annotations

import os
from binascii import crc32

from ..errors import ConfigurationError, InvalidToken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID = 12  # characters, of 5.95 bits each: where the key is kept
SECRET = 30  # characters: 178 bits, which nobody guesses or tries through
CHECKSUM = 6  # characters, which hold the 32 bits of a CRC
_BODY = ID + SECRET + CHECKSUM
_RANDOM = 32  # bytes drawn for a number below 62**30: the remainder is even to one part in 2**77
_ALPHABET = ALPHABET.encode()
_LONGEST_PREFIX = 24  # characters


class Form:
    """Keys that begin with `prefix`: a lower-case letter, then letters, digits and single underscores, at most 24.

    The checksum is the CRC-32 of all that stands before it. It finds every change within four characters next to each other,
    and any other but for one in four thousand million. It is no secret and proves nothing.
    Raises: `ConfigurationError`.
    """

    __slots__ = ("prefix", "_start", "_length")

    def __init__(self, prefix: str) -> None:
        if not is_prefix(prefix):
            raise ConfigurationError(
                f"the prefix of API keys is lower-case letters and digits, words joined by _, {_LONGEST_PREFIX} in all"
            )
        self.prefix = prefix
        self._start = prefix + "_"
        self._length = len(prefix) + 1 + _BODY

    def make(self, random: Callable[[int], bytes] = os.urandom) -> tuple[str, Callable[[], str]]:
        """The id of a new key, and the key, behind a function. `random`: so many bytes that nobody can guess."""
        ident = base62(int.from_bytes(random(_RANDOM)), ID)
        begin = self._start + ident + base62(int.from_bytes(random(_RANDOM)), SECRET)
        key = begin + _checksum(begin)
        return ident, lambda: key

    def id_of(self, key: object) -> str:
        """The id of what has the form of a key. No I/O, whatever it is. Raises: `InvalidToken` (api_key_malformed)."""
        # The length first: nothing is read of what is too long.
        if type(key) is not str or len(key) != self._length or not key.isascii() or not key.startswith(self._start):
            raise InvalidToken("api_key_malformed")
        begin = key[:-CHECKSUM]
        if key[len(self._start) :].encode().translate(None, _ALPHABET) or _checksum(begin) != key[-CHECKSUM:]:
            raise InvalidToken("api_key_malformed")
        return key[len(self._start) : len(self._start) + ID]


def is_prefix(text: object) -> bool:
    """Whether keys may begin with it."""
    if not isinstance(text, str) or len(text) > _LONGEST_PREFIX or not text[:1].isalpha():
        return False
    return all(word.isascii() and word.isalnum() and word == word.lower() for word in text.split("_"))


def is_id(text: object) -> bool:
    """Whether a key may have this id."""
    return isinstance(text, str) and len(text) == ID and text.isascii() and text.isalnum()


def base62(number: int, length: int) -> str:
    """The last `length` digits of a number of this base, the most significant first."""
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


def _checksum(text: str) -> str:
    return base62(crc32(text.encode()), CHECKSUM)


def digest_of(key: str) -> str:
    """What is kept of a key: its SHA-256, in hexadecimal.

    Not argon2: that makes each guess at a password dear. A secret of 178 bits from the OS is in no dictionary and is never
    guessed, however cheap a guess is; a slow hash would only make each request dear, and a flood of bad keys dearer.
    """
    from hashlib import sha256

    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
