"""The whole guard on each store, behind sync and async handlers: done, failed, in progress, and a lease that ran out."""

from __future__ import annotations

import asyncio

import pytest

from authkit import Request, Response, verify_webhook
from authkit.webhooks.replay import Replay
from tests.webhooks.replay_stores import STORES, Clock

from .webhook_parts import SECRET, delivery


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path, clock):
    endpoint = request.getfixturevalue("moto") if request.param == "dynamo" else ""
    with STORES[request.param](tmp_path, endpoint, clock) as store:
        yield store


class Service:
    """A handler of either kind. `next`: what it answers, one after the other; a callable is called in it."""

    def __init__(self, kind, store):
        self.kind, self.next, self.entered = kind, [], 0
        guard = verify_webhook("github", secret=SECRET, replay=store)

        @guard
        def plain(request: Request, webhook):
            return self.answer()

        @guard
        async def on_the_loop(request: Request, webhook):
            await asyncio.sleep(0)
            return self.answer()

        self.sync, self.asynchronous = plain, on_the_loop

    def answer(self):
        self.entered += 1
        said = self.next.pop(0)
        return Response(said() if callable(said) else said, body=b"handled")

    async def deliver(self, body=b"{}"):
        if self.kind == "sync":
            answer = await asyncio.to_thread(self.sync, delivery(body))
        else:
            answer = await self.asynchronous(delivery(body))
        return answer.status, answer.body == b"handled"


@pytest.fixture(params=["sync", "async"])
def service(request, store):
    return Service(request.param, store)


async def test_failed_then_handled_then_done(service):
    service.next = [500, 404, 204]
    answers = [await service.deliver() for _ in range(5)]
    assert answers == [(500, True), (404, True), (204, True), (200, False), (200, False)]
    assert service.entered == 3


async def test_events_do_not_touch_each_other(service):
    service.next = [200, 500, 200, 200]
    answers = [await service.deliver(body) for body in (b"a", b"b", b"c", b"a", b"b")]
    assert answers == [(200, True), (500, True), (200, True), (200, False), (200, True)]


async def test_one_that_is_handled_elsewhere_waits_for_its_lease(service, store, clock):
    """What a process leaves behind that is killed in its handler."""
    service.next = [200]
    event = []
    verify_webhook("github", secret=SECRET)(lambda request, webhook: event.append(webhook))(delivery(b"{}"))
    assert Replay(store).begin(event[0].replay_key)[0] == "new"
    assert await service.deliver() == (409, False)
    clock.sleep(60.1)
    assert await service.deliver() == (200, True)
    assert await service.deliver() == (200, False)


async def test_a_lease_that_ran_out_in_the_handler_is_done_all_the_same(service, clock):
    """Nobody else came meanwhile: the handler's word counts."""
    service.next = [lambda: clock.sleep(4000) or 200]
    assert await service.deliver() == (200, True)
    assert await service.deliver() == (200, False)
