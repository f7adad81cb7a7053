"""A function in the background is told of after the 202: the front verifies, and hands on with a signature of its own."""

from __future__ import annotations

import logging

import pytest

from authkit import Response, chain, require_signature, verify_webhook
from authkit.signatures import Signer
from authkit.stores import MemoryStore
from authkit.testing import Clock, LambdaContext, lambda_event
from authkit.webhooks import sign

from .webhook_parts import SECRET, delivery

NOW = 1_800_000_000.0
BETWEEN = "between our own functions: 0f1e2d3c4b5a6978"
FRONT, BACKGROUND = "/.netlify/functions/orders", "/.netlify/functions/orders-background"
BODY = b'{"order":  7}'


def netlify(path, headers, body=BODY):
    event = lambda_event("netlify", "POST", path, headers=headers, body=body)
    return {**event, "path": path}


@pytest.mark.parametrize("several", [False, True])
def test_a_delivery_is_not_verified_in_the_background(several, caplog):
    """Told when the first comes, whatever it is signed with, and never as a 401 that nobody would hear."""
    schemes, entered = (["github", "gitlab"] if several else "github"), []
    guarded = verify_webhook(schemes, secret=SECRET)
    hook = guarded(lambda event, context, webhook: entered.append(webhook))
    with caplog.at_level(logging.WARNING):
        for headers in (sign("github", SECRET, BODY), {}):
            assert hook(netlify(BACKGROUND, headers), LambdaContext())["statusCode"] == 500
    assert entered == []
    assert "in an ordinary function" in caplog.text
    assert chain(guarded)(lambda request, webhook: Response(204))(delivery()).status == 204


def test_a_hand_over_is_signed_and_what_is_not_enters_no_handler():
    """The background has a URL as any other, and retries of the platform's own are let in: their effect is once, by the id."""
    clock, handed, done = Clock(NOW), [], []
    handover = Signer(BETWEEN, keyid="front", clock=clock)

    @verify_webhook("github", secret=SECRET, replay=MemoryStore())
    def front(event, context, webhook):
        headers = handover.sign("POST", f"https://site.example{BACKGROUND}", (), webhook.body)
        handed.append(netlify(BACKGROUND, headers, webhook.body))
        return {"statusCode": 202}

    @require_signature({"front": BETWEEN}, authority="site.example", clock=clock)
    def background(event, context, principal):
        done.append(principal.subject)
        return {"statusCode": 200}

    signed = sign("github", SECRET, BODY)
    assert front(netlify(FRONT, signed), LambdaContext())["statusCode"] == 202
    assert front(netlify(FRONT, signed, BODY + b" "), LambdaContext())["statusCode"] == 401
    assert len(handed) == 1
    for seconds in (0, 60, 120):  # as Netlify tries again
        clock.now += seconds
        assert background(handed[0], LambdaContext())["statusCode"] == 200
    assert done == ["front"] * 3
    for forged in (netlify(BACKGROUND, signed), {**handed[0], "body": "{}"}, netlify(BACKGROUND, {})):
        assert background(forged, LambdaContext())["statusCode"] == 401
    assert len(done) == 3
