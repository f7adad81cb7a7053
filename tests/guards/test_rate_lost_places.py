"""Places whose taker never heard of it: the answer of the store was lost, or the request was cancelled meanwhile."""

from __future__ import annotations

import asyncio
import time

from authkit import Request, Response, rate_limit
from authkit.errors import StoreUnavailable

from .rate_parts import PEER, Remote, RemoteGate


def occupied(store, gate_name):
    return store.real.gate(gate_name, 5).enter("everybody", "a visitor who looks", 0.01)[1] - 1


class Late(RemoteGate):
    """Lets in, and answers late, or not at all."""

    def enter(self, key, holder, ttl):
        if self.store.latency:
            time.sleep(self.store.latency)
        found = self.real.enter(key, holder, ttl)
        if self.store.lost:
            raise StoreUnavailable("no answer in time")
        return found

    def leave(self, key, holder):
        self.store.asked += 1
        if self.store.asked <= self.store.lost:
            raise StoreUnavailable("still not")
        self.real.leave(key, holder)


class LateStore(Remote):
    lost = 0

    def gate(self, name, limit):
        return Late(self, self.real.gate(name, limit))


def settles(seen):
    """Whether it becomes true soon."""
    until = time.monotonic() + 2.0
    while not seen():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def test_a_place_whose_answer_was_lost_is_let_go_of():
    """RTL-04: the store did it, and the answer was too late: nobody is in, so nothing is held."""
    store = LateStore(clock=time.monotonic)
    store.lost = 1
    guard = rate_limit("5 concurrent", key="global", name="lost", store=store)

    @guard
    def handler(request: Request):
        return Response(200)

    assert [handler(Request.build(peer=PEER)).status for _ in range(5)] == [503] * 5
    guard._renewal._wake.set()  # the first may have been told "still not", and would wait for the next round
    store.lost = 0
    assert settles(lambda: guard._renewal._wake.set() or occupied(store, "lost") == 0)


def test_a_request_that_is_cancelled_while_it_asks_holds_no_place():
    store = LateStore(latency=0.1, clock=time.monotonic)
    guard = rate_limit("5 concurrent", key="global", name="cancelled", store=store)

    @guard
    async def handler(request: Request):
        return Response(200)

    async def main():
        tasks = [asyncio.create_task(handler(Request.build(peer=PEER))) for _ in range(5)]
        await asyncio.sleep(0.03)
        for task in tasks:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in found} == {asyncio.CancelledError}
        await asyncio.sleep(0.15)

    asyncio.run(main())
    assert settles(lambda: store.asked >= 5)
    assert settles(lambda: occupied(store, "cancelled") == 0)
