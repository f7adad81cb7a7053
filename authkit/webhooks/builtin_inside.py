"""Senders who put the signature into the body, and sign some of it."""

from __future__ import annotations

from .entry import entry

INSIDE = (
    # https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks: the event itself is not signed.
    # Of a subaccount's event the second is made with the key of the account that it belongs to: either key will do
    entry(
        "mailgun",
        signature="body:signature.signature",
        also="body:signature.parent-signature",
        timestamp="body:signature.timestamp",
        signed="{timestamp}{body:signature.token}",
        idempotency="body:signature.token",
        verified=True,
    ),
    entry(
        "mailgun-form",
        signature="form:signature",
        timestamp="form:timestamp",
        signed="{timestamp}{form:token}",
        idempotency="form:token",
        verified=True,
    ),
    # https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures: of each item, eight members are signed
    entry(
        "adyen",
        signature="body:NotificationRequestItem.additionalData.hmacSignature",
        each="notificationItems",
        signed=":".join(
            "{body:NotificationRequestItem." + member + "}"
            for member in (
                "pspReference?",
                "originalReference?",
                "merchantAccountCode",
                "merchantReference?",
                "amount.value",
                "amount.currency",
                "eventCode",
                "success",
            )
        ),
        key="hex",
        encoding="base64",
        verified=True,
    ),
)

UNVERIFIED = (entry("adyen-platform", signature="HmacSignature", key="hex", encoding="base64"),)
