"""The contract of the two window algorithms: what they answer, and what a log of admissions shows (RTL-10)."""

from __future__ import annotations

import pytest

from .parts import admitted, busiest, rates


class WindowContract:
    def test_a_sliding_window_says_when_the_oldest_permit_is_back(self, store, clock):
        limiter = store.limiter("a", rates("3/minute"), "sliding-window")
        assert limiter.take("k", 0) == (0, ((3, 0),))
        assert limiter.take("k") == (0, ((2, pytest.approx(60, abs=0.01)),))
        clock.sleep(20)
        assert limiter.take("k", 2) == (0, ((0, pytest.approx(40, abs=0.01)),))
        assert limiter.take("k") == (pytest.approx(40, abs=0.01), ((0, pytest.approx(40, abs=0.01)),))
        assert limiter.take("k", 2)[0] == pytest.approx(60, abs=0.01)  # one is not enough
        clock.sleep(40.01)
        assert limiter.take("k", 0) == (0, ((1, pytest.approx(20, abs=0.02)),))
        clock.sleep(20)
        assert limiter.take("k", 0) == (0, ((3, 0),))

    def test_a_fixed_window_says_when_the_next_one_begins(self, store, clock):
        clock.sleep(1_000_005.0 - clock.now)  # 25 s into a minute
        limiter = store.limiter("a", rates("2/minute"), "fixed-window")
        assert limiter.take("k", 0) == (0, ((2, 0),))
        assert limiter.take("k") == (0, ((1, pytest.approx(15, abs=0.01)),))
        assert limiter.take("k", 2) == (pytest.approx(15, abs=0.01), ((1, pytest.approx(15, abs=0.01)),))
        assert limiter.take("k")[0] == 0
        clock.sleep(14.9)
        assert admitted(limiter) == 0
        clock.sleep(0.11)
        assert admitted(limiter, times=5) == 2

    def test_a_fixed_window_begins_with_the_day(self, store, clock):
        clock.sleep(20 * 86_400 - 0.5 - clock.now)
        limiter = store.limiter("a", rates("2/day"), "fixed-window")
        assert admitted(limiter, times=5) == 2
        clock.sleep(0.51)
        assert admitted(limiter, times=5) == 2
        clock.sleep(86_399)
        assert admitted(limiter, times=5) == 0

    @pytest.mark.parametrize("algorithm", ["sliding-window", "fixed-window"])
    def test_several_windows_are_one_answer_that_takes_nothing_if_any_refuses(self, store, clock, algorithm):
        clock.sleep(1_000_020.0 - clock.now)  # a minute begins
        limiter = store.limiter("a", rates("2/second", "3/minute"), algorithm)
        assert admitted(limiter, times=5) == 2
        clock.sleep(1.01)
        assert admitted(limiter, times=5) == 1  # the third of the minute
        clock.sleep(1.01)
        wait, ((of_second, _), (of_minute, _)) = limiter.take("k")
        assert wait == pytest.approx(57.98, abs=0.02)
        assert (of_second, of_minute) == (2, 0)
        clock.sleep(wait)
        assert admitted(limiter, times=5) == 2

    @pytest.mark.parametrize("count", [10, 64, 200])
    def test_no_period_admits_more_than_a_sliding_window_holds(self, store, clock, rng, count):
        """RTL-10: bursts at all phases, and the log checked with a sliding window."""
        limiter = store.limiter("a", rates(f"{count}/minute"), "sliding-window")
        log = []
        for _ in range(40 if self.few else 600):
            times = rng.choice((1, 2, 3, count // 10, count // 4))
            if limiter.take("k", times)[0] == 0:
                log += [clock.now] * times
            clock.sleep(rng.choice((0, 0.001, 0.3, 2.0, 7.0)) + rng.random())
        assert 0.9 * count <= busiest(log, 60.0) <= count

    @pytest.mark.parametrize("count", [10, 200])
    def test_a_sliding_window_gives_back_after_a_period_and_little_later(self, store, clock, count):
        limiter = store.limiter("a", rates(f"{count}/minute"), "sliding-window")
        for _ in range(30):
            assert limiter.take("k", count // 10)[0] == 0
            clock.sleep(6.2)

    def test_no_fixed_window_admits_more_than_it_holds(self, store, clock, rng):
        """RTL-10: and no period more than twice that."""
        limiter = store.limiter("a", rates("10 per 20 seconds"), "fixed-window")
        log = []
        for _ in range(40 if self.few else 400):
            log += [clock.now] * admitted(limiter, times=rng.choice((1, 3, 12)))
            clock.sleep(rng.choice((0.001, 0.3, 2.0, 7.0)) + rng.random())
        windows = [moment // 20 for moment in log]
        assert max(windows.count(window) for window in set(windows)) == 10
        assert 10 < busiest(log, 20.0) <= 20
