"""The refusal memo: a refused key costs the store nothing, and nobody is refused who could pass."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore
from authkit.stores._refused import RefusalMemo

from .contract_limits import every_algorithm
from .parts import Clock, Counted, admitted, in_threads, rates


@pytest.fixture
def clock():
    return Clock()


def limiters(clock, *texts, algorithm="token-bucket", **named):
    """A limiter of a store that counts its questions, and the memo before it."""
    store = Counted(MemoryStore(clock=clock, wall=clock).limiter("a", rates(*texts), algorithm))
    return store, RefusalMemo(store, clock=clock, **named)


@every_algorithm
def test_a_refused_key_makes_no_round_trip_until_it_may_come_back(clock, algorithm):
    store, memo = limiters(clock, "3/minute", algorithm=algorithm)
    assert admitted(memo, times=3) == 3
    wait = memo.take("k")[0]
    assert store.asked == 4
    assert admitted(memo, times=10_000) == 0
    assert store.asked == 4
    clock.sleep(wait - 0.01)
    assert admitted(memo, times=100) == 0
    assert store.asked == 4
    clock.sleep(0.011)
    assert admitted(memo) == 1


def test_a_flood_of_refused_keys_makes_one_round_trip_a_key(clock):
    store, memo = limiters(clock, "1/minute")
    for _ in range(5):
        for n in range(2000):
            memo.take(f"k{n}")
    assert store.asked == 4000
    assert len(memo) == 2000


def test_the_wait_told_runs_down(clock):
    _, memo = limiters(clock, "2/minute")
    admitted(memo, times=2)
    assert memo.take("k") == (pytest.approx(30), ((0, pytest.approx(30)),))
    clock.sleep(10)
    assert memo.take("k") == (pytest.approx(20), ((0, pytest.approx(20)),))
    assert memo.take_here("k") == (pytest.approx(20), ((0, pytest.approx(20)),))


def test_a_smaller_cost_is_asked_for_and_may_pass(clock):
    store, memo = limiters(clock, "10/minute")
    assert memo.take("k", 8)[0] == 0
    assert memo.take("k", 5)[0] > 0
    assert memo.take("k", 5)[0] > 0
    assert memo.take("k", 6)[0] > 0  # more than what was refused
    assert store.asked == 2
    assert memo.take("k", 2)[0] == 0
    assert memo.take("k", 0)[0] == 0
    assert memo.take("k", 5)[0] > 0  # and that one is refused as before
    assert store.asked == 4


def test_the_memo_of_a_small_cost_is_not_lost_to_that_of_a_large_one(clock):
    store, memo = limiters(clock, "10/minute")
    admitted(memo, times=10)
    assert memo.take("k", 1)[0] == pytest.approx(6)
    clock.sleep(5.9)
    assert memo.take("k", 7)[0] == pytest.approx(0.1)  # at least; it is the small one's
    assert memo.take("k", 1)[0] == pytest.approx(0.1)
    assert store.asked == 11


@pytest.mark.parametrize("forget", ["reset", "give_back"])
def test_reset_and_give_back_forget_it(clock, forget):
    _, memo = limiters(clock, "2/hour")
    assert admitted(memo, times=5) == 2
    getattr(memo, forget)("k")
    assert memo.take("k")[0] == 0


@pytest.mark.parametrize("forget", ["reset", "give_back"])
def test_an_answer_that_was_on_its_way_while_the_key_was_reset_is_not_remembered(clock, forget):
    inner = MemoryStore(clock=clock).limiter("a", rates("1/hour"))

    class Slow(Counted):
        def take(self, key, cost=1):
            taken = super().take(key, cost)
            if taken[0]:
                asked.set()
                assert go_on.wait(10)
            return taken

    memo = RefusalMemo(Slow(inner), clock=clock)
    asked, go_on = threading.Event(), threading.Event()
    assert memo.take("k")[0] == 0
    thread = threading.Thread(target=memo.take, args=("k",))
    thread.start()
    assert asked.wait(10)
    getattr(memo, forget)("k")
    go_on.set()
    thread.join()
    assert memo.take("k")[0] == 0


def test_a_reset_elsewhere_is_seen_within_a_minute(clock):
    store, memo = limiters(clock, "1/day")
    assert admitted(memo, times=5) == 1
    store.reset("k")
    assert admitted(memo, times=5) == 0
    clock.sleep(60.01)
    assert admitted(memo, times=5) == 1


def test_a_clock_that_jumps_or_a_process_that_was_frozen_costs_a_question(clock):
    """AVL-08."""
    store, memo = limiters(clock, "1/minute", algorithm="fixed-window")
    for jump in (-3600, 86_400):
        admitted(memo, times=5)
        before = store.asked
        clock.sleep(jump)
        memo.take("k")
        assert store.asked == before + 1


def test_a_store_that_fails_is_no_refusal(clock):
    store, memo = limiters(clock, "1/minute")
    store.out_of_reach = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            memo.take("k")
    with pytest.raises(StoreUnavailable):
        memo.reset("k")
    store.out_of_reach = False
    assert admitted(memo, times=5) == 1
    store.out_of_reach = True
    assert memo.take("k")[0] > 0  # what is known is known
    assert not memo._asking


def test_memos_are_bounded_and_one_lost_costs_a_question_only(clock):
    store, memo = limiters(clock, "1/hour", max_keys=100)
    for n in range(5000):
        assert admitted(memo, f"k{n}", 2) == 1
        assert len(memo) <= 100
    before = store.asked
    assert not any(admitted(memo, f"k{n}") for n in range(5000))
    assert before < store.asked <= before + 5000
    assert not memo._asking


def test_threads_that_are_refused_ask_a_few_times_and_then_no_more(clock):
    store, memo = limiters(clock, "100/hour")
    counts = [0] * 8

    def work(n):
        counts[n] = admitted(memo, times=2000)

    in_threads(8, work)
    assert sum(counts) == 100
    assert store.asked <= 100 + 50


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "take", "take", "back", "reset", "sleep"]), st.integers(0, 12)), max_size=60
)


@given(STEPS, st.sampled_from(["token-bucket", "sliding-window", "fixed-window"]))
def test_whatever_happens_the_memo_decides_as_the_store_would(steps, algorithm):
    clock = Clock()
    plain = MemoryStore(clock=clock, wall=clock).limiter("a", rates("9/minute", "30/hour"), algorithm)
    _, memo = limiters(clock, "9/minute", "30/hour", algorithm=algorithm)
    for step, number in steps:
        if step == "take":
            assert (memo.take("k", number)[0] > 0) == (plain.take("k", number)[0] > 0)
        elif step == "sleep":
            clock.sleep(number * 1.7)
        else:
            for limiter in (plain, memo):
                limiter.give_back("k", number) if step == "back" else limiter.reset("k")
