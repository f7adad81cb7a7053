"""Leases: the store sees few of the requests, and what that costs is bounded."""

from __future__ import annotations

import os
import threading

import pytest

from authkit import ConfigurationError
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore
from authkit.stores._lease import LeasedLimiter
from authkit.stores._refused import RefusalMemo

from .cluster import Cluster
from .contract_limits import every_algorithm
from .parts import Clock, Counted, admitted, in_threads, rates


@pytest.fixture
def clock():
    return Clock()


def test_a_busy_key_asks_the_store_for_one_request_in_as_many_as_the_lease(clock):
    cluster = Cluster(clock, 1, "1000000/second", lease=50)
    assert all(cluster.ask(0) for _ in range(10_000))
    assert cluster.store.asked <= 10_000 / 50 + 5


def test_a_key_that_comes_now_and_then_takes_what_it_needs(clock):
    cluster = Cluster(clock, 3, "10/minute", lease=10)
    for step in range(30):
        assert cluster.ask(step % 3)
        clock.sleep(11)
        assert cluster.held() == [0, 0, 0]
    assert cluster.store.take("k", 0)[1][0][0] == 10


@every_algorithm
def test_all_permits_of_one_node_are_exact(clock, algorithm):
    cluster = Cluster(clock, 1, "100/hour", "1000/day", lease=20, algorithm=algorithm)
    assert sum(cluster.ask(0) for _ in range(300)) == 100
    clock.sleep(3700)
    assert sum(cluster.ask(0) for _ in range(300)) == 100


@pytest.mark.parametrize("cost", [3, 7, 20])
def test_a_cost_is_put_together_from_what_is_held_and_what_the_store_has(clock, cost):
    cluster = Cluster(clock, 2, "100/hour", lease=10)
    got = sum(cluster.ask(0, 1 if step % 3 else cost) for step in range(200))
    assert got
    assert len(cluster.log) <= 100
    while cluster.ask(0):
        pass
    assert len(cluster.log) == 100


def test_what_is_not_spent_goes_back_when_its_time_is_over(clock):
    cluster = Cluster(clock, 2, "1000 per 300 days", lease=50)
    for _ in range(80):
        cluster.ask(0)
    held = cluster.nodes[0].held("k")
    assert held > 10
    clock.sleep(9.9)
    assert cluster.nodes[0].held("k") == held
    clock.sleep(0.2)
    assert cluster.nodes[0].held("k") == 0
    cluster.nodes[0].take("another key")  # whatever makes the node talk to the store
    cluster.nodes[0].take("and another")
    assert cluster.store.given_back == held
    assert cluster.store.take("k", 0)[1][0][0] == 1000 - 80


def test_a_key_that_is_asked_for_less_leases_less(clock):
    cluster = Cluster(clock, 1, "1000000/hour", lease=50)
    for _ in range(500):
        cluster.ask(0)
    for _ in range(20):
        clock.sleep(11)
        for _ in range(5):
            cluster.ask(0)
    assert cluster.held()[0] <= 3 * 5


def test_what_is_given_back_is_spent_here_and_never_held_beyond_the_lease(clock):
    cluster = Cluster(clock, 1, "1000 per 300 days", lease=20)
    node = cluster.nodes[0]
    for _ in range(200):
        cluster.ask(0)
    for _ in range(100):
        node.give_back("k")
    assert node.held("k") == 19
    assert cluster.store.take("k", 0)[1][0][0] + 19 == 1000 - 100
    while cluster.ask(0):
        pass
    assert len(cluster.log) == 1100


def test_reset_forgets_what_is_held_too(clock):
    cluster = Cluster(clock, 1, "100/hour", lease=20)
    for _ in range(60):
        cluster.ask(0)
    cluster.nodes[0].reset("k")
    assert cluster.held() == [0]
    cluster.log.clear()
    assert sum(cluster.ask(0) for _ in range(200)) == 100


def test_close_gives_everything_back(clock):
    cluster = Cluster(clock, 4, "1000 per 300 days", lease=50)
    for step in range(400):
        assert cluster.ask(step % 4)
    assert sum(cluster.held()) > 50
    for node in cluster.nodes:
        node.close()
    assert cluster.store.take("k", 0)[1][0][0] == 600


def test_a_store_out_of_reach_fails_when_what_is_held_is_spent(clock):
    cluster = Cluster(clock, 1, "1000/hour", lease=50)
    for _ in range(30):
        cluster.ask(0)
    held = cluster.nodes[0].held("k")
    cluster.store.out_of_reach = True
    assert held
    assert all(cluster.ask(0) for _ in range(held))
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            cluster.nodes[0].take("k")
    cluster.store.out_of_reach = False
    assert cluster.ask(0)


