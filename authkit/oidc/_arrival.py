"""`Arrival`: from a code to a session: tokens, who they are for, and the little of it that is kept."""

from __future__ import annotations

from .._run import blocking
from ..decision import FrozenDict
from ..errors import InvalidToken, Unavailable
from ..tokens import base64url
from . import _login_settings as given
from .id_token import Expected
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ._login_rules import LoginRules
    from .attempt import Attempt
    from .id_token import SignedForUs
    from .token_endpoint import TokenEndpoint, TokenResponse
    from .userinfo import UserInfo

OF_THE_LOGIN = (
    "auth_time",
    "acr",
    "amr",
)  # always kept, as the ID token of the login has them: what `require_auth(max_age=, acr=, amr=)` asks for
EXPIRES = 3600  # seconds that an access token is taken to last whose answer does not say
EARLY = 60.0  # seconds before its end at which it is renewed, or a fifth of its life


class Arrival:
    """What comes of the codes of one login. `signed`: who verifies ID tokens; None: `identify` is asked who a token is for.
    `info`: who is asked for further claims. `refreshes`, `keeps_token`, `keeps_hint`: what of the tokens a session keeps."""

    __slots__ = (
        "_issuer",
        "_tokens",
        "_signed",
        "_identify",
        "_info",
        "_redirect_uri",
        "_scopes",
        "_claims",
        "_rules",
        "_spelled",
        "_refreshes",
        "_keeps_token",
        "_keeps_hint",
        "_leeway",
        "_clock",
        "_random",
    )

    def __init__(
        self,
        issuer: str,
        tokens: TokenEndpoint,
        *,
        signed: SignedForUs | None,
        identify: Callable[[TokenResponse], Mapping[str, Any]] | None,
        info: UserInfo | None,
        redirect_uri: str,
        scopes: tuple[str, ...],
        claims: tuple[str, ...],
        rules: LoginRules,
        spelled: Mapping[str, str],
        refreshes: bool,
        keeps_token: bool,
        keeps_hint: bool,
        leeway: float,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._issuer = issuer
        self._tokens = tokens
        self._signed = signed
        self._identify = identify
        self._info = info
        self._redirect_uri = redirect_uri
        self._scopes = scopes
        self._claims = claims
        self._rules = rules
        self._spelled = spelled
        self._refreshes = refreshes
        self._keeps_token = keeps_token
        self._keeps_hint = keeps_hint
        self._leeway = leeway
        self._clock = clock
        self._random = random

    async def session(self, code: str, attempt: Attempt) -> Session:
        """The session that a code is worth. Raises: `InvalidToken`, `GrantRefused`, `Unavailable`."""
        tokens: TokenResponse = await blocking(self._redeemed, code, attempt)
        now = self._clock()
        claims = await self._identified(tokens, code, attempt, now)
        told: Mapping[str, Any] = FrozenDict()
        if self._info is not None:
            told = await blocking(self._info.ask, tokens["access_token"], claims["sub"])
        new = base64url.encode(self._random(16)).decode()
        subject, sub = self._rules.subject(claims), claims["sub"]
        how = {name: claims[name] for name in OF_THE_LOGIN if name in claims}
        session = Session(new, subject, self._issuer, began=now, seen=now, sub=None if sub == subject else sub, claims=how)
        return self._filled(session, claims, told, tokens, now).but(nonce=attempt.nonce if self._refreshes else None)

    async def renewed(self, session: Session, tokens: TokenResponse, now: float) -> Session:
        """What a session becomes by refreshed tokens (OpenID Connect Core section 12.2), which came at `now`.

        Raises: `InvalidToken`; `Unavailable` if the keys cannot be had.
        """
        session = session.but(turn=session.turn + 1)
        told = await self._told_again(session, tokens)
        if self._signed is None or "id_token" not in tokens:
            return self._filled(session, None, told, tokens, now)
        claims, key = await self._signed.read(tokens["id_token"], now)
        nonce = claims.get("nonce", session.nonce)
        if claims.get("sub") != (session.sub or session.subject) or self._rules.subject(claims) != session.subject:
            raise InvalidToken("token_claims")
        if self._spelling(claims) != session.issuer or nonce != session.nonce:
            raise InvalidToken("token_claims")
        Expected(session.nonce or "", access_token=tokens["access_token"]).check_hashes(claims, key)
        return self._filled(session, claims, told, tokens, now)

    async def _told_again(self, session: Session, tokens: TokenResponse) -> Mapping[str, Any] | None:
        """What userinfo says now; None where it cannot be asked, which is no reason to lose tokens that are spent otherwise.

        Raises: `InvalidToken` if it refuses the token, or speaks of somebody else.
        """
        if self._info is None:
            return FrozenDict()
        try:
            return await blocking(self._info.ask, tokens["access_token"], session.sub or session.subject)
        except Unavailable:
            return None

    def _redeemed(self, code: str, attempt: Attempt) -> TokenResponse:
        return self._tokens.post(
            "authorization_code", code=code, redirect_uri=self._redirect_uri, code_verifier=attempt.verifier
        )

    async def _identified(self, tokens: TokenResponse, code: str, attempt: Attempt, now: float) -> FrozenDict:
        if self._signed is None:
            return await blocking(given.identified, self._identify, tokens)
        claims, key = await self._signed.read(tokens.get("id_token"), now)
        expected = Expected(
            attempt.nonce,
            access_token=tokens["access_token"],
            code=code,
            state=attempt.state,
            max_age=attempt.max_age,
            acr=attempt.acr,
        )
        expected.check(claims, key, now, self._leeway)
        return claims

    def _spelling(self, claims: Mapping[str, Any]) -> str:
        issuer: str = claims.get("iss", self._issuer) if self._signed is not None else self._issuer
        return self._spelled.get(issuer, issuer)

    def _filled(
        self, session: Session, claims: FrozenDict | None, told: Mapping[str, Any] | None, tokens: TokenResponse, now: float
    ) -> Session:
        """The session with what is kept of an ID token, of userinfo (None: it could not be had) and of these tokens. Without an
        ID token roles stay as they are; how and when somebody logged in always does: no refresh is a login."""
        changes: dict[str, Any] = {}
        said = self._rules.together(told or FrozenDict(), claims or FrozenDict())
        found = {name: said[name] for name in self._claims if name in said and name not in OF_THE_LOGIN}
        changes["claims"] = self._rules.together(session.claims, found)
        if claims is not None:
            sid = claims.get("sid", session.sid)
            changes["issuer"] = self._spelling(claims)
            changes["sid"] = sid if type(sid) is str else None
            if told is not None:
                changes["roles"] = self._rules.roles(FrozenDict(said))
        changes["scopes"] = self._granted(session, claims, tokens)
        lasts = given.lifetime_of(tokens.get("expires_in"), EXPIRES)
        if self._keeps_token or self._refreshes:
            changes["expires"] = now + lasts
        if self._keeps_token:
            changes["access_token"] = tokens["access_token"]
        if self._refreshes:
            changes["due"] = now + lasts - min(EARLY, lasts / 5)
            new = tokens.get("refresh_token")
            changes["refresh_token"] = new if type(new) is str and new else session.refresh_token
        if self._keeps_hint and type(tokens.get("id_token")) is str:
            changes["id_token"] = tokens["id_token"]
        return session.but(**changes)

    def _granted(self, session: Session, claims: FrozenDict | None, tokens: TokenResponse) -> tuple[str, ...]:
        """The scopes: what was asked for, unless the provider says what it gave (RFC 6749 section 5.1)."""
        scope = tokens.get("scope")
        names = scope.split(" ") if type(scope) is str else session.scopes or self._scopes
        if self._signed is None and claims is not None and isinstance(claims.get("scp"), list):
            names = [name for name in claims["scp"] if type(name) is str]
        return tuple(sorted({name for name in names if name}))
