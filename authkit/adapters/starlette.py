"""Starlette's `AuthenticationMiddleware`: its `AuthenticationBackend`, and the refusals of a guard for its `on_error`.

```
backend = GuardBackend(provider)
middleware = [Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error)]
```
"""

from __future__ import annotations

from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser

from ..decision import Challenge, Deny
from ..hosts._starlette_refusal import as_response
from ..hosts.asgi import AsgiRequest
from ._asked import Refused, guard_of, principal_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from starlette.requests import HTTPConnection
    from starlette.responses import Response

    from ..decision import Principal

_OTHER = Deny(401, "invalid_token", reason="authentication_error", challenge=Challenge(error="invalid_token"))


class RefusedConnection(AuthenticationError):
    """The guard refused. `refused`: its decision and its bytes. The message is the public code."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused))
        self.refused = refused


class PrincipalUser(BaseUser):
    """`request.user` of somebody whom the guard knows. Keep people by `identity`: issuer and subject."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.principal.subject

    @property
    def identity(self) -> Any:
        return self.principal.issuer, self.principal.subject


class GuardBackend(AuthenticationBackend):
    """`guard`: verifiers, with settings of `require_auth`; or one guard that identifies.

    Nothing was sent: nobody (`UnauthenticatedUser`), and `requires(...)` decides. A good credential: `AuthCredentials` of
    "authenticated" and the scopes, and a `PrincipalUser`. Everything else raises `AuthenticationError`, and `on_error` answers
    it with the guard's own bytes, 503 included; without that Starlette answers 400. Headers that a guard adds to what it
    allows (a rate limit's) are not added here. Raises: `ConfigurationError`.
    """

    def __init__(self, *guard: Any, **settings: Any) -> None:
        self._guard = guard_of(guard, settings, body=False)

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        request = AsgiRequest(conn.scope, _no_body, _no_body, "starlette", conn)  # type: ignore[arg-type]
        try:
            principal = principal_of(await self._guard.adecide(request))
        except Refused as refused:
            raise RefusedConnection(refused) from None
        if principal is None:
            return None
        return AuthCredentials(["authenticated", *sorted(principal.scopes)]), PrincipalUser(principal)

    @staticmethod
    def on_error(conn: HTTPConnection, error: AuthenticationError) -> Response:
        """For `AuthenticationMiddleware(on_error=...)`: the guard's refusal, as it answers everywhere."""
        refused = error.refused if isinstance(error, RefusedConnection) else Refused(_OTHER)
        return as_response(refused.response)


async def _no_body(*_: object) -> NoReturn:
    raise RuntimeError("no body is read where Starlette authenticates")
