"""`PasswordHasher`: argon2id (RFC 9106), the same work whether or not there is anything to compare with."""

from __future__ import annotations

import os

from .._needs import needs
from .._run import blocking, run
from ..errors import ConfigurationError, Unavailable
from .pepper import PREFIX, Pepper, secret_of, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .pepper import AnyPepper, Keys

MAX_BYTES = 4096  # of UTF-8; far above any passphrase, far below what would make hashing a weapon
SALT_BYTES = 16  # RFC 9106 section 4
HASH_BYTES = 32
MOST_MEMORY, MOST_PASSES, MOST_LANES = 2**20, 100, 64  # KiB; a stored hash that asks for more was not made by anybody's login


class PasswordHasher:
    """Hashes and verifies passwords with argon2id.

    `memory`: KiB, `passes` and `lanes`: argon2's m, t and p. The default is the low-memory profile of RFC 9106 section 4
    (64 MiB, 3 passes, 4 lanes); smaller ones are for tests. Passwords are prepared as RFC 8265 section 4.2 says (NFC, every
    space a plain one), and may have at most `max_bytes` bytes of UTF-8. `random`: a number of bytes that nobody can guess.

    `pepper`: a secret of at least 32 bytes, without which the stolen hashes are worth nothing; None: there is none. New hashes
    take its current value; the previous one verifies until its end, and the pending one already. Hashes without a pepper go
    on verifying. `needs_rehash` says which are to be made anew, which is possible at a login only: a hash whose pepper was
    retired before its user came back matches nothing any more, so keep the previous one for months, not hours.

    Raises: `ConfigurationError` for parameters that argon2 does not have, and for a pepper that is too short or a sample.
    """

    def __init__(
        self,
        *,
        memory: int = 65_536,
        passes: int = 3,
        lanes: int = 4,
        max_bytes: int = MAX_BYTES,
        pepper: AnyPepper | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        peppered, secret = pepper is not None, None if pepper is None else secret_of(pepper)
        del pepper  # what is raised below may be shown with its locals
        self._pepper = Pepper(secret) if peppered else None
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
        """The password's hash in PHC form, with a new salt; where there is a pepper, in the form that `pepper.py` describes.

        Raises: `ValueError` if it is not `acceptable`; `Unavailable` if argon2 cannot have its memory or threads, or the
        pepper cannot be read.
        """
        prepared = self._prepared(password)
        if prepared is None:
            raise ValueError("this can be no password")
        prefix = ""
        if self._pepper is not None:
            key = self._pepper.current()
            prefix, prepared = PREFIX + key.id, key.mac(prepared)
        needs("argon2.low_level")
        from argon2.exceptions import HashingError
        from argon2.low_level import Type, hash_secret

        salt = self._random(SALT_BYTES)
        try:
            hashed = hash_secret(prepared, salt, self._passes, self._memory, self._lanes, HASH_BYTES, Type.ID)
        except HashingError:
            raise Unavailable("argon2 could not have its memory or threads") from None
        return prefix + hashed.decode()

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether `stored` is the hash of `password`.

        No hash at all, one that cannot be read, and one under a pepper that is not known (or no longer) cost the same work as
        a good one and match nothing. Whatever matches nothing has the pepper read once more, at most once in its cooldown: it
        may have been rotated, and that, too, shall say nothing of who exists. A password that is not `acceptable` costs none
        of it, whoever it is said to be of.
        Raises: `Unavailable` if argon2 cannot have its memory or threads, or the pepper cannot be read, whoever it is.
        """
        return run(self._verifying(password, stored))

    async def verifying(self, password: str, stored: str | None) -> bool:
        """`verify` for an endpoint's own coroutine: a thread that hashes waits for no secret."""
        if type(self).verify is not PasswordHasher.verify or "verify" in vars(self):  # a subclass's
            await self.warm()
            return await blocking(self.verify, password, stored, pool="hash")
        return await self._verifying(password, stored)

    async def _verifying(self, password: str, stored: str | None) -> bool:
        prepared = self._prepared(password)
        if prepared is None:
            return False
        needs("argon2.low_level")
        pepper = self._pepper
        if pepper is None:
            return await blocking(self._matches, prepared, stored, None, pool="hash")
        keys = await pepper.load()
        if await blocking(self._matches, prepared, stored, keys, pool="hash"):
            return True
        # The same steps for whatever failed, in the same order: a user of a pepper that is not known here is told by no clock.
        if not await pepper.look_again(keys):
            return False
        return await blocking(self._matches, prepared, stored, await pepper.load(), pool="hash")

    def _matches(self, prepared: bytes, stored: str | None, keys: Keys | None) -> bool:
        """Whether they match, for the price of one hash in any case."""
        id, hashed = (None, "") if stored is None else split(stored)
        key = None if keys is None else keys.current if id is None else keys.by_id.get(id)
        sealed = prepared if key is None else key.mac(prepared)
        if _is_readable(hashed) and (id is None or key is not None):
            outcome = _verify(prepared if id is None else sealed, hashed)
            if outcome and id is not None and self._pepper is not None and key is not None:
                self._pepper.note_use(key)
            if outcome is not None:
                return outcome
        _verify(sealed, self._dummy())
        return False

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored`, which has just been verified, was made with another pepper or other parameters than `hash` would
        take now. No I/O: it goes by what is known of the pepper since it was last read."""
        id, hashed = split(stored)
        if not _is_readable(hashed) or (self._pepper.is_outdated(id) if self._pepper is not None else id is not None):
            return True
        from argon2 import Parameters, extract_parameters
        from argon2.low_level import Type

        ours = Parameters(Type.ID, 19, SALT_BYTES, HASH_BYTES, self._passes, self._memory, self._lanes)
        return extract_parameters(hashed) != ours

    async def warm(self) -> None:
        """Have the pepper at hand, for a guard's own coroutine: `hash` then waits for nothing but argon2.

        Raises: `ConfigurationError` if the pepper is unfit, `SecretNotFound`, `Unavailable`.
        """
        if self._pepper is not None:
            await self._pepper.load()

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
