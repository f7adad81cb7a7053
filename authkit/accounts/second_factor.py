"""`SecondFactor`: what a login wants besides the password, as a setting of `Accounts`."""

from __future__ import annotations

import os

from .._run import arun, run
from .._sealed import Seal
from ..decision import _set, _Value
from ..errors import ConfigurationError
from . import totp
from ._flow_limits import parsed
from ._reseal import resealed
from .pepper import secret_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import TypeAlias

    from ..stores import Rate
    from .pepper import AnyPepper
    from .users import User, Users

    Sender: TypeAlias = Callable[[User, str], None] | Callable[[User, str], Awaitable[None]]

LONGEST_AGE = 86_400  # seconds


class SecondFactor(_Value):
    """`Accounts(..., second_factor=SecondFactor(secret, issuer="Example"))`: a code of an authenticator app after the password.

    `seal`: a `Secret` of at least 32 bytes, under which the users' factors lie in their rows; after a rotation its previous
    value has to stay until `reseal` was called. `issuer`: the name that apps show. `required`: whoever has no factor must set
    one up before they get in; without it, whoever wants to.

    `send_code(user, code)`: sends eight digits by mail or SMS to everybody who has no app, at each login: then everybody has a
    second factor. `send_link(user, token)`: has the endpoints `link` and `link_confirm` log in by a one-time link instead of a
    password; it puts the token into an address of the application's own. Both may be coroutine functions where the host is
    async; what they raise is a 503.

    `limits`: how many wrong codes an account has, from everywhere together. What is used up comes back by itself; until then
    the right code is refused as well. `sends`: how many codes, and how many links, are sent to one account. `max_age`: seconds
    since a login (with the second factor, where there is one) in which factors may be changed. `window`: steps of 30 seconds by
    which the clocks may differ, 0 or 1.

    Raises: `ConfigurationError` for a setting that is none.
    """

    __slots__ = ("algorithm", "digits", "issuer", "limits", "max_age", "random", "required", "seal", "send_code", "send_link",
                 "sends", "window")  # fmt: skip
    algorithm: str
    digits: int
    issuer: str
    limits: tuple[Rate, ...]
    max_age: int
    random: Callable[[int], bytes]
    required: bool
    seal: Seal
    send_code: Sender | None
    send_link: Sender | None
    sends: tuple[Rate, ...]
    window: int

    def __init__(
        self,
        seal: AnyPepper,
        *,
        issuer: str,
        required: bool = False,
        send_code: Sender | None = None,
        send_link: Sender | None = None,
        limits: str | Iterable[str] = ("5 per 5 minutes", "15/hour", "30/day"),
        sends: str | Iterable[str] = ("5 per 15 minutes", "30/day"),
        max_age: int = 300,
        algorithm: str = "SHA1",
        digits: int = 6,
        window: int = 1,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        secret = secret_of(seal)
        del seal
        totp.settled(issuer, digits, algorithm)
        if type(required) is not bool:
            raise ConfigurationError("required is True or False")
        for name, sender in (("send_code", send_code), ("send_link", send_link)):
            if sender is not None and not callable(sender):
                raise ConfigurationError(f"{name} is a function of a user and a text")
        if type(window) is not int or not 0 <= window <= totp.WINDOW:
            raise ConfigurationError("window is 0 or 1")
        if type(max_age) is not int or not 1 <= max_age <= LONGEST_AGE:
            raise ConfigurationError(f"max_age is a whole number of seconds from 1 to {LONGEST_AGE}")
        _set(self, "limits", parsed("limits", limits))
        _set(self, "sends", parsed("sends", sends))
        _set(self, "seal", Seal(secret, random))
        _set(self, "issuer", issuer)
        _set(self, "required", required)
        _set(self, "send_code", send_code)
        _set(self, "send_link", send_link)
        _set(self, "max_age", max_age)
        _set(self, "algorithm", algorithm)
        _set(self, "digits", digits)
        _set(self, "window", window)
        _set(self, "random", random)

    def reseal(self, users: Users) -> int:
        """After a rotation of `seal`: every user's factors are sealed anew under the current value, and then the previous one
        may go. Gives how many were. Logins go on meanwhile.

        Raises: `ConfigurationError` if `users` has no `list` or `update`; `Unavailable`, when some are done: it can be done
        again. Of it `Unsealable` where some open under no value there is, and all others are done.
        """
        return run(resealed(self.seal, users))

    async def areseal(self, users: Users) -> int:
        """As `reseal`, on an event loop."""
        return await arun(resealed(self.seal, users))

    def __repr__(self) -> str:
        return f"<SecondFactor of {self.issuer!r}>"
