"""`Login`: people log in at a provider and come back with a session (OpenID Connect Core 1.0 section 3.1; RFC 9700)."""

from __future__ import annotations

import os
import time
from urllib.parse import urlencode, urlsplit

from .._fetch import checked_url
from .._run import arun, blocking, run
from .._sealed import Seal
from ..decision import Deny, FrozenDict
from ..endpoint import route
from ..errors import ConfigurationError, InvalidToken, Unavailable
from ..secrets.secret import Secret
from ..secrets.versions import is_blank
from ..tokens import base64url
from . import _login_settings as given
from ._endpoints import Endpoints
from ._judged import names_at
from ._served import Served, redirect
from ._used import Used
from ._web_cookies import WebCookies
from .attempt import TTL, Attempt, Attempts
from .browser_session import BrowserSession
from .id_token import Expected, SignedForUs
from .logout import Logout
from .profile import PLAIN_ACCESS_TOKEN
from .refreshing import Refreshing
from .return_to import safe_path
from .sealed import SealedSessions
from .session import Session
from .stored import StoredSessions
from .token_endpoint import GrantRefused, TokenEndpoint
from .userinfo import UserInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..endpoint import Endpoint
    from ..http import Request, Response
    from ..stores import Store
    from .token_endpoint import TokenResponse

ALWAYS_KEPT = ("auth_time", "acr", "amr")  # what `require_auth(max_age=, acr=, amr=)` asks for
KEPT = ("name", "preferred_username", "email", "email_verified")
EXPIRES = 3600  # seconds that an access token is taken to last whose answer does not say
_CODE = 4096  # characters of a code at most
_REFUSED_AT_THE_PROVIDER = frozenset(  # what is about the person, and not about us: RFC 6749 section 4.1.2.1, Core 3.1.2.6
    ("access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required")
)


