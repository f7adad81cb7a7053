"""Whose API key is this? `require_api_key`: one key, in one header, judged by `ApiKeys`."""

from __future__ import annotations

from .._guard import Guard
from ..apikeys.header import HEADER, InHeader
from ..decision import ALLOW, Deny, identified
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..decision import Decision
    from ..http import Request
    from .bearer import Verifier


class RequireApiKey(Guard):
    """Made by `require_api_key`."""

    name = "require_api_key"
    identifies = True
    reads_request = False  # nothing but the credential

    def __init__(self, at: InHeader, *, optional: bool) -> None:
        self._at = at
        self._optional = optional
        self.sent_in = (at.header,)
        self._missing = Deny(401, "unauthorized", reason="no_credential", challenge=at.challenge, no_credential=True)

    async def warm(self) -> None:
        await self._at.warm()

    async def check(self, request: Request) -> Decision:
        found = await self._at.authenticate(request)
        if found is None:
            return ALLOW if self._optional else self._missing
        return found if isinstance(found, Deny) else identified(found)


def require_api_key(
    keys: Verifier, /, *, header: str = HEADER, optional: bool = False, realm: str | None = None
) -> RequireApiKey:
    """Lets in whoever sends an API key that `keys` knows: `ApiKeys(...)`, `ApiKeys.of(...)`, or your own `verify(key)`.

    The key stands in `header`, once; never in the query. `optional`: without a key the request is anonymous; a bad one is still
    refused. Bearer tokens and API keys at one handler: `require_auth(tokens, keys)`.

    Answers: 401 with `WWW-Authenticate: ApiKey realm="..."` (no such scheme is registered; RFC 9110 section 15.5.2 wants one),
    `invalid_api_key` for every cause alike; 400 for two keys. Not checked: where the request comes from, and that it was meant
    for this path: whoever reads a key has it. Raises: `ConfigurationError`.
    """
    given: Any = keys
    if callable(given) and not hasattr(given, "verify"):
        raise ConfigurationError("require_api_key takes keys first: @require_api_key(ApiKeys(...))")
    if not isinstance(optional, bool):
        raise ConfigurationError("require_api_key: optional is True or False")
    return RequireApiKey(InHeader(given, header, realm or "api"), optional=optional)
