"""Apple: the identity tokens of Sign in with Apple."""

from __future__ import annotations

from hmac import compare_digest

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import ConfigurationError, InvalidToken, checked_texts, keys_at, setting, settings_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Self

    from authkit.oidc.for_providers import Principal

ISSUER = "https://appleid.apple.com"
KEYS = "https://appleid.apple.com/auth/keys"
_PROFILE = TokenProfile(
    types=("JWT", ""),
    forbidden=("events",),  # server-to-server notifications: same issuer, keys and audience
    scopes=(),
    roles=(),
    name=None,  # it stands beside the first token, never in it
)


class Apple(OIDCProvider):
    """Identity tokens made out to `client_id`: the app's bundle id, the website's Services ID, or several of yours.

    Apple issues no access tokens that an API could verify, so an identity token is shown once, to your login, which gives out
    tokens of its own: `verify_login` checks the nonce too. The subject is the same in all apps of one team, and another in
    every other. `settings`: of `OIDCProvider`. Raises: `ConfigurationError`.
    """

    def __init__(self, client_id: str | Iterable[str], **settings: Any) -> None:
        shape = "a bundle id or Services ID, like 'com.example.app'"
        audience = checked_texts("Apple: client_id", client_id, r"[A-Za-z0-9.-]{1,255}", shape)
        super().__init__(ISSUER, audience=audience, profile=_PROFILE, **keys_at(KEYS, settings))

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_APPLE_CLIENT_ID: an id, or several parted by commas."""
        setting(get, "AUTHKIT_APPLE_CLIENT_ID")
        return cls(settings_list(get, "AUTHKIT_APPLE_CLIENT_ID"))

    def verify_login(self, token: str, *, nonce: str) -> Principal:
        """`verify`, of a token that answers this very login: `nonce` is what the authorization request had, character for
        character. Where the device supports none, as the token says then, there is none to compare.

        Raises: as `verify` does, with the reason "token_nonce".
        """
        _check_nonce(nonce)
        return _answering(self.verify(token), nonce)

    async def averify_login(self, token: str, *, nonce: str) -> Principal:
        """`verify_login` on an event loop, which it does not block."""
        _check_nonce(nonce)
        return _answering(await self.averify(token), nonce)

    def is_relay(self, principal: Principal) -> bool:
        """Whether the e-mail address is one of Apple's that forwards: it can be written to, and says nothing of its owner."""
        mark = principal.claims.get("is_private_email")
        return mark is True or mark == "true"


def _check_nonce(nonce: object) -> None:
    if not isinstance(nonce, str) or not nonce:
        raise ConfigurationError("nonce is the text that the authorization request had")


def _answering(principal: Principal, nonce: str) -> Principal:
    found = principal.claims.get("nonce")
    if found is None and principal.claims.get("nonce_supported") is False:
        return principal
    if type(found) is not str or not compare_digest(found.encode("utf-8", "replace"), nonce.encode("utf-8", "replace")):
        raise InvalidToken("token_nonce")
    return principal
