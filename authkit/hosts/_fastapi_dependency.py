"""A guard as a FastAPI dependency, with its security scheme in OpenAPI."""

from __future__ import annotations

from functools import partial
from inspect import Parameter, Signature

import fastapi
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.responses import Response as StarletteResponse

from .._run import arun
from .._state import current
from ..decision import ALLOW, Challenge, Deny
from ..errors import ConfigurationError
from ._starlette_refusal import stop
from .asgi import answering
from .starlette import HOST, StarletteRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextvars import Token
    from typing import Any

    from .._state import State
    from ..decision import Decision, Principal

# The headers that name a security scheme without saying so: that of API keys by default, and that of RFC 9421.
_KEY, _SIGNED = "x-api-key", "signature"

_SIGNATURE = Signature(
    [
        Parameter("connection", Parameter.KEYWORD_ONLY, annotation=HTTPConnection),
        Parameter("response", Parameter.KEYWORD_ONLY, annotation=StarletteResponse),
        Parameter("scopes", Parameter.KEYWORD_ONLY, annotation=SecurityScopes),
    ]
)


class Dependency:
    """What `Depends(api.dependency)` calls. Gives the `Principal`, None for an anonymous request.

    Response headers go on the response that FastAPI injects: an endpoint that returns a response of its own loses them, as
    it does those of any dependency. Hooks run when the guards have let the request through, before the endpoint.
    `Security(api.dependency, scopes=[...])`: the principal must have been granted them all.
    """

    def __init__(self, chain: Any, visit: Callable[..., Any]) -> None:
        self._chain = chain
        self._visit = visit
        self.__signature__ = _SIGNATURE

    async def __call__(
        self, connection: HTTPConnection, response: StarletteResponse, scopes: SecurityScopes
    ) -> Principal | None:
        visit = await self._decide(connection, response, scopes)
        token = current.set(visit.state)
        # A dependency that yields would be closed by this stack too, at three times the price of the whole decision.
        stack = connection.scope.get("fastapi_inner_astack")
        if stack is None:  # a FastAPI that has renamed it: the event is written now, and the principal stays in this task
            visit.end()
        else:
            stack.push(partial(_leave, visit, token))
        principal: Principal | None = visit.state.principal
        return principal

    async def _decide(self, connection: HTTPConnection, response: StarletteResponse, scopes: SecurityScopes) -> Any:
        """The visit of a request that may pass; a refusal is raised."""
        request = HOST.read((connection,), {})
        assert isinstance(request, StarletteRequest)
        request.injected = response
        visit = self._visit(self._chain, HOST, request)
        state = visit.state
        try:
            decision = await arun(self._chain.judge(request, state))
            if decision is ALLOW:
                decision = _scopes_granted(state, scopes.scopes)
            if decision is not ALLOW:
                stop(connection, visit.refusal(decision))
            visit.judged()
            state.outcome = "allow"
            if state.dropped:
                HOST.without(request, (), {}, state.dropped)
            if visit.wanted:
                if request.websocket:
                    request.native._send = answering(request.native._send, visit)
                else:
                    HOST.finish(request, None, visit)
        except BaseException:
            visit.end()
            raise
        return visit


class Yielding(Dependency):
    """For FastAPI before 0.118, which ends dependencies before it sends the response: a streamed body has no principal."""

    async def __call__(  # type: ignore[override]
        self, connection: HTTPConnection, response: StarletteResponse, scopes: SecurityScopes
    ) -> AsyncIterator[Principal | None]:
        visit = await self._decide(connection, response, scopes)
        token = current.set(visit.state)
        try:
            yield visit.state.principal
        except BaseException as error:
            _leave(visit, token, type(error), error, None)
            raise
        else:
            _leave(visit, token, None, None, None)


def _leave(visit: Any, token: Token[Any], _: object, error: BaseException | None, __: object) -> None:
    """The response has been sent, or the endpoint has raised."""
    current.reset(token)
    if isinstance(error, Exception):
        visit.state.outcome, visit.state.status = "error", getattr(error, "status_code", None)
    visit.end()


class Bearer(SecurityBase):
    """What makes a dependency a security scheme: that of a guard that identifies the caller."""

    model = HTTPBearer(description="A bearer token (RFC 6750).")
    scheme_name = "HTTPBearer"


class BearerDependency(Dependency, Bearer):
    pass


class BearerYielding(Yielding, Bearer):
    pass


class Key(SecurityBase):
    """The same of a guard that takes an API key, or a signature. Which header, its own instance says."""


class KeyDependency(Dependency, Key):
    pass


class KeyYielding(Yielding, Key):
    pass


def _scopes_granted(state: State, wanted: list[str]) -> Decision:
    """About the scopes that FastAPI's `Security(..., scopes=[...])` asks for."""
    principal = state.principal
    if not wanted or (principal is not None and principal.scopes.issuperset(wanted)):
        return ALLOW
    if principal is None:
        deny = Deny(401, "unauthorized", reason="no_principal", challenge=Challenge(realm="api"), no_credential=True)
    else:
        challenge = Challenge(error="insufficient_scope", scope=" ".join(wanted))
        deny = Deny(403, "insufficient_scope", reason="scope_missing", challenge=challenge)
    state.reason = deny.reason
    return deny


def make(guard: Any, visit: Callable[..., Any]) -> Dependency:
    chain = guard.as_chain()
    if chain.needs_handler:
        raise ConfigurationError("a guard that looks at the response is no dependency: put it on the endpoint or the app")
    early = tuple(int(part) for part in fastapi.__version__.split(".")[:2]) < (0, 118)
    headers = set(chain.sent_in)
    if "authorization" in headers:  # also beside API keys: a dependency has one scheme
        return (BearerYielding if early else BearerDependency)(chain, visit)
    name, of, description = "APIKeyHeader", _KEY, "An API key."
    if not headers:  # OpenAPI has no kind of its own for signatures
        headers = {item.signed_in for item in chain.flat() if getattr(item, "signed_in", None)}
        name, of, description = "RequestSignature", _SIGNED, "A signature over the request."
    if len(headers) == 1:
        keyed: Any = (KeyYielding if early else KeyDependency)(chain, visit)
        header = headers.pop()
        keyed.scheme_name = name if header == of else f"{name}-{header}"  # two headers are two schemes
        fields: dict[str, Any] = {"in": APIKeyIn.header, "name": header, "description": description}
        keyed.model = APIKey(**fields)
        return keyed  # type: ignore[no-any-return]
    return (Yielding if early else Dependency)(chain, visit)
