"""The endpoints of a session: login, verify, refresh, logout, and the public keys."""

from __future__ import annotations

from ..decision import Challenge, Deny, Principal
from ..errors import InvalidToken
from ..http import Response
from ._attempts import TooManyAttempts
from ._bodies import texts
from ._sent import NO_CREDENTIAL, sends_body
from ._serving import note_client, note_principal
from .users import User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http import Request
    from ..tokens import Grant
    from ._accounts import Accounts

JWKS_SECONDS = 300  # how long anybody may keep the public keys; those of the next rotation are among them
_CREDENTIALS = Challenge(realm="api")
_INVALID_TOKEN = Challenge(error="invalid_token")


class Sessions:
    """Who comes, stays and goes."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def login(self, request: Request) -> Response | Deny:
        """POST {"username", "password"}: 401, 429, or 200 {"user", "access_token", "refresh_token", "token_type",
        "expires_in"}, with cookies {"user", "expires_in"}."""
        accounts = self._accounts
        forged = accounts._sent.forged(request)
        if forged is not None:
            return forged
        username, password = texts(request, "username", "password")
        address = await accounts._address(request)
        note_client(request, address)
        try:
            judged = await accounts._login.judge(username, password, address)
        except TooManyAttempts as error:
            return Deny(429, "rate_limited", reason=error.reason, headers={"retry-after": str(error.retry_after)})
        if judged.user is not None:
            note_principal(request, accounts._principal_of(judged.user))
        if judged.reason is not None or judged.user is None:
            return Deny(401, "invalid_credentials", reason=judged.reason, challenge=_CREDENTIALS)
        return await accounts._complete(request, judged.user, ("pwd",))

    async def verify(self, request: Request) -> Response | Deny:
        """POST {"token"}, or a bearer header or cookie and no body: 200 {"status": "valid", "user"}, or 401."""
        token = self._accounts._sent.access(request)
        if token is None and sends_body(request):
            (token,) = texts(request, "token")
        elif isinstance(token, str) and request.body:
            texts(request)  # a second one
        found = await self._accounts._known(request, token)
        if not isinstance(found, Principal):
            return found
        return Response.json({"status": "valid", "user": found.claims.get("preferred_username", found.subject)})

    async def refresh(self, request: Request) -> Response | Deny:
        """POST {"refresh_token"}, or its cookie: 200 as `login` answers, or 401."""
        accounts = self._accounts
        token = accounts._sent.refresh(request)
        if isinstance(token, Deny):
            return token
        if token is None:
            return invalid_token("no_credential")
        found: list[User] = []

        async def held(grant: Grant) -> Grant | None:
            user = await accounts._people.find(grant.claims.get("preferred_username", grant.subject))
            if user is None or user.disabled or user.subject != grant.subject or str(user.password_changed) != grant.stamp:
                return None
            found.append(user)
            return grant.narrowed(scopes=user.scopes, roles=user.roles)

        try:
            pair = await accounts._tokens.refreshing(token, held=held)
        except InvalidToken as error:
            if error.subject is not None:
                note_principal(request, Principal(error.subject, issuer=accounts._tokens.issuer))
            return invalid_token(error.reason)
        note_principal(request, accounts._principal_of(found[-1]))
        return accounts._answers.pair(found[-1].username, pair)

    async def logout(self, request: Request) -> Response | Deny:
        """POST {"refresh_token"}, or a bearer header, or the cookies: 204, also for a token that nobody knows."""
        token = self._accounts._sent.either(request)
        if isinstance(token, Deny):
            return token
        if token is not None:
            await self._accounts._tokens.revoking(token)
        elif self._accounts._answers.cookies is None:
            return NO_CREDENTIAL
        return self._accounts._answers.ended()

    async def jwks(self, request: Request) -> Response:
        """GET: 200, the public keys that verify our tokens (RFC 7517 section 5)."""
        keys = await self._accounts._tokens._publishing()
        headers = {"content-type": "application/jwk-set+json", "cache-control": f"public, max-age={JWKS_SECONDS}"}
        return Response.json(keys, headers=headers)


def invalid_token(reason: str) -> Deny:
    """401, the same bytes for every cause."""
    return Deny(401, "invalid_token", reason=reason, challenge=_INVALID_TOKEN)
