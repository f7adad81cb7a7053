"""WebhookSender: a sender of any scheme, with keys of its own, for users' own tests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authkit import verify_webhook, webhooks
from authkit.errors import InvalidSignature, SecretNotFound
from authkit.http import Request, Response
from authkit.secrets import Secrets, SecretSource
from authkit.testing import Clock, LambdaContext, WebhookSender, lambda_event


def test_what_it_sends_passes_a_guard_that_was_told_what_the_receiver_is_told() -> None:
    sender = WebhookSender("stripe")

    @verify_webhook("stripe", secret=sender.known)
    def hook(event: object, context: object, webhook: webhooks.WebhookEvent) -> dict[str, object]:
        return {"statusCode": 200, "body": webhook.json()["id"]}

    sent = sender.deliver(b'{"id": "evt_9"}')
    event = lambda_event("v2", "POST", "/hook", headers=sent.headers, body=sent.body)
    assert hook(event, LambdaContext())["body"] == "evt_9"  # type: ignore[call-arg]  # the guard fills it
    forged = lambda_event("v2", "POST", "/hook", headers=sent.headers, body=sent.body + b" ")
    assert hook(forged, LambdaContext())["statusCode"] == 401  # type: ignore[call-arg]


def test_the_clock_is_the_senders() -> None:
    clock = Clock(1_800_000_000)
    sender = WebhookSender("slack", clock=clock)
    sent = sender.deliver(b"{}")
    assert sender.verifier().verify(sent.headers, b"{}").timestamp == 1_800_000_000
    clock.advance(301)
    with pytest.raises(InvalidSignature, match="timestamp_too_old"):
        sender.verifier().verify(sent.headers, b"{}")
    late = sender.deliver(b"{}", timestamp=clock() - 301)
    assert late.headers == sent.headers


def test_a_secret_of_ones_own_is_used() -> None:
    sender = WebhookSender("github", "s-1")
    sent = sender.deliver(b"x", id="d-1")
    assert sent.headers == webhooks.sign("github", "s-1", b"x", id="d-1")
    assert webhooks.verify("github", "s-1", sent.headers, b"x").id == "d-1"


def test_a_scheme_of_ones_own_has_a_sender_too() -> None:
    mine = webhooks.Scheme("mine", signature="body:sign", signed="{body:a}{form:b?}", idempotency="body:a")
    sender = WebhookSender(mine)
    sent = sender.deliver()
    assert set(json.loads(sent.body)) >= {"a", "sign"}
    assert sender.verifier().verify({}, sent.body).id == "sample"


def test_options_that_a_scheme_asks_for_are_made_up_unless_given() -> None:
    assert WebhookSender("paypal").options == {"webhook_id": "test-1"}
    sender = WebhookSender("paypal", webhook_id="9XL")
    sent = sender.deliver()
    assert sender.verifier().verify(sent.headers, sent.body)
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        sender.verifier(webhook_id="other").verify(sent.headers, sent.body)


def test_it_is_not_taken_for_a_request() -> None:
    """What it makes is headers, body and URL; a `Request` for plain functions is built of them."""
    sender = WebhookSender("gumroad")
    sent = sender.deliver(url="/hook")
    assert sent.url is not None

    @verify_webhook("gumroad", secret=sender.known)
    def hook(request: Request, webhook: webhooks.WebhookEvent) -> Response:
        return Response(200, body=webhook.id or "")

    answer = hook(Request.build("POST", sent.url, sent.headers, sent.body))  # type: ignore[call-arg]
    assert (answer.status, answer.body) == (200, b"sale-1")
    assert hook(Request.build("POST", "/hook?token=x", {}, sent.body)).status == 401  # type: ignore[call-arg]


@pytest.mark.parametrize("name", list(webhooks.schemes()))
def test_every_scheme_that_is_built_in_has_a_sender_whose_guard_lets_it_in(name: str) -> None:
    """Also those with key pairs, and those whose keys are fetched: what is wrong in one byte is refused."""
    sender = WebhookSender(name)
    sent = sender.deliver()
    assert sender.verifier().verify(sent.headers, sent.body, url=sent.url, method=sent.method)
    if sender.scheme.covers_body:
        with pytest.raises(InvalidSignature):
            sender.verifier().verify(sent.headers, sent.body + b"x", url=sent.url, method=sent.method)


HANDSHAKING = [name for name, scheme in webhooks.schemes().items() if scheme.handshake is not None]


@pytest.mark.parametrize("name", HANDSHAKING)
def test_every_sender_that_asks_first_can_be_made_to_ask(name: str) -> None:
    sender = WebhookSender(name)
    handshake = sender.scheme.handshake
    kept: list[object] = []
    told: dict[str, Any] = {**sender.options}
    if sender.fetch is not None:
        told["fetch"] = sender.fetch
    if sender.scheme.needs is not None:
        told["url"] = "https://api.example.com/hooks/1?a=1"
    if handshake == "meta":
        told["verify_token"] = "agreed"
    if handshake in ("asana", "notion", "sns"):  # these ask the application
        told["handshake"] = lambda said: not kept.append(said)

    @verify_webhook(sender.scheme, secret=_NONE_YET if handshake in ("asana", "notion") else sender.known, **told)
    def hook(request: Request, webhook: webhooks.WebhookEvent) -> Response:
        raise AssertionError("a handshake is no delivery")

    asked, wanted = sender.ask(verify_token="agreed"), sender.expects()
    assert asked.url is not None
    path = asked.url.removeprefix("https://api.example.com")
    answer = hook(Request.build(asked.method, path, asked.headers, asked.body))  # type: ignore[call-arg]
    assert answer.status == 200
    assert wanted is None or (answer.body, answer.headers.get("x-hook-secret")) == (
        wanted.body,
        wanted.headers.get("x-hook-secret"),
    )
    assert bool(kept) == (handshake in ("asana", "notion", "sns"))
    assert (wanted is None) == (handshake == "sns")


class _Vault(SecretSource):
    def fetch(self, name: str) -> str:
        raise SecretNotFound(name)


_NONE_YET = Secrets(_Vault())["HOOK"]


def test_a_sender_that_never_asks_says_so() -> None:
    with pytest.raises(ValueError, match="github has no handshake"):
        WebhookSender("github").ask()
