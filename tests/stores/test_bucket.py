"""Token buckets in memory, beside the same arithmetic in fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.stores import MemoryStore, Rate

from .parts import Clock

RATES = st.builds(Rate, st.integers(1, 50), st.sampled_from([1, 8, 64, 1024]), st.integers(1, 60))
STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "take", "take", "back", "reset"]), st.integers(0, 9), st.integers(0, 2500)),
    max_size=60,
)
TICK = Fraction(1, 64)  # exact in a float, and with these periods nothing is nearer to a whole permit than the slack


class Exact:
    """A bucket that rounds nothing."""

    def __init__(self, rate):
        self.speed, self.burst = Fraction(rate.count, rate.period), rate.burst
        self.backlog = Fraction(0)

    def pass_time(self, seconds):
        self.backlog = max(Fraction(0), self.backlog - seconds * self.speed)

    def room(self, cost):
        return self.backlog + cost <= self.burst

    def change(self, cost):
        self.backlog = max(Fraction(0), self.backlog + cost)


@given(st.lists(RATES, min_size=1, max_size=3), STEPS)
def test_the_floats_decide_as_fractions_do(limits, steps):
    clock = Clock(1000.0)
    limiter = MemoryStore(clock=clock).limiter("a", tuple(limits))
    exact = [Exact(rate) for rate in limits]
    for step, cost, ticks in steps:
        clock.sleep(float(ticks * TICK))
        for bucket in exact:
            bucket.pass_time(ticks * TICK)
        if step == "take":
            wait, states = limiter.take("k", cost)
            admitted = all(bucket.room(cost) for bucket in exact)
            assert (not wait) == admitted
            for bucket, (left, following) in zip(exact, states, strict=True):
                bucket.change(cost if admitted else 0)
                free = bucket.burst - bucket.backlog
                assert left == int(free)
                assert following == pytest.approx(
                    float((int(free) + 1 - free) / bucket.speed) if bucket.backlog else 0, abs=1e-2
                )
            if wait:
                needed = max((bucket.backlog + cost - bucket.burst) / bucket.speed for bucket in exact)
                assert wait == pytest.approx(float(needed), abs=1e-2)
        elif step == "back":
            limiter.give_back("k", cost)
            for bucket in exact:
                bucket.change(-cost)
        else:
            limiter.reset("k")
            for bucket in exact:
                bucket.backlog = Fraction(0)
