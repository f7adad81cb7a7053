"""Who there is: `User`, the `Users` protocol, and `MemoryUsers`."""

from __future__ import annotations

import threading

from ..decision import _set, _Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol
else:
    Protocol = object


class User(_Value):
    """One account. `username` is canonical. `subject` is what its tokens are about: unique for ever, by default the user name.

    `password_hash` is in no repr. A `disabled` user, or one without a hash, cannot log in.
    """

    __slots__ = ("username", "subject", "password_hash", "roles", "scopes", "disabled")
    username: str
    subject: str
    password_hash: str | None
    roles: frozenset[str]
    scopes: frozenset[str]
    disabled: bool

    def __init__(
        self,
        username: str,
        *,
        password_hash: str | None = None,
        subject: str | None = None,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        disabled: bool = False,
    ) -> None:
        if isinstance(roles, str) or isinstance(scopes, str):
            raise TypeError("roles and scopes are collections of names, not one string")
        _set(self, "username", username)
        _set(self, "subject", username if subject is None else subject)
        _set(self, "password_hash", password_hash)
        _set(self, "roles", frozenset(roles))
        _set(self, "scopes", frozenset(scopes))
        _set(self, "disabled", disabled)

    def with_hash(self, password_hash: str) -> User:
        """The same account with another hash of its password."""
        return User(
            self.username,
            password_hash=password_hash,
            subject=self.subject,
            roles=self.roles,
            scopes=self.scopes,
            disabled=self.disabled,
        )

    def __repr__(self) -> str:
        return f"User({self.username!r}{', disabled' if self.disabled else ''})"


class Users(Protocol):
    """A table of users. Names arrive canonical. May block: `Accounts` calls it off the event loop, unless `in_place` is True.

    Optional: `replace_hash(username, old, new) -> bool`, which puts `new` in the place of the hash `old` in one atomic step;
    False, and nothing changed, if the hash is another by now or there is no such user. With it, a login moves a hash to
    today's parameters and pepper; without it, a hash stays as it is.

    Raises: `Unavailable` where the table cannot be reached.
    """

    def find(self, username: str) -> User | None:
        """The user of exactly this canonical name, or None."""

    def add(self, user: User) -> bool:
        """Add `user` in one atomic step; False, and nothing changed, if the name is taken."""
        raise NotImplementedError


class MemoryUsers:
    """Users of this process, gone when it ends: for demos and tests."""

    in_place = True

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._lock = threading.Lock()

    def find(self, username: str) -> User | None:
        return self._users.get(username)

    def add(self, user: User) -> bool:
        with self._lock:
            return self._users.setdefault(user.username, user) is user

    def replace_hash(self, username: str, old: str, new: str) -> bool:
        with self._lock:
            user = self._users.get(username)
            if user is None or user.password_hash != old:
                return False
            self._users[username] = user.with_hash(new)
            return True
