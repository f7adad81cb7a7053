"""The examples of webhooks are programs that work, with one another too."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from authkit.testing import LambdaContext, WebhookSender, lambda_event
from tests.conformance import asgi_client
from tests.conformance.exchange import Got, Sent

WEBHOOK_SECRETS = {
    "STRIPE_WEBHOOK_SECRET": "whsec_only-here-4b7d0e9a6f3c2158",
    "GITHUB_WEBHOOK_SECRET": "examples, only here: 9a6f3c21584b7d0e",
    "SLACK_SIGNING_SECRET": "examples, only here: 3c21584b7d0e9a6f",
    "ORDERS_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


@pytest.fixture
def webhook_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("AUTHKIT_STORE", f"sqlite:///{tmp_path}/webhooks.db")
    for name, value in WEBHOOK_SECRETS.items():
        monkeypatch.setenv(name, value)
    return WEBHOOK_SECRETS


def test_webhook_lambda(webhook_settings: dict[str, str]) -> None:
    import examples.webhook_lambda as example

    def send(handler: Any, scheme: str, body: bytes, kind: str = "v2") -> int:
        sent = WebhookSender(scheme, webhook_settings[f"{scheme.upper()}_WEBHOOK_SECRET"]).deliver(body)
        event = lambda_event(kind, "POST", headers=sent.headers, body=sent.body)
        return int(handler(event, LambdaContext())["statusCode"])

    payment = b'{"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {"id": "cs_1"}}}'
    assert [send(example.stripe, "stripe", payment, kind) for kind in ("v2", "v1", "alb")] == [204, 200, 200]
    assert example.paid == ["cs_1"]
    unsigned = lambda_event("v2", "POST", body=payment.decode())
    assert example.stripe(unsigned, LambdaContext())["statusCode"] == 401  # type: ignore[call-arg]

    push = b'{"ref": "refs/heads/main", "after": "d0e9a6f", "pusher": {}}'
    broken = push.replace(b"main", b"broken")
    assert [send(example.github, "github", body) for body in (push, push, broken, broken)] == [202, 200, 503, 503]
    assert example.pushed == ["d0e9a6f"]


def test_webhook_fastapi(webhook_settings: dict[str, str]) -> None:
    from examples.webhook_fastapi import app, seen

    def send(path: str, scheme: str, secret: str, body: bytes) -> Got:
        sent = WebhookSender(scheme, webhook_settings[secret]).deliver(body)
        headers = (("Content-Type", "application/json"), *sent.headers.items())
        return asgi_client.call(app, Sent(method="POST", path=path, headers=headers, body=sent.body))

    stripe = b'{"id": "evt_1", "type": "invoice.paid"}'
    assert [send("/stripe", "stripe", "STRIPE_WEBHOOK_SECRET", stripe).status for _ in range(2)] == [204, 200]
    assert send("/stripe", "stripe", "GITHUB_WEBHOOK_SECRET", stripe).status == 401
    push = b'{"ref":  "refs/heads/main"}'
    assert [send("/github", "github", "GITHUB_WEBHOOK_SECRET", push).status for _ in range(2)] == [204, 200]
    asked = WebhookSender("slack", webhook_settings["SLACK_SIGNING_SECRET"]).ask("3eZbrw1aB")
    answer = asgi_client.call(app, Sent(method="POST", path="/slack", headers=tuple(asked.headers.items()), body=asked.body))
    assert (answer.status, answer.body) == (200, b"3eZbrw1aB")
    mention = b'{"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention"}}'
    assert send("/slack", "slack", "SLACK_SIGNING_SECRET", mention).status == 200
    assert seen == ["stripe invoice.paid", "github refs/heads/main", "slack app_mention"]


def test_webhook_sender(webhook_settings: dict[str, str]) -> None:
    """To the receiver of the other example, over a real socket: down, then up, then told again."""
    import httpx

    import examples.webhook_fastapi as webhook_fastapi
    import examples.webhook_sender as webhook_sender
    from authkit.secrets import Secret
    from tests.hosts.servers import serving

    known = Secret.of(webhook_settings["ORDERS_WEBHOOK_SECRET"])
    newer = Secret.of("whsec_" + "bmV3ZXIgdGhhbiB0aGUgb3RoZXIgb25lLCBhbmQgbG9uZw==")
    waited: list[float] = []
    order: dict[str, object] = {"order": "o-1"}
    webhook_fastapi.seen.clear()
    with serving(webhook_fastapi.app) as served:
        url = f"http://127.0.0.1:{served.port}/orders"
        for id, attempts in (("msg_1", 1), ("msg_1", 1), ("msg_2", 1)):
            assert webhook_sender.deliver(served.http, url, [newer, known], order, id=id) == attempts
        with pytest.raises(webhook_sender.Undelivered, match="attempts"):
            webhook_sender.deliver(served.http, url, [newer], order, sleep=waited.append)
    assert webhook_fastapi.seen == ["order o-1", "order o-1"]  # the second delivery of msg_1 was told apart
    assert len(waited) == webhook_sender.ATTEMPTS - 1
    assert all(longer > 0.99 * shorter for shorter, longer in pairwise(waited))
    with httpx.Client(trust_env=False) as client, pytest.raises(webhook_sender.Undelivered):
        webhook_sender.deliver(client, url, [known], order, sleep=waited.append)  # nobody is there
