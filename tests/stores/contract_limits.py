"""The contract of limiters: what is the same for every algorithm, and the token bucket."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError
from authkit.stores import Rate

from .parts import ALGORITHMS, admitted, busiest, in_threads, rates

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


class LimitContract:
    def test_a_bucket_admits_its_burst_and_then_the_rate(self, store, clock):
        limiter = store.limiter("a", rates("10/second"))
        assert admitted(limiter, times=25) == 10
        clock.sleep(0.1)
        assert admitted(limiter, times=5) == 1
        clock.sleep(0.25)
        assert admitted(limiter, times=5) == 2
        clock.sleep(3600)
        assert admitted(limiter, times=25) == 10

    @every_algorithm
    @pytest.mark.parametrize("text", ["7/second", "3 per 7 seconds", "1000/hour", "999/day", "100000/hour", "1/day"])
    def test_a_burst_is_exact_whatever_the_rate(self, store, text, algorithm):
        count = Rate.parse(text).count
        limiter = store.limiter(text, rates(text), algorithm)
        at_once = 0 if count < 100 or not self.few else count - 10
        if at_once:
            assert limiter.take("k", at_once)[0] == 0
        assert admitted(limiter, times=count - at_once + 10) == count - at_once

    def test_the_answer_says_how_many_are_left_and_when_there_is_one_more(self, store, clock):
        limiter = store.limiter("a", rates("5/minute"))
        assert limiter.take("k") == (0, ((4, pytest.approx(12)),))
        clock.sleep(3)
        assert limiter.take("k") == (0, ((3, pytest.approx(9, abs=1e-3)),))
        for _ in range(3):
            wait, ((left, following),) = limiter.take("k")
            assert not wait
        assert (left, following) == (0, pytest.approx(9, abs=1e-3))
        assert limiter.take("k") == (pytest.approx(9, abs=1e-3), ((0, pytest.approx(9, abs=1e-3)),))

    @every_algorithm
    @pytest.mark.parametrize("text", ["7/minute", "3 per 7 seconds", "1/second"])
    def test_who_waits_as_told_is_admitted(self, store, clock, text, algorithm):
        limiter = store.limiter("a", rates(text), algorithm)
        admitted(limiter, times=7)
        for _ in range(20):
            wait, _ = limiter.take("k")
            assert 0 < wait < 60.01
            clock.sleep(wait)
            assert limiter.take("k")[0] == 0
            while limiter.take("k")[0] == 0:
                pass

    @every_algorithm
    def test_a_refused_request_takes_nothing(self, store, clock, algorithm):
        limiter = store.limiter("a", rates("1/minute"), algorithm)
        assert admitted(limiter, times=50 if self.few else 1000) == 1
        clock.sleep(60.01)
        assert admitted(limiter) == 1

    def test_several_rates_are_one_answer_that_takes_nothing_if_any_refuses(self, store, clock):
        limiter = store.limiter("a", rates("2/second", "3/minute"))
        assert admitted(limiter, times=5) == 2
        clock.sleep(1)
        assert admitted(limiter, times=5) == 1  # the third of the minute
        clock.sleep(1)
        wait, ((of_second, _), (of_minute, _)) = limiter.take("k")
        assert wait == pytest.approx(18)
        assert (of_second, of_minute) == (2, 0)
        clock.sleep(18)
        assert admitted(limiter, times=5) == 1

    def test_a_burst_may_be_smaller_or_larger_than_the_rate(self, store, clock):
        small, large = store.limiter("s", rates("10/second", burst=2)), store.limiter("l", rates("10/second", burst=30))
        assert (admitted(small, times=50), admitted(large, times=50)) == (2, 30)
        clock.sleep(1)
        assert (admitted(small, times=50), admitted(large, times=50)) == (2, 10)

    def test_a_cost_takes_as_many_permits(self, store, clock):
        limiter = store.limiter("a", rates("10/minute"))
        assert limiter.take("k", 7) == (0, ((3, pytest.approx(6)),))
        wait, ((left, _),) = limiter.take("k", 4)
        assert (wait, left) == (pytest.approx(6), 3)

    @every_algorithm
    def test_a_cost_is_taken_whole_or_not_at_all(self, store, clock, algorithm):
        limiter = store.limiter("a", rates("10/minute", "15/hour"), algorithm)
        assert limiter.take("k", 7)[0] == 0
        assert limiter.take("k", 4)[0] > 0
        assert [left for left, _ in limiter.take("k", 0)[1]] == [3, 8]
        assert limiter.take("k", 3)[0] == 0
        assert [left for left, _ in limiter.take("k", 0)[1]] == [0, 5]
        assert limiter.take("k", 0)[0] == 0  # a look is never refused
        assert limiter.take("k", 11)[0] > 0  # never passes, however long it waits
        clock.sleep(7200)
        assert limiter.take("k", 11)[0] > 0
        with pytest.raises(ValueError, match="negative"):
            limiter.take("k", -1)

    @every_algorithm
    def test_what_is_given_back_may_be_taken_again_and_no_more(self, store, clock, algorithm):
        limiter = store.limiter("a", rates("10/minute", "15/hour"), algorithm)
        limiter.give_back("k")  # a key that took nothing has no more than all of it
        assert admitted(limiter, times=20) == 10
        for cost in (1, 4):
            limiter.give_back("k", cost)
            assert admitted(limiter, times=20) == cost
        limiter.give_back("k", 1000)
        assert admitted(limiter, times=20) == 10
        limiter.give_back("k", 0)
        limiter.give_back("other", 3)
        assert admitted(limiter, times=2) == 0
        with pytest.raises(ValueError, match="negative"):
            limiter.give_back("k", -1)

    @every_algorithm
    def test_a_take_given_back_leaves_no_trace(self, store, clock, algorithm):
        touched, untouched = (store.limiter(name, rates("10/minute", "20/hour"), algorithm) for name in "ab")
        for step in range(12):
            for limiter in (touched, untouched):
                assert limiter.take("k")[0] == 0
            if touched.take("k", 2)[0] == 0:
                clock.sleep(0.5)
                touched.give_back("k", 2)
            clock.sleep(5 + step * 0.7)
            lefts = [[left for left, _ in limiter.take("k", 0)[1]] for limiter in (touched, untouched)]
            assert lefts[0] == lefts[1]

    @every_algorithm
    def test_keys_names_rates_and_algorithms_have_permits_of_their_own(self, store, algorithm):
        limiter = store.limiter("a", rates("1/minute"), algorithm)
        assert [admitted(limiter, key, 2) for key in ("k", "l", "\0", "\ud800", "", "k:l", "é", "{k}", "k" * 10_000)] == [1] * 9
        assert admitted(store.limiter("b", rates("1/minute"), algorithm), times=2) == 1
        # Two that read the same where name, rates and key are only written one after another.
        one, other = ("a", "b:1/60/1:=k"), ("a:1/60/1:=b", "k")
        assert [admitted(store.limiter(name, rates("1/minute"), algorithm), key) for name, key in (one, other)] == [1, 1]
        assert admitted(store.limiter("a", rates("2/minute"), algorithm), times=3) == 2
        for other in ALGORITHMS:
            assert admitted(store.limiter("a", rates("1/minute"), other), times=2) == (other != algorithm)
        assert admitted(store.limiter("a", rates("1/minute"), algorithm)) == 0  # the same one again

    @every_algorithm
    def test_reset_forgets(self, store, algorithm):
        limiter = store.limiter("a", rates("1/minute", "1/hour"), algorithm)
        assert admitted(limiter, times=2) == 1
        limiter.reset("k")
        limiter.reset("another")
        assert admitted(limiter, times=2) == 1

    @every_algorithm
    def test_take_here_is_take_or_takes_nothing(self, store, algorithm):
        limiter = store.limiter("a", rates("3/minute"), algorithm)
        here = [taken for taken in (limiter.take_here("k") for _ in range(5)) if taken is not None]
        assert sum(not wait for wait, _ in here) + admitted(limiter, times=5) == 3

    @pytest.mark.parametrize("phase", [0.0, 0.13, 0.5, 0.77, 0.999])
    def test_no_period_admits_more_than_burst_plus_rate(self, store, clock, phase):
        """RTL-10: bursts at every phase, and the log checked with a sliding window."""
        limiter = store.limiter("a", rates("10/second"))
        clock.sleep(phase)
        log = []
        for step in range(60 if self.few else 400):
            log += [clock.now] * admitted(limiter, times=3 if step % 7 else 25)
            clock.sleep(0.013 + (step % 5) * 0.021)
        assert 10 < busiest(log, 1.0) <= 20

    @every_algorithm
    def test_a_clock_that_jumps_locks_nobody_out_for_longer_than_a_period(self, store, clock, algorithm):
        """AVL-08."""
        for name, texts in (("one", ("10/minute",)), ("two", ("10/minute", "1000/hour"))):
            limiter = store.limiter(name, rates(*texts), algorithm)
            admitted(limiter, times=20)
            clock.sleep(-7200)
            assert admitted(limiter, times=20) == 0
            clock.sleep(60.01)
            assert admitted(limiter, times=20) == 10
            clock.sleep(86_400)
            assert admitted(limiter, times=20) == 10

    @every_algorithm
    def test_threads_never_take_more_than_there_is(self, store, algorithm):
        """RTL-05."""
        for round_ in range(1 if self.few else 10):
            for name, texts in (("one", ("50 per 300 days",)), ("two", ("50 per 300 days", "1000 per 300 days"))):
                limiter = store.limiter(f"{name}{round_}", rates(*texts), algorithm)
                counts = [0] * 8

                def work(n, limiter=limiter, counts=counts):
                    counts[n] = admitted(limiter, times=10 if self.few else 40)

                in_threads(8, work)
                assert sum(counts) == 50

    @every_algorithm
    def test_threads_that_take_and_give_back_leave_what_they_did_not_give_back(self, store, algorithm):
        limiter = store.limiter("a", rates("1000 per 300 days"), algorithm)

        def work(n):
            for step in range(4 if self.few else 50):
                limiter.take("k", 2)
                limiter.give_back("k", 2 if step % 2 else 1)

        in_threads(8, work)
        assert limiter.take("k", 0)[1][0][0] == 1000 - 8 * (2 if self.few else 25)

    def test_a_limiter_of_nothing_or_of_an_unknown_kind_is_a_configuration_error(self, store):
        for wrong in (((), "token-bucket"), (rates("1/s"), "leaky-bucket"), (rates("1/s"), None)):
            with pytest.raises(ConfigurationError):
                store.limiter("a", *wrong)
        for window in ("sliding-window", "fixed-window"):
            with pytest.raises(ConfigurationError):
                store.limiter("a", rates("10/second", burst=5), window)
