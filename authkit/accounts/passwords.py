"""`PasswordHasher`: argon2id (RFC 9106), the same work whether or not there is anything to compare with."""

from __future__ import annotations

import os

from .._needs import needs
from .._run import blocking, run
from ..errors import ConfigurationError
from . import _argon2
from ._new_password import NewPassword
from .older import chosen
from .pepper import PREFIX, Pepper, secret_of, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._new_password import Breached
    from .older import OlderHash
    from .pepper import AnyPepper, Keys

MAX_BYTES = 4096  # of UTF-8; far above any passphrase, far below what would make hashing a weapon


class PasswordHasher:
    """Hashes and verifies passwords with argon2id.

    `profile`: "rfc9106-low-memory" (the default: RFC 9106 section 4, 64 MiB, 3 passes, 4 lanes), "rfc9106-high-memory" (2 GiB,
    1 pass, 4 lanes) or "owasp" (19 MiB, 2 passes, 1 lane). Or `memory` in KiB, `passes` and `lanes`, argon2's m, t and p, of
    which those left out are the default's; small ones are for tests. Passwords are prepared as RFC 8265 section 4.2 says (NFC,
    every space a plain one), and may have at most `max_bytes` bytes of UTF-8. `random`: so many bytes that nobody can guess.

    `pepper`: a secret of at least 32 bytes, without which the stolen hashes are worth nothing; None: there is none. New hashes
    take its current value; the previous one verifies until its end, and the pending one already. Hashes without a pepper go
    on verifying. `needs_rehash` says which are to be made anew, which is possible at a login only: a hash whose pepper was
    retired before its user came back matches nothing any more, so keep the previous one for months, not hours.

    `also`: hashes that another system made, which verify until a login replaces them: "bcrypt", "django", "django-bcrypt",
    "werkzeug", "passlib", "passlib-bcrypt", "sha512-crypt", "node-scrypt", "node-scrypt-text-salt", or an `OlderHash`.
    `insecure_also`: those whose passwords can be searched for fast, "django-pbkdf2-sha1", "django-sha1", "django-md5",
    "werkzeug-pbkdf2-sha1" or `HandbookSha256(salt=...)`: each is an open door until its user logs in. What is not named matches
    nothing. No pepper is in any of them.

    `min_length`: characters of a new password. `breached`: called with a new one, sync or async, it says whether that is known
    to attackers. If it fails, no password is set (503), unless `breached_on_error="insecure_allow"`.

    Raises: `ConfigurationError` for parameters that argon2 does not have, for a pepper that is too short or a sample, for a
    name that is not one of these, and where the package that a kind of hash needs is missing.
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        memory: int | None = None,
        passes: int | None = None,
        lanes: int | None = None,
        max_bytes: int = MAX_BYTES,
        min_length: int = 8,
        pepper: AnyPepper | None = None,
        also: Iterable[str | OlderHash] = (),
        insecure_also: Iterable[str | OlderHash] = (),
        breached: Breached | None = None,
        breached_on_error: str = "deny",
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        peppered, secret = pepper is not None, None if pepper is None else secret_of(pepper)
        del pepper  # what is raised below may be shown with its locals
        self._pepper = Pepper(secret) if peppered else None
        self._work = _argon2.work_of(profile, memory, passes, lanes)
        if type(max_bytes) is not int or not 64 <= max_bytes < 2**20:
            raise ConfigurationError("max_bytes is a whole number of at least 64")
        self._new = NewPassword(min_length, breached, breached_on_error)
        self._older = chosen(also, insecure_also)
        self._max_bytes = max_bytes
        self._random = random
        self._nobody: str | None = None
        self._other: str | None = None

    def acceptable(self, password: str) -> bool:
        """Whether `password` can be one at all: not empty, not too long, no controls, no lone surrogates."""
        return self._prepared(password) is not None

    async def refusing(self, password: str, username: str | None = None) -> str | None:
        """Why `password` cannot become the new one of `username`, or None: for an endpoint's own coroutine.

        "password_not_acceptable": it can be none at all, or is the user name. "password_too_short", "password_breached".
        Raises: `Unavailable` if `breached` fails; `ConfigurationError` if it is async and the host is sync.
        """
        prepared = self._prepared(password)
        return "password_not_acceptable" if prepared is None else await self._new.refusing(prepared.decode(), username)

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
        return prefix + _argon2.hashed(prepared, self._random(_argon2.SALT_BYTES), self._work)

    def verify(self, password: str, stored: str | None, username: str | None = None) -> bool:
        """Whether `stored` is the hash of `password`. `username`: as it was typed, for the hashes that it is part of.

        No hash at all, one that cannot be read, and one under a pepper that is not known (or no longer) cost the same work as
        a good one and match nothing. Whatever matches nothing has the pepper read once more, at most once in its cooldown: it
        may have been rotated, and that, too, shall say nothing of who exists. A password that is not `acceptable` costs none
        of it, whoever it is said to be of.

        A hash that does not match, of an older kind or of other parameters than today's, costs its own work and today's. From
        the first of them that this process sees, everybody else's login that fails costs that, too: a clock then tells nobody
        apart, unless some of these hashes are dearer than others, and not in the first such login of a process.
        Raises: `Unavailable` if argon2 cannot have its memory or threads, or the pepper cannot be read, whoever it is.
        """
        return run(self._verifying(password, stored, username))

    async def verifying(self, password: str, stored: str | None, username: str | None = None) -> bool:
        """`verify` for an endpoint's own coroutine: a thread that hashes waits for no secret."""
        if type(self).verify is not PasswordHasher.verify or "verify" in vars(self):  # a subclass's
            await self.warm()
            more = () if self._older is None else (username,)
            return await blocking(self.verify, password, stored, *more, pool="hash")
        return await self._verifying(password, stored, username)

    async def _verifying(self, password: str, stored: str | None, username: str | None) -> bool:
        prepared = self._prepared(password)
        if prepared is None:
            return False
        needs("argon2.low_level")
        if type(stored) is not str:  # bytes, say, of a table that is not ours
            stored = None
        # Who made an older hash took the password as it came; somebody may type it on another keyboard now.
        typed = (prepared,) if self._older is None else tuple(dict.fromkeys((password.encode(), prepared)))
        pepper = self._pepper
        if pepper is None:
            return await blocking(self._matches, prepared, typed, username, stored, None, pool="hash")
        keys = await pepper.load()
        if await blocking(self._matches, prepared, typed, username, stored, keys, pool="hash"):
            return True
        # The same steps for whatever failed, in the same order: a user of a pepper that is not known here is told by no clock.
        if not await pepper.look_again(keys):
            return False
        return await blocking(self._matches, prepared, typed, username, stored, await pepper.load(), pool="hash")

    def _matches(
        self, prepared: bytes, typed: tuple[bytes, ...], username: str | None, stored: str | None, keys: Keys | None
    ) -> bool:
        """Whether they match. What does not costs as much as everything else that does not."""
        id, hashed = (None, "") if stored is None else split(stored)
        key = None if keys is None else keys.current if id is None else keys.by_id.get(id)
        sealed = prepared if key is None else key.mac(prepared)
        outcome, todays, older = None, True, None
        if _argon2.is_readable(hashed, self._work) and (id is None or key is not None):
            outcome = _argon2.verify(prepared if id is None else sealed, hashed)
            if outcome:
                if id is not None and self._pepper is not None and key is not None:
                    self._pepper.note_use(key)
                return True
            todays = _argon2.work_in(hashed) == self._work
        if self._older is not None and outcome is None and stored is not None:
            older = self._older.matches(typed, username, stored)
            if older:
                return True
        # From here it takes as long for everybody: today's work, that of a hash of other parameters, and that of an older one.
        if outcome is None or not todays:
            _argon2.verify(sealed, self._dummy())
        if outcome is not None and not todays:
            self._other = self._dummy_of(_argon2.work_in(hashed))
        elif self._other is not None:
            _argon2.verify(sealed, self._other)
        if self._older is not None and older is None:
            self._older.pretend(typed, username)
        return False

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored`, which has just been verified, was made with another pepper or other parameters than `hash` would
        take now, or by another system. No I/O: it goes by what is known of the pepper since it was last read."""
        id, hashed = split(stored)
        if self._pepper.is_outdated(id) if self._pepper is not None else id is not None:
            return True
        return not _argon2.is_readable(hashed, self._work) or not _argon2.is_todays(hashed, self._work)

    def kind(self, stored: str) -> str | None:
        """What made `stored`: "argon2id", "argon2i", "argon2d", or the name of an older kind. None: it matches nothing here.
        Whether there is a pepper in it, and which, is not looked at."""
        hashed = split(stored)[1]
        if _argon2.is_readable(hashed, self._work):
            return hashed[1:].partition("$")[0]
        return None if self._older is None else self._older.kind(stored)

    async def warm(self) -> None:
        """Have the pepper at hand, for a guard's own coroutine: `hash` then waits for nothing but argon2.

        Raises: `ConfigurationError` if the pepper is unfit, `SecretNotFound`, `Unavailable`.
        """
        if self._pepper is not None:
            await self._pepper.load()

    def _dummy(self) -> str:
        """A well-formed hash under today's parameters that nothing is known to match."""
        if self._nobody is None:
            self._nobody = self._dummy_of(self._work)
        return self._nobody

    def _dummy_of(self, work: _argon2.Work) -> str:
        return _argon2.dummy(work, self._random(_argon2.SALT_BYTES), self._random(_argon2.HASH_BYTES))

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
