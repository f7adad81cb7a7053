"""An ordinary delivery passes without a coroutine where nobody has to be waited for, and is judged as any other."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from authkit import Request, Response, chain, verify_webhook
from authkit.decision import Deny
from authkit.guards.webhook import VerifyWebhook
from authkit.secrets import Environment, Secrets
from authkit.stores import MemoryStore, SqliteStore
from authkit.webhooks import Replay, sign

SECRET = "a-secret-of-a-sender-1"


def delivery(id: str = "m-1", body: bytes = b'{"a":1}', secret: str = SECRET, **headers: str) -> Request:
    return Request.build("POST", "/hook", {**sign("calendly", secret, body, id=id), **headers}, body)


def ok(request: Request, webhook: Any = None) -> Response:
    return Response(200, body=webhook.body)


def judged(handler: Any, *requests: Request) -> tuple[int, list[int]]:
    """How many of these the guard was asked to `check`, and the answers."""
    asked = []

    def count(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code is VerifyWebhook.check.__code__ and frame not in asked:  # not where it goes on
            asked.append(frame)

    sys.setprofile(count)
    try:
        answers = [handler(request).status for request in requests]
    finally:
        sys.setprofile(None)
    return len(asked), answers


def sealed(guard: Any, handler: Any = ok) -> Any:
    guard.prepare()
    return guard(handler)


def test_an_ordinary_delivery_passes_without_being_asked_for() -> None:
    guarded = sealed(verify_webhook("calendly", secret=SECRET))
    assert judged(guarded, delivery(), delivery()) == (0, [200, 200])


def test_one_that_is_refused_is_judged_by_the_check_which_says_why() -> None:
    seen: list[Any] = []
    guarded = sealed(chain(verify_webhook("calendly", secret=SECRET), audit=seen.append))
    assert judged(guarded, delivery(secret="b-secret-2"), delivery(**{"Calendly-Webhook-Signature": ""})) == (2, [401, 401])
    assert [event["reason"] for event in seen] == ["signature_mismatch", "signature_missing"]
    assert [event["guard"] for event in seen] == ["verify_webhook"] * 2


def test_one_event_is_handled_once() -> None:
    guarded = sealed(verify_webhook("calendly", secret=SECRET, replay=MemoryStore()))
    same = delivery()
    again = Request.build("POST", "/hook", list(same.headers.items()), same.body)
    assert judged(guarded, same, again, delivery(body=b"other")) == (1, [200, 200, 200])
    handled = []
    counted = sealed(verify_webhook("calendly", secret=SECRET, replay=MemoryStore()), lambda request: handled.append(request))
    for request in (delivery(), delivery(), delivery(body=b"other")):
        counted(request)
    assert len(handled) == 2


@pytest.mark.parametrize("fails", ["raises", "answers 500"])
def test_one_that_failed_may_be_delivered_again(fails: str) -> None:
    handled = []

    def handler(request: Request) -> Response:
        handled.append(request)
        if len(handled) == 1 and fails == "raises":
            raise RuntimeError
        return Response(500 if len(handled) == 1 else 200)

    guarded = sealed(verify_webhook("calendly", secret=SECRET, replay=MemoryStore()), handler)
    request = delivery()
    answers = []
    for _ in range(3):
        try:
            answers.append(guarded(Request.build("POST", "/hook", list(request.headers.items()), request.body)).status)
        except RuntimeError:
            answers.append(500)
    assert answers == [500, 200, 200]
    assert len(handled) == 2


def test_one_that_is_being_handled_is_busy() -> None:
    request, answers = delivery(), []

    def handler(current: Request) -> Response:
        if not answers:
            answers.append(0)
            answers[0] = guarded(Request.build("POST", "/hook", list(request.headers.items()), request.body)).status
        return Response(200)

    guarded = sealed(verify_webhook("calendly", secret=SECRET, replay=MemoryStore()), handler)
    assert guarded(request).status == 200
    assert answers == [409]


def test_a_store_that_is_full_is_no_leave_to_pass() -> None:
    guarded = sealed(verify_webhook("calendly", secret=SECRET, replay=MemoryStore(max_keys=1)))
    assert judged(guarded, delivery(), delivery(body=b"other"))[1] == [200, 503]


def test_a_store_that_may_block_is_waited_for(tmp_path: Any) -> None:
    guarded = sealed(verify_webhook("calendly", secret=SECRET, replay=SqliteStore(tmp_path / "replay.db")))
    assert judged(guarded, delivery(), delivery(body=b"other")) == (2, [200, 200])


def test_a_body_above_the_limit_is_413() -> None:
    guarded = sealed(verify_webhook("calendly", secret=SECRET, max_body=10))
    assert judged(guarded, delivery(body=b"x" * 10), delivery(body=b"x" * 11)) == (1, [200, 413])


def test_a_secret_that_has_to_be_fetched_is_waited_for_once() -> None:
    secrets = Secrets(Environment({"HOOK": SECRET}))
    guarded = sealed(verify_webhook("calendly", secret=secrets["HOOK"]))
    assert judged(guarded, delivery(), delivery()) == (0, [200, 200])  # `prepare` has fetched it
    secrets.refresh()
    assert judged(guarded, delivery(), delivery()) == (1, [200, 200])


def test_what_was_derived_and_checks_more_is_asked() -> None:
    class Closed(VerifyWebhook):
        async def check(self, request: Request) -> Any:
            return Deny(403, "closed")

    made = verify_webhook("calendly", secret=SECRET)
    assert isinstance(made, VerifyWebhook)
    guarded = sealed(Closed(made._verifier, None, 1000, None, None))
    assert guarded(delivery()).status == 403


def test_in_shadow_and_beside_other_guards_it_is_asked() -> None:
    guard = verify_webhook("calendly", secret=SECRET)
    for handler in (sealed(guard.shadow()), sealed(chain(guard, verify_webhook("calendly", secret=SECRET)))):
        assert judged(handler, delivery())[1] == [200]
        assert judged(handler, delivery())[0] > 0


def test_a_background_function_is_refused_whatever_was_sent() -> None:
    class Background(Request):
        __slots__ = ()
        answered = True

    guarded = sealed(verify_webhook("calendly", secret=SECRET))
    sent = delivery()
    assert guarded(Background("POST", "/hook", headers=sent.headers, body=sent.body)).status >= 500


def test_claims_of_one_store_differ() -> None:
    replay = Replay(MemoryStore())
    assert len({replay.claim("e")._holder for _ in range(100)}) == 100
