"""A token in any header of its own, as Cloudflare Access or Google's Identity-Aware Proxy send it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, Deny, Principal, Request, Tokens, Unavailable, chain, require_auth
from authkit.oidc import OIDCProvider, TokenInHeader

from .issuer import AUDIENCE

if TYPE_CHECKING:
    from .issuer import Issuer


def test_a_token_in_a_header_is_judged_by_any_verifier(op: Issuer, provider: OIDCProvider) -> None:
    guard = chain(require_auth(TokenInHeader(provider, "Cf-Access-Jwt-Assertion")))
    good = op.token(aud=[AUDIENCE])
    decision = guard.decide(Request.build(headers={"cf-access-jwt-assertion": good}))
    assert decision.principal.subject == "alice"  # type: ignore[union-attr]
    for bad in (op.token(aud=["another"]), "x", "", "a b", good + "\u00e9", "x" * 20_000):
        assert isinstance(guard.decide(Request.build(headers={"cf-access-jwt-assertion": bad})), Deny)


@pytest.mark.parametrize("header", ["authorization", "Cookie", "", "x y", None, "x\n"])
def test_a_token_in_a_header_is_in_a_header_of_its_own(header: Any) -> None:
    tokens = Tokens("k" * 48, issuer="https://api.example.com", audience="https://api.example.com")
    with pytest.raises(ConfigurationError, match="header"):
        TokenInHeader(tokens, header)
    with pytest.raises(ConfigurationError, match="verifier"):
        TokenInHeader(Tokens, "x-token")


def test_a_token_in_a_header_that_cannot_be_judged_is_unavailable() -> None:
    class Down:
        def verify(self, token: str) -> Principal:
            raise Unavailable

    found = chain(require_auth(TokenInHeader(Down(), "x-token"))).decide(Request.build(headers={"x-token": "x"}))
    assert found.status == 503  # type: ignore[union-attr]
