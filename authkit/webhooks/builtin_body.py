"""Senders who make an HMAC of the body alone, or of the body and a little that stands in the same header."""

from __future__ import annotations

from .entry import entry

BODY_IN_HEX = (
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries; the older sha1 header is not read:
    # whoever sends chooses the header, and so would choose the hash
    entry("github", signature="X-Hub-Signature-256", prefix="sha256=", id="X-GitHub-Delivery", verified=True),
    # https://developers.facebook.com/docs/graph-api/webhooks/getting-started; the key is the app secret
    entry("meta", signature="X-Hub-Signature-256", prefix="sha256=", handshake="meta", verified=True),
    # https://developers.notion.com/reference/webhooks; the key is the token of the first request
    entry("notion", signature="X-Notion-Signature", prefix="sha256=", idempotency="body:id", handshake="notion", verified=True),
    # https://developers.asana.com/docs/webhooks-guide
    entry("asana", signature="X-Hook-Signature", handshake="asana", verified=True),
    # https://cursor.com/docs/cloud-agent/api/webhooks
    entry("cursor", signature="X-Webhook-Signature", prefix="sha256=", id="X-Webhook-ID", verified=True),
    # https://developer.clickup.com/docs/webhooksignature
    entry("clickup", signature="X-Signature", verified=True),
    # https://razorpay.com/docs/webhooks/validate-test/
    entry("razorpay", signature="X-Razorpay-Signature", id="X-Razorpay-Event-Id", verified=True),
    # https://docs.cdp.coinbase.com/commerce/docs/webhooks-security
    entry("coinbase-commerce", signature="X-CC-Webhook-Signature", idempotency="body:event.id", verified=True),
    # https://coinify.readme.io/docs/webhooks
    entry("coinify", signature="X-Coinify-Webhook-Signature", verified=True),
    # https://vercel.com/docs/webhooks/webhooks-api#securing-webhooks
    entry("vercel", signature="x-vercel-signature", hash="sha1", idempotency="body:id", verified=True),
    # https://developer.pagerduty.com/docs/verifying-signatures; a list, one for each secret
    entry(
        "pagerduty", signature="X-PagerDuty-Signature", separator=",", prefix="v1=", idempotency="body:event.id", verified=True
    ),
    # https://docs.saleor.io/developer/extending/webhooks/payload-signature; where a secretKey is set: deprecated
    entry("saleor-secret", signature="Saleor-Signature", verified=True),
    # https://linear.app/developers/webhooks; the time is in the body, in milliseconds
    entry(
        "linear",
        signature="Linear-Signature",
        timestamp="body:webhookTimestamp",
        unit="ms",
        tolerance=60,
        id="Linear-Delivery",
        verified=True,
    ),
)

BODY_IN_BASE64 = (
    # https://shopify.dev/docs/apps/build/webhooks/subscribe/https; the key is the app's client secret
    entry("shopify", signature="X-Shopify-Hmac-SHA256", encoding="base64", id="X-Shopify-Webhook-Id", verified=True),
    # https://docs.x.com/x-api/webhooks/quickstart; the key is the consumer secret
    entry("x", signature="x-twitter-webhooks-signature", prefix="sha256=", encoding="base64", handshake="x", verified=True),
    # https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/
    entry("xero", signature="x-xero-signature", encoding="base64", handshake="xero", verified=True),
    # https://woocommerce.com/document/webhooks/
    entry("woocommerce", signature="X-WC-Webhook-Signature", encoding="base64", id="X-WC-Webhook-Delivery-ID", verified=True),
    # https://developer.fastspring.com/docs/message-security; one body has several events
    entry("fastspring", signature="X-FS-Signature", encoding="base64", verified=True),
    # https://hookdeck.com/docs/authentication#hookdeck-webhook-signature-verification; the second while a secret is rotated
    entry(
        "hookdeck",
        signature="x-hookdeck-signature",
        also="x-hookdeck-signature-2",
        encoding="base64",
        id="x-hookdeck-eventid",
        verified=True,
    ),
)

# Only what public directories say: hash, header and encoding. Whoever uses one tries it against real deliveries first.
UNVERIFIED = (
    entry("autodesk", signature="x-adsk-signature", prefix="sha1hash=", hash="sha1"),
    entry("bitbucket", signature="X-Hub-Signature", prefix="sha256="),
    entry("circleci", signature="circleci-signature", separator=",", prefix="v1="),
    entry("dropbox", signature="X-Dropbox-Signature", handshake="dropbox"),
    entry("launchdarkly", signature="X-LD-Signature"),
    entry("modern-treasury", signature="X-Signature"),
    entry("mongodb", signature="X-Hook-Signature"),
    entry("maxio", signature="X-Chargify-Webhook-Signature-Hmac-Sha-256"),
    entry("castle", signature="X-Castle-Signature", encoding="base64"),
    entry("heroku", signature="Heroku-Webhook-Hmac-SHA256", encoding="base64"),
    entry("typeform", signature="Typeform-Signature", prefix="sha256=", encoding="base64"),
    entry(
        "docusign",
        signature="X-DocuSign-Signature-1",
        also=("X-DocuSign-Signature-2", "X-DocuSign-Signature-3", "X-DocuSign-Signature-4"),
        encoding="base64",
    ),
    entry("microsoft-teams", signature="Authorization", prefix="HMAC ", key="base64", encoding="base64"),
    entry("intercom", signature="X-Hub-Signature", prefix="sha1=", hash="sha1"),
    entry("line", signature="X-Line-Signature", encoding="base64"),
    entry("lemon-squeezy", signature="X-Signature"),
    entry("paystack", signature="x-paystack-signature", hash="sha512"),
    entry("terraform", signature="X-TFE-Notification-Signature", hash="sha512"),
    entry("segment", signature="X-Signature", hash="sha1"),
    entry("gocardless", signature="Webhook-Signature"),
    entry("airtable", signature="X-Airtable-Content-MAC", prefix="hmac-sha256=", key="base64"),
    entry("jira", signature="X-Hub-Signature", prefix="sha256="),
    entry("mollie", signature="X-Mollie-Signature", prefix="sha256="),
    entry("sentry", signature="Sentry-Hook-Signature"),
    entry("pusher", signature="X-Pusher-Signature"),
    entry("smartsheet", signature="Smartsheet-Hmac-SHA256"),
    entry("help-scout", signature="X-HelpScout-Signature", hash="sha1", encoding="base64"),
)
