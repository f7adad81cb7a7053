"""`PasswordHasher`: argon2id (RFC 9106), the same work whether or not there is anything to compare with."""

from __future__ import annotations

import os

from .._needs import needs
from ..errors import ConfigurationError, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 4096  # of UTF-8; far above any passphrase, far below what would make hashing a weapon
SALT_BYTES = 16  # RFC 9106 section 4
HASH_BYTES = 32
MOST_MEMORY, MOST_PASSES, MOST_LANES = 2**20, 100, 64  # KiB; a stored hash that asks for more was not made by anybody's login


class PasswordHasher:
    """Hashes and verifies passwords with argon2id.

    `memory`: KiB, `passes` and `lanes`: argon2's m, t and p. The default is the low-memory profile of RFC 9106 section 4
    (64 MiB, 3 passes, 4 lanes); smaller ones are for tests. Passwords are prepared as RFC 8265 section 4.2 says (NFC, every
    space a plain one), and may have at most `max_bytes` bytes of UTF-8. `random`: a number of bytes that nobody can guess.

    Raises: `ConfigurationError` for parameters that argon2 does not have.
    """

    def __init__(
        self,
        *,
        memory: int = 65_536,
        passes: int = 3,
        lanes: int = 4,
        max_bytes: int = MAX_BYTES,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        for name, number, least in (("passes", passes, 1), ("lanes", lanes, 1), ("max_bytes", max_bytes, 64)):
            if type(number) is not int or not least <= number < 2**20:
                raise ConfigurationError(f"{name} is a whole number of at least {least}")
        if type(memory) is not int or not 8 * lanes <= memory < 2**24:
            raise ConfigurationError("memory is a whole number of KiB, at least 8 for each lane")
        self._memory = memory
        self._passes = passes
        self._lanes = lanes
        self._max_bytes = max_bytes
        self._random = random
        self._nobody: str | None = None

    def acceptable(self, password: str) -> bool:
        """Whether `password` can be one at all: not empty, not too long, no controls, no lone surrogates."""
        return self._prepared(password) is not None

    def hash(self, password: str) -> str:
        """The password's hash in PHC form, with a new salt.

        Raises: `ValueError` if it is not `acceptable`; `Unavailable` if argon2 cannot have its memory or threads.
        """
        prepared = self._prepared(password)
        if prepared is None:
            raise ValueError("this can be no password")
        needs("argon2.low_level")
        from argon2.exceptions import HashingError
        from argon2.low_level import Type, hash_secret

        salt = self._random(SALT_BYTES)
        try:
            return hash_secret(prepared, salt, self._passes, self._memory, self._lanes, HASH_BYTES, Type.ID).decode()
        except HashingError:
            raise Unavailable("argon2 could not have its memory or threads") from None

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether `stored` is the hash of `password`.

        No hash at all, and one that cannot be read, cost the same work as a good one and match nothing. A password that is not
        `acceptable` costs none, whoever it is said to be of.
        Raises: `Unavailable` if argon2 cannot have its memory or threads.
        """
        prepared = self._prepared(password)
        if prepared is None:
            return False
        needs("argon2.low_level")
        if stored is not None and _is_readable(stored):
            outcome = _verify(prepared, stored)
            if outcome is not None:
                return outcome
        _verify(prepared, self._dummy())
        return False

    def _dummy(self) -> str:
        """A well-formed hash under today's parameters that nothing is known to match; made without hashing anything."""
        if self._nobody is None:
            from base64 import b64encode

            salt, tag = (b64encode(self._random(size)).decode().rstrip("=") for size in (SALT_BYTES, HASH_BYTES))
            self._nobody = f"$argon2id$v=19$m={self._memory},t={self._passes},p={self._lanes}${salt}${tag}"
        return self._nobody

    def _prepared(self, password: str) -> bytes | None:
        if not 0 < len(password) <= self._max_bytes:  # before anything that looks at each character
            return None
        if password.isascii():
            return password.encode() if password.isprintable() else None
        import unicodedata

        if any(unicodedata.category(char) in ("Cc", "Cs") for char in password):
            return None
        spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
        prepared = unicodedata.normalize("NFC", spaced).encode()
        return prepared if len(prepared) <= self._max_bytes else None


def _is_readable(stored: str) -> bool:
    """Whether it is an argon2 hash, and one that this machine could ever have made."""
    if not stored.startswith("$argon2") or not stored.isascii() or len(stored) > 1024:
        return False
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        found = extract_parameters(stored)
    except (InvalidHashError, ValueError):
        return False
    return found.memory_cost <= MOST_MEMORY and found.time_cost <= MOST_PASSES and found.parallelism <= MOST_LANES


def _verify(password: bytes, stored: str) -> bool | None:
    """Whether they match; None if the stored hash could not be read after all, so that no work was done."""
    from argon2 import extract_parameters
    from argon2.exceptions import VerificationError, VerifyMismatchError
    from argon2.low_level import verify_secret

    try:
        return verify_secret(stored.encode(), password, extract_parameters(stored).type)
    except VerifyMismatchError:
        return False
    except VerificationError as error:
        if str(error) in ("Memory allocation error", "Threading failure"):
            raise Unavailable("argon2 could not have its memory or threads") from None
        return None
