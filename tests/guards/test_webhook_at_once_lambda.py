"""On Lambda the body comes with the call: an ordinary delivery passes without a coroutine there too, and nothing else does."""

from __future__ import annotations

import base64
import sys
from typing import Any

import pytest

from authkit import verify_webhook
from authkit.guards.webhook import VerifyWebhook
from authkit.hosts._lambda_event import LambdaRequest
from authkit.stores import MemoryStore
from authkit.webhooks import sign

SECRET = "a-secret-of-a-sender-1"
BODY = b'{"a":1}'


def event(body: bytes = BODY, /, *, encoded: bool = False, secret: str = SECRET, **changed: Any) -> dict[str, Any]:
    sent = {
        "version": "2.0",
        "rawPath": "/hook",
        "headers": {"host": "api.example.com", **sign("calendly", secret, body)},
        "requestContext": {"http": {"method": "POST", "path": "/hook"}},
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }
    return {**sent, **changed}


def in_v1(sent: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: sent[name] for name in ("body", "isBase64Encoded", "headers")},
        "httpMethod": "POST",
        "path": "/hook",
        "requestContext": {"identity": {}},
    }


def judged(handler: Any, *events: dict[str, Any]) -> tuple[list[str], list[int]]:
    """What was called of the check and of the decoding, in order, and the answers."""
    watched = {VerifyWebhook.check.__code__: "check", LambdaRequest._body_at_hand.__code__: "decode"}
    called, frames = [], []

    def note(frame: Any, kind: str, _: object) -> None:
        name = watched.get(frame.f_code)
        if kind == "call" and name is not None and frame not in frames:  # not where it goes on
            frames.append(frame)
            called.append(name)

    sys.setprofile(note)
    try:
        answers = [handler(sent, None)["statusCode"] for sent in events]
    finally:
        sys.setprofile(None)
    return called, answers


def guarded(**settings: Any) -> Any:
    guard = verify_webhook("calendly", secret=SECRET, **settings)
    guard.prepare()

    @guard
    def handler(event: Any, context: Any, webhook: Any = None) -> Any:
        assert webhook.body == BODY or len(webhook.body) > 100
        return {"statusCode": 200}

    return handler


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("shape", [dict, in_v1])
def test_an_ordinary_delivery_passes_without_being_asked_for_and_is_decoded_once(shape: Any, encoded: bool) -> None:
    assert judged(guarded(), shape(event(encoded=encoded))) == (["decode"], [200])


def test_what_its_headers_refuse_is_never_decoded() -> None:
    unsigned = event(headers={"host": "api.example.com"}, body="?", isBase64Encoded=True)
    assert judged(guarded(), unsigned) == (["check"], [401])
    old = event(headers={"Calendly-Webhook-Signature": "t=1,v1=00"}, body="?", isBase64Encoded=True)
    assert judged(guarded(), old) == (["check"], [401])


def test_a_wrong_signature_is_for_the_check_to_refuse() -> None:
    assert judged(guarded(), event(secret="b-secret-2")) == (["decode", "check", "decode"], [401])


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"isBase64Encoded": "false"}, 400),
        ({"isBase64Encoded": 1}, 400),
        ({"isBase64Encoded": True, "body": "e30=="}, 400),
        ({"isBase64Encoded": True, "body": "?"}, 400),
        ({"body": {"a": 1}}, 400),
        ({"body": "\ud800"}, 400),
        ({"body": None}, 401),
    ],
)
def test_a_body_that_can_be_read_in_two_ways_or_none_is_refused_as_ever(changed: dict[str, Any], status: int) -> None:
    assert judged(guarded(), event(**changed))[1] == [status]


def test_limits_hold() -> None:
    large = b"x" * 20_000
    assert judged(guarded(), event(large), event(large, encoded=True))[1] == [200, 200]
    assert judged(guarded(max_body=20_000), event(large), event(large + b"x"))[1] == [200, 413]
    small = guarded(max_body=len(BODY))
    assert judged(small, event()) == (["check", "decode"], [200])  # more might have been decoded than it allows
    assert judged(small, event(BODY + b" "), event(BODY + b" ", encoded=True))[1] == [413, 413]


def test_one_event_is_handled_once() -> None:
    handled = []
    guard = verify_webhook("calendly", secret=SECRET, replay=MemoryStore())
    guard.prepare()

    @guard
    def handler(event: Any, context: Any) -> Any:
        handled.append(event)
        return {"statusCode": 500 if len(handled) == 1 else 200}

    same = event()
    assert judged(handler, same, dict(same), dict(same))[1] == [500, 200, 200]
    assert len(handled) == 2
    assert judged(handler, event(BODY + b" "))[0] == ["decode"]


def test_a_background_function_is_refused_whatever_was_sent() -> None:
    sent = {"httpMethod": "POST", "path": "/hook-background", "body": BODY.decode(), "headers": event()["headers"]}
    called, answers = judged(guarded(), sent)
    assert called == ["check"]
    assert answers[0] >= 500
