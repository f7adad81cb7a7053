"""How a session ends: here, at the provider (RP-Initiated Logout 1.0), and from there (Back-Channel Logout 1.0)."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from .. import _credential
from .._run import blocking
from ..decision import Deny
from ..errors import ConfigurationError, InvalidToken, Unavailable
from ..http import Response
from ..tokens import base64url
from ._served import redirect, wants_page
from .id_token import MAX_AGE, LogoutTokens
from .stored import StoredSessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from ..http import Request
    from ._endpoints import Endpoints
    from ._web_cookies import WebCookies
    from .browser_session import BrowserSession
    from .sealed import SealedSessions
    from .session import Session
    from .token_endpoint import TokenEndpoint

_END = "end_session_endpoint"
_HINT = 8192  # characters of an ID token that are put into a URL at most
_NOT_ASKED_HERE = Deny(403, "csrf_failed", reason="csrf_failed")


class NotServed(ConfigurationError, AttributeError):
    """An endpoint that this login does not have, wanted all the same: whoever only looks at all attributes goes on."""


class Logout:
    """Ends sessions of one login."""

    __slots__ = (
        "_sessions",
        "_browser",
        "_cookies",
        "_endpoints",
        "_tokens",
        "_client_id",
        "_origins",
        "_after",
        "_logged_out_uri",
        "_leeway",
        "_clock",
        "_random",
        "_logout_tokens",
    )

    def __init__(
        self,
        sessions: SealedSessions | StoredSessions,
        browser: BrowserSession,
        cookies: WebCookies,
        endpoints: Endpoints,
        tokens: TokenEndpoint,
        *,
        keys: Any,
        issuers: Collection[str],
        client_id: str,
        origins: frozenset[str],
        after: str,
        logged_out_uri: str | None,
        leeway: float,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._sessions = sessions
        self._browser = browser
        self._cookies = cookies
        self._endpoints = endpoints
        self._tokens = tokens
        self._client_id = client_id
        self._origins = origins
        self._after = after
        self._logged_out_uri = logged_out_uri
        self._leeway = leeway
        self._clock = clock
        self._random = random
        self._logout_tokens = LogoutTokens(keys, issuers, client_id, leeway) if keys is not None else None

    async def logout(self, request: Request) -> Response | Deny:
        """GET or POST from this site: the session is over; 303 to the provider to end its own where that is configured, else
        to a page of ours, or 204 for a script. From another site: 403, and nothing is done."""
        if _credential.is_cross_site(request, self._origins):
            return _NOT_ASKED_HERE
        value = self._cookies.sent(request)
        session: Session | None = None
        if isinstance(value, str) and value:
            session = await self._found(value)
            await self._sessions.end(value, session)
            self._browser.forget_all()  # also what the value has become, or came from
            if session is not None and session.refresh_token is not None:
                await blocking(self._tokens.revoke, session.refresh_token)  # nobody has a use for it any more
        gone = self._cookies.forgotten(request)
        where = await self._at_the_provider(session) if self._logged_out_uri is not None else None
        if where is not None:
            return redirect(where, gone)
        if wants_page(request):
            return redirect(self._after, gone)
        answer = Response(204, {"cache-control": "no-store"})
        for line in gone:
            answer.headers.add("set-cookie", line)
        return answer

    async def _found(self, value: str) -> Session | None:
        """What is known of a session that ends; it ends all the same where that cannot be had."""
        try:
            return await self._sessions.find(value)
        except Unavailable:
            return None

    async def _at_the_provider(self, session: Session | None) -> str | None:
        """The URL at which the provider ends its session; None where it cannot be had: the logout here is done all the same."""
        try:
            where = await self._endpoints.find(_END)
        except (Unavailable, ConfigurationError):
            return None
        told = {
            "client_id": self._client_id,
            "post_logout_redirect_uri": self._logged_out_uri or "",
            "state": base64url.encode(self._random(16)).decode(),
        }
        if session is not None and session.id_token is not None and len(session.id_token) <= _HINT:
            told["id_token_hint"] = session.id_token
        return where + ("&" if "?" in where else "?") + urlencode(told)

    async def told(self, request: Request) -> Response | Deny:
        """POST `logout_token` by the provider: 200 once the sessions that it names are over; 400 for any other token."""
        sessions = self._sessions
        if self._logout_tokens is None or not isinstance(sessions, StoredSessions):  # not served at all then
            raise ConfigurationError("back-channel logout needs a store")
        try:
            token = _posted(request)
            jti, sid, subject = await self._logout_tokens.told(token, self._clock())
            heard = f"jti:{jti}", MAX_AGE + 2 * self._leeway
            if not await sessions.begin(*heard):
                raise InvalidToken("token_replayed")
        except InvalidToken as error:
            return _refused(error.reason)
        await sessions.end_all(sid, subject)
        self._browser.forget_all()
        await sessions.done(*heard)  # last: where anything before it failed, the provider tries again and is heard
        return Response(200, {"cache-control": "no-store"})


def _posted(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        pairs = parse_qsl(request.body.decode("ascii"), max_num_fields=20) if kind.endswith("/x-www-form-urlencoded") else []
    except ValueError:
        pairs = []
    tokens = [value for name, value in pairs if name == "logout_token"]
    if len(tokens) != 1:
        raise InvalidToken("token_malformed")
    return tokens[0]


def _refused(reason: str) -> Deny:
    return Deny(400, "invalid_request", reason=reason)
