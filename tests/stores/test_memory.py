"""`MemoryStore`: the contract, and what is its own: a bound that never forgets a limited key early."""

from __future__ import annotations

import os
import signal
import threading
import tracemalloc

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore, open_store
from authkit.stores import _places as places

from .contract import StoreContract
from .contract_limits import every_algorithm
from .parts import Clock, admitted, rates


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self, clock):
        return MemoryStore(clock=clock, wall=clock)


@every_algorithm
def test_a_flood_of_new_keys_stays_within_the_bound_and_forgets_no_limited_key(algorithm):
    clock = Clock()
    limiter = MemoryStore(max_keys=1000, clock=clock, wall=clock).limiter("a", rates("3/hour"), algorithm)
    limited = [f"limited{n}" for n in range(200)]
    assert sum(admitted(limiter, key, 5) for key in limited) == 600
    for n in range(30_000):
        assert admitted(limiter, f"flood{n}") == 1
        clock.sleep(0.0001)
        assert len(limiter) <= 1000
    assert not any(admitted(limiter, key) for key in limited)


@every_algorithm
def test_several_limits_are_bounded_alike(algorithm):
    clock = Clock()
    limiter = MemoryStore(max_keys=100, clock=clock, wall=clock).limiter("a", rates("3/hour", "1000/day"), algorithm)
    limited = [f"limited{n}" for n in range(20)]
    assert sum(admitted(limiter, key, 5) for key in limited) == 60
    for n in range(3000):
        assert admitted(limiter, f"flood{n}") == 1
        assert len(limiter) <= 100
    assert not any(admitted(limiter, key) for key in limited)


@pytest.mark.parametrize("texts", [("10/hour",), ("10/hour", "1000/day")], ids=["one limit", "two"])
@every_algorithm
def test_who_waits_for_several_permits_has_them_no_earlier_for_a_flood(algorithm, texts):
    clock = Clock(1_000_800.0)
    limiter = MemoryStore(max_keys=100, clock=clock, wall=clock).limiter("a", rates(*texts), algorithm)
    waiting = [f"waiting{n}" for n in range(20)]
    for key in waiting:
        assert admitted(limiter, key, 3) == 3
        assert limiter.take(key, 8)[0] > 0
    for n in range(2000):
        assert admitted(limiter, f"flood{n}", cost=4) == 1  # they have used more: the others would make way for them
        clock.sleep(0.001)
        assert len(limiter) <= 100
    assert [limiter.take(key, 8)[0] > 0 for key in waiting] == [True] * 20
    assert {limiter.take(key, 0)[1][0][0] for key in waiting} == {7}
    assert len(limiter._refused) == 20
    clock.sleep(3600)
    for n in range(2000):
        admitted(limiter, f"flood{n}")
    assert not limiter._refused


@every_algorithm
def test_a_cost_that_nobody_can_have_holds_no_place(algorithm):
    """Else one request a key would be enough to fill the store."""
    clock = Clock()
    limiter = MemoryStore(max_keys=100, clock=clock, wall=clock).limiter("a", rates("10/hour"), algorithm)
    for n in range(1000):
        assert admitted(limiter, f"k{n}") == 1
        assert limiter.take(f"k{n}", 11)[0] > 0
    assert not limiter._refused


def test_a_key_that_is_reset_is_waited_for_no_longer():
    limiter = MemoryStore().limiter("a", rates("10/hour"))
    limiter.take("k")
    limiter.take("k", 10)
    limiter.reset("k")
    assert not limiter._refused
    assert limiter.take("k", 10)[0] == 0


def test_a_store_full_of_limited_keys_lets_newcomers_share_one_bucket():
    clock = Clock()
    limiter = MemoryStore(max_keys=100, clock=clock).limiter("a", rates("2/hour"))
    for n in range(100):
        assert admitted(limiter, f"limited{n}", 3) == 2
    assert sum(admitted(limiter, f"new{n}") for n in range(1000)) == 2
    assert len(limiter) <= 100
    assert not any(admitted(limiter, f"limited{n}") for n in range(100))
    clock.sleep(3600)
    assert [admitted(limiter, f"new{n}", 3) for n in range(50)] == [2] * 50


@every_algorithm
def test_what_is_as_if_new_is_forgotten_without_a_sweep(algorithm):
    clock = Clock()
    limiter = MemoryStore(clock=clock, wall=clock).limiter("a", rates("10/second"), algorithm)
    for n in range(20_000):
        admitted(limiter, f"k{n}")
        clock.sleep(0.001)  # each is as if new after 100, or 1000, others
    assert len(limiter) < (500 if algorithm == "token-bucket" else 5000)


