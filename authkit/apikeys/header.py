"""Where an API key stands in a request: in one header, once. Never in the query, which ends up in logs and histories."""

from __future__ import annotations

from .. import _verifiers
from ..decision import Challenge, Deny, Principal
from ..errors import ConfigurationError, InvalidCredentials, InvalidToken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..http import Request

HEADER = "x-api-key"
LONGEST = 1024  # characters of a key
# They have forms of their own, or hosts and proxies read, join or drop them.
_TAKEN = frozenset(("authorization", "cookie", "host", "connection", "content-length", "content-type", "transfer-encoding"))
_TWO = Deny(400, "invalid_request", reason="two_credentials")


class InHeader:
    """The key in `header`, judged by `keys`: what `require_auth(tokens, keys.at("x-service-key"))` takes beside a bearer token.

    Raises: `ConfigurationError`.
    """

    reads_request = False  # nothing but the credential

    def __init__(self, keys: Any, header: str = HEADER, realm: str = "api") -> None:
        if isinstance(keys, type) or not callable(getattr(keys, "verify", None)):
            raise ConfigurationError(f"an API key is verified by ApiKeys, or what has its verify, not {type(keys).__name__}")
        name = header.lower() if isinstance(header, str) else ""
        if not name.isascii() or not name.replace("-", "").isalnum() or name in _TAKEN:
            raise ConfigurationError("the header of an API key is one of its own, such as x-api-key")
        if not isinstance(realm, str) or not realm:
            raise ConfigurationError("the realm of an API key is text, and not empty")
        self.keys, self.header, self.sent_in = keys, name, (name,)
        # RFC 9110 section 11.6.1 wants a challenge in each 401, and no scheme is registered for keys in headers of their own.
        self.challenge = Challenge("ApiKey", realm=realm)
        self._asked = _verifiers.asked(keys)

    async def authenticate(self, request: Request) -> Principal | Deny | None:
        """Whose key it is; None if none was sent; a refusal for one that is bad or for two."""
        lines = request.field(self.header)
        if not lines:
            return None
        # Some hosts join repeated lines before we see them, so two are told by their comma, which no key has.
        if len(lines) > 1 or "," in lines[0]:
            return _TWO
        key = lines[0].strip(" \t")  # no part of the value (RFC 9110 section 5.5)
        if len(key) > LONGEST or not is_plain(key):
            return self._bad("api_key_malformed")
        try:
            principal = await self._asked(key)
        except (InvalidToken, InvalidCredentials) as error:
            return self._bad(error.reason)
        if not isinstance(principal, Principal):  # None would be taken for "no key was sent"
            raise TypeError("what verifies API keys returns a Principal or raises InvalidToken")
        return principal

    async def warm(self) -> None:
        warm = getattr(self.keys, "warm", None)
        if warm is not None:
            await warm()

    def _bad(self, reason: str) -> Deny:
        return Deny(401, "invalid_api_key", reason=reason, challenge=self.challenge)  # the same bytes for every cause


def is_plain(key: str) -> bool:
    """Whether it is visible ASCII, as every key is: bytes above 0x7F reach no comparison."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key
