"""Limits and address rules on memory, beside the floor: one lock, one clock, one dictionary."""

from __future__ import annotations

import threading
import time
from typing import Any

from authkit import Request, allow_ips, rate_limit
from authkit._run import run
from authkit._state import State
from authkit.stores import MemoryStore, Rate

from ._table import Row, Table, Target
from ._timing import added, calls, nothing


def tables(seconds: float) -> list[Table]:
    lock, table, clock = threading.Lock(), {"k": 1.0}, time.monotonic

    def floor(key: str = "k") -> Any:
        with lock:
            table[key] = table[key] + clock()
            return 0.0, ((1, 1.0),)

    limiter = MemoryStore().limiter("a", (Rate.parse("1000000/second"),))
    two = MemoryStore().limiter("b", (Rate.parse("1000000/second"), Rate.parse("100000000/hour")))
    spent = MemoryStore().limiter("c", (Rate.parse("1/hour"),))
    spent.take("k")

    request = Request.build(peer="10.1.2.3")

    def checked(guard: Any) -> Any:
        def check() -> Any:
            request.state = State()
            return run(guard.check(request))

        return check

    few = [f"10.{n}.0.0/16" for n in range(10)]
    many = [f"{10 + n // 65536}.{n // 256 % 256}.{n % 256}.0/25" for n in range(100_000)]
    subjects = {
        "rate_limit, whole check": checked(rate_limit("1000000/second")),
        "memory store, one rate, admitted": lambda: limiter.take("k"),
        "memory store, one rate, refused": lambda: spent.take("k"),
        "memory store, two rates, admitted": lambda: two.take("k"),
        "allow_ips, 10 networks": checked(allow_ips(*few)),
        "allow_ips, 100,000 networks": checked(allow_ips(*many)),
        "lock, clock, dictionary": floor,
    }
    base = calls(nothing)
    found = added({name: (calls(call), base) for name, call in subjects.items()}, seconds=seconds, count=100)
    rows = [Row(name, found.us(name), "floor" if subjects[name] is floor else "ours") for name in found]
    ratio = found.ratio("allow_ips, 100,000 networks", "allow_ips, 10 networks")
    return [Table("Limits and address rules, on memory", rows, [Target("100,000 networks / 10 networks", ratio, 2.0)])]