@every_algorithm
def test_a_key_takes_at_most_220_bytes(algorithm):
    """Its text included, which is an address here."""
    limiter = MemoryStore().limiter("a", rates("1000/hour"), algorithm)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for n in range(21_000):
            limiter.take(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(limiter) == 21_000
    assert taken / 21_000 <= 220


def test_a_sliding_window_of_many_permits_keeps_few_times():
    clock = Clock()
    limiter = MemoryStore(clock=clock).limiter("a", rates("1000000/hour"), "sliding-window")
    for _ in range(20_000):
        assert limiter.take("k", 3)[0] == 0
        clock.sleep(0.3)
    assert len(limiter._young["k"]) <= 1 + 2 * 65


def test_fixed_windows_go_by_the_wall_clock_and_all_else_by_the_steady_one():
    steady, wall = Clock(0.0), Clock(1_000_000.0)
    store = MemoryStore(clock=steady, wall=wall)
    by_wall, by_steady = (store.limiter("a", rates("1/minute"), name) for name in ("fixed-window", "sliding-window"))
    assert (admitted(by_wall), admitted(by_steady)) == (1, 1)
    wall.sleep(60)
    assert (admitted(by_wall), admitted(by_steady)) == (1, 0)
    steady.sleep(60.001)
    assert (admitted(by_wall), admitted(by_steady)) == (0, 1)
    assert store.epoch() == 1_000_000.0


def test_keys_in_use_survive_the_turns_of_the_two_tables():
    clock = Clock()
    limiter = MemoryStore(clock=clock).limiter("a", rates("5/hour"))
    assert admitted(limiter, "mine", 3) == 3
    for n in range(5000):
        admitted(limiter, f"k{n}")
    assert admitted(limiter, "mine", 5) == 2


def test_a_store_full_of_noted_keys_refuses_rather_than_forgets():
    clock = Clock()
    store = MemoryStore(max_keys=100, clock=clock)
    assert all(store.add(f"k{n}", 60) for n in range(100))
    with pytest.raises(Unavailable):
        store.add("one more", 60)
    assert not any(store.add(f"k{n}", 60) for n in range(100))
    clock.sleep(60)
    assert store.add("one more", 60)


def test_swaps_are_bounded_too_and_forgetting_makes_room():
    clock = Clock()
    store = MemoryStore(max_keys=100, clock=clock)
    assert all(store.swap(f"k{n}", None, b"v", 60) for n in range(100))
    with pytest.raises(StoreUnavailable):
        store.swap("one more", None, b"v", 60)
    assert all(store.swap(f"k{n}", b"v", b"w", 60) for n in range(100))  # what has its place needs none
    assert store.swap("k7", b"w", None, 60)
    assert store.swap("one more", None, b"v", 60)
    assert len(store._noted) == 100


def test_values_that_nobody_asks_for_again_go_when_their_time_is_over():
    clock = Clock()
    store = MemoryStore(clock=clock)
    for n in range(10_000):
        store.add(f"k{n}", 1, b"v")
        clock.sleep(0.01)
    assert len(store._noted) < 500


def test_a_gate_is_bounded_and_forgets_keys_that_nobody_holds():
    clock = Clock()
    gate = MemoryStore(max_keys=100, clock=clock).gate("g", 2)
    for n in range(5000):
        assert gate.enter(f"gone{n}", "h", 1) == (True, 1)
        clock.sleep(0.1)
        assert len(gate) <= 100
    clock.sleep(10)
    assert all(gate.enter(f"k{n}", "h", 600)[0] for n in range(100))
    with pytest.raises(StoreUnavailable):
        gate.enter("one more", "h", 600)
    assert gate.enter("k3", "i", 600) == (True, 2)  # what has its place needs none
    gate.leave("k5", "h")
    assert gate.enter("one more", "h", 600) == (True, 1)


def test_a_gate_keeps_no_key_after_its_last_holder():
    gate = MemoryStore().gate("g", 2)
    for n in range(1000):
        gate.enter(f"k{n}", "h", 600)
        gate.leave(f"k{n}", "h")
    assert len(gate) == 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no timer that signals")
def test_a_signal_handler_that_raises_leaves_the_lock_open(rng):
    """A worker's own timeout, say: the limiter goes on afterwards, in every thread."""
    limiter = MemoryStore().limiter("a", rates("1000000/second"))
    interrupted = 0

    def late(*_):
        raise TimeoutError

    kept = signal.signal(signal.SIGALRM, late)
    try:
        while interrupted < 2000:
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.00003, 0.0001))
                while True:
                    limiter.take("k")
            except TimeoutError:
                interrupted += 1
                assert not places._lock.locked()
    finally:
        signal.signal(signal.SIGALRM, kept)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_child_forked_while_a_thread_holds_the_lock_goes_on():
    """AVL-12."""
    limiter = MemoryStore().limiter("a", rates("5/hour"))
    held, done = threading.Event(), threading.Event()

    def hold():
        with places._lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if not child:
        os._exit(0 if admitted(limiter, times=9) == 5 else 1)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_memory_url():
    store = open_store("memory:")
    assert isinstance(store, MemoryStore)
    assert store is not open_store("memory:")


@pytest.mark.parametrize("url", ["", "memory", "memory://x", "mysql://x", None, 3])
def test_what_names_no_store_is_a_configuration_error(url):
    with pytest.raises(ConfigurationError):
        open_store(url)


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "10"])
def test_a_wrong_bound_is_a_configuration_error(number):
    with pytest.raises(ConfigurationError):
        MemoryStore(max_keys=number)
