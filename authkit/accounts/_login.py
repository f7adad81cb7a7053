"""Whose name and password these are: limited first, then looked up, hashed whoever it is, and moved to today's hash."""

from __future__ import annotations

from .._run import blocking
from ..address import parse
from ..decision import _set, _Value
from ..errors import InvalidCredentials
from ._aside import finished
from ._people import RegistrationRefused
from .names import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._attempts import Attempt, Attempts
    from ._people import People
    from .passwords import PasswordHasher
    from .users import User


class Judged(_Value):
    """What came of a name and a password: `user`, if there is one; `reason`, unless it may log in."""

    __slots__ = ("user", "reason")
    user: User | None
    reason: str | None

    def __init__(self, user: User | None, reason: str | None = None) -> None:
        _set(self, "user", user)
        _set(self, "reason", reason)


class Login:
    """Judges names and passwords. `attempts`: the limits, or None. `creates`: a name that nobody has is registered."""

    def __init__(self, people: People, hasher: PasswordHasher, attempts: Attempts | None, *, creates: bool) -> None:
        self._people = people
        self._hasher = hasher
        self._attempts = attempts
        self._creates = creates

    async def authenticate(self, username: str, password: str, client: str | None) -> User:
        """Raises: `InvalidCredentials`, of it `TooManyAttempts`; `Unavailable`."""
        judged = await self.judge(username, password, client)
        if judged.reason is not None or judged.user is None:
            raise InvalidCredentials(judged.reason)
        return judged.user

    async def judge(self, username: str, password: str, client: str | None) -> Judged:
        """What comes of it, if there has not been too much of it: 0 hashes for who is over the limit.

        Raises: `TooManyAttempts`; `Unavailable`.
        """
        name = canonical(username)
        attempts = self._attempts
        if attempts is None:
            return (await self._judge(username, password))[0]
        network = None if client is None else _network(client, attempts.limits.ipv6_prefix)
        attempt = None if attempts.blocks else attempts.begin(name, network)
        return await finished(self._settled(attempts, attempt, name, network, username, password))

    async def _settled(
        self,
        attempts: Attempts,
        attempt: Attempt | None,
        name: str | None,
        network: str | None,
        username: str,
        password: str,
    ) -> Judged:
        """Judge it, and count it by its result, whoever still waits for that."""
        if attempt is None:
            attempt = await blocking(attempts.begin, name, network)
        try:
            judged, created = await self._judge(username, password)
        except Exception:  # it was not judged
            await self._counting(attempts, attempt.undo)
            raise
        # A name that is made on the way counts like a wrong password: else whoever likes fills the table.
        if judged.reason is None and not created:
            await self._counting(attempts, attempt.succeeded)
        return judged

    async def _counting(self, attempts: Attempts, fn: Callable[[], None]) -> None:
        if attempts.blocks:
            await blocking(fn)
        else:
            fn()

    async def _judge(self, username: str, password: str) -> tuple[Judged, bool]:
        """What comes of it; and whether there was no such user before."""
        name = canonical(username)
        user = await self._people.find(name)
        matches = await self._hasher.verifying(password, None if user is None else user.password_hash, username)
        if user is None and name is not None and self._creates:
            try:
                return Judged(await self._people.register(name, password, (), ())), True
            except RegistrationRefused as error:
                if error.reason != "username_taken":
                    return Judged(None, error.reason), False
            user = await self._people.find(name)  # somebody was faster: this is a login like any other
            matches = await self._hasher.verifying(password, None if user is None else user.password_hash, username)
        if user is None:
            return Judged(None, "user_unknown"), False
        if matches is not True:
            return Judged(user, "password_wrong"), False
        if user.disabled:  # after the work, so that it takes as long
            return Judged(user, "user_disabled"), False
        return Judged(await self._rehashed(user, password)), False

    async def _rehashed(self, user: User, password: str) -> User:
        """The user, whose password this is, with a hash as it would be made today. That it cannot be is no reason to refuse."""
        stored = user.password_hash
        if stored is None or not self._people.can_update or not self._hasher.needs_rehash(stored):
            return user
        try:
            renewed = user.changed(password_hash=await self._people.hashed(password))
            # What is replaced is this very user: a password that was changed meanwhile stays changed.
            replaced = await self._people.update(user, renewed)
        except Exception as error:  # the message may be anybody's: only its kind is told
            import logging

            logging.getLogger("authkit.accounts").warning("a hash could not be made anew: %s", type(error).__name__)
            return user
        return renewed if replaced else user


def _network(client: str, prefix: int) -> str:
    """What of an address counts as one; a text that is no address counts as it is."""
    address = parse(client)
    if address is None:
        return "?" + client[:64]
    if address.bits == 32 or "/" not in address.bucket:  # IPv4, or IPv4 behind NAT64
        return address.bucket
    return f"{address.value >> 128 - prefix:x}::/{prefix}"
