"""Limits of how many requests run at once: a place is held until the response is finished, and let go of however it ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from weakref import WeakSet

import pytest

from authkit import Allow, ConfigurationError, Deny, Guard, Request, Response, chain, rate_limit
from authkit._run import run
from authkit._state import State
from authkit.errors import StoreUnavailable
from authkit.guards._rate_held import Held
from authkit.guards._renewal import Renewal
from authkit.stores import MemoryStore

from .rate_parts import PEER, Clock, Remote, RemoteGate


@pytest.fixture
def store():
    return MemoryStore(clock=Clock())


def free(guard):
    """How many places nobody holds."""
    places = []
    for _ in range(guard.limit.at_once + 1):
        request = Request.build(peer=PEER)
        request.state = State()
        decision = run(guard.check(request))
        if isinstance(decision, Deny):
            break
        places.extend(request.state.closing)
    for leave in places:
        leave()
    return len(places)


def test_at_most_so_many_run_at_once(store):
    """500 requests from 50 threads against 5 places."""
    guard = rate_limit("5 concurrent", store=store)
    lock, inside, most, statuses = threading.Lock(), 0, 0, []

    @guard
    def handler(request: Request):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.001)
        with lock:
            inside -= 1
        return Response(200)

    def client():
        for _ in range(10):
            statuses.append(handler(Request.build(peer=PEER)).status)

    threads = [threading.Thread(target=client) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 5
    assert set(statuses) <= {200, 429}
    assert free(guard) == 5


def test_the_refusal_says_to_come_back_soon(store, caplog):
    guard = rate_limit("1 concurrent", store=store)
    caplog.set_level("INFO", "authkit.audit")

    @guard
    def handler(request: Request):
        return Response(200) if request.path == "/in" else handler(Request.build(path="/in", peer=PEER))

    answer = handler(Request.build(path="/out", peer=PEER))
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert answer.headers["ratelimit"].startswith('"default";r=0')
    assert caplog.records[0].authkit["reason"] == "too_many_at_once"
    assert free(guard) == 1


def test_a_handler_that_raises_lets_go(store):
    guard = rate_limit("2 concurrent", store=store)

    @guard
    def handler(request: Request):
        raise RuntimeError

    for _ in range(10):
        with pytest.raises(RuntimeError):
            handler(Request.build(peer=PEER))
    assert free(guard) == 2


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt], ids=str)
def test_a_refusal_or_failure_further_in_lets_go(store, error):
    guard = rate_limit("2 concurrent", store=store)

    class Refuses(Guard):
        async def check(self, request):
            if error is not None:
                raise error
            return Deny(403, "forbidden")

    handler = chain(guard, Refuses())(lambda request: Response(200))
    for _ in range(10):
        try:
            assert handler(Request.build(peer=PEER)).status == 403
        except (RuntimeError, KeyboardInterrupt):
            assert error is not None
    assert free(guard) == 2


def test_a_limit_by_time_that_refuses_holds_no_place_and_the_other_way_round(store):
    """One atomic answer: what is refused takes nothing."""
    guard = rate_limit("3/hour", "2 concurrent", store=store)
    statuses = []

    @guard
    def handler(request: Request):
        if request.path == "/deeper":
            return handler(Request.build(path="/deeper", peer=PEER))
        return Response(200)

    assert handler(Request.build(path="/deeper", peer=PEER)).status == 429  # two places, then none: two permits taken
    statuses = [handler(Request.build(peer=PEER)).status for _ in range(5)]
    assert statuses == [200, 429, 429, 429, 429]
    assert len(guard._gate) == 0


def test_an_exempt_request_takes_no_place(store):
    guard = rate_limit("1 concurrent", exempt=lambda request: request.path == "/in", store=store)

    @guard
    def handler(request: Request):
        return Response(200) if request.path == "/in" else handler(Request.build(path="/in", peer=PEER))

    assert handler(Request.build(path="/out", peer=PEER)).status == 200


def test_keys_have_places_of_their_own(store):
    guard = rate_limit("1 concurrent", key=lambda request: request.path, store=store)

    @guard
    def handler(request: Request):
        return Response(200) if request.path == "/b" else handler(Request.build(path="/b", peer=PEER))

    assert handler(Request.build(path="/a", peer=PEER)).status == 200


def test_in_shadow_it_is_recorded_and_nobody_is_kept_out(store):
    guard = rate_limit("1 concurrent", store=store)
    shadowed = guard.shadow()

    @shadowed
    def handler(request: Request):
        return Response(200) if request.path == "/in" else handler(Request.build(path="/in", peer=PEER))

    assert handler(Request.build(path="/out", peer=PEER)).status == 200
    assert free(guard) == 1


def test_a_generator_holds_its_place_to_its_end(store):
    guard = rate_limit("1 concurrent", store=store)

    @guard
    def handler(request: Request):
        return (part for part in (b"a", b"b"))

    body = handler(Request.build(peer=PEER))
    assert free(guard) == 0
    assert list(body) == [b"a", b"b"]
    assert free(guard) == 1
    body = handler(Request.build(peer=PEER))
    next(body)
    assert free(guard) == 0
    body.close()
    assert free(guard) == 1
    body = handler(Request.build(peer=PEER))
    del body  # nobody wanted it
    gc.collect()
    assert free(guard) == 1


def test_it_needs_a_handler(store):
    guard = rate_limit("1 concurrent", store=store)
    with pytest.raises(ConfigurationError, match="response"):
        guard.decide(Request.build(peer=PEER))


def test_a_task_that_is_cancelled_lets_go(store):
    guard = rate_limit("1 concurrent", store=store)

    @guard
    async def handler(request: Request):
        await asyncio.sleep(60)
        return Response(200)

    async def main():
        task = asyncio.create_task(handler(Request.build(peer=PEER)))
        await asyncio.sleep(0.01)
        assert free(guard) == 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert free(guard) == 1

    asyncio.run(main())


def test_a_store_far_away_is_told_off_the_loop():
    store = Remote()
    threads = set()
    reach = store.reach
    store.reach = lambda: threads.add(threading.get_ident()) or reach()
    guard = rate_limit("3 concurrent", store=store)

    @guard
    async def handler(request: Request):
        return Response(200)

    async def main():
        for _ in range(10):
            assert (await handler(Request.build(peer=PEER))).status == 200
            while store.asked % 2:
                await asyncio.sleep(0.002)
        assert threading.get_ident() not in threads

    asyncio.run(main())
    assert store.asked == 20


def test_what_cannot_be_let_go_of_is_forgotten_in_time(caplog):
    clock = Clock()
    store = Remote(clock=clock)
    guard = rate_limit("1 concurrent", store=store)

    @guard
    def handler(request: Request):
        store.up = False
        return Response(200)

    assert handler(Request.build(peer=PEER)).status == 200
    assert "could not be let go of" in caplog.text
    store.up = True
    assert free(guard) == 0
    clock.now += 31
    assert free(guard) == 1


class TestRenewal:
    """A place is held for half a minute; what is still in use is renewed, and what was lost is not."""

    def held(self, store, renewal, holder="a"):
        gate = store.gate("g", 1)
        assert gate.enter("k", holder, renewal.ttl) == (True, 1)
        held = Held(gate, "k", holder, False, renewal)
        renewal.add(held)
        return gate, held

    def test_a_place_outlives_its_time_while_it_is_in_use(self):
        renewal = Renewal(ttl=0.3, every=0.05)
        gate, held = self.held(MemoryStore(), renewal)
        time.sleep(0.6)
        assert gate.enter("k", "b", 1.0)[0] is False
        held.release()
        assert gate.enter("k", "b", 1.0)[0] is True

    def test_one_that_was_lost_is_forgotten(self):
        renewal = Renewal(ttl=0.2, every=0.05)
        gate, held = self.held(MemoryStore(), renewal)
        del held
        gc.collect()
        time.sleep(0.5)
        assert gate.enter("k", "b", 1.0)[0] is True

    def test_one_that_is_let_go_of_while_they_are_looked_through_keeps_none_from_it(self):
        """The collector runs in the middle of anything, and the thread that looks through them may take its lock again."""
        renewal = Renewal(ttl=60, every=60)
        gate = MemoryStore().gate("g", 2)
        renewed = []

        class Place(Held):
            def renew(self):
                renewed.append(self)

        first, second, third = places = [Place(gate, "k", holder, False, renewal) for holder in "abc"]
        left = [second]

        class Interrupted(WeakSet):
            def __iter__(self):
                for place in super().__iter__():
                    if left:
                        renewal.drop(left.pop())
                    yield place

        renewal._held = Interrupted(places)
        renewal._renew()
        assert set(renewed) == {first, third}

    def test_a_store_that_fails_for_a_while_loses_nothing(self):
        store = Remote(clock=time.monotonic)
        renewal = Renewal(ttl=0.6, every=0.05)
        gate, held = self.held(store, renewal)
        store.up = False
        time.sleep(0.2)
        store.up = True
        time.sleep(0.6)
        assert gate.enter("k", "b", 1.0)[0] is False
        held.release()

    def test_one_that_cannot_be_renewed_keeps_none_from_it(self, caplog):
        """RTL-04: neither a failing key nor an error of a store's own."""

        class Sick(RemoteGate):
            def renew(self, key, holder, ttl):
                if key == "throttled":
                    raise StoreUnavailable("throttled")
                if key == "broken":
                    raise RuntimeError
                return self.real.renew(key, holder, ttl)

        store = Remote(clock=time.monotonic)
        gate = Sick(store, store.real.gate("g", 1))
        renewal = Renewal(ttl=0.3, every=0.05)
        keys = ["throttled", "a", "broken", "b", "c"]
        places = [Held(gate, key, "h", False, renewal) for key in keys]
        for held in places:
            assert held.enter()[0] is True
            renewal.add(held)
        time.sleep(0.6)
        assert {key: gate.enter(key, "other", 1.0)[0] for key in keys} == {
            "throttled": True, "a": False, "broken": True, "b": False, "c": False,
        }  # fmt: skip
        assert "could not be renewed: RuntimeError" in caplog.text
        for held in places:
            held.release()

    @pytest.mark.parametrize(("number", "at_once"), [(400, 8), (49, 1)])
    def test_many_are_renewed_several_at_once_and_none_is_asked_about_twice(self, number, at_once):
        """4,000 places of a store that takes 5 ms, one after another, would be 20 of the 30 seconds that they last."""

        class Slow(RemoteGate):
            inside = most = 0
            lock = threading.Lock()

            def renew(self, key, holder, ttl):
                renewed.append(key)
                with self.lock:
                    self.inside += 1
                    self.most = max(self.most, self.inside)
                time.sleep(0.005)
                with self.lock:
                    self.inside -= 1
                return self.real.renew(key, holder, ttl)

        renewed = []
        store = Remote(clock=time.monotonic)
        gate = Slow(store, store.real.gate("g", 1))
        renewal = Renewal(ttl=30, every=0.4)
        places = [Held(gate, str(place), "h", True, renewal) for place in range(number)]
        for held in places:
            assert held.enter()[0] is True
            renewal.add(held)
        end = time.monotonic() + 5
        while len(renewed) < number:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert len(set(renewed[:number])) == number
        assert gate.most == at_once
        for held in places:
            renewal.drop(held)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_that_dies_is_followed_by_another(self):
        class Deadly(RemoteGate):
            def renew(self, key, holder, ttl):
                raise SystemExit

        store = Remote(clock=time.monotonic)
        renewal = Renewal(ttl=0.3, every=0.02)
        held = Held(Deadly(store, store.real.gate("deadly", 1)), "k", "h", False, renewal)
        renewal.add(held)
        _, thread = renewal._thread
        thread.join(2)
        assert renewal._thread is None
        held.release()
        gate, held = self.held(store.real, renewal)
        time.sleep(0.6)
        assert gate.enter("k", "b", 1.0)[0] is False
        held.release()

    def test_what_a_store_forgot_is_taken_again(self):
        """A store that lost its data lets nobody in on top of those who are in still."""
        store = MemoryStore()
        renewal = Renewal(ttl=0.5, every=0.05)
        gate, held = self.held(store, renewal)
        gate.leave("k", "a")  # what a failover does
        time.sleep(0.2)
        assert gate.enter("k", "b", 1.0)[0] is False
        held.release()
        assert gate.enter("k", "b", 1.0)[0] is True

    def test_its_thread_ends_when_nothing_is_held(self):
        renewal = Renewal(ttl=0.3, every=0.02)
        _, held = self.held(MemoryStore(), renewal)
        _, thread = renewal._thread
        held.release()
        thread.join(2)
        assert not thread.is_alive()
        assert renewal._thread is None
        _, held = self.held(MemoryStore(), renewal)
        assert renewal._thread is not None
        held.release()

    def test_a_forked_child_lets_go_of_nothing_of_its_parent(self):
        import os

        store = MemoryStore()
        renewal = Renewal()
        gate, held = self.held(store, renewal)
        pid = os.fork()
        if pid == 0:
            held.release()
            os._exit(0 if gate.enter("k", "b", 1.0)[0] is False else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        held.release()


def test_allow_is_still_an_allow(store):
    request = Request.build(peer=PEER)
    request.state = State()
    assert isinstance(run(rate_limit("1 concurrent", store=store).check(request)), Allow)
    (leave,) = request.state.closing
    leave()
    leave()
