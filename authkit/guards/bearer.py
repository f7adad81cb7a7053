"""Who is calling? `require_auth`: one credential, judged by one verifier that was configured for its issuer."""

from __future__ import annotations

import time

from .. import _credential, _verifiers
from .._guard import Guard
from ..decision import ALLOW, Allow, Challenge, Deny, Principal, identified
from ..errors import ConfigurationError, InvalidToken
from . import _offered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol, TypeVar, overload

    from .._verifiers import Asked
    from ..decision import Decision
    from ..http import Request
    from ._resource import Described
    from ._step_up import StepUp

    H = TypeVar("H", bound=Callable[..., Any])

    class Verifier(Protocol):
        """`verify(token)` returns the `Principal` or raises `InvalidToken`. Optional: `averify`, `issuer`, and `issuers`;
        `unnamed`, if it judges tokens that name no issuer too.

        Of a subclass the method that it overrides is asked; one that overrides `averify` alone serves async handlers only.
        """

        def verify(self, token: str, /) -> Principal: ...

    class Authenticator(Protocol):
        """A credential that is more than a bearer string. None: no such credential was sent. `Allow`: a principal, and headers
        for the response. Optional: `challenges`, what refusals offer; `beside`, who judges bearer tokens sent instead;
        `lead(request, deny)`, a refusal of its own where nobody is known, or None; `after`, a response hook."""

        async def authenticate(self, request: Request, /) -> Principal | Allow | Deny | None: ...


INVALID_TOKEN = Challenge(error="invalid_token")
_NOT_PLAIN = Deny(401, "invalid_token", reason="token_malformed", challenge=INVALID_TOKEN)
BROKEN_CSRF = Deny(403, "csrf_failed", reason="csrf_failed")


def _invalid(reason: str) -> Deny:
    return Deny(401, "invalid_token", reason=reason, challenge=INVALID_TOKEN)  # the same bytes for every cause


