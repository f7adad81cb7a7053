"""The table of users, asked and changed: each change is one atomic step, and takes from the user what was given before it."""

from __future__ import annotations

from .._audit import once
from .._run import blocking
from ..errors import Unavailable, _Rejected
from .names import canonical
from .users import User, method

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..tokens import Tokens
    from .passwords import PasswordHasher
    from .users import Users

_ROUNDS = 20  # how often a change is tried anew because the row has become another


class RegistrationRefused(_Rejected):
    """This user cannot be registered. `reason`: `username_not_acceptable`, `username_taken`, or why the password cannot be."""

    default_reason = "username_not_acceptable"


class PasswordRefused(_Rejected):
    """This can be no new password. `reason`: `password_not_acceptable`, `password_too_short` or `password_breached`."""

    default_reason = "password_not_acceptable"


class UnknownUser(_Rejected):
    """There is no user of this name."""

    default_reason = "user_unknown"


class People:
    """Who there is, in `users`; whose tokens are `tokens`. `clock`: epoch seconds."""

    def __init__(self, users: Users, tokens: Tokens, hasher: PasswordHasher, clock: Callable[[], float]) -> None:
        self._users = users
        self._in_place = getattr(users, "in_place", False) is True
        self._tokens = tokens
        self._hasher = hasher
        self._clock = clock
        self.can_update = callable(getattr(users, "update", None))

    async def find(self, name: str | None) -> User | None:
        """The user of exactly this canonical name; of None, which nobody can have, there is none.

        A table whose collation takes letters for one another would find one user by many names, each with limits of its own.
        """
        user: User | None = None if name is None else await self._asking(self._users.find, name)
        if user is not None and user.username != name:
            once("users.find has found a user of another name than it was asked for: it has to compare exactly")
            return None
        return user

    async def update(self, old: User, new: User) -> bool:
        """`new` in the place of exactly `old`. Raises: `ConfigurationError` if the table has no `update`."""
        return await self._asking(method(self._users, "update"), old, new) is True

    def must_update(self) -> None:
        """Raises: `ConfigurationError` if the table has no `update`."""
        method(self._users, "update")

    async def register(self, username: str, password: str, roles: Iterable[str], scopes: Iterable[str]) -> User:
        """Raises: `RegistrationRefused`; `ValueError` for roles and scopes no token can say; `Unavailable`."""
        name = canonical(username)
        if name is None:
            raise RegistrationRefused("username_not_acceptable")
        user = User(name, roles=roles, scopes=scopes)
        _check_names(user)
        refused = await self.refusal(password, name)
        if refused is not None:
            raise RegistrationRefused(refused)
        user = user.changed(password_hash=await self.hashed(password), password_changed=self._now())
        if await self._asking(self._users.add, user) is not True:
            raise RegistrationRefused("username_taken")
        return user

    async def refusal(self, password: str, name: str) -> str | None:
        """Why this can be no new password of that user, or None."""
        return await self._hasher.refusing(password, name)

    async def hashed(self, password: str) -> str:
        await self._hasher.warm()
        return await blocking(self._hasher.hash, password, pool="hash")

    async def set_password(self, username: str, password: str) -> User:
        """Raises: `UnknownUser`, `PasswordRefused`; `ConfigurationError` if the table has no `update`; `Unavailable`."""
        name = canonical(username)
        self.must_update()
        if name is None or await self.find(name) is None:
            raise UnknownUser
        refused = await self.refusal(password, name)
        if refused is not None:
            raise PasswordRefused(refused)
        hashed = await self.hashed(password)

        return await self.put_password(name, hashed, lambda _: True)

    async def put_password(self, name: str, hashed: str, still: Callable[[User], bool]) -> User:
        """Put this hash of a new password in the place of the one that is there, and end the sessions.

        Raises: `UnknownUser` if there is no such user, or `still` is False of it by now; others as `set_password`.
        """

        def renewed(user: User) -> User:
            if user.password_hash == hashed:  # it was put there already, and the answer was lost
                return user
            if not still(user):
                raise UnknownUser
            now = self._now()
            before = user.password_changed
            # What was issued under the old password carries its moment: two passwords never have the same one.
            return user.changed(password_hash=hashed, password_changed=now if before is None or now > before else before + 1e-3)

        user = await self._change(name, renewed)
        await self._tokens.revoking_subject(user.subject)
        return user

    async def disable(self, username: str) -> User:
        """Raises: `UnknownUser`; `ConfigurationError` if the table has no `update`; `Unavailable`."""
        user = await self._change(canonical(username), lambda user: user.changed(disabled=True))
        await self._tokens.revoking_subject(user.subject)
        return user

    async def enable(self, username: str) -> User:
        """Raises: `UnknownUser`; `ConfigurationError` if the table has no `update`; `Unavailable`."""
        return await self._change(canonical(username), lambda user: user.changed(disabled=False))

    async def remove_factors(self, username: str) -> User:
        """Raises: `UnknownUser`; `ConfigurationError` if the table has no `update`; `Unavailable`."""
        return await self._change(canonical(username), lambda user: user.changed(factors=None))

    async def delete(self, username: str) -> User:
        """Raises: `UnknownUser`; `ConfigurationError` if the table has no `update` or `remove`; `Unavailable`."""
        remove = method(self._users, "remove")
        # Nobody logs in between the end of the tokens and that of the user, and what fails half-way can be done again.
        user = await self.disable(username)
        await self._asking(remove, user.username)
        return user

    async def _change(self, name: str | None, changed: Callable[[User], User]) -> User:
        self.must_update()
        for _ in range(_ROUNDS):
            old = await self.find(name)
            if old is None:
                raise UnknownUser
            new = changed(old)
            if new == old or await self.update(old, new):
                return new
        raise Unavailable("somebody else goes on changing this user")

    def _now(self) -> float:
        """As tables give it back: what is issued is bound to its text."""
        return float(self._clock())

    async def _asking(self, fn: Callable[..., Any], *args: Any) -> Any:
        return fn(*args) if self._in_place else await blocking(fn, *args)


def _check_names(user: User) -> None:
    """Raises: `ValueError` for what would fail at each login."""
    from ..tokens.issue import payload_segment

    payload_segment({"sub": user.subject}, user.scopes, user.roles, {})
