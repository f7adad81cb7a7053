"""The endpoints for people who have forgotten their password: a token goes to them, and sets another one, once."""

from __future__ import annotations

import os

from ..decision import Deny, _set, _Value
from ..errors import ConfigurationError
from ..http import Response
from ._aside import finished
from ._bodies import texts
from ._bound import RESET, bound_to, bound_user, is_bound, owner_of
from ._flow_limits import parsed, too_many
from ._onetime import LONGEST, OneTime
from ._people import UnknownUser
from ._sending import Sending
from ._serving import note_client, note_principal
from .names import canonical
from .users import User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..http import Request
    from ..stores import Rate
    from ._accounts import Accounts


class PasswordReset(_Value):
    """How people get another password who have forgotten theirs: `send(user, token)` writes to them, and `ttl` seconds long,
    until it is used or replaced by a newer one, the token sets a new one.

    `send` is called behind the answer, on a thread of authkit's, and what it raises is logged by its type. On AWS Lambda it is
    called before the answer, which is held back for `at_least` seconds, for names that exist and names that do not: a `send`
    that puts into a queue is done sooner, one that takes longer tells who exists by the clock.

    `account`, `address`: how often a token may be asked for, for one account and from one network; `confirm`: how often one may
    be tried from one network. Each a limit or several, as in `rate_limit`. `random`: so many bytes that nobody can guess.
    Raises: `ConfigurationError`.
    """

    __slots__ = ("send", "ttl", "at_least", "account", "address", "confirm", "random")
    send: Callable[[User, str], Any]
    ttl: int
    at_least: float
    account: tuple[Rate, ...]
    address: tuple[Rate, ...]
    confirm: tuple[Rate, ...]
    random: Callable[[int], bytes]

    def __init__(
        self,
        send: Callable[[User, str], Any],
        *,
        ttl: int = 900,
        at_least: float = 1.0,
        account: str | Iterable[str] = ("5/hour", "20/day"),
        address: str | Iterable[str] = ("10/minute", "60/hour", "200/day"),
        confirm: str | Iterable[str] = ("30/minute", "300/hour", "1000/day"),
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        Sending(send, "send_reset", at_least=at_least)
        if type(ttl) is not int or not 60 <= ttl <= LONGEST:
            raise ConfigurationError(f"PasswordReset: ttl is a whole number of seconds from 60 to {LONGEST}")
        _set(self, "send", send)
        _set(self, "ttl", ttl)
        _set(self, "at_least", at_least)
        _set(self, "random", random)
        for what, given in (("account", account), ("address", address), ("confirm", confirm)):
            _set(self, what, parsed(f"PasswordReset: {what}", given))


class Resets:
    """Asking for a token, and using it. Whatever is wrong with one, the answer is the same bytes."""

    def __init__(self, accounts: Accounts, settings: PasswordReset) -> None:
        accounts._people.must_update()
        self._accounts = accounts
        self._asked = accounts._flow("reset", settings.address, settings.account)
        self._tried = accounts._flow("reset-confirm", settings.confirm)
        store, clock, random = accounts._store, accounts._clock, settings.random
        self._once = OneTime(store, RESET, settings.ttl, clock=clock, random=random)
        self._nobodys = OneTime(store, "reset-nobody", 1, clock=clock, random=random)  # as much work, and soon forgotten
        self._sending = Sending(settings.send, "send_reset", at_least=settings.at_least)

    async def reset(self, request: Request) -> Response | Deny:
        """POST {"username"}: 202, whether or not there is such a user, or 429."""
        accounts = self._accounts
        forged = accounts._sent.forged(request)
        if forged is not None:
            return forged
        (username,) = texts(request, "username")
        address = await accounts._address(request)
        note_client(request, address)
        name = canonical(username)
        wait = await self._asked.wait(accounts._network(address), name)
        if wait:
            return too_many(wait)
        user = await accounts._people.find(name)
        if user is not None and (user.disabled or user.password_hash is None):
            user = None  # who cannot log in with a password has none to forget
        about, once = (User(name or "-"), self._nobodys) if user is None else (user, self._once)
        token = await once.issue(bound_to(accounts, about), owner=owner_of(accounts, about))
        if user is not None:
            note_principal(request, accounts._principal_of(user))
        await self._sending.go(request, user, token)
        return Response(202)

    async def confirm(self, request: Request) -> Response | Deny:
        """POST {"token", "new_password"}: 204, and every session of the user is ended; 400 or 429. What can be no new password
        uses no token up."""
        accounts = self._accounts
        token, new = texts(request, "token", "new_password")
        address = await accounts._address(request)
        note_client(request, address)
        wait = await self._tried.wait(accounts._network(address))
        if wait:
            return too_many(wait)
        data = await self._once.read(token)
        if data is None:
            return _refused("reset_token_unknown")
        user = await bound_user(accounts, data)
        if user is None or user.password_hash is None:
            return _refused("reset_token_outdated")
        note_principal(request, accounts._principal_of(user))
        refused = await accounts._people.refusal(new, user.username)
        if refused is not None:
            return Deny(400, refused)
        hashed = await accounts._people.hashed(new)  # before anything is used up: it may be refused for want of a place
        return await finished(self._used(token, user, hashed, address))

    async def _used(self, token: str, user: User, hashed: str, address: str | None) -> Response | Deny:
        """Of all who bring this token, one comes through; and then to the end, whoever still waits for it."""
        accounts = self._accounts
        data = await self._once.redeem(token)
        if data is None:
            return _refused("reset_token_used")

        def still(row: User) -> bool:
            return row.password_hash is not None and is_bound(accounts, row, data)

        try:
            user = await accounts._people.put_password(user.username, hashed, still)
        except UnknownUser:
            return _refused("reset_token_outdated")
        await accounts._proved(user, address)  # or a stranger who goes on guessing would keep them from logging in
        await accounts._tell("password_changed", user)
        return Response(204)


def _refused(reason: str) -> Deny:
    return Deny(400, "invalid_reset_token", reason=reason)  # the same bytes for every cause
