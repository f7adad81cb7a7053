"""Senders who make an HMAC of the body and of the time, and perhaps of an id."""

from __future__ import annotations

from .entry import entry

_STANDARD = {  # under whichever header names
    "separator": " ",
    "prefix": "v1,",
    "signed": "{id}.{timestamp}.{body}",
    "key": "base64",
    "key_prefix": "whsec_",
    "encoding": "base64",
    "verified": True,
}

TIMED = (
    # https://docs.stripe.com/webhooks/signature; the secret is used as shown, its "whsec_" included; v0 is for tests
    entry(
        "stripe",
        signature="Stripe-Signature",
        separator=",",
        prefix="v1=",
        timestamp_item="t=",
        signed="{timestamp}.{body}",
        idempotency="body:id",
        verified=True,
    ),
    # https://github.com/standard-webhooks/standard-webhooks (spec); Svix sends the same under its own header names
    entry(
        "standard-webhooks",
        signature=("webhook-signature", "svix-signature"),
        id=("webhook-id", "svix-id"),
        timestamp=("webhook-timestamp", "svix-timestamp"),
        **_STANDARD,
    ),
    # https://docs.svix.com/receiving/verifying-payloads/how-manual; its own names first, as its libraries look for them
    entry(
        "svix",
        signature=("svix-signature", "webhook-signature"),
        id=("svix-id", "webhook-id"),
        timestamp=("svix-timestamp", "webhook-timestamp"),
        **_STANDARD,
    ),
    # https://docs.slack.dev/authentication/verifying-requests-from-slack
    entry(
        "slack",
        signature="X-Slack-Signature",
        prefix="v0=",
        timestamp="X-Slack-Request-Timestamp",
        signed="v0:{timestamp}:{body}",
        handshake="slack",
        verified=True,
    ),
    # https://developers.zoom.us/docs/api/webhooks/
    entry(
        "zoom",
        signature="x-zm-signature",
        prefix="v0=",
        timestamp="x-zm-request-timestamp",
        signed="v0:{timestamp}:{body}",
        handshake="zoom",
        verified=True,
    ),
    # https://developer.paddle.com/webhooks/signature-verification; five seconds are the sender's own advice
    entry(
        "paddle",
        signature="Paddle-Signature",
        separator=";",
        prefix="h1=",
        timestamp_item="ts=",
        signed="{timestamp}:{body}",
        tolerance=5,
        idempotency="body:event_id",
        verified=True,
    ),
    # https://dev.twitch.tv/docs/eventsub/handling-webhook-events/
    entry(
        "twitch",
        signature="Twitch-Eventsub-Message-Signature",
        prefix="sha256=",
        id="Twitch-Eventsub-Message-Id",
        timestamp="Twitch-Eventsub-Message-Timestamp",
        signed="{id}{timestamp}{body}",
        unit="rfc3339",
        tolerance=600,
        handshake="twitch",
        verified=True,
    ),
    # https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures
    entry(
        "calendly",
        signature="Calendly-Webhook-Signature",
        separator=",",
        prefix="v1=",
        timestamp_item="t=",
        signed="{timestamp}.{body}",
        tolerance=180,
        verified=True,
    ),
    # https://www.mux.com/docs/core/verify-webhook-signatures
    entry(
        "mux",
        signature="Mux-Signature",
        separator=",",
        prefix="v1=",
        timestamp_item="t=",
        signed="{timestamp}.{body}",
        idempotency="body:id",
        verified=True,
    ),
    # https://elevenlabs.io/docs/agents-platform/workflows/post-call-webhooks
    entry(
        "elevenlabs",
        signature="ElevenLabs-Signature",
        separator=",",
        prefix="v0=",
        timestamp_item="t=",
        signed="{timestamp}.{body}",
        tolerance=1800,
        verified=True,
    ),
    # https://developers.webflow.com/data/docs/working-with-webhooks; milliseconds
    entry(
        "webflow",
        signature="x-webflow-signature",
        timestamp="x-webflow-timestamp",
        signed="{timestamp}:{body}",
        unit="ms",
        verified=True,
    ),
    # https://developer.box.com/guides/webhooks/v2/signatures-v2/: one signature under each of two keys
    entry(
        "box",
        signature="BOX-SIGNATURE-PRIMARY",
        also="BOX-SIGNATURE-SECONDARY",
        timestamp="BOX-DELIVERY-TIMESTAMP",
        signed="{body}{timestamp}",
        encoding="base64",
        unit="rfc3339",
        tolerance=600,
        expect={"BOX-SIGNATURE-VERSION": "1", "BOX-SIGNATURE-ALGORITHM": "HmacSHA256"},
        idempotency="body:id",
        verified=True,
    ),
    # https://developer.zendesk.com/documentation/webhooks/verifying/
    entry(
        "zendesk",
        signature="X-Zendesk-Webhook-Signature",
        timestamp="X-Zendesk-Webhook-Signature-Timestamp",
        signed="{timestamp}{body}",
        encoding="base64",
        unit="rfc3339",
        verified=True,
    ),
    # https://www.cashfree.com/docs/payments/online/webhooks/signature-verification
    entry(
        "cashfree",
        signature="x-webhook-signature",
        timestamp="x-webhook-timestamp",
        signed="{timestamp}{body}",
        encoding="base64",
        unit="ms",
        verified=True,
    ),
)


# Only what public directories say: see `builtin_body`.
UNVERIFIED = (
    # https://developers.tiktok.com/doc/webhooks-verification; the key is the client secret
    entry(
        "tiktok",
        signature="TikTok-Signature",
        separator=",",
        prefix="s=",
        timestamp_item="t=",
        signed="{timestamp}.{body}",
    ),
    entry(
        "buildkite",
        signature="X-Buildkite-Signature",
        separator=",",
        prefix="signature=",
        timestamp_item="timestamp=",
        signed="{timestamp}.{body}",
    ),
    entry(
        "workos",
        signature="WorkOS-Signature",
        separator=", ",
        prefix="v1=",
        timestamp_item="t=",
        signed="{timestamp}.{body}",
        unit="ms",
        idempotency="body:id",
    ),
)
