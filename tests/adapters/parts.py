"""What the adapters' tests build guards of."""

from __future__ import annotations

from typing import Any

from authkit import InvalidToken, Principal, Unavailable
from authkit.testing import TokenMint

MINT = TokenMint()
TWO = {"authorization": "Bearer one, Bearer two"}
# What the guard itself answers to each of these; the adapters must not have a reading of their own.
MALFORMED = ["Bearer", "Bearer ", "Bearer  x", "Bearer a b", "Bearer a,b", "Bearer Bearer a", 'Bearer "a"', "Bearer\ta"]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


class Down:
    """A verifier that cannot tell."""

    issuer = None
    asked = 0

    def verify(self, token: str) -> Principal:
        self.asked += 1
        raise Unavailable("the issuer does not answer", retry_after=7)


class Named:
    """A verifier of tokens like "alice": for adapters that look at nothing but the principal."""

    issuer: Any = "https://issuer.example"

    def verify(self, token: str) -> Principal:
        if not token.isalpha():
            raise InvalidToken("token_malformed")
        return Principal(token, issuer=self.issuer, scopes=["orders:read"], claims={"email": "admin@example.com"})
