"""Senders whose signature is a JWT that says the hash of the body, or a JWS of which the body is the payload."""

from __future__ import annotations

from .entry import entry

JWS = (
    # https://plaid.com/docs/api/webhooks/webhook-verification/; fetch= asks /webhook_verification_key/get
    entry(
        "plaid",
        signature="Plaid-Verification",
        timestamp="claim:iat",
        signed="",
        body_hash="claim:request_body_sha256",
        algorithm="jws",
        jws=("ES256",),
        key="fetched",
        key_from="jose:kid",
        key_url="[A-Za-z0-9_-]{1,64}",
        verified=True,
    ),
    # https://docs.netlify.com/site-deploys/notifications/#payload-signature
    entry(
        "netlify",
        signature="X-Webhook-Signature",
        signed="",
        body_hash="claim:sha256",
        algorithm="jws",
        jws=("HS256",),
        expect={"claim:iss": "netlify"},
        verified=True,
    ),
    # https://fusionauth.io/docs/extend/events-and-webhooks/signing
    entry(
        "fusionauth",
        signature="X-FusionAuth-Signature-JWT",
        signed="",
        body_hash="claim:request_body_sha256",
        body_hash_encoding="base64",
        algorithm="jws",
        jws=("HS256", "HS384", "HS512"),
        verified=True,
    ),
    entry(
        "fusionauth-keys",
        signature="X-FusionAuth-Signature-JWT",
        signed="",
        body_hash="claim:request_body_sha256",
        body_hash_encoding="base64",
        algorithm="jws",
        jws=("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"),
        key="pem",
        verified=True,
    ),
    # https://v3.developer.constantcontact.com/api_guide/webhook_authenticity.html; the secret is the JWK Set shown there
    entry(
        "constant-contact",
        signature="X-CTCT-WEBHOOK-SIG",
        timestamp="jose:ts",
        algorithm="jws-detached",
        jws=("RS256",),
        key="pem",
        verified=True,
    ),
    # https://docs.saleor.io/developer/extending/webhooks/payload-signature; the secret is the shop's own JWK Set
    entry("saleor", signature="Saleor-Signature", algorithm="jws-detached", jws=("RS256",), key="pem", verified=True),
)
