"""Limits on memory, beside the floor (one lock, one clock, one dictionary) and `limits`, which slowapi and Flask-Limiter use.

A lease and a refusal memo stand before a store; here that store is memory, so that what they cost is their own.
"""

from __future__ import annotations

import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from limits import RateLimitItemPerHour, RateLimitItemPerSecond, storage, strategies

from authkit import Request, Tokens, rate_limit
from authkit._run import run
from authkit._state import State
from authkit.stores import MemoryStore, Rate
from authkit.stores._lease import LeasedLimiter
from authkit.stores._refused import RefusalMemo

from ._table import Row, Table, Target
from ._timing import AUDIENCE, ISSUER, SECRET, YARDSTICK, added, calls, hand_written, nothing

TEN_LINES = "HS256 in ten lines"
FAST, HOURLY, ONCE = (Rate.parse(text) for text in ("1000000/second", "1000000000/hour", "1/hour"))
ALGORITHMS = ("token-bucket", "sliding-window", "fixed-window")
MICROSECONDS = {  # budgets, where the ten lines take YARDSTICK
    "token bucket, admitted": 0.7,
    "lease of 50, amortized": 3.0,
    "rate_limit, the whole guard": 3.0,
}


def tables(seconds: float) -> list[Table]:
    return [_costs(seconds), _sizes(), _threads()]


def _costs(seconds: float) -> Table:
    lock, table, clock = threading.Lock(), {"k": 1.0}, time.monotonic

    def floor(key: str = "k") -> Any:
        with lock:
            table[key] = table[key] + clock()
            return 0.0, ((1, 1.0),)

    store = MemoryStore()
    bucket, buckets = store.limiter("a", (FAST,)), store.limiter("a", (FAST, HOURLY))
    few = Rate.parse("50/second")  # exact times, and refusals as well
    sliding, slots, fixed = (
        store.limiter("a", (rate,), name) for rate, name in ((few, ALGORITHMS[1]), (FAST, ALGORITHMS[1]), (FAST, ALGORITHMS[2]))
    )
    spent = store.limiter("a", (ONCE,))
    memo = RefusalMemo(spent)
    for _ in range(2):
        memo.take("k")
    leased = LeasedLimiter(store.limiter("b", (FAST,)), (FAST,), 50)

    request, guard = Request.build(peer="10.1.2.3"), rate_limit("1000000/second")

    def whole() -> Any:
        request.state = State()
        return run(guard.check(request))

    memory = storage.MemoryStorage()
    moving, windows = strategies.MovingWindowRateLimiter(memory), strategies.FixedWindowRateLimiter(memory)
    fifty, many = RateLimitItemPerSecond(50), RateLimitItemPerHour(10**9)
    ours: dict[str, Callable[[], Any]] = {
        "token bucket, admitted": lambda: bucket.take("k"),
        "token bucket, refused": lambda: spent.take("k"),
        "token bucket, two rates": lambda: buckets.take("k"),
        "sliding window of 50": lambda: sliding.take("k"),
        "sliding window of 1,000,000": lambda: slots.take("k"),
        "fixed window": lambda: fixed.take("k"),
        "refusal memo": lambda: memo.take("k"),
        "lease of 50, amortized": lambda: leased.take("k"),
        "rate_limit, the whole guard": whole,
    }
    peers: dict[str, Callable[[], Any]] = {
        "limits, moving window of 50": lambda: moving.hit(fifty, "k"),
        "limits, fixed window": lambda: windows.hit(many, "k"),
    }
    floors: dict[str, Callable[[], Any]] = {
        "lock, clock, dictionary": floor,
        TEN_LINES: hand_written(Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE).issue("alice")),
    }
    base = calls(nothing)
    found = added({name: (calls(call), base) for name, call in (ours | peers | floors).items()}, seconds=seconds, count=100)
    rows = [Row(name, found.us(name), "ours" if name in ours else "peer" if name in peers else "floor") for name in found]
    targets = [
        Target(f"{name}, µs where {TEN_LINES} takes {YARDSTICK}", found.ratio(name, TEN_LINES) * YARDSTICK, limit)
        for name, limit in MICROSECONDS.items()
    ]
    return Table("Limits on memory, one decision", rows, targets)


def _sizes(keys: int = 100_000) -> Table:
    rows = []
    for algorithm in ALGORITHMS:
        limiter = MemoryStore(max_keys=keys).limiter("a", (Rate.parse("1000/hour"),), algorithm)
        tracemalloc.start()
        for n in range(keys):
            limiter.take(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        rows.append(Row(algorithm, tracemalloc.get_traced_memory()[0] / keys))
        tracemalloc.stop()
    targets = [Target(f"{row.name}, bytes a key", row.value, 220) for row in rows]
    return Table(f"Memory for {keys:,} addresses, their text included", rows, targets, unit="bytes")


def _threads(limit: int = 1000, threads: int = 8) -> Table:
    """What 8 threads get of 1,000 permits, of 4,000 calls, at the smallest switch interval."""
    rate = Rate.parse(f"{limit} per 300 days")
    asks: dict[str, Callable[[], bool]] = {}
    for algorithm in ALGORITHMS:
        limiter = MemoryStore().limiter("a", (rate,), algorithm)
        asks[algorithm] = lambda limiter=limiter: not limiter.take("k")[0]  # type: ignore[misc]
    leased = LeasedLimiter(RefusalMemo(MemoryStore().limiter("a", (rate,))), (rate,), 50)
    asks["lease of 50"] = lambda: not leased.take("k")[0]
    ours = list(asks)
    memory = storage.MemoryStorage()
    moving, item = strategies.MovingWindowRateLimiter(memory), RateLimitItemPerHour(limit)
    asks["limits, moving window"] = lambda: moving.hit(item, "k")
    kept = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        rows = [
            Row(name, _together(ask, limit * 4 // threads, threads), "ours" if name in ours else "peer")
            for name, ask in asks.items()
        ]
    finally:
        sys.setswitchinterval(kept)
    targets = [Target(f"{row.name}, off by", abs(row.value - limit), 0) for row in rows if row.role == "ours"]
    return Table(f"Admitted of {limit:,}, by {threads} threads", rows, targets, unit="")


def _together(ask: Callable[[], bool], times: int, threads: int) -> int:
    counts = [0] * threads
    gate = threading.Barrier(threads)

    def work(n: int) -> None:
        gate.wait()
        counts[n] = sum(ask() for _ in range(times))

    running = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts)
