"""`Login`: people log in at a provider and come back with a session (OpenID Connect Core 1.0 section 3.1; RFC 9700)."""

from __future__ import annotations

import os
import time
from hashlib import sha256
from urllib.parse import urlsplit

from .._fetch import checked_url
from .._origin import origin_at
from .._recorded import ON_PURPOSE
from .._run import arun, blocking, run
from .._sealed import Seal
from ..decision import Deny
from ..endpoint import route
from ..errors import ConfigurationError
from ..secrets.secret import Secret
from ..secrets.versions import is_blank
from ..tokens import base64url
from . import _login_settings as given
from ._arrival import Arrival
from ._endpoints import Endpoints
from ._flow import Flow
from ._login_rules import LoginRules
from ._served import Served
from ._warmed import Warmed
from ._web_cookies import WebCookies
from .asking_json import hidden
from .attempt import Attempts
from .browser_session import BrowserSession
from .id_token import SignedForUs
from .logout import Logout, NotServed
from .profile import PLAIN_ACCESS_TOKEN
from .refreshing import Refreshing
from .sealed import SealedSessions
from .stored import StoredSessions
from .token_endpoint import TokenEndpoint
from .userinfo import UserInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..endpoint import Endpoint
    from ..http import Request, Response
    from ..stores import Store

KEPT = ("name", "preferred_username", "email", "email_verified")