class RequireAuth(Guard):
    """One of the verifiers knows the caller."""

    name = "require_auth"
    identifies = True

    def __init__(
        self,
        verifiers: tuple[Any, ...],
        *,
        optional: bool = False,
        cookie: str | None = None,
        csrf: str | Iterable[str] = "origin",
        websocket_protocol: str | None = None,
        preflight: bool = False,
        realm: str | None = None,
        max_age: int | None = None,
        amr: str | Iterable[str] | None = None,
        acr: str | Iterable[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._from_settings = not verifiers
        self._step_up: StepUp | None = None
        if not (max_age is None and amr is None and acr is None):
            from ._step_up import StepUp

            self._step_up = StepUp(max_age, amr, acr, clock)
        self._cookie = _name("cookie", cookie)
        self._protocol = _name("websocket_protocol", websocket_protocol)
        self._trusted = _origins(csrf)
        self._optional = optional
        self._preflight = preflight
        self._elsewhere = cookie is not None or websocket_protocol is not None
        self._realm = realm or "api"
        self._take(verifiers)

    def _take(self, verifiers: tuple[Any, ...]) -> None:
        plain: list[Any] = []
        self._authenticators: list[Any] = []
        self._by_issuer: dict[str, Any] = {}
        self._without_issuer: Any = None
        self._asked: dict[int, Asked] = {}  # by the id of the verifier, which `_plain` holds
        self._judging: dict[int, Any] = {}  # by more than the token: the client's certificate, say
        for verifier in _offered.with_beside(verifiers):
            if hasattr(verifier, "authenticate") and not isinstance(verifier, type):  # it judges more than the bearer string
                self._authenticators.append(verifier)
                continue
            if isinstance(verifier, type) or not callable(getattr(verifier, "verify", None)):
                raise ConfigurationError(
                    f"require_auth takes verifiers (Tokens, OIDCProvider, ...), not {type(verifier).__name__}"
                )
            issuers = _verifiers.issuers_of(verifier)
            if not issuers or getattr(verifier, "unnamed", False) is True:
                if self._without_issuer is not None:
                    raise ConfigurationError("require_auth: at most one verifier may have issuer=None")
                self._without_issuer = verifier
            if not issuers.isdisjoint(self._by_issuer):
                raise ConfigurationError("require_auth: two verifiers have the same issuer; which is meant?")
            self._by_issuer |= dict.fromkeys(issuers, verifier)
            plain.append(verifier)
            self._asked[id(verifier)] = _verifiers.asked(verifier)
            self._judging[id(verifier)] = _verifiers.judging(verifier)
        self._plain = plain
        offered = _offered.challenges_of(self._authenticators)
        self.after = _offered.hook_of(self._authenticators)
        self._leading = [item.lead for item in self._authenticators if callable(getattr(item, "lead", None))]
        self._offers = offered, bool(plain) or self._from_settings or not offered
        missing = Challenge(realm=self._realm)
        nobody = Deny(401, "unauthorized", reason="no_credential", challenge=missing, no_credential=True)
        self._missing = _offered.offering(nobody, *self._offers)
        # What more than a bearer string is judged by may be anything in the request: a signature over method and path, say.
        whole = any(getattr(item, "reads_request", True) is not False for item in self._authenticators)
        whole = whole or any(self._judging.values())
        self.reads_request = self._elsewhere or self._preflight or whole
        reading = [item for item in self._authenticators if getattr(item, "needs_body", False)]
        self.needs_body = bool(reading)  # a signature covers it
        # Where that is so only of a request that is signed, an upload under a bearer token is streamed all the same.
        self.loads_body = all(getattr(item, "loads_body", False) for item in reading)
        self.body_limit = max((item.body_limit for item in reading), default=self.body_limit)
        headers = [name for item in self._authenticators for name in getattr(item, "sent_in", ())]
        if len(set(headers)) != len(headers):  # each would answer for every key, and two answers are two credentials
            raise ConfigurationError("require_auth: two sets of API keys in one header; put one in another: keys.at(...)")
        self.sent_in = (*(("authorization",) if plain or self._from_settings else ()), *headers)
        self._only: Callable[[str], Any] | None = None
        self._recall: Callable[[str], Principal | None] | None = None
        if len(plain) == 1 and not self._authenticators and not getattr(plain[0], "provider_name", None):
            self._only = _verifiers.in_place(plain[0])
            if not self._elsewhere and self._step_up is None:
                self._recall = _verifiers.recalled(plain[0])

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None:
        if self._from_settings and not self._plain:
            from ._configured import verifiers

            self._take(tuple(verifiers()))

    async def warm(self) -> None:
        for verifier in (*self._plain, *self._authenticators):
            warm = getattr(verifier, "warm", None)
            if warm is not None:
                await warm()

    def _recalled(self, request: Request) -> Principal | None:
        if self._recall is None:
            return None
        lines = request.field("authorization")
        return self._recall(lines[0][7:]) if len(lines) == 1 and lines[0][:7] == "Bearer " else None

    async def check(self, request: Request) -> Decision:
        known = self._recalled(request)  # a token that was found good in a request before has been through all that follows
        if known is not None:
            return identified(known)
        token = _credential.from_header(request)
        if self._elsewhere and not isinstance(token, Deny):
            token = self._found_elsewhere(request, token)
        if isinstance(token, Deny):
            return token
        if token is None and not self._authenticators:
            return self._nobody(request)
        try:
            if token is not None and self._only is not None:  # the common case: one verifier that never waits
                principal = self._only(token)
            else:
                found = await self._identify(request, token)
                if found is None:
                    return self._nobody(request)
                if isinstance(found, Deny):
                    return found
                if isinstance(found, Allow):
                    return self._weak(found.principal) or found
                principal = found
        except InvalidToken as error:
            return _offered.offering(_invalid(error.reason), *self._offers)
        if not isinstance(principal, Principal):
            raise _no_principal()
        return identified(principal) if self._step_up is None else self._weak(principal) or identified(principal)

    def _nobody(self, request: Request) -> Decision:
        if self._optional:
            return ALLOW
        if self._preflight and request.method == "OPTIONS":
            headers = request.headers
            if "origin" in headers and "access-control-request-method" in headers:
                # Behind a guarded app stands its CORS middleware; a single handler is not entered for a preflight.
                if request.host not in ("asgi", "wsgi"):
                    return Deny(204, "preflight", respond=b"")
                if request.state is not None:
                    request.state.undecided += (self,)  # a guard further in that stands before a handler decides by itself
                return ALLOW
        for lead in self._leading:
            led = lead(request, self._missing)
            if led is not None:
                return led  # type: ignore[no-any-return]
        return self._missing

    def _found_elsewhere(self, request: Request, token: str | None) -> str | Deny | None:
        """The one token of header, cookie and WebSocket protocol."""
        if self._cookie is not None:
            found = _credential.from_cookie(request, self._cookie)
            if found is not None:
                if isinstance(found, Deny):
                    return found
                if token is not None:
                    return _credential.TWO_CREDENTIALS
                unsafe = request.method not in _credential.SAFE_METHODS or request.websocket
                if unsafe and _credential.is_cross_site(request, self._trusted):
                    return BROKEN_CSRF
                token = found
        if self._protocol is not None:
            found = _credential.from_websocket_protocol(request, self._protocol)
            if isinstance(found, Deny):
                return found
            if found is not None:
                if token is not None:
                    return _credential.TWO_CREDENTIALS
                token = found
        return token if token is None or _credential.is_plain(token) else _offered.offering(_NOT_PLAIN, *self._offers)

    async def _identify(self, request: Request, token: str | None) -> Principal | Allow | Deny | None:
        """Who the one credential belongs to; a second one is refused, whatever it is worth."""
        found: Principal | Allow | Deny | None = None
        for authenticator in self._authenticators:
            answer = await authenticator.authenticate(request)
            if answer is None:
                continue
            if not self._plain and getattr(authenticator, "judges_bearer", False):
                token = None  # it was judged before the request came here, and this is what was found
            if found is not None or token is not None:
                return _credential.TWO_CREDENTIALS
            found = answer
        if token is None:
            return found
        if not self._plain:
            return _offered.offering(_offered.NOT_READ, *self._offers)
        verifier = self._chosen(request, token)
        judging = self._judging.get(id(verifier))
        found = await (self._asked[id(verifier)](token) if judging is None else judging(request, token))
        if not isinstance(found, Principal):  # None would be taken for "no credential was sent"
            raise _no_principal()
        return found

    def _chosen(self, request: Request, token: str) -> Any:
        """The verifier for this token: by its `iss` from those configured; an `auth-provider` header can only narrow."""
        if len(self._plain) == 1:
            chosen = self._plain[0]
        else:
            from ..tokens import unverified_issuer

            issuer = unverified_issuer(token)
            chosen = self._without_issuer if issuer is None else self._by_issuer.get(issuer)
        if chosen is None:
            raise InvalidToken("unknown_issuer")
        if any(getattr(verifier, "provider_name", None) for verifier in self._plain):
            wanted = request.headers.get("auth-provider")
            if wanted is not None and getattr(chosen, "provider_name", None) != wanted:
                raise InvalidToken("other_provider")
        return chosen

    def _weak(self, principal: Principal | None) -> Deny | None:
        """The refusal of a login that is too old or too weak; None: it is enough."""
        if principal is None:
            raise _no_principal()
        return None if self._step_up is None else self._step_up.refusal(principal)


def _no_principal() -> TypeError:
    return TypeError("a verifier returns a Principal or raises InvalidToken")


def _name(setting: str, value: str | None) -> str | None:
    if value is not None and (
        not isinstance(value, str) or not value or any(not "!" <= c <= "~" or c in ',;="' for c in value)
    ):
        raise ConfigurationError(f"require_auth: {setting} is a plain name")
    return value


def _origins(csrf: str | Iterable[str]) -> frozenset[str]:
    if csrf == "origin":
        return frozenset()
    if csrf is None or isinstance(csrf, (str, bool)):
        raise ConfigurationError("require_auth: csrf is 'origin', or a list of further origins that are trusted")
    origins = frozenset(csrf)
    if not all(isinstance(item, str) and "://" in item and not item.endswith("/") for item in origins):
        raise ConfigurationError("require_auth: csrf origins look like 'https://app.example.com'")
    return origins


class _RequireAuth:
    """`require_auth(*verifiers, ...)`: lets in whom one of the verifiers knows. Bare, it reads the AUTHKIT_* settings.

    Several verifiers: the token's `iss` chooses among those configured. `optional`: without a credential the request is
    anonymous; a bad one is still refused. `cookie`: the token may also stand in that cookie, then with a CSRF check on unsafe
    methods and websockets (`csrf`: "origin", or further trusted origins). `websocket_protocol`: it may follow that entry of
    `Sec-WebSocket-Protocol`. `preflight`: a genuine CORS preflight passes to a guarded app; a guarded handler is not entered.
    `max_age` (seconds since login), `amr` (methods, all of them) and `acr` (classes, one of them): step-up, RFC 9470.
    `resource`: an `authkit.oidc.ProtectedResource`, whose metadata every 401 then names (RFC 9728). Never from the query.

    Answers: RFC 6750 section 3. Raises: `ConfigurationError` for what is no verifier, or two of one issuer.
    """

    if TYPE_CHECKING:

        @overload
        def __call__(self, handler: H, /) -> H: ...
        @overload
        def __call__(
            self, *verifiers: Verifier | Authenticator, optional: bool = ..., cookie: str | None = ...,
            csrf: str | Iterable[str] = ..., websocket_protocol: str | None = ..., preflight: bool = ...,
            realm: str | None = ..., max_age: int | None = ..., amr: str | Iterable[str] | None = ...,
            acr: str | Iterable[str] | None = ..., resource: Described | None = ...,
        ) -> RequireAuth: ...  # fmt: skip

    def __call__(self, *verifiers: Any, **settings: Any) -> Any:
        if len(verifiers) == 1 and not settings and _is_handler(verifiers[0]):
            return RequireAuth(())(verifiers[0])
        if settings.get("resource") is not None:
            from ._resource import RequireAuthOfResource

            return RequireAuthOfResource(verifiers, **settings)
        settings.pop("resource", None)
        return RequireAuth(verifiers, **settings)

    @staticmethod
    def bare_guard() -> RequireAuth:
        """What the bare name stands for in a chain."""
        return RequireAuth(())


def _is_handler(value: object) -> bool:
    return (
        callable(value)
        and not isinstance(value, (Guard, type))
        and not hasattr(value, "verify")
        and not hasattr(value, "authenticate")
    )


require_auth = _RequireAuth()
