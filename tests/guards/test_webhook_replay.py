"""An event is handled once: done is 200, in progress 409, failed deliverable again; and every claim ends with its handler."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from authkit import Allow, ConfigurationError, Deny, Guard, Request, Response, chain, verify_webhook
from authkit.guards._webhook_claim import Claims
from authkit.guards.webhook import VerifyWebhook
from authkit.stores import MemoryStore, SqliteStore
from authkit.webhooks import Scheme, Verifier, sign
from authkit.webhooks.replay import DONE, Replay
from tests.webhooks.replay_stores import Clock

from .webhook_parts import SECRET, Failing, Handler, delivery


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def hook(store):
    return verify_webhook("github", secret=SECRET, replay=store)


def seen(answer):
    return answer.status, answer.body


def test_a_done_event_is_200_with_no_body_and_not_handled_again(hook):
    handler = Handler()
    guarded = handler.sync(hook)
    assert seen(guarded(delivery())) == (200, b"handled")
    again = guarded(delivery())
    assert seen(again) == (200, b"")
    assert again.headers["cache-control"] == "no-store"
    assert handler.entered == 1
    assert seen(guarded(delivery(b"another"))) == (200, b"handled")


def test_an_event_in_progress_is_409_and_says_when_to_come_back(hook):
    found = []

    @hook
    def handler(request: Request, webhook):
        found.append(outer(delivery()) if not found else None)
        return Response(200)

    outer = handler
    assert outer(delivery()).status == 200
    assert seen(found[0]) == (409, b"")
    assert found[0].headers["retry-after"] == "10"
    assert seen(outer(delivery())) == (200, b"")


@pytest.mark.parametrize("status", [400, 404, 409, 429, 500, 503])
def test_a_handler_that_answers_with_an_error_gets_the_event_again(hook, status):
    handler = Handler(status, 204)
    guarded = handler.sync(hook)
    assert [guarded(delivery()).status for _ in range(3)] == [status, 204, 200]
    assert handler.entered == 2


@pytest.mark.parametrize("status", [200, 201, 202, 204, 301, 304])
def test_a_handler_that_answers_with_none_has_handled_it(hook, status):
    handler = Handler(status)
    guarded = handler.sync(hook)
    assert [guarded(delivery()).status for _ in range(2)] == [status, 200]
    assert handler.entered == 1


@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt(), SystemExit()], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_a_handler_that_raises_gets_the_event_again(hook, error, kind):
    handler = Handler(error, 200)
    guarded = getattr(handler, kind)(hook)

    def call():
        answer = guarded(delivery())
        if kind == "sync":
            return answer
        try:
            answer.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError

    with pytest.raises(type(error)):
        call()
    assert [call().status for _ in range(2)] == [200, 200]
    assert handler.entered == 2


async def test_a_handler_that_is_cancelled_gets_the_event_again(tmp_path):
    store = SqliteStore(tmp_path / "replay.db")
    hook, inside, entered = verify_webhook("github", secret=SECRET, replay=store), asyncio.Event(), []

    @hook
    async def handler(request: Request, webhook):
        entered.append(webhook)
        inside.set()
        if len(entered) == 1:
            await asyncio.sleep(60)
        return Response(200)

    task = asyncio.create_task(handler(delivery()))
    await inside.wait()
    assert (await handler(delivery())).status == 409
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):  # let go of on a thread: nobody waits for a cancelled request
        answer = await handler(delivery())
        if answer.status != 409:
            break
        await asyncio.sleep(0.01)
    assert answer.status == 200
    assert len(entered) == 2
    store.close()


def test_a_call_from_an_except_block_is_no_failure(hook):
    handler = Handler()
    guarded = handler.sync(hook)
    try:
        raise LookupError("of somebody else")
    except LookupError:
        assert guarded(delivery()).status == 200
    assert seen(guarded(delivery())) == (200, b"")


@pytest.mark.parametrize("status", [200, 303, 403, 503])
def test_a_guard_further_in_that_answers_itself_leaves_the_event_deliverable(hook, status):
    class Answers(Guard):
        answer: Deny | None = Deny(status, "elsewhere", respond=b"")

        async def check(self, request):
            return self.answer or Allow()

    inner, handler = Answers(), Handler()
    guarded = handler.sync(chain(hook, inner))
    assert guarded(delivery()).status == status
    inner.answer = None
    assert seen(guarded(delivery())) == (200, b"handled")


def test_what_is_not_signed_claims_nothing(hook, store):
    handler = Handler()
    guarded = handler.sync(hook)
    forged = Request.build("POST", "/hook", {"x-hub-signature-256": "sha256=" + "0" * 64}, b'{"n": 1}')
    assert guarded(forged).status == 401
    assert len(store._noted) == 0
    assert guarded(delivery()).status == 200


def test_a_signed_id_is_the_event_whatever_else_is_new():
    """A sender that tries again signs anew, with another time."""
    now = int(time.time())
    handler = Handler()
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    guarded = handler.sync(verify_webhook("standard-webhooks", secret=secret, replay=MemoryStore()))

    def sent(id, timestamp, body=b"{}"):
        return delivery(body, "standard-webhooks", secret, id=id, timestamp=timestamp)

    answers = [guarded(sent(*said)).body for said in [("a", now - 5), ("a", now), ("a", now, b"[]"), ("b", now)]]
    assert answers == [b"handled", b"", b"", b"handled"]


def test_an_unsigned_id_does_not_make_an_event_another():
    """Whoever replays may change what is not signed."""
    handler = Handler()
    guarded = handler.sync(verify_webhook("github", secret=SECRET, replay=MemoryStore()))
    for id in ("a", "b", "c"):
        request = delivery()
        request.headers._map["x-github-delivery"] = [id]
        assert guarded(request).status == 200
    assert handler.entered == 1


def test_an_event_is_remembered_for_as_long_as_it_would_be_taken():
    """A done event stays done for the whole time in which its timestamp is right."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    scheme = Scheme("own", signature="X-Sig", timestamp="X-Time", signed="{timestamp}.{body}", tolerance=300)
    handler = Handler()
    verifier = Verifier(scheme, SECRET, clock=clock)
    guarded = handler.sync(VerifyWebhook(verifier, None, 1000, Claims(Replay(store)), None))
    request = Request.build("POST", "/hook", sign(scheme, SECRET, b"{}", timestamp=int(clock.now) + 300), b"{}")
    assert guarded(request).body == b"handled"
    for _ in range(60):
        clock.sleep(10)
        assert seen(guarded(request)) == (200, b"")
    clock.sleep(1)
    assert guarded(request).status == 401
    assert handler.entered == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_of_a_hundred_copies_in_threads_one_is_handled(tmp_path, kind):
    store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "replay.db", timeout=20)
    handler, answers = Handler(), []
    guarded = handler.sync(verify_webhook("github", secret=SECRET, replay=store))
    barrier = threading.Barrier(100)

    def send():
        barrier.wait()
        answers.append(guarded(delivery()).status)

    threads = [threading.Thread(target=send) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handler.entered == 1
    assert len(answers) == 100
    assert set(answers) <= {200, 409}
    store.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_of_a_hundred_copies_in_tasks_one_is_handled(tmp_path, kind):
    store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "replay.db", timeout=20)
    entered = []

    @verify_webhook("github", secret=SECRET, replay=store)
    async def handler(request: Request, webhook):
        entered.append(webhook)
        await asyncio.sleep(0.02)
        return Response(200)

    answers = await asyncio.gather(*(handler(delivery()) for _ in range(100)))
    assert len(entered) == 1
    assert {answer.status for answer in answers} <= {200, 409}
    assert seen(await handler(delivery())) == (200, b"")
    store.close()


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
async def test_done_is_noted_before_the_sender_hears_of_it(kind):
    """Else a process that is killed after its answer would handle the event twice."""
    store = Failing()
    handler = Handler()
    guarded = getattr(handler, kind)(verify_webhook("github", secret=SECRET, replay=store))
    if kind == "sync":
        await asyncio.to_thread(guarded, delivery())
    else:
        await guarded(delivery())
    assert [note[1] for note in store._noted._young.values()] == [DONE]


