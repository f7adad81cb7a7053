"""`UserInfo`: what a provider says of whoever an access token is for (OpenID Connect Core 1.0 section 5.3)."""

from __future__ import annotations

from .._fetch import Unfetched, fetch
from ..decision import FrozenDict
from ..errors import InvalidToken, Unavailable
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._endpoints import Endpoints

MAX_BYTES = 262_144  # of an answer
_ENDPOINT = "userinfo_endpoint"


class UserInfo:
    """Asks the userinfo endpoint of one provider; answers that are JSON, not those that are signed."""

    __slots__ = ("_endpoints", "_issuer", "_timeout", "_transport")

    def __init__(self, endpoints: Endpoints, issuer: str, *, timeout: float, transport: Any) -> None:
        self._endpoints = endpoints
        self._issuer = issuer
        self._timeout = timeout
        self._transport = transport

    def ask(self, access_token: str, subject: str) -> Mapping[str, Any]:
        """What it says of `subject`; it blocks.

        Raises: `InvalidToken` if the token is refused, or for somebody else: "the sub Claim in the UserInfo Response MUST be
        verified to exactly match the sub Claim in the ID Token" (section 5.3.2); `Unavailable`.
        """
        failure, said = "", FrozenDict()
        try:
            answer = fetch(
                self._endpoints.url(_ENDPOINT),
                max_bytes=MAX_BYTES,
                seconds=self._timeout,
                headers={"accept": "application/json", "authorization": f"Bearer {access_token}"},
                transport=self._transport,
            )
            if answer.status in (401, 403):
                raise InvalidToken("userinfo_refused")
            if answer.status != 200:
                raise Unfetched(f"it answered {answer.status}")
            said = parse_object(answer.content)
        except Unfetched as error:
            failure = str(error)
        except ValueError:
            failure = "its answer is not JSON with one reading"
        if failure:
            raise Unavailable(f"the userinfo endpoint of {self._issuer} cannot be asked: {failure}")
        if said.get("sub") != subject:
            raise InvalidToken("userinfo_subject")
        return said
