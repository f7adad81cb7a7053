"""Senders who sign the URL that they call, too: it has to be given as they know it, and not as it arrives behind a proxy."""

from __future__ import annotations

from .entry import entry

URL = (
    # https://www.twilio.com/docs/usage/security#validating-requests; a body that is no form has its hash in the URL
    entry(
        "twilio",
        signature="X-Twilio-Signature",
        signed="{url}{params}",
        urls=("without_port", "with_port", "as_given"),
        body_hash="query:bodySHA256",
        hash="sha1",
        encoding="base64",
        verified=True,
    ),
    # https://developer.squareup.com/docs/webhooks/step3validate
    entry(
        "square",
        signature="x-square-hmacsha256-signature",
        signed="{url}{body}",
        encoding="base64",
        idempotency="body:event_id",
        verified=True,
    ),
    # https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/
    entry(
        "trello",
        signature="X-Trello-Webhook",
        signed="{body}{url}",
        hash="sha1",
        encoding="base64",
        handshake="trello",
        verified=True,
    ),
    # https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/
    entry("mandrill", signature="X-Mandrill-Signature", signed="{url}{params}", hash="sha1", encoding="base64", verified=True),
    # https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests; 1 and 2 are no HMAC
    entry(
        "hubspot-v1",
        signature="X-HubSpot-Signature",
        algorithm="digest",
        expect={"X-HubSpot-Signature-Version": "v1"},
        verified=True,
    ),
    entry(
        "hubspot-v2",
        signature="X-HubSpot-Signature",
        signed="{method}{url}{body}",
        algorithm="digest",
        expect={"X-HubSpot-Signature-Version": "v2"},
        verified=True,
    ),
    entry(
        "hubspot-v3",
        signature="X-HubSpot-Signature-v3",
        timestamp="X-HubSpot-Request-Timestamp",
        signed="{method}{url}{body}{timestamp}",
        urls=("as_given", "some_decoded"),
        encoding="base64",
        unit="ms",
        verified=True,
    ),
    # https://www.contentful.com/developers/docs/extensibility/app-framework/request-verification/
    entry(
        "contentful",
        signature="X-Contentful-Signature",
        timestamp="X-Contentful-Timestamp",
        signed="{method}\n{path}\n{signed_headers:X-Contentful-Signed-Headers}\n{body}",
        unit="ms",
        tolerance=30,
        verified=True,
    ),
)
