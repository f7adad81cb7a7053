"""`TokenPair`: what a login gives, an access token and the refresh token that goes with it."""

from __future__ import annotations

from ..decision import _set, _Value


class TokenPair(_Value):
    """An access token, and a refresh token that is good for one new pair. `expires_in`: whole seconds of the access token.

    Its repr shows neither. The refresh token is not a JWT: nothing but `Tokens.refresh` and `Tokens.revoke` can read it.
    """

    __slots__ = ("access_token", "refresh_token", "expires_in", "token_type")
    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str

    def __init__(self, access_token: str, refresh_token: str, expires_in: int, token_type: str = "Bearer") -> None:
        _set(self, "access_token", access_token)
        _set(self, "refresh_token", refresh_token)
        _set(self, "expires_in", expires_in)
        _set(self, "token_type", token_type)

    def __repr__(self) -> str:
        return f"<TokenPair expires_in={self.expires_in}>"
