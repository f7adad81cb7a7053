"""What every store must do. Each implementation inherits this class and gives a `store` on the `clock`."""

from __future__ import annotations

import sys
import threading

import pytest

from authkit.stores import Rate, Store


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, now: float = 1_000_000.123456) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def rates(*texts, burst=None):
    return tuple(Rate.parse(text, burst) for text in texts)


def admitted(limiter, key="k", times=1, cost=1):
    return sum(not limiter.take(key, cost)[0] for _ in range(times))


def in_threads(number, work):
    """Run `work(n)` in threads that start together, with the smallest switch interval."""
    gate = threading.Barrier(number)
    kept = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def wait_and_work(n):
        gate.wait()
        work(n)

    try:
        threads = [threading.Thread(target=wait_and_work, args=(n,)) for n in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(kept)


class StoreContract:
    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def store(self, clock) -> Store:
        raise NotImplementedError

    def test_a_bucket_admits_its_burst_and_then_the_rate(self, store, clock):
        limiter = store.limiter("a", rates("10/second"))
        assert admitted(limiter, times=25) == 10
        clock.sleep(0.1)
        assert admitted(limiter, times=5) == 1
        clock.sleep(0.25)
        assert admitted(limiter, times=5) == 2
        clock.sleep(3600)
        assert admitted(limiter, times=25) == 10

    @pytest.mark.parametrize("text", ["7/second", "3 per 7 seconds", "1000/hour", "999/day", "100000/hour", "1/day"])
    def test_a_burst_is_exact_whatever_the_rate(self, store, text):
        count = Rate.parse(text).count
        limiter = store.limiter(text, rates(text))
        assert admitted(limiter, times=count + 50) == count

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

    def test_who_waits_as_told_is_admitted(self, store, clock):
        limiter = store.limiter("a", rates("7/minute"))
        admitted(limiter, times=7)
        for _ in range(50):
            wait, _ = limiter.take("k")
            assert wait > 0
            clock.sleep(wait)
            assert limiter.take("k")[0] == 0

    def test_a_refused_request_takes_nothing(self, store, clock):
        limiter = store.limiter("a", rates("1/minute"))
        assert admitted(limiter, times=1000) == 1
        clock.sleep(60)
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
        assert limiter.take("k", 0)[1][0][0] == 3
        assert limiter.take("k", 3)[0] == 0
        assert limiter.take("k", 11)[0] > 0  # never passes, however long it waits
        clock.sleep(3600)
        assert limiter.take("k", 11)[0] > 0
        with pytest.raises(ValueError, match="negative"):
            limiter.take("k", -1)

    def test_keys_names_and_rates_have_buckets_of_their_own(self, store):
        limiter = store.limiter("a", rates("1/minute"))
        assert [admitted(limiter, key, 2) for key in ("k", "l", "\0", "\ud800", "k" * 10_000)] == [1] * 5
        assert admitted(store.limiter("b", rates("1/minute")), times=2) == 1
        assert admitted(store.limiter("a", rates("2/minute")), times=3) == 2
        assert admitted(store.limiter("a", rates("1/minute"))) == 0  # the same one again

    def test_reset_forgets(self, store):
        limiter = store.limiter("a", rates("1/minute"))
        assert admitted(limiter, times=2) == 1
        limiter.reset("k")
        assert admitted(limiter, times=2) == 1

    @pytest.mark.parametrize("phase", [0.0, 0.13, 0.5, 0.77, 0.999])
    def test_no_window_admits_more_than_burst_plus_rate(self, store, clock, phase):
        """RTL-10: bursts at every phase, and the log checked with a sliding window."""
        limiter = store.limiter("a", rates("10/second"))
        clock.sleep(phase)
        log = []
        for step in range(400):
            log += [clock.now] * admitted(limiter, times=3 if step % 7 else 25)
            clock.sleep(0.013 + (step % 5) * 0.021)
        for place, moment in enumerate(log):
            window = [other for other in log[place:] if other - moment <= 1.0]
            assert len(window) <= 20

    def test_a_clock_that_jumps_locks_nobody_out_for_longer_than_the_bucket_takes_to_fill(self, store, clock):
        """AVL-08."""
        for name, texts in (("one", ("10/minute",)), ("two", ("10/minute", "1000/hour"))):
            limiter = store.limiter(name, rates(*texts))
            admitted(limiter, times=20)
            clock.sleep(-3600)
            assert admitted(limiter, times=20) == 0
            clock.sleep(60)
            assert admitted(limiter, times=20) == 10
            clock.sleep(86_400)
            assert admitted(limiter, times=20) == 10

    def test_threads_never_take_more_than_there_is(self, store):
        """RTL-05."""
        for round_ in range(20):
            for name, texts in (("one", ("100/hour",)), ("two", ("100/hour", "1000/day"))):
                limiter = store.limiter(f"{name}{round_}", rates(*texts))
                counts = [0] * 8

                def work(n, limiter=limiter, counts=counts):
                    counts[n] = admitted(limiter, times=50)

                in_threads(8, work)
                assert sum(counts) == 100

    def test_add_is_true_once(self, store, clock):
        assert [store.add("a", 10) for _ in range(3)] == [True, False, False]
        assert store.add("b", 10)
        clock.sleep(9.99)
        assert not store.add("a", 10)
        clock.sleep(0.02)
        assert [store.add("a", 5) for _ in range(2)] == [True, False]

    def test_add_is_true_for_one_of_many_threads(self, store):
        for round_ in range(50):
            wins = []

            def work(n, round_=round_, wins=wins):
                if store.add(f"r{round_}", 60):
                    wins.append(n)

            in_threads(8, work)
            assert len(wins) == 1

    def test_add_keeps_every_key_for_its_whole_time(self, store, clock):
        for n in range(2000):
            assert store.add(f"short{n}", 1)
            assert store.add(f"long{n}", 1000)
            clock.sleep(0.01)
        assert not any(store.add(f"long{n}", 1000) for n in range(2000))