class Login:
    """People log in at `provider` by the authorization code flow, with PKCE (S256), `state` and `nonce`, always.

    `provider`: an `OIDCProvider`, or one that has `identify` and `login_endpoints` (GitHub). `client_id`, `client_secret` (text
    or a `Secret`) or `key` (private_key_jwt): the client; neither: a public one. `redirect_uri`: the absolute https URL of
    `callback`, as the provider knows it; http to a loopback address only. `session_key`: a `Secret`, or text, of at least 32
    bytes; its newest value seals, the previous one still opens. `scopes`: what is asked for.

    `store`: sessions lie there, and a logout ends them everywhere; None: they lie sealed in cookies, and a logout ends them
    in one browser. With a store a callback is taken once among all processes; without, once in each, and the provider takes
    each code once. `idle`, `absolute`: seconds that a session lasts unused, and at all. `claims`: the few that it keeps of
    what the provider says, beside `auth_time`, `acr`, `amr`. `userinfo`: ask the userinfo endpoint for them too. `refresh`:
    renew its tokens before the access token ends, and end it where the provider says so (ask for the scope offline_access;
    with several processes a store is needed). `keep_access_token`: for calls of yours, see `access_token`.

    `prompt`, `max_age`, `acr_values`, `login_hint`, `extra`: of the authorization request; what is asked by `max_age` and
    `acr_values` is checked. `form_post`: the provider posts its answer, to https only: the cookie of an attempt is then
    SameSite=None.

    `prefix`: of the paths of `app`: /login, /callback (and that of `redirect_uri`), /logout, /backchannel-logout. `start_at`:
    the path of `start` as browsers see it, `prefix` + "/login" unless `app` is mounted. `after_login`, `after_logout`: paths on
    this site. `logged_out_uri`: an absolute URL to which the provider sends browsers after a logout there; None: a logout is
    one here. `origins`: other origins whose scripts may send unsafe requests. `endpoints`: URLs of the provider's by their
    metadata names, where it tells none, or at another origin; `endpoint_origins`: origins at which its metadata may name them.
    `cookie`: the name of the session's.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        provider: Any,
        *,
        client_id: str,
        client_secret: Any = None,
        redirect_uri: str,
        session_key: Any,
        scopes: Iterable[str] = ("openid",),
        store: Store | None = None,
        prefix: str = "",
        key: Any = None,
        method: str | None = None,
        claims: Iterable[str] = KEPT,
        userinfo: bool = False,
        refresh: bool = False,
        keep_access_token: bool = False,
        idle: float = 3600,
        absolute: float = 43_200,
        prompt: str | None = None,
        max_age: int | None = None,
        acr_values: str | Iterable[str] = (),
        login_hint: str | None = None,
        extra: Mapping[str, str] | None = None,
        form_post: bool = False,
        start_at: str | None = None,
        after_login: str = "/",
        after_logout: str = "/",
        logged_out_uri: str | None = None,
        origins: Iterable[str] = (),
        endpoints: Mapping[str, str] | None = None,
        endpoint_origins: Iterable[str] = (),
        cookie: str = "session",
        leeway: float = 30,
        timeout: float = 5,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        wrong, seal = _seal(session_key, random)
        del session_key  # what is raised below may be shown with its locals
        if seal is None:
            del client_secret, key
            raise ConfigurationError(f"login: {wrong}")
        self.provider = provider
        self.issuer: str = given.issuer_of(provider)
        self.redirect_uri = given.redirect_uri(redirect_uri, form_post)
        secure = self.redirect_uri.startswith("https:")
        self._identify = getattr(provider, "identify", None)
        self._scopes = given.scopes(scopes, openid=self._identify is None)
        self._claims = given.names("claims", claims)
        self._request = given.request(prompt, max_age, acr_values, login_hint, extra)
        self._form_post = form_post
        self._idle, self._absolute = given.lasting(idle, absolute)
        self._leeway = given.seconds("leeway", leeway, 0, 300)
        self._clock = clock
        self._random = random
        self._userinfo = given.flag("userinfo", userinfo)
        self._keeps = given.flag("keep_access_token", keep_access_token), given.flag("refresh", refresh)
        self._profile = getattr(provider, "profile", PLAIN_ACCESS_TOKEN)
        own = urlsplit(self.redirect_uri)
        self._prefix = given.prefix(prefix)
        self._start_at = given.path("start_at", start_at if start_at is not None else self._prefix + "/login")
        self._after_login = given.path("after_login", after_login)
        self._own = frozenset((self._start_at, own.path, self._prefix + "/logout", self._prefix + "/callback"))
        self._endpoints = Endpoints(provider, endpoints or {}, endpoint_origins)
        self._tokens = TokenEndpoint(
            self._endpoints,
            client_id,
            client_secret,
            key=key,
            method=method or getattr(provider, "login_method", None),
            timeout=timeout,
            transport=transport,
            clock=clock,
            random=random,
        )
        del client_secret, key
        self.client_id = client_id
        issuers = getattr(provider, "issuers", None) or frozenset((self.issuer,))
        self._spelled: Mapping[str, str] = getattr(provider, "_spelled", None) or {}
        keys = getattr(provider, "keys", None)
        if keys is None and self._identify is None:
            raise ConfigurationError("login: the provider has no keys to verify ID tokens with, and no identify")
        self._signed = SignedForUs(keys, issuers, client_id, self._leeway) if self._identify is None else None  # type: ignore[arg-type]
        binding = f"{self.issuer}\0{client_id}"
        self._cookies = WebCookies(cookie, base64url.encode(_digest(binding)[:6]).decode(), secure=secure)
        self.cookie_name = self._cookies.name
        site = "None" if form_post else "Lax"
        bound = f"{binding}\0{self.redirect_uri}"
        self._attempts = Attempts(seal, self._cookies, bound, same_site=site, clock=clock, random=random)
        self._used = Used(TTL + 120.0, clock)
        self._store = given.store(store)
        self._sessions: SealedSessions | StoredSessions = SealedSessions(seal, binding, random)
        if store is not None:
            self._sessions = StoredSessions(store, seal, binding, self._absolute, clock, random)
        refreshing = (
            Refreshing(
                self._sessions, self._tokens, self._renewed, timeout=timeout, clock=clock, monotonic=monotonic, sleep=sleep
            )
            if refresh
            else None
        )
        self._origins = given.origins(origins) | {f"{own.scheme}://{own.netloc}".lower()}
        self.session = BrowserSession(
            self._sessions,
            self._cookies,
            start=self._start_at,
            own=self._own,
            origins=self._origins,
            idle=self._idle,
            absolute=self._absolute,
            refreshing=refreshing,
            clock=clock,
            monotonic=monotonic,
        )
        self._info = UserInfo(self._endpoints, self.issuer, timeout=timeout, transport=transport)
        self._logout = Logout(
            self._sessions,
            self.session,
            self._cookies,
            self._endpoints,
            keys=keys,
            issuers=issuers,
            client_id=client_id,
            origins=self._origins,
            after=given.path("after_logout", after_logout),
            logged_out_uri=None if logged_out_uri is None else checked_url("logged_out_uri", logged_out_uri),
            leeway=self._leeway,
            clock=clock,
            random=random,
        )
        self._keeps_hint = logged_out_uri is not None
        self.start = self.start_with()
        posted = ("POST",) if form_post else ("GET",)
        self.callback: Endpoint = Served(self._called_back, name="callback", start=self._start_at, methods=posted)
        self.logout: Endpoint = Served(self._logout.logout, name="logout", start=self._start_at, methods=("GET", "POST"))
        routes: dict[str, Endpoint] = {
            f"{self._prefix}/login": self.start,
            f"{self._prefix}/callback": self.callback,
            own.path or "/": self.callback,
            f"{self._prefix}/logout": self.logout,
        }
        if store is not None and self._signed is not None:
            routes[f"{self._prefix}/backchannel-logout"] = self.backchannel_logout
        self.app: Endpoint = route(routes)

    @property
    def backchannel_logout(self) -> Endpoint:
        """Where the provider says that somebody's session there is over (Back-Channel Logout 1.0): POST `logout_token`; 200, or
        400. Raises: `ConfigurationError` without a store: a sealed cookie cannot be ended from here."""
        if self._store is None or self._signed is None:
            raise ConfigurationError("login: back-channel logout needs a store, in which sessions lie, and an OpenID Provider")
        return Served(self._logout.told, name="backchannel_logout", start=self._start_at, methods=("POST",))

    def start_with(
        self,
        *,
        prompt: str | None = None,
        max_age: int | None = None,
        acr_values: str | Iterable[str] = (),
        login_hint: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Endpoint:
        """`start`, with other words for this one purpose: `login.start_with(max_age=300)` for who has to show once more who
        they are. What is not said here is as it was said to `login`. Raises: `ConfigurationError`."""
        asked = {**self._request, **given.request(prompt, max_age, acr_values, login_hint, extra)}

        async def start(request: Request) -> Response | Deny:
            """GET: 303 to the provider. `return_to` in the query: a path on this site to come back to."""
            return await self._started(request, asked)

        return Served(start, name="start", start=self._start_at)

    async def _started(self, request: Request, asked: Mapping[str, str]) -> Response | Deny:
        places = [value for name, value in request.query if name == "return_to"]
        back = safe_path(places[0] if len(places) == 1 else None, self._after_login, never=self._own)
        where = await self._endpoints.find("authorization_endpoint")
        acr = tuple(asked.get("acr_values", "").split())
        max_age = float(asked["max_age"]) if "max_age" in asked else None
        attempt, cookies = await self._attempts.begin(request, back, acr, max_age)
        parameters = {
            **asked,
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self._scopes),
            "state": attempt.state,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        if self._signed is not None:
            parameters["nonce"] = attempt.nonce
        if self._form_post:
            parameters["response_mode"] = "form_post"
        if not parameters["scope"]:
            del parameters["scope"]
        return redirect(where + ("&" if "?" in where else "?") + urlencode(parameters), cookies)

    async def _called_back(self, request: Request) -> Response | Deny:
        """What the provider answers with: 303 back to where it began with a session, or 400, 401, 503."""
        sent = given.parameters(request, posted=self._form_post)
        if isinstance(sent, Deny):
            return sent
        attempt = await self._attempts.find(request, sent.get("state", ""))
        if not isinstance(attempt, Attempt):
            return Deny(400, "invalid_request", reason=attempt)
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
            status = 401 if error in _REFUSED_AT_THE_PROVIDER else 400
            return _refused(status, "login_refused_by_provider", forget)
        try:
            session = await self._completed(code, attempt)
        except InvalidToken as failure:
            return _refused(401, failure.reason, forget)
        except GrantRefused as failure:
            return _refused(400, f"grant_{failure.error}", forget)
        except Unavailable as failure:
            headers = {"retry-after": str(failure.retry_after)}
            return _refused(503, "unavailable", forget, *headers.items())
        await self._end_former(request)
        value = await self._sessions.keep(session)
        lines = [line for _, line in self.session.kept(value, session, request)]
        return redirect(attempt.return_to, [*lines, forget[1]])

    async def _mixed_up(self, issuer: str | None) -> str | None:
        """Why an answer is not this provider's: RFC 9207 section 2.4. None: nothing says that it is another's."""
        if issuer is not None:
            return None if issuer == self.issuer else "login_issuer"
        said = await self._endpoints.says("authorization_response_iss_parameter_supported")
        return "login_issuer" if said is True else None

    async def _is_first(self, state: str) -> bool:
        if isinstance(self._sessions, StoredSessions):
            return await self._sessions.add(f"state:{state}", TTL + 120.0)
        return self._used.add(state)

    async def _completed(self, code: str, attempt: Attempt) -> Session:
        """The session that a code is worth. Raises: `InvalidToken`, `GrantRefused`, `Unavailable`."""
        tokens: TokenResponse = await blocking(self._redeemed, code, attempt)
        now = self._clock()
        claims = await self._identified(tokens, code, attempt, now)
        if self._userinfo:
            told = await blocking(self._info.ask, tokens["access_token"], claims["sub"])
            claims = FrozenDict({**told, **claims})
        new = base64url.encode(self._random(16)).decode()
        session = Session(new, claims["sub"], self.issuer, began=now, seen=now)
        return self._filled(session, claims, tokens, now).but(nonce=attempt.nonce if self._keeps[1] else None)

    def _redeemed(self, code: str, attempt: Attempt) -> TokenResponse:
        return self._tokens.post(
            "authorization_code", code=code, redirect_uri=self.redirect_uri, code_verifier=attempt.verifier
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

    async def _renewed(self, session: Session, tokens: TokenResponse) -> Session:
        """What a session becomes by refreshed tokens (Core section 12.2). Raises: `InvalidToken`."""
        now = self._clock()
        session = session.but(turn=session.turn + 1)
        if self._signed is None or "id_token" not in tokens:
            return self._filled(session, session.claims, tokens, now, renewed=True)
        claims, key = await self._signed.read(tokens["id_token"], now)
        nonce = claims.get("nonce", session.nonce)
        if claims.get("sub") != session.subject or self._spelling(claims) != session.issuer or nonce != session.nonce:
            raise InvalidToken("token_claims")
        Expected(session.nonce or "", access_token=tokens["access_token"]).check_hashes(claims, key)
        return self._filled(session, {**session.claims, **claims}, tokens, now)

    def _spelling(self, claims: Mapping[str, Any]) -> str:
        issuer: str = claims.get("iss", self.issuer)
        return self._spelled.get(issuer, issuer)

    def _filled(
        self, session: Session, claims: Mapping[str, Any], tokens: TokenResponse, now: float, *, renewed: bool = False
    ) -> Session:
        """The session with what is kept of these claims and tokens."""
        kept = {name: claims[name] for name in (*ALWAYS_KEPT, *self._claims) if name in claims}
        roles = session.roles
        if not renewed:
            found = names_at(FrozenDict(claims), self._profile.roles, strict=False)
            roles = tuple(sorted(found)) or (roles if session.turn else ())
        sid, scope = claims.get("sid", session.sid), tokens.get("scope")
        granted = scope.split(" ") if type(scope) is str else session.scopes or self._scopes
        changes: dict[str, Any] = {
            "issuer": self._spelling(claims) if "iss" in claims else session.issuer,
            "claims": kept,
            "roles": roles,
            "scopes": tuple(sorted(name for name in granted if name)),
            "sid": sid if type(sid) is str else None,
        }
        keeps_token, refreshes = self._keeps
        lasts = given.lifetime_of(tokens.get("expires_in"), EXPIRES)
        if keeps_token or refreshes:
            changes["expires"] = now + lasts
        if keeps_token:
            changes["access_token"] = tokens["access_token"]
        if refreshes:
            changes["due"] = now + lasts - min(60.0, lasts / 5)
            new = tokens.get("refresh_token")
            changes["refresh_token"] = new if type(new) is str and new else session.refresh_token
        if self._keeps_hint and type(tokens.get("id_token")) is str:
            changes["id_token"] = tokens["id_token"]
        return session.but(**changes)

    async def _end_former(self, request: Request) -> None:
        """The session that came with a login is over: whoever planted it has nothing (OID-20)."""
        former = self._cookies.sent(request)
        if isinstance(former, str) and former:
            await self._sessions.end(former, None)
            self.session.forget(former)

    def access_token(self, request: Request) -> str | None:
        """The access token of the session that `request` has, refreshed if that was due; None without one. It may block.

        Raises: `Unavailable`; `ConfigurationError` unless `keep_access_token` was said.
        """
        return run(self._access_token(request))

    async def aaccess_token(self, request: Request) -> str | None:
        """`access_token` on an event loop, which it does not block."""
        return await arun(self._access_token(request))

    async def _access_token(self, request: Request) -> str | None:
        if not self._keeps[0]:
            raise ConfigurationError("login: keep_access_token=True keeps it")
        value = self._cookies.sent(request)
        opened = await self.session.opened(value) if isinstance(value, str) and value else None
        return None if opened is None else opened.session.access_token

    def userinfo(self, access_token: str, subject: str) -> Mapping[str, Any]:
        """What the provider's userinfo endpoint says of `subject` (Core section 5.3). It blocks.

        Raises: `InvalidToken` if it refuses the token, or speaks of somebody else; `Unavailable`.
        """
        return self._info.ask(access_token, subject)

    async def auserinfo(self, access_token: str, subject: str) -> Mapping[str, Any]:
        """`userinfo` on an event loop, which it does not block."""
        return await arun(blocking(self._info.ask, access_token, subject))  # type: ignore[arg-type]

    async def warm(self) -> None:
        """Have the metadata and the keys at hand before the first login. Raises: `Unavailable`."""
        await self._endpoints.find("authorization_endpoint")
        if self._signed is not None:
            await self.provider.warm()

    def __repr__(self) -> str:
        return f"<Login at {self.issuer!r}>"


def _refused(status: int, reason: str, *lines: tuple[str, str]) -> Deny:
    from .._lines import Lines

    code = {503: "temporarily_unavailable"}.get(status, "login_failed")
    return Deny(status, code, reason=reason, headers=Lines(lines))


def _digest(text: str) -> bytes:
    from hashlib import sha256

    return sha256(text.encode()).digest()


def _seal(key: Any, random: Callable[[int], bytes]) -> tuple[str, Seal | None]:
    """The seal, or what is wrong with its key. It raises nothing: its frame holds the key."""
    if key is None or (not isinstance(key, Secret) and (is_blank(key) or not isinstance(key, (str, bytes)))):
        return "session_key is a Secret, or text or bytes of at least 32 bytes", None
    try:
        return "", Seal(key if isinstance(key, Secret) else Secret.of(key), random)
    except ConfigurationError as error:
        return f"session_key: {error}", None
