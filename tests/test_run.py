"""Where sync meets async: one guard, driven in place or on a loop, with the same result and errors, and nothing left over."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import os
import subprocess
import sys
import threading
import time
import warnings

import pytest

from authkit import Unavailable
from authkit._pools import Pool, pool
from authkit._run import Blocking, SingleFlight, arun, blocking, may_await, run

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def add(a: int, b: int) -> int:
    return await blocking(lambda: a + b)


async def both(guard):
    """The result of the same guard on either driver."""
    return run(guard()), await arun(guard())


# The two drivers


async def test_a_guard_that_waits_for_nothing_gives_its_result():
    async def guard():
        return 1

    assert await both(guard) == (1, 1)


async def test_what_blocks_is_done_any_number_of_times():
    async def guard():
        return [await add(n, 1) for n in range(5)]

    assert await both(guard) == ([1, 2, 3, 4, 5],) * 2


async def test_run_calls_in_place_and_arun_on_a_thread_of_ours():
    async def guard():
        return await blocking(threading.current_thread)

    here, there = await both(guard)
    assert here is threading.current_thread()
    assert there is not threading.current_thread()
    assert there.name.startswith("authkit-io")


async def test_what_a_call_raises_comes_out_of_the_await():
    async def guard():
        try:
            await blocking(int, "x")
        except ValueError as error:
            return f"caught {type(error).__name__}"

    assert await both(guard) == ("caught ValueError",) * 2


async def test_a_call_that_raises_stop_iteration_ends_all_the_same():
    """A `next` without a default: an asyncio future cannot hold that exception, and the request would wait for ever."""

    async def guard():
        await blocking(next, iter(()))

    for made in (guard, lambda: SingleFlight().do("key", lambda: next(iter(())))):
        with pytest.raises(RuntimeError):
            run(made())
        with pytest.raises(RuntimeError):
            await asyncio.wait_for(arun(made()), 5)


async def test_whoever_waited_for_a_call_that_raised_stop_iteration_is_told_at_once():
    flights, release = SingleFlight(), threading.Event()

    def fails():
        release.wait(5)
        return next(iter(()))

    asked = [asyncio.create_task(_awaited(arun(flights.do("key", fails)))) for _ in range(3)]
    await asyncio.sleep(0.01)
    release.set()
    found = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5)
    assert [type(error) for error in found] == [RuntimeError] * 3


async def _awaited(awaitable):
    return await awaitable


async def test_what_a_guard_raises_comes_out_as_it_is():
    class Mine(BaseException):
        pass

    async def before():
        raise Mine

    async def after():
        await blocking(int)
        raise Mine

    async def inside():
        def fail():
            raise Mine

        await blocking(fail)

    for guard in (before, after, inside):
        with pytest.raises(Mine):
            run(guard())
        with pytest.raises(Mine):
            await arun(guard())


def test_an_awaitable_of_a_loop_is_a_type_error_for_a_sync_handler_and_the_guard_is_closed():
    closed: list[str] = []

    async def guard():
        try:
            await asyncio.sleep(0)
        finally:
            closed.append("closed")

    with pytest.raises(TypeError, match="make the handler async, or use blocking"):
        run(guard())
    assert closed == ["closed"]


async def test_other_awaitables_are_passed_through_to_the_loop():
    async def guard():
        await asyncio.sleep(0)
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 3)
        return await future + await add(1, 1)

    assert await arun(guard()) == 5


def test_without_asyncio_what_blocks_is_a_type_error():
    """Another loop (trio, curio) drives coroutines too; it gets a clear word, and no thread is started."""

    async def guard():
        return await add(1, 1)

    async def outer():
        return await arun(guard())

    coroutine = outer()
    with pytest.raises(TypeError, match="asyncio only"):
        coroutine.send(None)


async def test_a_cancelled_request_cancels_the_guard_which_may_clean_up():
    entered, cleaned = threading.Event(), []
    release = threading.Event()

    def wait():
        entered.set()
        release.wait(10)

    async def guard():
        try:
            await blocking(wait)
        finally:
            cleaned.append(1)

    task = asyncio.create_task(_as_task(arun(guard())))
    while not entered.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert cleaned == [1]


async def _as_task(awaitable):
    return await awaitable


async def test_the_loop_goes_on_while_a_call_blocks():
    """ADP-13."""
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    release = threading.Event()

    async def guard():
        await blocking(release.wait, 10)

    waiting = asyncio.create_task(_as_task(arun(guard())))
    while ticks < 20:
        await asyncio.sleep(0)
    release.set()
    await waiting
    ticking.cancel()


async def test_a_call_sees_the_context_of_its_guard_and_cannot_change_it():
    def look():
        found = VARIABLE.get()
        VARIABLE.set("changed by the call")
        return found

    VARIABLE.set("of the request")

    async def guard():
        return await blocking(look)

    assert await arun(guard()) == "of the request"
    assert VARIABLE.get() == "of the request"


async def test_no_coroutine_is_left_unawaited():
    async def guard():
        await blocking(int, "x")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            with pytest.raises(ValueError, match="int"):
                run(guard())
            with pytest.raises(ValueError, match="int"):
                await arun(guard())
        gc.collect()


async def test_a_guard_learns_who_drives_it_whatever_loop_runs_around():
    async def guard():
        return await may_await()

    assert await both(guard) == (False, True)
    assert await asyncio.to_thread(lambda: run(guard())) is False


# The pools


def test_a_full_queue_is_unavailable_at_once_and_has_room_again_afterwards():
    pool, release = Pool("test", workers=1, queue=2), threading.Event()
    running = [pool.submit(lambda: release.wait(10)) for _ in range(3)]
    started = time.perf_counter()
    with pytest.raises(Unavailable):
        pool.submit(int)
    assert time.perf_counter() - started < 1
    release.set()
    assert [future.result(10) for future in running] == [True] * 3
    for future in running:
        future.exception(10)
    deadline = time.monotonic() + 10
    while True:  # places are given back by callbacks that run after the result is there
        try:
            assert pool.submit(int).result(10) == 0
            break
        except Unavailable:
            assert time.monotonic() < deadline


def test_a_call_that_raised_or_was_cancelled_gives_its_place_back():
    pool, release = Pool("test", workers=1, queue=1), threading.Event()
    for _ in range(20):
        with pytest.raises(ValueError, match="int"):
            _submitted(pool, lambda: int("x")).result(10)
    blocker = _submitted(pool, lambda: release.wait(10))
    waiting = _submitted(pool, int)
    assert waiting.cancel()
    again = _submitted(pool, int)
    release.set()
    assert blocker.result(10)
    assert again.result(10) == 0


def _submitted(pool, fn):
    deadline = time.monotonic() + 10
    while True:
        try:
            return pool.submit(fn)
        except Unavailable:
            assert time.monotonic() < deadline


def test_hashing_has_a_pool_of_its_own():
    assert pool("hash") is not pool("io")
    assert pool("io") is pool("io")


FORK = """
import asyncio, json, os, sys
from authkit._pools import _pools
from authkit._run import SingleFlight, arun, blocking

