"""What the endpoints of accounts share: who a request is of, where it comes from, and what somebody is given who is let in."""

from __future__ import annotations

from .._audit import warn
from .._run import blocking
from ..decision import Deny, Principal
from ..errors import ConfigurationError, InvalidToken
from ._flow_limits import FlowLimits, Unlimited
from ._login import _network
from ._sent import NO_CREDENTIAL
from ._serving import note_principal
from ._sessions import invalid_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .._verifiers import Asked
    from ..address import ClientAddress
    from ..http import Request, Response
    from ..stores import Rate, Store
    from ..tokens import Tokens
    from ._answers import Answers
    from ._attempts import Attempts, LoginLimits
    from ._people import People
    from ._second_step import SecondStep
    from ._sent import Sent
    from .users import User


class Inside:
    """The parts of an `Accounts`, and what endpoints do with them."""

    _clock: Callable[[], float]
    _client: ClientAddress
    _warned: bool
    _store: Store
    _tokens: Tokens
    _holder_of: Asked
    _on_event: Callable[[str, User], object] | None
    _people: People
    _limits: LoginLimits
    _attempts: Attempts | None
    _sent: Sent
    _answers: Answers
    _second_step: SecondStep | None

    def _flow(self, flow: str, address: tuple[Rate, ...], account: tuple[Rate, ...] = ()) -> FlowLimits | Unlimited:
        """The limits of one flow, counted where those of logins are."""
        if self._attempts is None:
            return Unlimited()
        return FlowLimits(f"{self._limits.name}:{flow}", self._store, address, account)

    def _network(self, address: str | None) -> str | None:
        """What of a client's address counts as one."""
        return None if address is None else _network(address, self._limits.ipv6_prefix)

    async def _proved(self, user: User, address: str | None) -> None:
        """Somebody has proved to be this user without a password: from there, no stranger's failures keep them out."""
        attempts = self._attempts
        if attempts is None:
            return
        if attempts.blocks:
            await blocking(attempts.proved, user.username, self._network(address))
        else:
            attempts.proved(user.username, self._network(address))

    async def _tell(self, kind: str, user: User) -> None:
        """Tell the application what has happened to this user."""
        if self._on_event is None:
            return
        from ._sending import called

        try:
            await blocking(called, self._on_event, kind, user)
        except Exception as error:  # its message may be anybody's
            warn("on_event raised %s", type(error).__name__)

    async def _complete(self, request: Request, user: User, amr: Iterable[str], *, since: int | None = None) -> Response | Deny:
        """The answer to somebody who has proved to be `user` by the methods `amr` (RFC 8176), at `since` (default: now): a new
        pair of tokens; or the second step, if the user has one and `amr` no "otp"."""
        forged = self._sent.forged(request)
        if forged is not None:
            return forged
        amr = tuple(amr)
        if self._second_step is not None or user.factors is not None:
            from ._second_step import asked_of

            asked = await asked_of(self._second_step, user, amr)
            if asked is not None:
                return asked
        replaced = self._sent.replaced(request)
        if isinstance(replaced, Deny):
            return replaced
        claims: dict[str, Any] = {"auth_time": int(self._clock()) if since is None else since, "amr": list(amr)}
        if user.subject != user.username:
            claims["preferred_username"] = user.username
        note_principal(request, self._principal_of(user))
        try:
            pair = await self._tokens.issuing_pair(
                user.subject, scopes=user.scopes, roles=user.roles, claims=claims, stamp=str(user.password_changed)
            )
        except ValueError as error:  # its words say what, and no value
            raise ConfigurationError(f"no token can be issued to a user: {error}") from None
        # Whoever changes a user ends what was issued before, and not this, if it was issued after: so it is looked at again.
        if not self._stands(user, await self._people.find(user.username)):
            await self._tokens.revoking(pair.refresh_token)
            return Deny(401, "invalid_credentials", reason="user_changed", challenge=NO_CREDENTIAL.challenge)
        answer = self._answers.pair(user.username, pair)
        if replaced is not None:  # last: who cannot be given another session keeps the one there is
            await self._tokens.revoking(replaced)
        return answer

    def _stands(self, user: User, row: User | None) -> bool:
        """Whether what was found out about `user` still holds, of which `row` is today's."""
        return (
            row is not None
            and not row.disabled
            and (row.subject, row.password_changed) == (user.subject, user.password_changed)
        )

    async def _holder(self, request: Request) -> Principal | Deny:
        """Whose the bearer header or the access cookie is, which is not there because another site had it sent."""
        return await self._known(request, self._sent.access(request))

    async def _known(self, request: Request, token: str | Deny | None) -> Principal | Deny:
        """Whose access token that is, told to the audit."""
        if token is None:
            return NO_CREDENTIAL
        if isinstance(token, Deny):
            return token
        try:
            principal = await self._holder_of(token)
        except InvalidToken as error:
            return invalid_token(error.reason)
        note_principal(request, principal)
        return principal

    def _principal_of(self, user: User) -> Principal:
        return Principal(user.subject, issuer=self._tokens.issuer)

    async def _address(self, request: Request) -> str | None:
        """The client's address, for limits; None: nobody knows. Raises: `Unavailable`."""
        client = self._client
        if client.waits:
            await client.load()
        if not self._warned and client.suspects_proxy(request):
            self._warned = True
            warn("login limits count by the peer, which is probably a proxy: set AUTHKIT_TRUSTED_PROXIES or client=")
        return client.resolve(request)

    def _address_at_hand(self, request: Request) -> str | None:
        """The client's address for the audit alone, where nothing has to be read for it."""
        return None if self._client.waits else self._client.resolve(request)