class Login(Warmed):
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
    with several processes a store is needed); in the background where there is a store, unless `background` is False.
    `keep_access_token`: for calls of yours, see `access_token`.

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
        background: bool | None = None,
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
        client_secret, key = hidden(client_secret), hidden(key)  # what is raised below may be shown with its locals
        self.issuer = ""
        wrong, seal = _seal(session_key, random)
        del session_key
        if seal is None:
            raise ConfigurationError(f"login: {wrong}")
        self.provider = provider
        self.issuer = given.issuer_of(provider)
        self.redirect_uri = given.redirect_uri(redirect_uri, form_post)
        secure = self.redirect_uri.startswith("https:")
        identify = getattr(provider, "identify", None)
        found = given.scopes(scopes, openid=identify is None)
        self._request = given.request(prompt, max_age, acr_values, login_hint, extra)
        idle, absolute = given.lasting(idle, absolute)
        leeway = given.seconds("leeway", leeway, 0, 300)
        self._keeps_token = given.flag("keep_access_token", keep_access_token)
        own_path = urlsplit(self.redirect_uri).path
        prefix = given.prefix(prefix)
        self._start_at = given.path("start_at", start_at if start_at is not None else prefix + "/login")
        after_login = given.path("after_login", after_login)
        after_logout = given.path("after_logout", after_logout)
        own_paths = given.own_paths(prefix, self._start_at, own_path, after_login, after_logout)
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
        self.client_id = client_id
        issuers = getattr(provider, "issuers", None) or frozenset((self.issuer,))
        keys = getattr(provider, "keys", None)
        if keys is None and identify is None:
            raise ConfigurationError("login: the provider has no keys to verify ID tokens with, and no identify")
        self._signed = SignedForUs(keys, issuers, client_id, leeway) if keys is not None and identify is None else None
        self._info = UserInfo(self._endpoints, self.issuer, timeout=timeout, transport=transport)
        self._arrival = Arrival(
            self.issuer,
            self._tokens,
            signed=self._signed,
            identify=identify,
            info=self._info if given.flag("userinfo", userinfo) else None,
            redirect_uri=self.redirect_uri,
            scopes=found,
            claims=given.names("claims", claims),
            rules=LoginRules(getattr(provider, "login_profile", None), getattr(provider, "profile", PLAIN_ACCESS_TOKEN)),
            spelled=getattr(provider, "_spelled", None) or {},
            refreshes=given.flag("refresh", refresh),
            keeps_token=self._keeps_token,
            keeps_hint=logged_out_uri is not None,
            leeway=leeway,
            clock=clock,
            random=random,
        )
        binding = f"{self.issuer}\0{client_id}"
        self._cookies = WebCookies(cookie, base64url.encode(sha256(binding.encode()).digest()[:6]).decode(), secure=secure)
        self.cookie_name = self._cookies.name
        site = "None" if form_post else "Lax"
        bound = f"{binding}\0{self.redirect_uri}"
        self._attempts = Attempts(seal, self._cookies, bound, same_site=site, clock=clock, random=random)
        self._store = given.store(store)
        self._sessions: SealedSessions | StoredSessions = SealedSessions(seal, binding, random)
        if store is not None:
            self._sessions = StoredSessions(store, seal, binding, absolute, clock, random)
        refreshing = (
            Refreshing(
                self._sessions,
                self._tokens,
                self._arrival.renewed,
                timeout=timeout,
                clock=clock,
                monotonic=monotonic,
                sleep=sleep,
            )
            if refresh
            else None
        )
        trusted = given.origins(origins) | {origin_at(self.redirect_uri)}
        self.session = BrowserSession(
            self._sessions,
            self._cookies,
            start=self._start_at,
            own=own_paths,
            origins=trusted,
            idle=idle,
            absolute=absolute,
            refreshing=refreshing,
            warms=self._warm_provider,
            background="AWS_LAMBDA_RUNTIME_API" not in os.environ if background is None else background,
            clock=clock,
            monotonic=monotonic,
        )
        self._logout = Logout(
            self._sessions,
            self.session,
            self._cookies,
            self._endpoints,
            self._tokens,
            keys=keys,
            issuers=issuers,
            client_id=client_id,
            origins=trusted,
            after=after_logout,
            logged_out_uri=None if logged_out_uri is None else checked_url("logged_out_uri", logged_out_uri),
            leeway=leeway,
            clock=clock,
            random=random,
        )
        self._flow = Flow(
            self.issuer,
            client_id,
            self.redirect_uri,
            scopes=found,
            nonces=self._signed is not None,
            form_post=form_post,
            after_login=after_login,
            own=own_paths,
            endpoints=self._endpoints,
            attempts=self._attempts,
            arrival=self._arrival,
            sessions=self._sessions,
            browser=self.session,
            cookies=self._cookies,
            clock=clock,
        )
        self.start = self.start_with()
        posted = ("POST",) if form_post else ("GET",)
        self.callback: Endpoint = Served(self._flow.called_back, name="callback", start=self._start_at, methods=posted)
        self.logout: Endpoint = Served(self._logout.logout, name="logout", start=self._start_at, methods=("GET", "POST"))
        routes: dict[str, Endpoint] = {
            f"{prefix}/login": self.start,
            f"{prefix}/callback": self.callback,
            own_path or "/": self.callback,
            f"{prefix}/logout": self.logout,
        }
        if store is not None and self._signed is not None:
            routes[f"{prefix}/backchannel-logout"] = self.backchannel_logout
        self.app: Endpoint = ON_PURPOSE(route(routes))

    @property
    def backchannel_logout(self) -> Endpoint:
        """Where the provider says that somebody's session there is over (Back-Channel Logout 1.0): POST `logout_token`; 200, or
        400. Raises: `ConfigurationError` without a store, an `AttributeError` too: no sealed cookie can be ended from here."""
        if self._store is None or self._signed is None:
            raise NotServed("login: back-channel logout needs a store, in which sessions lie, and an OpenID Provider")
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
            return await self._flow.started(request, asked)

        return Served(start, name="start", start=self._start_at)

    def access_token(self, request: Request) -> str | None:
        """The access token of the session that `request` has, refreshed if that was due; None without one. It may block.

        Raises: `Unavailable`; `ConfigurationError` unless `keep_access_token` was said.
        """
        return run(self._access_token(request))

    async def aaccess_token(self, request: Request) -> str | None:
        """`access_token` on an event loop, which it does not block."""
        return await arun(self._access_token(request))

    async def _access_token(self, request: Request) -> str | None:
        if not self._keeps_token:
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
        return await arun(self._told(access_token, subject))

    async def _told(self, access_token: str, subject: str) -> Mapping[str, Any]:
        return await blocking(self._info.ask, access_token, subject)

    def __repr__(self) -> str:
        return f"<Login at {self.issuer!r}>"


def hide(settings: dict[str, Any]) -> None:
    """Put what is secret in there out of sight: what is raised below may be shown with its locals."""
    for name in ("client_secret", "key", "session_key"):
        if name in settings:
            settings[name] = hidden(settings[name])


def _seal(key: Any, random: Callable[[int], bytes]) -> tuple[str, Seal | None]:
    """The seal, or what is wrong with its key. It raises nothing: its frame holds the key."""
    if key is None or (not isinstance(key, Secret) and (is_blank(key) or not isinstance(key, (str, bytes)))):
        return "session_key is a Secret, or text or bytes of at least 32 bytes", None
    try:
        return "", Seal(key if isinstance(key, Secret) else Secret.of(key), random)
    except ConfigurationError as error:
        return f"session_key: {error}", None
