"""What users' own tests import, as they type it."""

from __future__ import annotations

from typing import Any

from authkit import Principal
from authkit.oidc import OIDCProvider
from authkit.testing import BAD_OIDC_TOKENS, Clock, FakeIssuer, TokenMint, WebhookSender, as_principal, lambda_event
from authkit.webhooks import SignedDelivery


def of_an_issuer(clock: Clock) -> Principal:
    with FakeIssuer("/tenant", audience="https://orders.example", alg="RS256", clock=clock) as issuer:
        provider: OIDCProvider = issuer.provider(leeway=0)
        issuer.rotate(overlap=True)
        issuer.fault("keys", status=503, times=1)
        token: str = issuer.token("alice", scopes=["orders:read"], ttl=60, tenant="acme")
        bad: dict[str, str] = issuer.bad()
        about: str = BAD_OIDC_TOKENS[next(iter(bad))]
        assert about
        return provider.verify(token)


def of_a_mint(key: str) -> dict[str, Any]:
    mint = TokenMint(key=key, audience="orders")
    return lambda_event("edge_origin", "GET", "/", {"authorization": f"Bearer {mint.good(roles=['admin'])}"})


def of_a_sender() -> SignedDelivery:
    with as_principal("alice", roles=["admin"]):
        return WebhookSender("slack").ask("challenge")
