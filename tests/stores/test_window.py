"""Windows in memory, beside a log of every permit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from authkit.stores import MemoryStore, Rate

from .parts import Clock, busiest

STEPS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 30_000)), max_size=80)  # cost, milliseconds before it


@given(st.integers(1, 64), STEPS)
def test_a_sliding_window_of_up_to_64_decides_as_a_log_does(count, steps):
    clock = Clock(1000.0)
    limiter = MemoryStore(clock=clock).limiter("a", (Rate(count, 60),), "sliding-window")
    log = []
    for cost, milliseconds in steps:
        clock.sleep(milliseconds / 1000)
        log = [moment for moment in log if moment > clock.now - 60]
        fits = len(log) + cost <= count
        wait, ((left, _),) = limiter.take("k", cost)
        assert (not wait) == fits
        log += [clock.now] * (cost * fits)
        assert left == count - len(log)


@given(st.integers(65, 300), STEPS)
def test_a_larger_one_never_admits_more_than_a_log_would_and_refuses_a_slot_longer_at_most(count, steps):
    clock = Clock(1000.0)
    limiter = MemoryStore(clock=clock).limiter("a", (Rate(count, 60),), "sliding-window")
    log = []
    for cost, milliseconds in steps:
        clock.sleep(milliseconds / 1000)
        if limiter.take("k", cost)[0] == 0:
            log += [clock.now] * cost
        else:
            assert sum(moment > clock.now - 60 * (1 + 1 / 50) for moment in log) + cost > count
    assert busiest(log, 60.0) <= count


@given(st.integers(1, 64), STEPS, st.sampled_from([7, 60, 86_400]))
def test_a_fixed_window_decides_as_a_count_from_one_multiple_to_the_next(count, steps, period):
    clock = Clock(1_000_000.5)
    limiter = MemoryStore(wall=clock).limiter("a", (Rate(count, period),), "fixed-window")
    used, window = 0, None
    for cost, milliseconds in steps:
        clock.sleep(milliseconds / 1000)
        if window != clock.now // period:
            used, window = 0, clock.now // period
        fits = used + cost <= count
        wait, ((left, _),) = limiter.take("k", cost)
        assert (not wait) == fits
        used += cost * fits
        assert left == count - used
