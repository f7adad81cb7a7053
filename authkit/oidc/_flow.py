"""`Flow`: out to the provider and back again, and what has to hold on the way before a code is worth anything (RFC 9700)."""

from __future__ import annotations

from urllib.parse import urlencode

from .._lines import Lines
from ..decision import Deny
from ..errors import InvalidToken, Unavailable
from . import _login_settings as given
from ._served import on_the_way, redirect
from ._used import Used
from .attempt import TTL, Attempt
from .return_to import safe_path
from .stored import StoredSessions
from .token_endpoint import GrantRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..http import Request, Response
    from ._arrival import Arrival
    from ._endpoints import Endpoints
    from ._web_cookies import WebCookies
    from .attempt import Attempts
    from .browser_session import BrowserSession
    from .sealed import SealedSessions

_CODE = 4096  # characters of a code at most
_LATER = 120.0  # seconds after its end for which an attempt that was used is remembered
_ABOUT_THE_PERSON = frozenset(  # and not about us: RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6
    ("access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required")
)


class Flow:
    """One login's way out and back. `nonces`: whether an ID token comes back, which has to name one. `own`: our own paths, to
    which nobody comes back."""

    __slots__ = (
        "_issuer",
        "_client_id",
        "_redirect_uri",
        "_scopes",
        "_nonces",
        "_form_post",
        "_after_login",
        "_own",
        "_endpoints",
        "_attempts",
        "_arrival",
        "_sessions",
        "_browser",
        "_cookies",
        "_used",
    )

    def __init__(
        self,
        issuer: str,
        client_id: str,
        redirect_uri: str,
        *,
        scopes: tuple[str, ...],
        nonces: bool,
        form_post: bool,
        after_login: str,
        own: Collection[str],
        endpoints: Endpoints,
        attempts: Attempts,
        arrival: Arrival,
        sessions: SealedSessions | StoredSessions,
        browser: BrowserSession,
        cookies: WebCookies,
        clock: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._redirect_uri = redirect_uri
        self._scopes = scopes
        self._nonces = nonces
        self._form_post = form_post
        self._after_login = after_login
        self._own = own
        self._endpoints = endpoints
        self._attempts = attempts
        self._arrival = arrival
        self._sessions = sessions
        self._browser = browser
        self._cookies = cookies
        self._used = Used(TTL + _LATER, clock)

    async def started(self, request: Request, asked: Mapping[str, str]) -> Response | Deny:
        places = [value for name, value in request.query if name == "return_to"]
        back = safe_path(places[0] if len(places) == 1 else None, self._after_login, never=self._own)
        on_the_way(request, back)
        where = await self._endpoints.find("authorization_endpoint")
        acr = tuple(asked.get("acr_values", "").split())
        max_age = float(asked["max_age"]) if "max_age" in asked else None
        attempt, cookies = await self._attempts.begin(request, back, acr, max_age)
        parameters = {
            **asked,
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._scopes),
            "state": attempt.state,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        if self._nonces:
            parameters["nonce"] = attempt.nonce
        if self._form_post:
            parameters["response_mode"] = "form_post"
        if not parameters["scope"]:
            del parameters["scope"]
        return redirect(where + ("&" if "?" in where else "?") + urlencode(parameters), cookies)

    async def called_back(self, request: Request) -> Response | Deny:
        """What the provider answers with: 303 back to where it began with a session, or 400, 401, 503."""
        if request.method == "HEAD":  # of who looks whether a link works: a code is not for that
            return Deny(405, "method_not_allowed", headers={"allow": "GET"})
        sent = given.parameters(request, posted=self._form_post)
        if isinstance(sent, Deny):
            return sent
        attempt = await self._attempts.find(request, sent.get("state", ""))
        if not isinstance(attempt, Attempt):
            return Deny(400, "invalid_request", reason=attempt)
        on_the_way(request, attempt.return_to)
        wrong = await self._mixed_up(sent.get("iss"))
        code, error = sent.get("code", ""), sent.get("error")
        if wrong is None and error is None and not (0 < len(code) <= _CODE and code.isascii() and code.isprintable()):
            wrong = "login_code"
        if wrong is not None:
            return Deny(400, "invalid_request", reason=wrong)
        forget = ("set-cookie", self._attempts.forget(attempt.state))
        if not await self._is_first(attempt.state):
            return _refused(400, "login_replayed", forget)
        if error is not None:
            status = 401 if error in _ABOUT_THE_PERSON else 400
            return _refused(status, "login_refused_by_provider", forget)
        try:
            session = await self._arrival.session(code, attempt)
        except InvalidToken as failure:
            return _refused(401, failure.reason, forget)
        except GrantRefused as failure:
            return _refused(400, f"grant_{failure.error}", forget)
        except Unavailable as failure:
            headers = {"retry-after": str(failure.retry_after)}
            return _refused(503, "unavailable", forget, *headers.items())
        await self._end_former(request)
        if request.state is not None and request.state.principal is None:
            request.state.principal = session.principal()  # the audit tells who it was
        value = await self._sessions.keep(session)
        lines = [line for _, line in self._browser.kept(value, session, request)]
        return redirect(attempt.return_to, [*lines, forget[1]])

    async def _mixed_up(self, issuer: str | None) -> str | None:
        """Why an answer is not this provider's: RFC 9207 section 2.4. None: nothing says that it is another's."""
        if issuer is not None:
            return None if issuer == self._issuer else "login_issuer"
        said = await self._endpoints.says("authorization_response_iss_parameter_supported")
        return "login_issuer" if said is True else None

    async def _is_first(self, state: str) -> bool:
        if isinstance(self._sessions, StoredSessions):
            return await self._sessions.add(f"state:{state}", TTL + _LATER)
        return self._used.add(state)

    async def _end_former(self, request: Request) -> None:
        """The session that came with a login is over: whoever planted it has nothing (OID-20)."""
        former = self._cookies.sent(request)
        if isinstance(former, str) and former:
            await self._sessions.end(former, None)
            self._browser.forget(former)


def _refused(status: int, reason: str, *lines: tuple[str, str]) -> Deny:
    code = {503: "temporarily_unavailable"}.get(status, "login_failed")
    return Deny(status, code, reason=reason, headers=Lines(lines))