flight = SingleFlight()

async def guard():
    return await blocking(os.getpid), await flight.do("k", os.getpid)

async def main():
    return await arun(guard())

first = asyncio.run(main())
flight._flights["stuck in the parent"] = object()
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, json.dumps([dict.fromkeys(_pools), asyncio.run(main()), os.getpid()]).encode())
    os._exit(0)
os.waitpid(child, 0)
print(json.dumps([list(first), os.getpid(), json.loads(os.read(read, 4096))]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_pools_and_flights_of_its_own():
    """AVL-12: the parent's threads do not exist there."""
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    first, parent, (pools, second, child) = json.loads(done.stdout)
    assert first == [parent, parent]
    assert pools == {}
    assert second == [child, child]


# Single flight


async def test_two_hundred_waiters_share_one_computation_and_hold_no_thread():
    """JWK-02, SEC-08."""
    flight, release, calls = SingleFlight(), threading.Event(), []

    def compute():
        calls.append(1)
        assert release.wait(10)
        return "value"

    waiters = [asyncio.create_task(_as_task(arun(flight.do("k", compute)))) for _ in range(200)]
    while not calls:
        await asyncio.sleep(0.001)

    async def unrelated():
        return await blocking(int, "7")

    started = time.perf_counter()
    assert [await arun(unrelated()) for _ in range(20)] == [7] * 20
    assert time.perf_counter() - started < 5
    release.set()
    assert await asyncio.gather(*waiters) == ["value"] * 200
    assert len(calls) == 1


def test_threads_share_one_computation():
    flight, release, calls, results = SingleFlight(), threading.Event(), [], []

    def compute():
        calls.append(1)
        assert release.wait(10)
        return object()

    threads = [threading.Thread(target=lambda: results.append(run(flight.do("k", compute)))) for _ in range(20)]
    for thread in threads:
        thread.start()
    while len(calls) < 1:
        time.sleep(0.001)
    time.sleep(0.05)
    release.set()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    assert len(set(map(id, results))) == len(calls)


async def test_other_keys_do_not_wait():
    flight, release = SingleFlight(), threading.Event()
    slow = asyncio.create_task(_as_task(arun(flight.do("slow", lambda: release.wait(10)))))
    await asyncio.sleep(0)
    assert await arun(flight.do("quick", lambda: 1)) == 1
    release.set()
    assert await slow


@pytest.mark.parametrize("error", [ValueError("x"), Unavailable("x"), KeyboardInterrupt()])
async def test_a_failure_is_everybodys_and_the_next_caller_tries_again(error):
    flight, release, calls = SingleFlight(), threading.Event(), []

    def compute():
        calls.append(1)
        if len(calls) == 1:
            assert release.wait(10)
            raise error
        return "better"

    first = [asyncio.create_task(_caught(arun(flight.do("k", compute)))) for _ in range(5)]
    while not calls:
        await asyncio.sleep(0.001)
    release.set()
    assert {type(one) for one in await asyncio.gather(*first)} == {type(error)}
    assert await arun(flight.do("k", compute)) == "better"
    assert len(calls) == 2


async def _caught(awaitable):
    try:
        return await awaitable
    except BaseException as error:
        return error


async def test_a_cancelled_leader_takes_nobody_with_him():
    """ADP-12: the thread that computes settles the flight, not the leader's task."""
    flight, release, calls = SingleFlight(), threading.Event(), []

    def compute():
        calls.append(1)
        assert release.wait(10)
        return "value"

    leader = asyncio.create_task(_as_task(arun(flight.do("k", compute))))
    while not calls:
        await asyncio.sleep(0.001)
    followers = [asyncio.create_task(_as_task(arun(flight.do("k", compute)))) for _ in range(10)]
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    release.set()
    assert await asyncio.gather(*followers) == ["value"] * 10
    assert len(calls) == 1
    assert flight._flights == {}


async def test_a_cancelled_follower_takes_nobody_with_him():
    flight, release = SingleFlight(), threading.Event()
    tasks = [asyncio.create_task(_as_task(arun(flight.do("k", lambda: release.wait(10))))) for _ in range(5)]
    await asyncio.sleep(0.01)
    tasks[3].cancel()
    await asyncio.sleep(0)
    release.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in done] == [bool, bool, bool, asyncio.CancelledError, bool]


async def test_a_failure_that_nobody_waits_for_any_more_is_nobodys_error():
    """Clients that go away while a server is down would have the loop log each of them."""
    flights, go, told = SingleFlight(), threading.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda loop, about: told.append(about))

    def fail():
        assert go.wait(30)
        raise Unavailable("down")

    tasks = [asyncio.ensure_future(arun(flights.do(key, fail))) for key in "aabb"]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))
    futures = list(flights._flights.values())
    go.set()
    while not all(future.done() for future in futures):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # what has landed in another thread comes to the loop
    del futures, tasks
    gc.collect()
    assert told == []


