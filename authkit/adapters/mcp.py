"""MCP servers made with the official Python SDK: its `TokenVerifier`, by verifiers of authkit.

```
server = MCPServer("orders", token_verifier=McpTokenVerifier(provider), auth=AuthSettings(...))
```
"""

from __future__ import annotations

from mcp.server.auth.provider import AccessToken

from ..decision import Deny
from ._asked import bearer_request, guard_of, undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..decision import Principal

_CLIENT = ("client_id", "azp", "cid", "appid")  # RFC 9068, OpenID Connect, Okta, Entra: who the token was issued to
_MAX_TIME = 253_402_300_799  # the last second of the year 9999


class McpTokenVerifier:
    """What the SDK asks about a bearer token. `guard`: verifiers, with settings of `require_auth`; or one guard, which judges
    the token alone: the SDK hands over no request.

    A token that is refused, for whatever reason, is None: the SDK answers 401. If it could not be judged, `verify_token` raises
    `Unavailable`: the SDK's app then answers 500, for it knows no 503, and never 401, which would make clients throw a good
    token away. For 503, for requests with two credentials, and for our own refusals, put the guard around the app too:
    docs/adapters.md. The audience is judged by the verifier: `AuthSettings(validate_token_resource=False)`.
    """

    def __init__(self, *guard: Any, **settings: Any) -> None:
        self._guard = guard_of(guard, settings, body=False, whole=False)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token as the SDK wants it. Raises: `Unavailable`; `ConfigurationError` where only a request could show it."""
        decision = await self._guard.adecide(bearer_request(token))
        if isinstance(decision, Deny):
            undecided(decision)
            return None
        principal = decision.principal
        return None if principal is None else _access_token(token, principal)

    def __repr__(self) -> str:
        return f"<McpTokenVerifier {self._guard.name}>"


def _access_token(token: str, principal: Principal) -> AccessToken:
    claims = principal.claims
    named = [claims[name] for name in _CLIENT if isinstance(claims.get(name), str) and claims[name]]
    expires: Any = claims.get("exp")
    audience: Any = claims.get("aud")
    more: dict[str, Any] = {}
    if type(expires) in (int, float) and 0 <= expires <= _MAX_TIME:
        more["expires_at"] = int(expires)
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if isinstance(audience, str):
        more["resource"] = audience
    return AccessToken(
        token=token,
        client_id=named[0] if named else principal.subject,
        scopes=sorted(principal.scopes),
        subject=principal.subject,
        claims={**claims, **({} if principal.issuer is None else {"iss": principal.issuer})},
        **more,
    )
