"""`Accounts`: registering, authenticating, changing, and the endpoints that serve people."""

from __future__ import annotations

import time

from .. import _verifiers
from .._paths import is_ambiguous
from .._recorded import ON_PURPOSE
from .._run import arun, run
from ..address import ClientAddress
from ..endpoint import Endpoint, route
from ..errors import ConfigurationError
from ..stores import Store
from ._answers import Answers
from ._attempts import Attempts, LoginLimits
from ._cors import Cors
from ._inside import Inside
from ._login import Login
from ._password_change import PasswordChange
from ._people import People
from ._sent import Sent
from ._serving import Served
from ._sessions import Sessions
from .cookies import Cookies
from .passwords import PasswordHasher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..endpoint import Answer
    from ..http import Request
    from ..tokens import Tokens
    from ._registration import Registration
    from ._reset import PasswordReset
    from .second_factor import SecondFactor
    from .users import User, Users


class Accounts(Inside):
    """People with passwords: `users` keeps them, `tokens`, which wants a store, says who has logged in.

    `login`, `verify`, `refresh`, `logout` and `jwks` are endpoints for any host, `app` is all of them by path, below `prefix`.
    Passwords are hashed off the event loop, a few at a time; past that, `Unavailable` (503).

    Wrong passwords are limited, for an account and for a network: `limits` says how many, `store` where they are counted (by
    default where the tokens are kept; a store that fails is stood in for by this process). Past them nothing is hashed, and the
    answer is 429 with `Retry-After`, the same for names that exist and names that do not. Right ones are never counted, so that
    a test may log in as often as it likes; one that fails often takes `limits=LoginLimits(account_here="1000/second", ...)`, or
    `insecure_unlimited=True`, which lets anybody guess as fast as the machine hashes. While it is being looked at, a right
    one counts too: of one account and network, so many as may fail at once. `client`: how an address is found.

    `create_on_first_login`: a name that nobody has is registered by its first login, which counts against the limits like a
    wrong password. Whoever comes first has the name, and everybody can see which names are taken.

    `cookies`: tokens travel in cookies that no script reads, and in no body. `cors`: the other origins whose scripts may read
    what the endpoints answer, each like 'https://app.example.com'; with cookies they are also trusted not to be forgers.

    `password` is the endpoint where somebody who is logged in changes theirs, which wants `users` to have `update`.
    `registration`: True, or a `Registration` with limits of its own: people may register themselves, at the endpoint
    `registration`. `send_reset(user, token)`, or a `PasswordReset` with that and more: people get a new password at the
    endpoints `reset` and `reset_confirm`.

    `second_factor`: a login wants a code besides the password, given at the endpoint `mfa`; people set it up at `totp` and
    `totp_confirm`, and change it at `totp_remove` and `recovery`. It wants `users` to have `update`. A user with a factor is
    let in by no password alone, also where this is not set. With its `send_link`, `link` and `link_confirm` log in by mail.

    `on_event(kind, user)`: told, off the event loop, of what a user should hear of: "password_changed", "disabled", "enabled",
    "deleted", "second_factor_set", "second_factor_removed", "recovery_codes_renewed", "recovery_code_used". It may be a
    coroutine function, which has a loop of its own there. What it raises is logged by its type, and changes nothing.

    Raises: `ConfigurationError` for a part that is none, and for a `Tokens` without a store.
    """

    def __init__(
        self,
        users: Users,
        tokens: Tokens,
        hasher: PasswordHasher | None = None,
        *,
        create_on_first_login: bool = False,
        prefix: str = "",
        store: Store | None = None,
        limits: LoginLimits | None = None,
        client: ClientAddress | None = None,
        insecure_unlimited: bool = False,
        cookies: Cookies | None = None,
        cors: Iterable[str] = (),
        registration: bool | Registration = False,
        send_reset: Callable[[User, str], Any] | PasswordReset | None = None,
        second_factor: SecondFactor | None = None,
        on_event: Callable[[str, User], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not callable(getattr(users, "find", None)) or not callable(getattr(users, "add", None)):
            raise ConfigurationError("users has the methods find and add: MemoryUsers(), say")
        if not callable(getattr(tokens, "issue_pair", None)) or not callable(getattr(tokens, "verify", None)):
            raise ConfigurationError("tokens is a Tokens")
        kept: Store | None = getattr(tokens, "store", None)
        if kept is None:
            raise ConfigurationError("Accounts wants a Tokens with a store, in which refresh tokens and revocations are kept")
        for what, part, kind in (
            ("hasher", hasher, PasswordHasher),
            ("store", store, Store),
            ("limits", limits, LoginLimits),
            ("client", client, ClientAddress),
            ("cookies", cookies, Cookies),
        ):
            if part is not None and not isinstance(part, kind):
                raise ConfigurationError(f"{what} is a {kind.__name__}")
        for what, switch in (("create_on_first_login", create_on_first_login), ("insecure_unlimited", insecure_unlimited)):
            if type(switch) is not bool:
                raise ConfigurationError(f"{what} is True or False")
        if limits is not None and insecure_unlimited:
            raise ConfigurationError("insecure_unlimited=True wants no limits")
        if on_event is not None and not callable(on_event):
            raise ConfigurationError("on_event is a callable")
        self._prefix = _prefix(prefix)
        self._clock = clock
        self._client = ClientAddress() if client is None else client
        self._warned = False
        self._store = kept if store is None else store
        self._tokens = tokens
        self._holder_of = _verifiers.asked(tokens)
        self._hasher = PasswordHasher() if hasher is None else hasher
        self._on_event = on_event
        self._people = People(users, tokens, self._hasher, clock)
        self._limits = limits = LoginLimits() if limits is None else limits
        self._attempts = None if insecure_unlimited else Attempts(limits, self._store, clock=clock)
        self._login = Login(self._people, self._hasher, self._attempts, creates=create_on_first_login)
        self._cors = Cors(cors, credentials=cookies is not None)
        self._sent = Sent(cookies, self._cors.origins)
        self._answers = Answers(cookies, tokens.refresh_ttl)
        self._routes: dict[str, Endpoint] = {}
        self.app = ON_PURPOSE(route(self._routes))
        sessions = Sessions(self)
        self.login = self._serve("/login", sessions.login)
        self.verify = self._serve("/verify", sessions.verify)
        self.refresh = self._serve("/refresh", sessions.refresh)
        self.logout = self._serve("/logout", sessions.logout)
        self.jwks = self._serve("/.well-known/jwks.json", sessions.jwks, methods=("GET",))

        self.password = self._serve("/password", PasswordChange(self).password)
        self._second_step = None
        # What is asked for alone is loaded.
        if registration is not False:
            self._serve_registration(registration)
        if send_reset is not None:
            self._serve_reset(send_reset)
        if second_factor is not None:
            self._serve_second_factor(second_factor)

    def _serve_registration(self, settings: bool | Registration) -> None:
        from ._registration import Registration, Registrations

        if settings is not True and not isinstance(settings, Registration):
            raise ConfigurationError("registration is True, False, or a Registration")
        registrations = Registrations(self, Registration() if isinstance(settings, bool) else settings)
        self.registration = self._serve("/register", registrations.register, name="registration")

    def _serve_reset(self, settings: Callable[[User, str], Any] | PasswordReset) -> None:
        from ._reset import PasswordReset, Resets

        resets = Resets(self, settings if isinstance(settings, PasswordReset) else PasswordReset(settings))
        self.reset = self._serve("/password/reset", resets.reset)
        self.reset_confirm = self._serve("/password/reset/confirm", resets.confirm, name="reset_confirm")

    def _serve_second_factor(self, factor: SecondFactor) -> None:
        from ._enrolment import Enrolment
        from ._second_step import SecondStep
        from .second_factor import SecondFactor

        if not isinstance(factor, SecondFactor):
            raise ConfigurationError("second_factor is a SecondFactor")
        step = self._second_step = SecondStep(self, factor)
        enrolment = Enrolment(self, step)
        self.mfa = self._serve("/mfa", step.mfa)
        self.totp = self._serve("/mfa/totp", enrolment.totp)
        self.totp_confirm = self._serve("/mfa/totp/confirm", enrolment.totp_confirm)
        self.totp_remove = self._serve("/mfa/totp/remove", enrolment.totp_remove)
        self.recovery = self._serve("/mfa/recovery", enrolment.recovery)
        if factor.send_link is not None:
            from ._links import Links

            links = Links(self, factor, factor.send_link)
            self.link = self._serve("/login/link", links.link)
            self.link_confirm = self._serve("/login/link/confirm", links.link_confirm)

    def _serve(
        self, path: str, fn: Callable[[Request], Answer], *, name: str | None = None, methods: tuple[str, ...] = ("POST",)
    ) -> Endpoint:
        """`fn(request) -> Response | Deny` as an endpoint called `name`, in `app` at `path`."""
        served = Served(fn, self._cors, self._address_at_hand, name=name or fn.__name__, methods=methods)
        self._routes[self._prefix + path] = served
        return served

    def register(self, username: str, password: str, *, roles: Iterable[str] = (), scopes: Iterable[str] = ()) -> User:
        """Make a user. Raises: `RegistrationRefused`; `ValueError` for roles and scopes no token can say; `Unavailable`."""
        return run(self._people.register(username, password, roles, scopes))

    async def aregister(self, username: str, password: str, *, roles: Iterable[str] = (), scopes: Iterable[str] = ()) -> User:
        """As `register`, on an event loop."""
        return await arun(self._people.register(username, password, roles, scopes))

    def authenticate(self, username: str, password: str, *, client: str | None = None) -> User:
        """The user whose password this is. The work is the same whether or not there is such a user.

        `client`: the address that it comes from, as text, as `ClientAddress.resolve` gives it. All who come without one are one
        network, whose limit strangers can use up as well as the account's owner.

        A hash that was made with other parameters, or another pepper, than a new one would be is replaced on the way, where
        `users` has `update`. With `create_on_first_login`, a name that nobody has is registered. A second factor is not asked
        for: that is the endpoints' matter.

        Raises: `InvalidCredentials`, whose `reason` is for the log alone, of it `TooManyAttempts`, before anything is hashed;
        `Unavailable`. Never returns None.
        """
        return run(self._login.authenticate(username, password, client))

    async def aauthenticate(self, username: str, password: str, *, client: str | None = None) -> User:
        """As `authenticate`, on an event loop."""
        return await arun(self._login.authenticate(username, password, client))

    def set_password(self, username: str, password: str) -> User:
        """Give a user another password, and end every session that was begun with the old one.

        Raises: `UnknownUser`, `PasswordRefused`; `ConfigurationError` if `users` has no `update`; `Unavailable`: of the tokens'
        store, when the new password is in force already, so that doing it again ends the sessions.
        """
        return run(self._telling("password_changed", self._people.set_password(username, password)))

    async def aset_password(self, username: str, password: str) -> User:
        """As `set_password`, on an event loop."""
        return await arun(self._telling("password_changed", self._people.set_password(username, password)))

    def disable(self, username: str) -> User:
        """Let a user log in no more, and end their sessions.

        Raises: `UnknownUser`; `ConfigurationError` if `users` has no `update`; `Unavailable`, as `set_password`.
        """
        return run(self._telling("disabled", self._forgetting(self._people.disable(username))))

    async def adisable(self, username: str) -> User:
        """As `disable`, on an event loop."""
        return await arun(self._telling("disabled", self._forgetting(self._people.disable(username))))

    def enable(self, username: str) -> User:
        """Let a user log in again; what was ended stays so.

        Raises: `UnknownUser`; `ConfigurationError` if `users` has no `update`; `Unavailable`.
        """
        return run(self._telling("enabled", self._people.enable(username)))

    async def aenable(self, username: str) -> User:
        """As `enable`, on an event loop."""
        return await arun(self._telling("enabled", self._people.enable(username)))

    def remove_second_factor(self, username: str) -> User:
        """Take a user's second factor away, of whom you know by other means that it is lost. Their sessions stay.

        Raises: `UnknownUser`; `ConfigurationError` if `users` has no `update`; `Unavailable`.
        """
        return run(self._telling("second_factor_removed", self._people.remove_factors(username)))

    async def aremove_second_factor(self, username: str) -> User:
        """As `remove_second_factor`, on an event loop."""
        return await arun(self._telling("second_factor_removed", self._people.remove_factors(username)))

    def delete(self, username: str) -> User:
        """Remove a user, and end their sessions. The name is free then.

        Raises: `UnknownUser`; `ConfigurationError` if `users` has no `update` or `remove`; `Unavailable`, when the user is
        disabled perhaps, and still there.
        """
        return run(self._telling("deleted", self._forgetting(self._people.delete(username))))

    async def adelete(self, username: str) -> User:
        """As `delete`, on an event loop."""
        return await arun(self._telling("deleted", self._forgetting(self._people.delete(username))))

    async def _forgetting(self, change: Any) -> User:
        """After it, what was sent to the user lets nobody in who is enabled again."""
        from ._bound import forget

        user: User = await change
        await forget(self._store, self._tokens.issuer, user)
        return user

    async def _telling(self, kind: str, change: Any) -> User:
        user: User = await change
        await self._tell(kind, user)
        return user


def _prefix(prefix: str) -> str:
    if type(prefix) is not str or not prefix.isascii() or not prefix.isprintable() or set(prefix) & set(' ?#"<>{}|^`*'):
        raise ConfigurationError("prefix is a path: ASCII, and no space, '?' or '#'")
    if prefix and (not prefix.startswith("/") or prefix.endswith("/") or is_ambiguous(prefix)):
        raise ConfigurationError("prefix is empty, or a path like '/auth' without '/' at its end")
    return prefix