async def test_a_flight_that_never_started_is_unavailable_to_those_who_waited():
    """No thread was to be had but one of the pool, and that was full."""
    flight = SingleFlight()
    guard = flight.do("k", lambda: 1)
    guard.send(None)  # it asks who drives
    before = threading.stack_size(1 << 45)  # more than there is
    try:
        assert isinstance(guard.send(True), Blocking)
    finally:
        threading.stack_size(before)
    follower = asyncio.create_task(_caught(arun(flight.do("k", lambda: 2))))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="full"):
        guard.throw(Unavailable("full"))
    assert isinstance(await follower, Unavailable)
    other = flight.do("k", lambda: 3)
    other.send(None)
    other.close()
    assert flight._flights == {}
    assert run(flight.do("k", lambda: 4)) == 4


async def test_a_flight_stands_behind_nothing_that_waits_for_it():
    """Every thread of the pool waits for it, and a call to the pool would be served after them."""
    flight, release = SingleFlight(), threading.Event()
    busy = [asyncio.create_task(_as_task(arun(_on_the_pool(release.wait, 10)))) for _ in range(32)]
    await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(_as_task(arun(_on_the_pool(lambda: run(flight.do("k", lambda: 1)))))) for _ in range(32)]
    assert await asyncio.wait_for(_as_task(arun(flight.do("k", lambda: 1))), 5) == 1
    release.set()
    assert await asyncio.gather(*waiting) == [1] * 32
    await asyncio.gather(*busy)


async def _on_the_pool(fn, *args):
    return await blocking(fn, *args)


def test_a_flight_that_hangs_keeps_nobody_longer_than_he_said():
    flight, release = SingleFlight(), threading.Event()
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(Unavailable, match="waited too long"):
            run(flight.do("k", lambda: release.wait(10), bounded=True, lead=0.05, follow=0.05))
        assert time.monotonic() - started < 2
    release.set()
    assert run(flight.join("k"))


async def test_cancellations_at_any_moment_leave_nothing_behind(rng):
    """ADP-12, a hundredth of the scale of `make soak`."""
    flight = SingleFlight()

    async def request():
        return await arun(flight.do(rng.randrange(3), lambda: time.sleep(0.001)))

    for _ in range(10):
        tasks = [asyncio.create_task(request()) for _ in range(10)]
        await asyncio.sleep(rng.random() / 500)
        for task in tasks:
            if rng.random() < 0.5:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for key in range(3):
        assert await arun(flight.do(key, lambda: "again")) in ("again", None)
    deadline = time.monotonic() + 10
    while flight._flights and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert flight._flights == {}
