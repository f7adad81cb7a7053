"""The bound that the docstring of `_lease` proves, checked on logs of admissions of 2 to 64 nodes."""

from __future__ import annotations

from collections import Counter

import pytest

from .cluster import Cluster
from .contract_limits import every_algorithm
from .parts import Clock, busiest


@pytest.fixture
def clock():
    return Clock()


def simulate(rng, nodes, algorithm, count, lease, steps):
    """`nodes` in a minute's limit of `count`, under load that comes and goes, from far below the limit to far above it."""
    clock = Clock()
    cluster = Cluster(clock, nodes, f"{count}/minute", lease=lease, algorithm=algorithm)
    for step in range(steps):
        if step % 30 == 0:
            total = count / 150 * rng.choice((0.3, 1, 3, 10))  # requests a step, of about 0.4 s
            load = [rng.random() ** 3 * 4 * total / nodes for _ in range(nodes)]
            clock.sleep(rng.choice((0, 0, 5, 61)))
        for node, share in enumerate(load):
            for _ in range(int(rng.random() * 2 * share + rng.random())):
                cluster.ask(node, rng.choice((1, 1, 1, 1, 1, 3, lease)))
        assert all(held <= lease - 1 for held in cluster.held())
        clock.sleep(rng.choice((0.001, 0.2, 1.0)))
    return cluster


def check(cluster, algorithm, count):
    spare = len(cluster.nodes) * (cluster.lease - 1)
    own = {"token-bucket": 2 * count, "sliding-window": count, "fixed-window": 2 * count}[algorithm]
    assert busiest(cluster.log, 60.0) <= own + spare
    if algorithm == "fixed-window":
        windows = Counter(moment // 60 for moment in cluster.log)
        assert max(windows.values()) <= count + spare
    assert cluster.refused  # the limit was met
    assert busiest(cluster.log, 60.0) >= count - spare
    return cluster


@every_algorithm
@pytest.mark.parametrize("nodes", [2, 5, 16, 64])
def test_the_bound_holds_on_any_number_of_nodes(rng, nodes, algorithm):
    """What the docstring of `_lease` proves, checked on a log: over-admission, and what was refused while others held some."""
    check(simulate(rng, nodes, algorithm, 600, 20, steps=150 if nodes == 64 else 300), algorithm, 600)


def test_the_bound_is_met_by_those_who_hold_as_much_as_they_may(clock):
    """Leases of the end of one window, spent in the next: more than the limit, and no more than the bound."""
    nodes, lease = 8, 20
    clock.sleep(60 - clock.now % 60 + 55)  # five seconds before a minute ends
    cluster = Cluster(clock, nodes, "1000/minute", lease=lease, algorithm="fixed-window")
    for node in range(nodes):
        while cluster.nodes[node].held("k") < lease // 2:
            assert cluster.ask(node)
    held = sum(cluster.held())
    assert held >= nodes * lease // 2
    cluster.log.clear()
    clock.sleep(5)
    for node in range(nodes):
        while cluster.ask(node):
            pass
    assert len(cluster.log) == 1000 + held <= 1000 + nodes * (lease - 1)


@pytest.mark.soak
@every_algorithm
@pytest.mark.parametrize("nodes", [2, 3, 8, 32, 64])
@pytest.mark.parametrize("lease", [2, 10, 50])
def test_the_bound_holds_for_long(rng, nodes, lease, algorithm):
    cluster = check(simulate(rng, nodes, algorithm, 3000, lease, steps=4000), algorithm, 3000)
    assert cluster.store.asked < len(cluster.log) + cluster.refused * 3


def test_from_a_start_with_nothing_held_no_more_is_admitted_than_the_store_does(clock, rng):
    cluster = Cluster(clock, 16, "1000 per 300 days", lease=50)
    for _ in range(5000):
        cluster.ask(rng.randrange(16))
    assert len(cluster.log) <= 1000
    assert 1000 - len(cluster.log) == sum(cluster.held())
