"""The users that a command is about: those of a table that a URL or a setting names, or those of a program."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ._exits import NotFound, Wrong
from ._store import shown, store_option
from ._table import table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..accounts import User
    from ..accounts._people import People
    from ..stores import Store

SETTING = "AUTHKIT_USERS"

users_option = click.option(
    "--users", "users_url", metavar="URL", help=f"sqlite:///PATH or dynamodb://TABLE; default {SETTING}."
)
app_option = click.option("--app", metavar="MODULE[:NAME]", help="The program that has the users: its Accounts, or its module.")


def revoking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What says where it is kept that tokens are revoked."""
    issuer = click.option("--issuer", metavar="URL", help="Whose tokens; default AUTHKIT_ISSUER.")
    return app_option(users_option(store_option(issuer(command))))


class Asked(NamedTuple):
    """The options that say which users are meant."""

    app: str | None
    users_url: str | None
    url: str | None = None  # of the store
    issuer: str | None = None


class Place(NamedTuple):
    """`users`: the table. `shown`: its URL, or the program. `does`: what changes users, as `Accounts` does."""

    users: Any
    shown: str
    does: Any


@contextmanager
def opened(asked: Asked, *, revoking: bool = False, make: bool = False) -> Iterator[Place]:
    """The users that are meant. `revoking`: their tokens are to end as well. `make`: a file that is not there is made.

    Raises: `Wrong`, `NotFound`, `ConfigurationError`.
    """
    if asked.app is not None:
        if asked.users_url is not None or asked.url is not None or asked.issuer is not None:
            raise Wrong("--users, --store and --issuer go without --app: a program says its own")
        yield _of_program(asked.app)
        return
    url, users = _table(asked.users_url, make)
    store, issuer = _kept(asked) if revoking else (None, "")
    try:
        yield Place(users, shown(url), _Settled(users, None if store is None else _Revoker(store, issuer)))
    finally:
        for file in (users, store):
            close = getattr(file, "close", None)
            if close is not None:
                close()


def named(name: str) -> str:
    """The canonical form of a name. Raises: `Wrong` for what can be none."""
    from ..accounts.names import canonical

    found = canonical(name)
    if found is None:
        raise Wrong("USERNAME can be no user name: it is empty or too long, or has a character that is not seen")
    return found


def every(users: Any, after: str, limit: int | None) -> list[User]:
    """All users whose names come after `after`, or so many of them. Raises: `ConfigurationError` if they cannot be listed."""
    from ..accounts.users import method

    ask = method(users, "list")
    found: list[User] = []
    while limit is None or len(found) < limit:
        page = ask(after, 500 if limit is None else min(500, limit - len(found)))
        if not page:
            break
        found += page
        after = page[-1].username
    return found


def _table(url: str | None, make: bool) -> tuple[str, Any]:
    from ..accounts import open_users

    return table_of(url, SETTING, "users", "--users, --app", open_users, None if make else "authkit users add")


def _kept(asked: Asked) -> tuple[Store, str]:
    """The store where revocations are kept, and whose tokens they are about."""
    from ..settings import get
    from ._store import place as store_at

    issuer = get("AUTHKIT_ISSUER") if asked.issuer is None else asked.issuer
    if not issuer:
        raise Wrong("whose tokens end? Give --issuer, as the service has it, or set AUTHKIT_ISSUER")
    found = store_at(asked.url)
    if not found.shared:
        raise Wrong("what is revoked in memory: is heard by no other process: name the store of the service")
    return found.store, issuer


def _of_program(app: str) -> Place:
    from ..accounts import Accounts
    from ._program import things_of

    found = list({id(thing): thing for thing in things_of(app) if isinstance(thing, Accounts)}.values())
    if not found:
        raise NotFound("the program has no Accounts there")
    if len(found) > 1:
        raise Wrong("the program has several Accounts there: say which, as module:name")
    return Place(found[0]._people._users, app, _Programs(found[0]))


class _Revoker:
    """Ends what a subject holds, without the key that the service signs with."""

    def __init__(self, store: Store, issuer: str) -> None:
        from ..tokens._tokens import MAX_LEEWAY, MAX_TTL
        from ..tokens.revocation import Revocations

        # How long the service's tokens may live is not known here: as long as any may.
        self._revocations = Revocations(store, issuer, MAX_LEEWAY, MAX_TTL, time.time)
        self._store, self._issuer = store, issuer

    def revoke_subject(self, subject: str) -> None:
        self._revocations.revoke_subject(subject)

    async def revoking_subject(self, subject: str) -> None:
        self.revoke_subject(subject)

    def forget(self, user: User) -> User:
        """What was sent to the user lets nobody in any more: kept where tokens are, unless the program says another place."""
        from .._run import run
        from ..accounts._bound import forget

        run(forget(self._store, self._issuer, user))
        return user


class _Settled:
    """Changes the users of a table, with the default `PasswordHasher`."""

    def __init__(self, users: Any, revoker: _Revoker | None) -> None:
        self._users, self._revoker = users, revoker

    def _people(self) -> People:
        from ..accounts import PasswordHasher
        from ..accounts._people import People

        tokens: Any = self._revoker
        return People(self._users, tokens, PasswordHasher(), time.time)

    def register(self, username: str, password: str, *, roles: Iterable[str], scopes: Iterable[str]) -> User:
        from .._run import run

        return run(self._people().register(username, password, roles, scopes))

    def disable(self, username: str) -> User:
        from .._run import run

        user = run(self._people().disable(username))
        return user if self._revoker is None else self._revoker.forget(user)

    def enable(self, username: str) -> User:
        from .._run import run

        return run(self._people().enable(username))

    def delete(self, username: str) -> User:
        from .._run import run

        user = run(self._people().delete(username))
        return user if self._revoker is None else self._revoker.forget(user)

    def revoke_subject(self, subject: str) -> None:
        assert self._revoker is not None
        self._revoker.revoke_subject(subject)


class _Programs:
    """Changes users as the program itself would, and tells whom that tells."""

    def __init__(self, accounts: Any) -> None:
        self.register, self.disable, self.enable, self.delete = (
            accounts.register,
            accounts.disable,
            accounts.enable,
            accounts.delete,
        )
        self.revoke_subject = accounts._tokens.revoke_subject
