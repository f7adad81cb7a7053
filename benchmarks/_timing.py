"""How differences of microseconds are told apart on a machine that is doing other things too.

A subject is never timed alone: each of its batches stands between two batches of its base, and only the difference is kept.
Subjects take turns, round by round. A ratio is the median of the rounds' ratios, because the machine's speed may be another
one in the next round. An absolute number is worth what that speed was: `YARDSTICK`, timed in the same rounds, says it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

ISSUER = AUDIENCE = "https://api.example.com"
SECRET = "benchmark-3f8a1c5e9d7b2046-benchmark-6e1d"  # nothing but these tokens is signed with it

YARDSTICK = 8.9  # µs that `hand_written` took on the quiet machine on which the budgets in µs were set

Call = Callable[[], Any]
Batch = Callable[[int], float]  # makes that many calls; seconds it took


def calls(call: Call) -> Batch:
    """A batch of plain calls."""

    def batch(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            call()
        return time.perf_counter() - start

    return batch


class Rounds:
    """What one call of each subject adds, in seconds, round by round."""

    def __init__(self, found: dict[str, list[float]]) -> None:
        self._found = found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def us(self, name: str) -> float:
        """Microseconds, the median."""
        return statistics.median(self._found[name]) * 1e6

    def ratio(self, name: str, to: str) -> float:
        return statistics.median(one / other for one, other in zip(self._found[name], self._found[to], strict=True) if other)

    def more(self, name: str, than: str, to: str) -> float:
        """How much `name` adds over `than`, in multiples of `to`."""
        rounds = zip(self._found[name], self._found[than], self._found[to], strict=True)
        return statistics.median((one - other) / unit for one, other, unit in rounds if unit)


def added(pairs: dict[str, tuple[Batch, Batch]], *, seconds: float, count: int = 10) -> Rounds:
    """What a call of the first of each pair adds to one of the second, over as many rounds as fit in `seconds`."""
    found: dict[str, list[float]] = {name: [] for name in pairs}
    for batch, base in pairs.values():  # first calls load, compile and remember
        batch(count), base(count)
    end = time.monotonic() + seconds
    rounds = 0
    while rounds < 3 or time.monotonic() < end:
        rounds += 1
        for name, (batch, base) in pairs.items():
            before = base(count)
            took = batch(count)
            found[name].append((took - (before + base(count)) / 2) / count)
    return Rounds(found)


def hand_written(token: str) -> Call:
    """An HS256 verification as one writes it by hand; it checks nothing but signature and time."""

    def decoded(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    def verify() -> Any:
        head, payload, signature = token.split(".")
        good = hmac.digest(SECRET.encode(), f"{head}.{payload}".encode(), hashlib.sha256)
        if not hmac.compare_digest(good, decoded(signature)):
            raise ValueError
        json.loads(decoded(head))
        claims = json.loads(decoded(payload))
        if claims["exp"] < time.time():
            raise ValueError
        return claims

    return verify


def nothing() -> None:
    """The base of what is measured whole."""


def load() -> str:
    """How busy the machine was, over 1, 5 and 15 minutes."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
