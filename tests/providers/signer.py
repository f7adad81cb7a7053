"""An issuer of these tests, which signs anything, and whose keys are given to a provider or published in the world.

signer = Signer("https://example.eu.auth0.com/", clock)
Auth0(..., **signer.known)                           # verifies with its keys, given
Auth0(..., **signer.published(web))                  # finds them where Auth0 publishes them
signer.token(CLAIMS, sub="auth0|2", nonce=...)       # the claims with these changes; ...: without that one
signer.token(CLAIMS, {"typ": "at+jwt"})              # with this in its header, beside alg and kid
reason(provider, token)                              # why it is refused
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit import InvalidToken
from authkit.tokens import Key
from tests.oidc.issuer import rsa_pem, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authkit.oidc import OIDCProvider

    from .world import World


class Signer:
    """`number`: which key it has; two of different numbers have different ones under the same id."""

    def __init__(self, issuer: str, clock: Callable[[], float], *, jwks_uri: str | None = None, number: int = 0) -> None:
        self.issuer = issuer
        self.clock = clock
        self.key = Key(rsa_pem(number), kid="one")
        self.jwks = {"keys": [self.key.public_jwk()]}
        self.jwks_uri = jwks_uri or f"{issuer.rstrip('/')}/.well-known/jwks.json"
        self.known: dict[str, Any] = {"keys": self.jwks, "clock": clock, "monotonic": clock}

    def published(self, web: World) -> dict[str, Any]:
        web.says(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", self.metadata())
        web.says(self.jwks_uri, self.jwks)
        return {"transport": web.transport, "clock": self.clock, "monotonic": self.clock, "timeout": 30}

    def metadata(self) -> dict[str, Any]:
        return {"issuer": self.issuer, "jwks_uri": self.jwks_uri}

    def token(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        now = int(self.clock())
        members = {"iss": self.issuer, "iat": now, "exp": now + 300, **claims, **changes}
        said = {"alg": self.key.alg, "kid": self.key.kid, **({"typ": "JWT"} if header is None else header)}
        return signed(self.key, {name: value for name, value in members.items() if value is not ...}, said)


def reason(provider: OIDCProvider, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(token)
    return caught.value.reason
