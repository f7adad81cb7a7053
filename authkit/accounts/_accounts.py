"""`Accounts`: registering, authenticating, and the endpoints that serve them."""

from __future__ import annotations

from .. import _credential, _refusal, _verifiers
from .._audit import warn, write
from .._run import arun, blocking, run
from .._state import State
from ..address import ClientAddress, parse
from ..decision import Deny
from ..endpoint import Endpoint, problem
from ..errors import ConfigurationError, InvalidCredentials, InvalidToken, _Rejected
from ..http import Response
from ..stores import MemoryStore, Store
from ._aside import finished
from ._attempts import Attempt, Attempts, LoginLimits, TooManyAttempts
from ._bodies import texts
from .names import canonical
from .passwords import PasswordHasher
from .users import User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..http import Request
    from ..tokens import Tokens
    from .users import Users

NO_CREDENTIAL = 'Bearer realm="api"'  # RFC 6750 section 3: no error code where nothing was sent that could be wrong
BODY_LIMIT = 65_536  # bytes; a user name and a password of 4096 bytes, every character of them escaped


class RegistrationRefused(_Rejected):
    """This user cannot be registered. `reason`: `username_not_acceptable`, `password_not_acceptable` or `username_taken`."""

    default_reason = "username_not_acceptable"


class Accounts:
    """People with passwords: `users` keeps them, `tokens` says who has logged in.

    `login` and `verify` are endpoints for any host. Passwords are hashed off the event loop, a few at a time; past that,
    `Unavailable` (503).

    Wrong passwords are limited, for an account and for a network: `limits` says how many, `store` where they are counted (by
    default in this process; a store that fails is stood in for by this process). Past them nothing is hashed, and the answer
    is 429 with `Retry-After`, the same for names that exist and names that do not. Right ones are never counted, so that a
    test may log in as often as it likes; one that fails often takes `limits=LoginLimits(account_here="1000/second", ...)`, or
    `insecure_unlimited=True`, which lets anybody guess as fast as the machine hashes. While it is being looked at, a right
    one counts too: of one account and network, so many as may fail at once. `client`: how an address is found.

    Raises: `ConfigurationError` for `create_on_first_login` and `prefix`, which are not available in this version.
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
    ) -> None:
        if not callable(getattr(users, "find", None)) or not callable(getattr(users, "add", None)):
            raise ConfigurationError("users has the methods find and add: MemoryUsers(), say")
        if not callable(getattr(tokens, "issue", None)) or not callable(getattr(tokens, "verify", None)):
            raise ConfigurationError("tokens is a Tokens")
        if create_on_first_login or prefix:
            raise ConfigurationError("create_on_first_login and prefix are not available in this version")
        if store is not None and not isinstance(store, Store):
            raise ConfigurationError("store is a Store")
        if limits is not None and (not isinstance(limits, LoginLimits) or insecure_unlimited):
            raise ConfigurationError("limits is a LoginLimits, and insecure_unlimited=True wants none")
        if client is not None and not isinstance(client, ClientAddress):
            raise ConfigurationError("client is a ClientAddress")
        self._client = ClientAddress() if client is None else client
        limits = LoginLimits() if limits is None else limits
        self._attempts = None if insecure_unlimited else Attempts(limits, MemoryStore() if store is None else store)
        self._warned = False
        self._users = users
        self._users_in_place = getattr(users, "in_place", False) is True
        self._update = getattr(users, "update", None)
        self._tokens = tokens
        self._holder_of = _verifiers.asked(tokens)
        self._hasher = PasswordHasher() if hasher is None else hasher
        self.login = Endpoint(self._login, body_limit=BODY_LIMIT, veto=_no_texts("login"))
        self.verify = Endpoint(self._verify, body_limit=BODY_LIMIT, veto=_no_texts("verify"))

    def register(self, username: str, password: str, *, roles: Iterable[str] = (), scopes: Iterable[str] = ()) -> User:
        """Make a user. Raises: `RegistrationRefused`; `Unavailable`."""
        return run(self._register(username, password, roles, scopes))

    async def aregister(self, username: str, password: str, *, roles: Iterable[str] = (), scopes: Iterable[str] = ()) -> User:
        """As `register`, on an event loop."""
        return await arun(self._register(username, password, roles, scopes))

    def authenticate(self, username: str, password: str, *, client: str | None = None) -> User:
        """The user whose password this is. The work is the same whether or not there is such a user.

        `client`: the address that it comes from, as text, as `ClientAddress.resolve` gives it. All who come without one are one
        network, whose limit strangers can use up as well as the account's owner.

        A hash that was made with other parameters, or another pepper, than a new one would be is replaced on the way, where
        `users` has `update`.

        Raises: `InvalidCredentials`, whose `reason` is for the log alone, of it `TooManyAttempts`, before anything is hashed;
        `Unavailable`. Never returns None.
        """
        return run(self._authenticate(username, password, client))

    async def aauthenticate(self, username: str, password: str, *, client: str | None = None) -> User:
        """As `authenticate`, on an event loop."""
        return await arun(self._authenticate(username, password, client))

    async def _register(self, username: str, password: str, roles: Iterable[str], scopes: Iterable[str]) -> User:
        name = canonical(username)
        if name is None:
            raise RegistrationRefused("username_not_acceptable")
        if not self._hasher.acceptable(password):
            raise RegistrationRefused("password_not_acceptable")
        await self._hasher.warm()
        hashed = await blocking(self._hasher.hash, password, pool="hash")
        user = User(name, password_hash=hashed, roles=roles, scopes=scopes)
        if not await self._asking(self._users.add, user):
            raise RegistrationRefused("username_taken")
        return user

    async def _authenticate(self, username: str, password: str, client: str | None) -> User:
        """As `_judge`, if there has not been too much of it: 0 hashes for who is over the limit."""
        name = canonical(username)
        attempts = self._attempts
        if attempts is None:
            return await self._judge(name, password)
        network = None if client is None else _network(client, attempts.limits.ipv6_prefix)
        attempt = None if attempts.blocks else attempts.begin(name, network)
        return await finished(self._settled(attempts, attempt, name, network, password))

    async def _settled(
        self, attempts: Attempts, attempt: Attempt | None, name: str | None, network: str | None, password: str
    ) -> User:
        """Judge it, and count it by its result, whoever still waits for that."""
        if attempt is None:
            attempt = await blocking(attempts.begin, name, network)
        try:
            user = await self._judge(name, password)
        except InvalidCredentials:
            raise
        except Exception:  # it was not judged
            await self._counting(attempt.undo)
            raise
        await self._counting(attempt.succeeded)
        return user

    async def _counting(self, fn: Callable[[], None]) -> None:
        if self._attempts is not None and self._attempts.blocks:
            await blocking(fn)
        else:
            fn()

    async def _judge(self, name: str | None, password: str) -> User:
        user = None if name is None else await self._asking(self._users.find, name)
        stored = None if user is None else user.password_hash
        matches = await self._hasher.verifying(password, stored)
        if user is None:
            raise InvalidCredentials("user_unknown")
        if matches is not True:
            raise InvalidCredentials("password_wrong")
        if user.disabled:  # after the work, so that it takes as long
            raise InvalidCredentials("user_disabled")
        return await self._rehashed(user, password)

    async def _rehashed(self, user: User, password: str) -> User:
        """The user, whose password this is, with a hash as it would be made today. That it cannot be is no reason to refuse."""
        stored = user.password_hash
        if stored is None or self._update is None or not self._hasher.needs_rehash(stored):
            return user
        try:
            hashed = await blocking(self._hasher.hash, password, pool="hash")
            renewed = user.changed(password_hash=hashed)
            # What is replaced is this very user: a password that was changed meanwhile stays changed.
            replaced = await self._asking(self._update, user, renewed)
        except Exception as error:  # the message may be anybody's: only its kind is told
            import logging

            logging.getLogger("authkit.accounts").warning("a hash could not be made anew: %s", type(error).__name__)
            return user
        return renewed if replaced is True else user

    async def _asking(self, fn: Callable[..., Any], *args: Any) -> Any:
        return fn(*args) if self._users_in_place else await blocking(fn, *args)

    async def _login(self, request: Request) -> Response:
        """POST {"username", "password"}: 200 {"user", "access_token", "token_type", "expires_in"}, 401, or 429."""
        username, password = texts(request, "username", "password")
        client = self._client
        if client.waits:
            await client.load()
        if not self._warned and client.suspects_proxy(request):
            self._warned = True
            warn("login limits count by the peer, which is probably a proxy: set AUTHKIT_TRUSTED_PROXIES or client=")
        address = client.resolve(request)
        try:
            user = await self._authenticate(username, password, address)
        except TooManyAttempts as error:
            _note(request, error.reason, address)
            return problem(429, "rate_limited", {"retry-after": str(error.retry_after)})
        except InvalidCredentials:
            return problem(401, "invalid_credentials", {"www-authenticate": NO_CREDENTIAL})
        claims = None if user.subject == user.username else {"preferred_username": user.username}
        token = await self._tokens.issuing(user.subject, scopes=user.scopes, roles=user.roles, claims=claims)
        lifetime = self._tokens.access_ttl
        return Response.json({"user": user.username, "access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    async def _verify(self, request: Request) -> Response:
        """POST {"token"}, or a bearer header and no body: 200 {"status": "valid", "user"}, or 401."""
        token = _credential.from_header(request)
        if token is None and not request.body and "content-type" not in request.headers:
            return problem(401, "unauthorized", {"www-authenticate": NO_CREDENTIAL})
        if token is None:
            (token,) = texts(request, "token")
        elif request.body:
            token = _credential.TWO_CREDENTIALS
        if isinstance(token, Deny):
            return _refusal.response(token)
        try:
            principal = await self._holder_of(token)
        except InvalidToken:
            return problem(401, "invalid_token", {"www-authenticate": 'Bearer error="invalid_token"'})
        return Response.json({"status": "valid", "user": principal.claims.get("preferred_username", principal.subject)})


def _network(client: str, prefix: int) -> str:
    """What of an address counts as one; a text that is no address counts as it is."""
    address = parse(client)
    if address is None:
        return "?" + client[:64]
    if address.bits == 32 or "/" not in address.bucket:  # IPv4, or IPv4 behind NAT64
        return address.bucket
    return f"{address.value >> 128 - prefix:x}::/{prefix}"


def _note(request: Request, reason: str, address: str | None) -> None:
    """Tell the audit why a login was not looked at: in the event of the guards around it, or in one of its own."""
    around: State | None = request.state
    state = State() if around is None or around.ended else around
    state.outcome, state.guard, state.reason, state.status = "deny", "login", reason, 429
    state.client = state.client or address or ""
    if state is not around:
        write(state, request)


def _no_texts(name: str) -> Callable[[tuple[Any, ...]], None]:
    def veto(args: tuple[Any, ...]) -> None:
        if args and all(isinstance(arg, str) for arg in args):
            raise TypeError(
                f"accounts.{name} is an endpoint that serves requests; to check a password, call accounts.authenticate"
            )
        return

    return veto
