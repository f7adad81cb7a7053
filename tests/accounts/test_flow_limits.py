"""Registering and resetting are limited before anything else, for a network and for an account, also without the store."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError
from authkit._run import arun, run
from authkit.accounts._flow_limits import FlowLimits, parsed
from authkit.stores import MemoryStore, SqliteStore
from tests.stores.parts import Clock, Counted, rates


@pytest.fixture
def clock():
    return Clock()


def of(store, account=("3/minute",)):
    return FlowLimits("reset", store, rates("5/minute"), rates(*account) if account else ())


def test_every_beginning_counts_and_one_too_many_is_told_when_to_come_back(clock):
    limits = of(MemoryStore(clock=clock), account=())
    assert [run(limits.wait("192.0.2.1")) for _ in range(6)] == [0, 0, 0, 0, 0, 12]
    clock.sleep(12)
    assert run(limits.wait("192.0.2.1")) == 0


def test_an_account_is_limited_from_wherever_and_one_network_whatever_the_account(clock):
    limits = of(MemoryStore(clock=clock))
    assert [run(limits.wait(f"192.0.2.{n}", "alice")) > 0 for n in range(5)] == [False] * 3 + [True] * 2
    assert run(limits.wait("192.0.2.1", "bob")) == 0
    assert [run(limits.wait("198.51.100.1", f"user{n}")) > 0 for n in range(6)] == [False] * 5 + [True]


def test_who_is_over_the_limit_of_the_network_takes_nothing_of_an_account(clock):
    limits = of(MemoryStore(clock=clock))
    for n in range(5):
        run(limits.wait("198.51.100.1", f"user{n}"))
    assert all(run(limits.wait("198.51.100.1", "alice")) for _ in range(20))
    assert run(limits.wait("192.0.2.1", "alice")) == 0


def test_all_without_an_address_are_one_network(clock):
    limits = of(MemoryStore(clock=clock), account=())
    assert [run(limits.wait(None)) > 0 for _ in range(6)] == [False] * 5 + [True]
    assert run(limits.wait("192.0.2.1")) == 0


def test_flows_on_one_store_are_counted_apart(clock):
    store = MemoryStore(clock=clock)
    one, other = (FlowLimits(flow, store, rates("1/hour")) for flow in ("reset", "register"))
    assert run(one.wait("192.0.2.1")) == run(other.wait("192.0.2.1")) == 0
    assert run(one.wait("192.0.2.1")) > 0


def test_processes_with_one_store_count_together(tmp_path):
    stores = [SqliteStore(tmp_path / "auth.db") for _ in range(2)]
    both = [of(store, account=()) for store in stores]
    assert [run(both[n % 2].wait("192.0.2.1")) > 0 for n in range(6)] == [False] * 5 + [True]
    for store in stores:
        store.close()


class Broken(MemoryStore):
    """A store that blocks, and is out of reach when told to be."""

    blocks = True

    def __init__(self):
        super().__init__()
        self.limiters = []

    def limiter(self, name, rates, algorithm="token-bucket"):
        self.limiters.append(Counted(super().limiter(name, rates, algorithm)))
        return self.limiters[-1]


async def test_while_the_store_fails_this_process_counts_for_itself_and_says_so_once(caplog):
    store = Broken()
    limits = of(store)
    assert await arun(limits.wait("192.0.2.1", "alice")) == 0
    for limiter in store.limiters:
        limiter.out_of_reach = True
    waits = [await arun(limits.wait("192.0.2.1", "alice")) for _ in range(4)]
    assert [wait > 0 for wait in waits] == [False] * 3 + [True]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["reset limits"]


def test_who_was_refused_costs_a_store_nothing_more():
    store = Broken()
    limits = of(store)
    for _ in range(20):
        run(limits.wait("192.0.2.1", "alice"))
    assert (
        sum(limiter.asked for limiter in store.limiters) == 10
    )  # each limit for 3 that were let in and 1 more; twice more, the network


@pytest.mark.parametrize("limits", ["", "ten", (), ["5/fortnight"]])
def test_what_is_no_limit_is_refused(limits):
    with pytest.raises(ConfigurationError):
        parsed("address", limits)


def test_a_limit_or_several():
    assert parsed("address", "5/minute") == parsed("address", ["5/minute"])
    assert len(parsed("address", ("5/minute", "20/hour"))) == 2
