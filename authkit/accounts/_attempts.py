"""How often somebody may try a password: judged before anything is hashed, and counted only if it was wrong."""

from __future__ import annotations

import time

from .._outage import Outage
from ..decision import _set, _Value
from ..errors import ConfigurationError, InvalidCredentials, StoreUnavailable
from ..stores import MemoryStore, Rate, Store
from ._flow_limits import whole
from ._known import Known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..stores import Limiter
    from ..stores._store import Taken

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/")
_NOWHERE = "no address"  # the network of all whose address nobody knows
_NOBODY = "-"  # stands for every name that can be nobody's; a digest has no such form


class TooManyAttempts(InvalidCredentials):
    """Too many wrong passwords: this one was not looked at. `retry_after`: whole seconds until one will be.

    An `InvalidCredentials`, so that who does not know of it lets nobody in.
    """

    default_reason = "too_many_attempts"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__()
        self.retry_after = max(1, retry_after)


class LoginLimits(_Value):
    """How many wrong passwords are looked at; each a limit or several, as in `rate_limit`, the longer ones the slower.

    - `account_here`: for an account from one network.
    - `account`: for an account from everywhere together, of which networks that it has logged in from in the last 30 days, the
      last 16 of them, are free. So whoever fails on purpose, from however many addresses, slows down new networks of that
      account while it goes on, and keeps nobody out who logs in from where they did before, or reset their password, unless
      it is done from there: who shares an address shares `account_here`.
    - `address`: for one network, over all accounts.

    Each further limit is reached after more failures and refills more slowly, so that delays grow: from one network the next
    attempt at an account comes after 12 seconds once 5 have failed; from there or from everywhere together after 3 minutes once
    20 have, after half an hour once 50 have, and after 100 minutes once 100 have. That is at most 100 guesses at a password
    in a day (as many as NIST SP 800-63B-4 allows in a row) and 200 in a week, from all networks that are not free for it.

    A network is an IPv4 address, or the first `ipv6_prefix` bits of an IPv6 one. `name`: accounts of one name and store are
    counted together. Nothing here ever locks an account: what is used up comes back by itself, so that the longest delay above
    is also the longest that anybody waits once a stranger stops; and who is logged in stays so.

    Raises: `ConfigurationError` for what is no limit.
    """

    __slots__ = ("account_here", "account", "address", "ipv6_prefix", "name")
    account_here: tuple[Rate, ...]
    account: tuple[Rate, ...]
    address: tuple[Rate, ...]
    ipv6_prefix: int
    name: str

    def __init__(
        self,
        *,
        account_here: str | Iterable[str] = ("5/minute", "20/hour", "50/day"),
        account: str | Iterable[str] = ("20/hour", "50/day", "100 per 7 days"),
        address: str | Iterable[str] = ("30/minute", "300/hour", "1000/day"),
        ipv6_prefix: int = 64,
        name: str = "login",
    ) -> None:
        for what, given in (("account_here", account_here), ("account", account), ("address", address)):
            rates = tuple(Rate.parse(text) for text in ((given,) if isinstance(given, str) else given))
            if not rates:
                raise ConfigurationError(f"LoginLimits: {what} is at least one limit")
            _set(self, what, rates)
        if type(ipv6_prefix) is not int or not 16 <= ipv6_prefix <= 128:
            raise ConfigurationError("LoginLimits: ipv6_prefix is a whole number from 16 to 128")
        if not (type(name) is str and 0 < len(name) <= 64 and _NAME.issuperset(name)):
            raise ConfigurationError("LoginLimits: name is 1 to 64 letters, digits and -_.:/")
        _set(self, "ipv6_prefix", ipv6_prefix)
        _set(self, "name", name)


