"""docs/webhook-schemes.md says of the schemes what they declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from authkit import webhooks
from authkit.webhooks.table import HEAD, row, table

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "webhook-schemes.md"


@pytest.mark.parametrize("verified", [True, False])
def test_the_document_holds_the_table_as_it_is_made(verified: bool) -> None:
    """If it does not: `python -m tests.webhooks.test_table` writes it anew."""
    assert table(verified=verified) in DOCUMENT.read_text(encoding="utf-8")


def test_every_scheme_has_its_row() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, scheme in webhooks.schemes().items():
        cells = row(scheme)
        assert len(cells) == len(HEAD)
        assert text.count(f"\n| `{name}` |") == 1
        assert all("\n" not in cell and "||" not in cell for cell in cells)


def test_what_leaves_the_body_open_says_so() -> None:
    for scheme in webhooks.schemes().values():
        if not scheme.covers_body and scheme.algorithm != "token":
            assert "**not" in row(scheme)[3] or "{params}" in row(scheme)[3]


# Every sender whose documents or code say how it signs, by whatever names its ways have here.
READ = {
    "Standard Webhooks": "standard-webhooks standard-webhooks-v1a", "Svix": "svix", "Stripe": "stripe", "GitHub": "github",
    "Slack": "slack", "Shopify": "shopify", "Twilio": "twilio", "SendGrid": "sendgrid", "Discord": "discord",
    "Square": "square", "Paddle Billing": "paddle", "HubSpot": "hubspot-v1 hubspot-v2 hubspot-v3",
    "Amazon SNS": "aws-sns aws-sns-v1", "Zoom": "zoom", "GitLab": "gitlab gitlab-signed", "Mailgun": "mailgun mailgun-form",
    "Adyen": "adyen adyen-basic", "PayPal": "paypal paypal-sandbox", "Plaid": "plaid", "Netlify": "netlify",
    "FusionAuth": "fusionauth fusionauth-keys", "Box": "box", "Zendesk": "zendesk", "Notion": "notion", "Trello": "trello",
    "Asana": "asana", "Okta": "okta", "Auth0": "auth0", "Meta": "meta", "X": "x", "Twitch": "twitch", "Calendly": "calendly",
    "Mux": "mux", "ElevenLabs": "elevenlabs", "Webflow": "webflow", "Contentful": "contentful", "PagerDuty": "pagerduty",
    "Xero": "xero", "Mandrill": "mandrill", "Linear": "linear", "Vercel": "vercel", "WooCommerce": "woocommerce",
    "Hookdeck": "hookdeck", "Cursor": "cursor", "ClickUp": "clickup", "Razorpay": "razorpay",
    "Coinbase Commerce": "coinbase-commerce", "Cashfree": "cashfree", "Constant Contact": "constant-contact",
    "Saleor": "saleor saleor-secret", "Coinify": "coinify", "Deepgram": "deepgram deepgram-basic", "Chargebee": "chargebee",
    "Postmark": "postmark", "Gumroad": "gumroad", "FastSpring": "fastspring",
    "kinds of other frameworks": "secret-key sha1-hex sha1-base64 sha256-hex sha256-base64 timestamped timestamped-ms jwt",
}  # fmt: skip


def test_every_sender_whose_documents_were_read_is_built_in_and_no_other_says_so() -> None:
    read = [name for names in READ.values() for name in names.split()]
    assert len(read) == len(set(read))
    assert set(read) == {name for name, scheme in webhooks.schemes().items() if scheme.verified}


def rewrite() -> None:
    """Put the tables where the document has them."""
    parts = DOCUMENT.read_text(encoding="utf-8").split(f"| {' | '.join(HEAD)} |\n")
    for index, verified in ((1, True), (2, False)):
        rest = parts[index].split("\n\n", 1)
        parts[index] = table(verified=verified) + ("\n" + rest[1] if len(rest) > 1 else "")
    DOCUMENT.write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
