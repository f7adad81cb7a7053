"""Limits and address rules, beside the floor: one lock, one clock, one dictionary. Microseconds, best of several runs."""

from __future__ import annotations

import threading
import time
import timeit

from authkit import Request, allow_ips, rate_limit
from authkit._run import run
from authkit._state import State
from authkit.stores import MemoryStore, Rate


def measure(subjects, rounds=300, number=300):
    """All take turns, round by round, and the best round counts: so noise of the machine hits all alike."""
    best = dict.fromkeys(subjects, float("inf"))
    for _ in range(rounds):
        for name, subject in subjects.items():
            best[name] = min(best[name], timeit.timeit(subject, number=number) / number * 1e6)
    floor = next(iter(best.values()))
    for name, took in best.items():
        print(f"{name:<40}{took:8.2f} us{took / floor:8.2f} x floor")
    return best


def main() -> None:
    lock, table, clock = threading.Lock(), {"k": 1.0}, time.monotonic

    def floor(key="k"):
        with lock:
            table[key] = table[key] + clock()
            return 0.0, ((1, 1.0),)

    limiter = MemoryStore().limiter("a", (Rate.parse("1000000/second"),))
    two = MemoryStore().limiter("b", (Rate.parse("1000000/second"), Rate.parse("100000000/hour")))
    spent = MemoryStore().limiter("c", (Rate.parse("1/hour"),))
    spent.take("k")

    request = Request.build(peer="10.1.2.3")

    def checked(guard):
        def check():
            request.state = State()
            return run(guard.check(request))

        return check

    few = [f"10.{n}.0.0/16" for n in range(10)]
    many = [f"{10 + n // 65536}.{n // 256 % 256}.{n % 256}.0/25" for n in range(100_000)]
    took = measure(
        {
            "floor": floor,
            "memory store, one rate, admitted": lambda: limiter.take("k"),
            "memory store, one rate, refused": lambda: spent.take("k"),
            "memory store, two rates, admitted": lambda: two.take("k"),
            "rate_limit, whole check": checked(rate_limit("1000000/second")),
            "allow_ips, 10 networks": checked(allow_ips(*few)),
            "allow_ips, 100,000 networks": checked(allow_ips(*many)),
        }
    )
    print(f"100,000 networks beside 10: {took['allow_ips, 100,000 networks'] / took['allow_ips, 10 networks']:.2f}")


if __name__ == "__main__":
    main()
