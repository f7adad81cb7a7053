"""What the store tests share: seconds that pass when told to, limits from texts, threads that start together."""

from __future__ import annotations

import sys
import threading

from authkit.errors import StoreUnavailable
from authkit.stores import Limiter, Rate

ALGORITHMS = ("token-bucket", "sliding-window", "fixed-window")


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


def busiest(log, period):
    """The most moments of `log` (in order) that any `[t, t + period)` holds."""
    most = first = 0
    for last, moment in enumerate(log):
        while log[first] <= moment - period:
            first += 1
        most = max(most, last - first + 1)
    return most


def in_threads(number, work):
    """Run `work(n)` in threads that start together, with the smallest switch interval. What one raises is raised here."""
    gate = threading.Barrier(number)
    kept = sys.getswitchinterval()
    failed = []

    def wait_and_work(n):
        gate.wait()
        try:
            work(n)
        except BaseException as error:
            failed.append(error)

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=wait_and_work, args=(n,)) for n in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(kept)
    if failed:
        raise failed[0]


class Counted(Limiter):
    """A limiter that counts what it is asked, and is out of reach when told to be."""

    def __init__(self, limiter):
        self._limiter = limiter
        self.asked = self.given_back = 0
        self.out_of_reach = False

    def _reach(self):
        if self.out_of_reach:
            raise StoreUnavailable("out of reach")
        return self._limiter

    def take(self, key, cost=1):
        self.asked += 1
        return self._reach().take(key, cost)

    def give_back(self, key, cost=1):
        self.given_back += cost
        self._reach().give_back(key, cost)

    def reset(self, key):
        self._reach().reset(key)
