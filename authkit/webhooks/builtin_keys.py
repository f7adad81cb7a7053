"""Senders who sign with a private key. Who verifies has the public one, or fetches it from where the scheme pins it."""

from __future__ import annotations

from .entry import entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SNS: dict[str, Any] = {
    "signature": "body:Signature",
    "timestamp": "body:Timestamp",
    "signed": "{lines:Message,MessageId,Subject?,SubscribeURL?,Timestamp,Token?,TopicArn,Type}",
    "algorithm": "rsa",
    "key": "fetched",
    "key_from": ("body:SigningCertURL", "body:SigningCertUrl"),  # the second in events of Lambda
    # a region and no more: sns.s3-us-west-2.amazonaws.com is a bucket of whoever was first to call one "sns"
    "key_url": r"https://sns\.[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}\.amazonaws\.com(\.cn)?/[A-Za-z0-9_-]{1,200}\.pem",
    "encoding": "base64",
    "unit": "rfc3339",
    "tolerance": 3600,
    "idempotency": "body:MessageId",
    "handshake": "sns",
    "verified": True,
}

_PAYPAL: dict[str, Any] = {
    "signature": "PAYPAL-TRANSMISSION-SIG",
    "id": "PAYPAL-TRANSMISSION-ID",
    "timestamp": "PAYPAL-TRANSMISSION-TIME",
    "signed": "{id}|{timestamp}|{option:webhook_id}|{body_crc32}",
    "algorithm": "rsa",
    "key": "fetched",
    "key_from": "PAYPAL-CERT-URL",
    "encoding": "base64",
    "unit": "rfc3339",
    "expect": {"PAYPAL-AUTH-ALGO": "SHA256withRSA"},
    "verified": True,
}
_PAYPAL_CERTIFICATES = r"https://api(-m)?{}\.paypal\.com/v1/notifications/certs/[A-Za-z0-9_-]{{1,200}}"

KEYS = (
    # https://github.com/standard-webhooks/standard-webhooks (spec), signatures "v1a"
    entry(
        "standard-webhooks-v1a",
        signature=("webhook-signature", "svix-signature"),
        separator=" ",
        prefix="v1a,",
        id=("webhook-id", "svix-id"),
        timestamp=("webhook-timestamp", "svix-timestamp"),
        signed="{id}.{timestamp}.{body}",
        algorithm="ed25519",
        key="base64",
        key_prefix=("whpk_", "whsk_"),
        encoding="base64",
        verified=True,
    ),
    # https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint
    entry(
        "discord",
        signature="X-Signature-Ed25519",
        timestamp="X-Signature-Timestamp",
        signed="{timestamp}{body}",
        algorithm="ed25519",
        key="hex",
        idempotency="body:id",
        handshake="discord",
        verified=True,
    ),
    # https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
    entry(
        "sendgrid",
        signature="X-Twilio-Email-Event-Webhook-Signature",
        timestamp="X-Twilio-Email-Event-Webhook-Timestamp",
        signed="{timestamp}{body}",
        algorithm="ecdsa",
        key="der",
        encoding="base64",
        verified=True,
    ),
    # https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html; the version is a setting of the topic, and
    # whoever sends shall not choose the hash
    entry("aws-sns", **_SNS, expect={"body:SignatureVersion": "2", "body:TopicArn": "{topic_arn}"}),
    entry("aws-sns-v1", **_SNS, hash="sha1", expect={"body:SignatureVersion": "1", "body:TopicArn": "{topic_arn}"}),
    # https://developer.paypal.com/api/rest/webhooks/rest/#link-integrationmode: of the body, a checksum is signed. What the
    # sandbox signs, anybody may have had signed: its certificates are of another scheme
    entry("paypal", **_PAYPAL, key_url=_PAYPAL_CERTIFICATES.format("")),
    entry("paypal-sandbox", **_PAYPAL, key_url=_PAYPAL_CERTIFICATES.format(r"\.sandbox")),
    # https://docs.wise.com/guides/developer/webhooks/event-handling; Wise shows the key, one for each environment
    entry(
        "wise",
        signature="X-Signature-SHA256",
        algorithm="rsa",
        key="pem",
        encoding="base64",
        id="X-Delivery-Id",
    ),
)
