"""Who there is: `User`, the `Users` protocol, and `MemoryUsers`."""

from __future__ import annotations

import threading

from ..decision import _set, _Value
from ..errors import ConfigurationError
from .names import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builtins import list as List
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn, Protocol
else:
    Protocol = object

NOT_CANONICAL = "a user is kept by its canonical name, or no login finds it: authkit.accounts.names.canonical gives it"
NOT_ITS_OWN = "the subject of a user is no other user's subject or name"


class User(_Value):
    """One account. `username` is canonical. `subject` is what its tokens are about: unique for ever, by default the user name.

    A `disabled` user, or one without a `password_hash`, cannot log in. `password_changed`: epoch seconds of the moment when
    the password was set; a hash that is merely made anew leaves it. `factors`: a second factor, sealed, as opaque text.

    Two users are equal if every field is: `Users.update` compares by that. Neither hash nor factors are in any repr, and a user
    refuses to be pickled: into a cache or a session goes its name.
    """

    __slots__ = ("username", "subject", "password_hash", "roles", "scopes", "disabled", "password_changed", "factors")
    username: str
    subject: str
    password_hash: str | None
    roles: frozenset[str]
    scopes: frozenset[str]
    disabled: bool
    password_changed: float | None
    factors: str | None

    def __init__(
        self,
        username: str,
        *,
        password_hash: str | None = None,
        subject: str | None = None,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        disabled: bool = False,
        password_changed: float | None = None,
        factors: str | None = None,
    ) -> None:
        if isinstance(roles, str) or isinstance(scopes, str):
            raise TypeError("roles and scopes are collections of names, not one string")
        _set(self, "username", username)
        _set(self, "subject", username if subject is None else subject)
        _set(self, "password_hash", password_hash)
        _set(self, "roles", frozenset(roles))
        _set(self, "scopes", frozenset(scopes))
        _set(self, "disabled", disabled)
        _set(self, "password_changed", password_changed)
        _set(self, "factors", factors)

    def changed(self, **fields: Any) -> User:
        """The same account with these fields instead: `user.changed(disabled=True)`. Raises: `TypeError` for another field."""
        return User(**{**dict(zip(self.__slots__, self._fields(), strict=True)), **fields})

    def __repr__(self) -> str:
        return f"User({self.username!r}{', disabled' if self.disabled else ''})"

    def __copy__(self) -> User:
        return self

    def __deepcopy__(self, _: object) -> User:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a User is not pickled, because it holds a hash: keep its name, and find it again")


class Users(Protocol):
    """A table of users. Names arrive canonical. May block: `Accounts` calls it off the event loop, unless `in_place` is True.

    `find` and `add` are all that logging in and registering need. The methods of `UserTable` are optional, one by one: what
    needs one that is not there is a `ConfigurationError` that names it.

    Raises: `Unavailable` where the table cannot be reached.
    """

    def find(self, username: str) -> User | None:
        """The user of exactly this canonical name, or None."""

    def add(self, user: User) -> bool:
        """Add `user` in one atomic step; False, and nothing changed, if the name is taken, or the subject is another's.

        Who registers has the name as subject: if that is somebody's already, every handler would take one for the other.
        Whoever adds users without `Accounts` canonicalises their names first; the tables here raise `ValueError` for others.
        """
        raise NotImplementedError


class UserTable(Users, Protocol):
    """A table of users that can do everything: change, disable and delete users, and list them for the command line."""

    def update(self, old: User, new: User) -> bool:
        """Put `new` in the place of exactly `old`, in one atomic step. They have the same `username`.

        False, and nothing changed, if there is no such user or any field of it is another by now.
        """
        raise NotImplementedError

    def remove(self, username: str) -> bool:
        """Delete the user of this name; False if there is none."""
        raise NotImplementedError

    def list(self, after: str = "", limit: int = 100) -> List[User]:
        """At most `limit` users whose names come after `after`, sorted by name (by code point)."""
        raise NotImplementedError


def method(users: object, name: str) -> Callable[..., Any]:
    """An optional method of a table. Raises: `ConfigurationError` that names it, if the table has none."""
    found: Callable[..., Any] | None = getattr(users, name, None)
    if not callable(found):
        raise ConfigurationError(f"users has no method {name}, which this needs")
    return found


class MemoryUsers:
    """Users of this process, gone when it ends: for demos and tests."""

    in_place = True

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._owners: dict[str, str] = {}  # each name and each subject: whose it is
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "<MemoryUsers>"

    def find(self, username: str) -> User | None:
        return self._users.get(username)

    def add(self, user: User) -> bool:
        if canonical(user.username) != user.username:
            raise ValueError(NOT_CANONICAL)
        with self._lock:
            if user.username in self._owners or user.subject in self._owners:
                return False
            self._users[user.username] = user
            self._owners[user.username] = self._owners[user.subject] = user.username
            return True

    def update(self, old: User, new: User) -> bool:
        same_name(old, new)
        with self._lock:
            if self._users.get(old.username) != old:
                return False
            if self._owners.get(new.subject, old.username) != old.username:
                raise ValueError(NOT_ITS_OWN)
            self._forget(old)
            self._users[old.username] = new
            self._owners[new.username] = self._owners[new.subject] = new.username
            return True

    def remove(self, username: str) -> bool:
        with self._lock:
            user = self._users.pop(username, None)
            if user is not None:
                self._forget(user)
            return user is not None

    def _forget(self, user: User) -> None:
        for text in {user.username, user.subject}:
            del self._owners[text]

    def list(self, after: str = "", limit: int = 100) -> List[User]:
        with self._lock:
            names = sorted(name for name in self._users if name > after)[: max(0, limit)]
            return [self._users[name] for name in names]


def same_name(old: User, new: User) -> None:
    """Raises: `ValueError` if an update would give a user another name."""
    if old.username != new.username:
        raise ValueError("a user keeps its name: add the new one and remove the old one")
