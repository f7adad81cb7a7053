"""`TokenInHeader`: a token that whatever stands in front of us puts into a header of its own."""

from __future__ import annotations

from .. import _verifiers
from ..decision import Challenge, Deny, Principal
from ..errors import ConfigurationError, InvalidToken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..http import Request

LONGEST = 16_384  # characters of a token
_CHALLENGE = Challenge(error="invalid_token")
_TWO = Deny(400, "invalid_request", reason="two_credentials", challenge=Challenge(error="invalid_request"))
# They have forms of their own, or hosts and proxies read, join or drop them.
_TAKEN = frozenset(("authorization", "cookie", "host", "connection", "content-length", "content-type", "transfer-encoding"))


class TokenInHeader:
    """The token in `header`, alone there and only once, judged by `verifier`, an `OIDCProvider` say: an authenticator for
    `require_auth(TokenInHeader(provider, "cf-access-jwt-assertion"))`.

    Whoever reaches us past the proxy writes that header too: it is the token's signature that counts, and that the verifier's
    audience is ours. Raises: `ConfigurationError`.
    """

    reads_request = False  # nothing but the credential

    def __init__(self, verifier: Any, header: str) -> None:
        if isinstance(verifier, type) or not any(callable(getattr(verifier, name, None)) for name in ("verify", "verifying")):
            raise ConfigurationError(f"a token in a header is judged by a verifier, not {type(verifier).__name__}")
        name = header.lower() if isinstance(header, str) else ""
        if not name.isascii() or not name.replace("-", "").isalnum() or name in _TAKEN:
            raise ConfigurationError("the header of a proxy's token is one of its own, such as x-amzn-oidc-data")
        self.verifier, self.header, self.sent_in = verifier, name, (name,)
        self._asked = _verifiers.asked(verifier)

    async def authenticate(self, request: Request) -> Principal | Deny | None:
        """Whose token it is; None if none was sent; a refusal for one that is bad, or for two."""
        lines = request.field(self.header)
        if not lines:
            return None
        if len(lines) > 1 or "," in lines[0]:  # some hosts join repeated lines before we see them
            return _TWO
        token = lines[0].strip(" \t")  # no part of the value (RFC 9110 section 5.5)
        if not token or len(token) > LONGEST or not token.isascii() or not token.isprintable() or " " in token:
            return _bad("token_malformed")
        try:
            principal = await self._asked(token)
        except InvalidToken as error:
            return _bad(error.reason)
        if not isinstance(principal, Principal):  # None would be taken for "no token was sent"
            raise TypeError("a verifier returns a Principal or raises InvalidToken")
        return principal

    async def warm(self) -> None:
        warm = getattr(self.verifier, "warm", None)
        if warm is not None:
            await warm()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self.header!r}>"


def _bad(reason: str) -> Deny:
    return Deny(401, "invalid_token", reason=reason, challenge=_CHALLENGE)  # the same bytes for every cause