class Attempt:
    """One attempt that may be made: what it took, to be given back if it is not to count."""

    __slots__ = ("_taken", "_note")

    def __init__(self, taken: list[tuple[Limiter, str]], note: Callable[[], None] | None) -> None:
        self._taken = taken
        self._note = note

    def undo(self) -> None:
        """It was not judged, or not wrong. A store that fails now has counted one too many, which comes back by itself."""
        taken, self._taken = self._taken, []
        try:
            for limiter, key in taken:
                limiter.give_back(key)
        except StoreUnavailable:
            pass

    def succeeded(self) -> None:
        """The password was right: nothing counts, and the account is known in this network."""
        self.undo()
        if self._note is not None:
            try:
                self._note()
            except StoreUnavailable:
                pass


class Attempts:
    """The limits in force. May block as its store does. While the store fails, this process counts for itself.

    `clock`: epoch seconds, by which networks are known for a month; limits go by the store's own.
    """

    def __init__(self, limits: LoginLimits, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.limits = limits
        self.blocks = store.blocks
        self._shared = _Counted(limits, store, clock)
        self._local = _Counted(limits, MemoryStore(), clock) if store.blocks or not isinstance(store, MemoryStore) else None
        self._outage = Outage("login limits", "this process counts for itself meanwhile")

    def begin(self, username: str | None, network: str | None) -> Attempt:
        """An attempt at the account of this canonical name (None: a name that nobody can have), from `network`, if known.

        All without a network are one, which no account is known in: to tell a stranger from its owner takes an address.
        Raises: `TooManyAttempts`, and nothing was taken.
        """
        name = _NOBODY if username is None else _digest(username)
        try:
            attempt = self._shared.begin(name, network)
        except StoreUnavailable as error:
            if self._local is None:
                raise
            self._outage.began(error)
            return self._local.begin(name, network)
        self._outage.ended()
        return attempt

    def proved(self, username: str, network: str | None) -> None:
        """Whoever has proved otherwise to be this user is known there, so that strangers who go on keep nobody out for ever."""
        if network is not None:
            try:
                self._shared.known.note(_digest(username), network)
            except StoreUnavailable:
                pass


class _Counted:
    """The three limits on one store."""

    def __init__(self, limits: LoginLimits, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self.known = Known(store, limits.name, clock)
        self._here, self._account, self._address = (
            _limiter(store, f"{limits.name}:{what}", rates)
            for what, rates in (("here", limits.account_here), ("account", limits.account), ("address", limits.address))
        )

    def begin(self, name: str, network: str | None) -> Attempt:
        knowable = network is not None and name != _NOBODY
        where = _NOWHERE if network is None else network
        taken: list[tuple[Limiter, str]] = []
        attempt = Attempt(taken, (lambda: self.known.note(name, where)) if knowable else None)
        asked = [(self._address, where), (self._here, f"{name} {where}")]
        if name != _NOBODY:  # such a name opens nothing: it is enough that its network is limited
            asked.append((self._account, name))
        try:
            # What is known here first: whoever was refused and goes on trying costs the store nothing.
            for ask in (_here, _there):
                waiting, asked = asked, []
                for limiter, key in waiting:
                    answer = ask(limiter, key)
                    if answer is None:
                        asked.append((limiter, key))
                    elif not answer[0]:
                        taken.append((limiter, key))
                    elif limiter is not self._account or not knowable or not self.known.has(name, where):
                        raise TooManyAttempts(whole(answer[0]))
        except BaseException:
            attempt.undo()
            raise
        return attempt


def _digest(username: str) -> str:
    from hashlib import blake2b

    return blake2b(username.encode(), digest_size=16).hexdigest()


def _here(limiter: Limiter, key: str) -> Taken | None:
    return limiter.take_here(key)


def _there(limiter: Limiter, key: str) -> Taken | None:
    return limiter.take(key)


def _limiter(store: Store, name: str, rates: tuple[Rate, ...]) -> Limiter:
    limiter = store.limiter(name, rates)
    if not store.blocks:
        return limiter
    from ..stores._refused import RefusalMemo

    return RefusalMemo(limiter)
