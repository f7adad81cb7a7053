"""Senders who sign nothing: a secret comes along with each delivery, and whoever sees one can make another."""

from __future__ import annotations

from .entry import entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BASIC: dict[str, Any] = {"signature": "Authorization", "prefix": "Basic ", "algorithm": "token", "encoding": "base64"}

TOKENS = (
    # https://docs.gitlab.com/user/project/integrations/webhooks/; the secret token, and the signing token that takes its place
    entry("gitlab", signature="X-Gitlab-Token", algorithm="token", encoding="text", id="Idempotency-Key", verified=True),
    entry(
        "gitlab-signed",
        signature="webhook-signature",
        separator=" ",
        prefix="v1,",
        id="webhook-id",
        timestamp="webhook-timestamp",
        signed="{id}.{timestamp}.{body}",
        key="base64",
        key_prefix="whsec_",
        encoding="base64",
        verified=True,
    ),
    # https://developer.okta.com/docs/concepts/event-hooks/; the secret is the whole value of the header
    entry(
        "okta",
        signature="Authorization",
        algorithm="token",
        encoding="text",
        idempotency="body:eventId",
        handshake="okta",
        verified=True,
    ),
    # https://auth0.com/docs/customize/log-streams/custom-log-streams
    entry("auth0", signature="Authorization", algorithm="token", encoding="text", verified=True),
    # https://developers.deepgram.com/docs/callback; the secret is "user:password", as in the callback's URL. What dg-token
    # has, the name of an API key, was sent before that: it is no secret, and no longer supported
    entry("deepgram-basic", **_BASIC, verified=True),
    entry("deepgram", signature="dg-token", algorithm="token", encoding="text", verified=True),
    # https://docs.adyen.com/development-resources/webhooks/best-practices/; beside the signature of `adyen`, or alone
    entry("adyen-basic", **_BASIC, verified=True),
    # https://gumroad.com/ping: no header at all; the token is one that you put into the URL yourself
    entry("gumroad", signature="query:token", algorithm="token", encoding="text", idempotency="form:sale_id", verified=True),
    # https://www.chargebee.com/docs/2.0/webhook_settings.html; the secret is "user:password"
    entry("chargebee", **_BASIC, idempotency="body:id", verified=True),
    # https://postmarkapp.com/developer/webhooks/webhooks-overview#protecting-your-webhook
    entry("postmark", **_BASIC, verified=True),
)

UNVERIFIED = (
    entry("recurly", **_BASIC),
    entry("flutterwave", signature="verif-hash", algorithm="token", encoding="text"),
    entry(
        "telegram",
        signature="X-Telegram-Bot-Api-Secret-Token",
        algorithm="token",
        encoding="text",
        idempotency="body:update_id",
    ),
    entry("microsoft-graph", signature="body:clientState", each="value", algorithm="token", encoding="text"),
    entry("figma", signature="body:passcode", algorithm="token", encoding="text"),
)
