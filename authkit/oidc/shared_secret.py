"""`SharedSecret`: tokens that a service signs with a secret which it shares with us, and which need not say whose they are."""

from __future__ import annotations

from ..decision import FrozenDict
from ..errors import ConfigurationError, InvalidToken
from ..tokens import Key, unverified_issuer
from ._judged import SignedByIssuer
from .provider import OIDCProvider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .profile import TokenProfile


class SharedSecret(OIDCProvider):
    """Verifies tokens of `issuer` that are signed with `secret`, text or a `Secret` (HS256). Where a token names no issuer or
    no audience, or an empty one, the secret has said so: it is one service's, for one audience. One that it does name is to be
    right. Whoever has the secret can sign, who verifies included: it is no better kept than at the least of them.

    `require_auth` gives it the tokens that name no issuer too, as if it were the one verifier that has none. `audience`,
    `profile`, `settings`: of `OIDCProvider`. Raises: `ConfigurationError`.
    """

    unnamed = True

    def __init__(self, issuer: str, secret: Any, *, audience: str, profile: TokenProfile, **settings: Any) -> None:
        held = secret_key(secret)
        del secret  # what is raised below may be shown with its locals
        if isinstance(held, ConfigurationError):
            raise held
        super().__init__(issuer, audience=audience, keys=held, profile=profile, **settings)
        self._unsaid = {"iss": issuer, "aud": audience}

    def _signed_by(self, keys: Any) -> SignedByIssuer:
        return _Unsaid(keys, self.profile, self._unsaid)

    def _rotated(self, error: InvalidToken, keys: Any, token: str) -> str:
        if unverified_issuer(token) is None and error.reason in ("token_key", "token_signature"):
            return error.reason  # signed with the next secret, perhaps
        return super()._rotated(error, keys, token)


class _Unsaid(SignedByIssuer):
    """Of claims that are left out or empty, what the secret says."""

    __slots__ = ("_says",)

    def __init__(self, keys: Any, profile: TokenProfile, says: Mapping[str, str]) -> None:
        super().__init__(keys, profile)
        self._says = says

    def claims(self, token: str) -> tuple[FrozenDict, Key]:
        claims, key = super().claims(token)
        unsaid = {name: value for name, value in self._says.items() if claims.get(name) in (None, "", [])}
        return (FrozenDict({**claims, **unsaid}) if unsaid else claims), key


def secret_key(secret: Any) -> Any:
    """`secret` as something that no traceback shows: the `Secret` that it is, or the `Key` that it makes; or, of what makes
    none, the error to raise. It raises nothing itself: its frame holds the secret.
    """
    if isinstance(secret, ConfigurationError) or hasattr(secret, "versions"):
        return secret
    try:
        key = secret if isinstance(secret, Key) else Key(secret)
    except ConfigurationError as error:
        return ConfigurationError(f"secret: {error}")
    if key.algorithm.kty != "oct":
        return ConfigurationError("secret: it is a key pair, which has a public part to verify with")
    return key