def test_take_here_spends_what_is_held_and_asks_nobody(clock):
    cluster = Cluster(clock, 1, "1000/hour", lease=50, memo=True)
    node = cluster.nodes[0]
    assert node.take_here("k") is None
    for _ in range(30):
        cluster.ask(0)
    held, asked = node.held("k"), cluster.store.asked
    assert [node.take_here("k")[0] for _ in range(held)] == [0] * held
    assert node.take_here("k") is None
    assert cluster.store.asked == asked
    while cluster.ask(0):
        pass
    assert node.take_here("k")[0] > 0  # the memo knows


def test_what_is_to_be_given_back_first_is_not_refused_by_the_memo(clock):
    cluster = Cluster(clock, 1, "100 per 300 days", lease=20, memo=True)
    node = cluster.nodes[0]
    while cluster.ask(0):
        pass
    node.give_back("k", 5)
    assert node.held("k") == 5
    clock.sleep(11)
    assert node.held("k") == 0
    assert node.take_here("k") is None
    assert sum(cluster.ask(0) for _ in range(10)) == 5


def test_what_is_left_counts_what_is_held(clock):
    cluster = Cluster(clock, 1, "1000/hour", "5000/day", lease=50)
    for n in range(1, 300):
        (of_hour, _), (of_day, _) = cluster.nodes[0].take("k")[1]
        assert (of_hour, of_day) == (1000 - n, 5000 - n)
    assert cluster.nodes[0].take("k", 0)[1][0][0] == 1000 - 299


def test_keys_are_bounded_and_the_idle_ones_make_room(clock):
    cluster = Cluster(clock, 1, "1000/hour", lease=50, max_keys=100)
    node = cluster.nodes[0]
    for n in range(3000):
        for _ in range(3):
            node.take(f"k{n}")
        clock.sleep(1)
        assert len(node._young) + len(node._old) <= 100
    clock.sleep(20)
    for n in range(150):
        node.take(f"one{n}")
    assert cluster.store.given_back > 0


def test_a_clock_that_jumps_ends_a_lease(clock):
    """AVL-08."""
    for jump in (-3600, 86_400):
        cluster = Cluster(clock, 1, "100 per 300 days", lease=20)
        for _ in range(30):
            cluster.ask(0)
        assert cluster.held()[0]
        clock.sleep(jump)
        assert cluster.held()[0] == 0
        assert cluster.ask(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_does_not_spend_what_its_parent_holds(clock):
    """AVL-12."""
    cluster = Cluster(clock, 1, "1000/hour", lease=50)
    for _ in range(30):
        cluster.ask(0)
    assert cluster.held()[0]
    child = os.fork()
    if not child:
        os._exit(cluster.held()[0])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cluster.held()[0]


@every_algorithm
def test_threads_spend_every_permit_once(algorithm):
    """RTL-05."""
    limits = rates("2000 per 300 days")
    store = Counted(MemoryStore().limiter("a", limits, algorithm))
    leased = LeasedLimiter(RefusalMemo(store), limits, 50)
    counts = [0] * 8

    def work(n):
        for _ in range(600):
            counts[n] += leased.take("k")[0] == 0
            if counts[n] % 10 == 5:
                leased.give_back("k")
                counts[n] -= 1

    in_threads(8, work)
    assert sum(counts) <= 2000
    assert sum(counts) + admitted(leased, times=2000) + store.take("k", 0)[1][0][0] == 2000


def test_one_thread_leases_and_the_others_take_what_they_need(clock):
    """So that a node never holds more than the lease less one."""
    inner = MemoryStore(clock=clock).limiter("a", rates("100000/hour"))
    asked, go_on = threading.Event(), threading.Event()

    class Slow(Counted):
        def take(self, key, cost=1):
            if cost > 1:
                asked.set()
                assert go_on.wait(10)
            return super().take(key, cost)

    leased = LeasedLimiter(Slow(inner), rates("100000/hour"), 50, clock=clock)
    assert admitted(leased) == 1
    thread = threading.Thread(target=leased.take, args=("k",))
    thread.start()
    assert asked.wait(10)
    assert admitted(leased, times=100) == 100
    leased.give_back("k")
    assert leased.held("k") == 0
    go_on.set()
    thread.join()
    assert 0 < leased.held("k") <= 49
    assert inner.take("k", 0)[1][0][0] + leased.held("k") == 100_000 - 101


@pytest.mark.parametrize("lease", [0, -1, 11, True, 1.5, "5"])
def test_a_lease_above_the_limit_is_a_configuration_error(clock, lease):
    inner = MemoryStore(clock=clock).limiter("a", rates("10/second", "1000/hour"))
    with pytest.raises(ConfigurationError):
        LeasedLimiter(inner, rates("10/second", "1000/hour"), lease)
