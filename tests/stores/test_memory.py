"""`MemoryStore`: the contract, and what is its own: a bound that never forgets a limited key early."""

from __future__ import annotations

import os
import threading

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.stores import MemoryStore, open_store
from authkit.stores import _places as places

from .contract import Clock, StoreContract, admitted, rates


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self, clock):
        return MemoryStore(clock=clock, wall=clock)


def test_a_flood_of_new_keys_stays_within_the_bound_and_forgets_no_limited_key():
    clock = Clock()
    limiter = MemoryStore(max_keys=1000, clock=clock).limiter("a", rates("3/hour"))
    limited = [f"limited{n}" for n in range(200)]
    assert sum(admitted(limiter, key, 5) for key in limited) == 600
    for n in range(50_000):
        assert admitted(limiter, f"flood{n}") == 1
        clock.sleep(0.0001)
        assert len(limiter) <= 1000
    assert not any(admitted(limiter, key) for key in limited)


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


def test_what_is_full_again_is_forgotten_without_a_sweep():
    clock = Clock()
    limiter = MemoryStore(clock=clock).limiter("a", rates("10/second"))
    for n in range(20_000):
        admitted(limiter, f"k{n}")
        clock.sleep(0.001)  # each is full again after 100 others
    assert len(limiter) < 500


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


@pytest.mark.parametrize(
    "url", ["", "memory", "memory://x", "redis://127.0.0.1", "sqlite:///a.db", "dynamodb://t", "mysql://x", None, 3]
)
def test_what_names_no_store_is_a_configuration_error(url):
    with pytest.raises(ConfigurationError):
        open_store(url)


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "10"])
def test_a_wrong_bound_is_a_configuration_error(number):
    with pytest.raises(ConfigurationError):
        MemoryStore(max_keys=number)