def test_a_body_that_is_streamed_is_part_of_the_handler(hook):
    def parts(error):
        yield b"part"
        if error:
            raise RuntimeError
        yield b"part"

    errors = [True, False]

    @hook
    def handler(request: Request, webhook):
        return parts(errors.pop(0))

    body = handler(delivery())
    assert next(body) == b"part"
    assert handler(delivery()).status == 409
    with pytest.raises(RuntimeError):
        next(body)
    assert b"".join(handler(delivery())) == b"partpart"
    assert seen(handler(delivery())) == (200, b"")


def test_two_endpoints_that_take_events_from_each_other_are_told(store, caplog):
    """Each of two guards without names of their own would leave the other's events unhandled."""
    one = verify_webhook("github", secret=SECRET, replay=store)
    verify_webhook("stripe", secret=SECRET, replay=store)
    named = verify_webhook("github", secret=SECRET, replay=Replay(store, name="other"))
    assert not caplog.records
    other = verify_webhook("github", secret="another", replay=store)
    assert "name" in caplog.text
    assert {one, named, other}


def test_without_a_handler_around_there_is_nothing_to_say_what_became_of_an_event(hook):
    with pytest.raises(ConfigurationError, match="response"):
        hook.decide(delivery())


def test_a_background_function_of_netlify_is_refused():
    """Its sender was told 202 before the function was called: no forged delivery can be refused there."""
    sent = delivery()
    entered = []

    @verify_webhook("github", secret=SECRET)
    def handler(event, context, webhook):
        entered.append(webhook)
        return {"statusCode": 200}

    netlify = {
        "httpMethod": "POST",
        "path": "/.netlify/functions/hook-background",
        "headers": dict(sent.headers.items()),
        "body": sent.body.decode(),
        "isBase64Encoded": False,
    }
    assert handler(netlify, None)["statusCode"] == 500
    assert handler({**netlify, "path": "/.netlify/functions/hook"}, None)["statusCode"] == 200
    assert len(entered) == 1


@pytest.mark.parametrize("wrong", ["memory:", 7, {}, True])
def test_what_is_no_store_is_refused_when_the_guard_is_built(wrong):
    with pytest.raises(ConfigurationError, match="replay"):
        verify_webhook("github", secret=SECRET, replay=wrong)


@pytest.mark.parametrize(("keep", "entered"), [(None, 2), (7 * 86_400, 1)])
def test_an_event_that_is_signed_anew_hours_later_is_told_for_as_long_as_replay_keeps_it(keep, entered):
    """Stripe and Standard Webhooks sign each attempt with its own time, and go on for days."""
    clock = Clock(1_000.0)
    handler = Handler()
    hook = handler.sync(verify_webhook("stripe", secret=SECRET, replay=Replay(MemoryStore(clock=clock, wall=clock), keep=keep)))
    body = b'{"id": "evt_1"}'
    assert hook(delivery(body, "stripe")).status == 200
    clock.now += 6 * 3_600
    assert hook(delivery(body, "stripe")).status == 200
    assert handler.entered == entered
