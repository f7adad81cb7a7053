"""A guard as a FastAPI dependency, with its security scheme in OpenAPI."""

from __future__ import annotations

from inspect import Parameter, Signature

from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.responses import Response as StarletteResponse

from .._run import arun
from .._state import current
from ..decision import Challenge, Deny
from ._starlette_refusal import stop
from .asgi import answering
from .starlette import HOST, StarletteRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Any

    from ..decision import Principal

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
    ) -> AsyncIterator[Principal | None]:
        request = HOST.read((connection,), {})
        assert isinstance(request, StarletteRequest)
        request.injected = response
        visit = self._visit(self._chain, HOST, request)
        state = visit.state
        try:
            deny = await arun(self._chain.judge(request, state)) or _scopes_missing(state.principal, scopes.scopes)
            if deny is not None:
                state.reason = deny.reason
                stop(connection, visit.refusal(deny))
            visit.judged()
            state.outcome = "allow"
            if state.dropped:
                HOST.without(request, (), {}, state.dropped)
            if visit.wanted:
                if request.websocket:
                    request.native._send = answering(request.native._send, visit)
                else:
                    HOST.finish(request, None, visit)
            token = current.set(state)
            try:
                yield state.principal
            except Exception as error:
                state.outcome, state.status = "error", getattr(error, "status_code", None)
                raise
            finally:
                current.reset(token)
        finally:
            visit.end()


class Bearer(Dependency, SecurityBase):
    """The dependency of a guard that identifies the caller."""

    model = HTTPBearer(description="A bearer token (RFC 6750).")
    scheme_name = "HTTPBearer"


def _scopes_missing(principal: Principal | None, wanted: list[str]) -> Deny | None:
    if not wanted or (principal is not None and principal.scopes.issuperset(wanted)):
        return None
    if principal is None:
        return Deny(401, "unauthorized", reason="no_principal", challenge=Challenge(realm="api"), no_credential=True)
    return Deny(
        403,
        "insufficient_scope",
        reason="scope_missing",
        challenge=Challenge(error="insufficient_scope", scope=" ".join(wanted)),
    )


def make(guard: Any, visit: Callable[..., Any]) -> Dependency:
    chain = guard.as_chain()
    return (Bearer if chain.identifies else Dependency)(chain, visit)
