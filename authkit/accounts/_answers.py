"""How a pair of tokens reaches the client: in the body, or in cookies that no script reads."""

from __future__ import annotations

from ..http import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..tokens import TokenPair
    from .cookies import Cookies


class Answers:
    """`cookies`: None, and tokens stand in bodies. `refresh_ttl`: seconds for which a browser keeps the refresh cookie."""

    def __init__(self, cookies: Cookies | None, refresh_ttl: int) -> None:
        self.cookies = cookies
        self._refresh_ttl = refresh_ttl

    def pair(self, username: str, pair: TokenPair) -> Response:
        """200 with the tokens. Raises: `CookieTooLarge`."""
        if self.cookies is None:
            return Response.json(
                {
                    "user": username,
                    "access_token": pair.access_token,
                    "refresh_token": pair.refresh_token,
                    "token_type": pair.token_type,
                    "expires_in": pair.expires_in,
                }
            )
        response = Response.json({"user": username, "expires_in": pair.expires_in})
        self._set(response, pair.access_token, pair.expires_in, pair.refresh_token, self._refresh_ttl)
        return response

    def ended(self) -> Response:
        """204, and nothing is kept."""
        response = Response(204)
        self._set(response, "", 0, "", 0)
        return response

    def _set(self, response: Response, access: str, access_ttl: int, refresh: str, refresh_ttl: int) -> None:
        cookies = self.cookies
        if cookies is not None:
            response.headers.add("set-cookie", cookies.line(cookies.access_name, access, access_ttl))
            response.headers.add("set-cookie", cookies.line(cookies.refresh_name, refresh, refresh_ttl))
