"""Stores that fail, and leases: renewed while the handler runs, lost, taken by another, and clocks that jump."""

from __future__ import annotations

import gc
import threading
import time
from types import SimpleNamespace

import pytest

from authkit import Request, Response, verify_webhook
from authkit._state import State
from authkit.guards._webhook_claim import Claims
from authkit.stores import MemoryStore
from authkit.webhooks.replay import Replay
from tests.webhooks.replay_stores import Clock, eventually

from .webhook_parts import SECRET, Failing, Handler, delivery


@pytest.fixture
def store():
    return MemoryStore()


def seen(answer):
    return answer.status, answer.body


def test_a_store_that_is_down_is_503_and_nothing_is_handled():
    store = Failing()
    handler = Handler()
    guarded = handler.sync(verify_webhook("github", secret=SECRET, replay=store))
    store.down = True
    answer = guarded(delivery())
    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert handler.entered == 0
    store.down = False
    assert seen(guarded(delivery())) == (200, b"handled")


@pytest.mark.parametrize(("status", "then"), [(200, b""), (500, b"handled")])
def test_what_a_store_cannot_be_told_at_the_end_is_told_later(status, then):
    """The handler's answer stands; the event is done, or deliverable again, as soon as the store answers."""
    store = Failing()
    hook = verify_webhook("github", secret=SECRET, replay=Replay(store, lease=0.6))
    handler = Handler(status, 200)

    @hook
    def goes_down(request: Request, webhook):
        store.down = True
        return handler.next(webhook)

    assert goes_down(delivery()).status == status
    store.down = False
    guarded = handler.sync(hook)
    answers = []

    def ended():
        answers.append(guarded(delivery()))
        return answers[-1].status != 409

    eventually(ended)
    assert seen(answers[-1]) == (200, then)


def test_a_claim_is_renewed_while_the_handler_runs():
    store, entered = Failing(), threading.Event()
    hook = verify_webhook("github", secret=SECRET, replay=Replay(store, lease=0.3))

    @hook
    def handler(request: Request, webhook):
        entered.set()
        time.sleep(1.0)
        return Response(200)

    thread = threading.Thread(target=handler, args=(delivery(),))
    thread.start()
    entered.wait()
    deadline, other = time.monotonic() + 0.9, Handler()
    guarded = other.sync(hook)
    while time.monotonic() < deadline:
        assert guarded(delivery()).status == 409
        time.sleep(0.02)
    thread.join()
    assert seen(guarded(delivery())) == (200, b"")
    assert other.entered == 0


def test_whose_claim_was_lost_and_taken_does_not_end_the_next_ones():
    """A process that was stopped for longer than its lease, in the middle of its handler."""
    clock = Clock()
    store = Failing(clock=clock)
    hook = verify_webhook("github", secret=SECRET, replay=store)
    stage = SimpleNamespace(second=threading.Event(), go=threading.Event(), answers=[])

    @hook
    def second(request: Request, webhook):
        stage.second.set()
        stage.go.wait(10)
        return Response(500)

    @hook
    def first(request: Request, webhook):
        clock.sleep(61)
        stage.thread = threading.Thread(target=lambda: stage.answers.append(second(delivery()).status))
        stage.thread.start()
        assert stage.second.wait(10)
        return Response(200)

    assert first(delivery()).status == 200
    handler = Handler()
    guarded = handler.sync(hook)
    assert guarded(delivery()).status == 409  # still the second one's
    stage.go.set()
    stage.thread.join()
    assert stage.answers == [500]
    assert seen(guarded(delivery())) == (200, b"handled")  # it failed, and its word counts


@pytest.mark.parametrize("kind", [MemoryStore, Failing])
@pytest.mark.parametrize("jump", [-86_400, 86_400], ids=["back", "forward"])
def test_a_clock_that_jumps_in_the_handler_leaves_a_done_event_done(kind, jump):
    clock = Clock()
    store = kind(clock=clock)
    hook = verify_webhook("github", secret=SECRET, replay=store)

    @hook
    def handler(request: Request, webhook):
        clock.sleep(jump)
        return Response(200)

    again = Handler()
    assert handler(delivery()).status == 200
    assert seen(again.sync(hook)(delivery())) == (200, b"")
    assert again.entered == 0


def test_in_memory_a_claim_ends_with_what_it_was_made_for(store):
    """Else it would last for as long as the process."""
    request = delivery()
    request.state = State()
    kept = Claims(Replay(store)).claim("e", 601, request)
    assert kept.begin() == "new"
    assert Replay(store).begin("e")[0] == "busy"
    del kept
    gc.collect()
    assert Replay(store).begin("e")[0] == "new"


def test_a_claim_that_the_collector_finds_while_its_store_is_at_work_is_let_go_of():
    """It runs in the middle of anything, and the store's own thread would wait for itself."""
    collect = []

    def clock():  # the store asks it while it holds its lock
        for one in collect:
            one()
        return 0.0

    store = MemoryStore(clock=clock)
    claims = Claims(Replay(store))

    def use():
        state = State()
        state.closing = [claims.at_once("e", 601, state)]  # its request was dropped: a cycle
        del state
        collect.append(gc.collect)
        assert store.add("another", 60)

    gc.disable()
    try:
        user = threading.Thread(target=use, daemon=True)
        user.start()
        user.join(30)
    finally:
        gc.enable()
    assert not user.is_alive()
    assert Replay(store).begin("e")[0] == "new"


class Context:
    def __init__(self, milliseconds):
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self):
        return self.milliseconds


def event_of(request):
    return {
        "version": "2.0",
        "rawPath": "/hook",
        "rawQueryString": "",
        "headers": dict(request.headers.items()),
        "requestContext": {"http": {"method": "POST", "sourceIp": "203.0.113.5"}},
        "body": request.body.decode(),
        "isBase64Encoded": False,
    }


def test_on_lambda_a_claim_lasts_until_the_deadline():
    """A function that is killed at its deadline, or frozen: nothing renews there, and nothing needs to."""
    clock, found = Clock(), []
    store = Failing(clock=clock)
    hook = verify_webhook("github", secret=SECRET, replay=store)

    @hook
    def handler(event, context, webhook):
        clock.sleep(800)
        found.append(handler(event_of(delivery()), Context(900_000))["statusCode"])
        clock.sleep(102)
        found.append(other.sync(hook)(delivery()).body)
        return {"statusCode": 200}

    other = Handler()
    assert handler(event_of(delivery()), Context(900_000))["statusCode"] == 200
    assert found == [409, b"handled"]  # in force for 900 s and a little, and not longer
