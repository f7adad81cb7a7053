"""`RedisLimiter` and `RedisGate`: a decision is one call of the script, whose constant parts are packed once."""

from __future__ import annotations

from ..errors import StoreUnavailable
from ._redis_script import LIMITS, NOTES, Script, bulk, packed
from ._store import Gate, Limiter, settled, settled_gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from ._rate import Rate
    from ._store import Taken

    # script, key, number of values, values packed -> the answer
    Run: TypeAlias = Callable[[Script, bytes, int, bytes], Any]
    Now: TypeAlias = Callable[[], bytes]  # the present time, packed

LIMITS_SCRIPT = Script(LIMITS)
NOTES_SCRIPT = Script(NOTES)

_US = 1_000_000
_FARTHEST = 7 * 10**15  # units a bucket may hold: added to the present time in us, a double has it exactly
_EXACT = 64  # permits a period up to which a sliding window keeps each moment; above it counts in slots
_SLOTS = 50
_NEVER = 10**12  # permits: more than any rate holds
_NOBODY = packed(b"renew", 0, b"")  # a holder that nobody is, since those of gates are written: how many others are in
_LONGEST_KEY = 96  # bytes; a longer one stands as its digest


def written(key: str) -> bytes:
    """`key` as the end of a key of Redis's: bounded, and without what would choose the slot in a cluster."""
    raw = key.encode("utf-8", "surrogatepass")
    if len(raw) <= _LONGEST_KEY and b"{" not in raw and b"}" not in raw:
        return b"=" + raw
    return _digest(raw)


def named(name: str) -> bytes:
    """The name of a limiter or gate in front of its keys: without what a key begins with, so that it is seen where it ends."""
    spelled = written(name)
    return spelled if b"=" not in spelled[1:] and b"#" not in spelled[1:] else _digest(name.encode("utf-8", "surrogatepass"))


def _digest(raw: bytes) -> bytes:
    from hashlib import sha256

    return b"#" + sha256(raw).hexdigest().encode()


class _Bucket:
    """A rate as the script counts it: a permit takes `step / den` units of `unit` us, whole numbers all.

    One unit is 1 us, except where the bucket takes more than 200 years to fill: there a step is rounded up to whole units.
    """

    __slots__ = ("unit", "den", "step", "full", "burst")

    def __init__(self, rate: Rate) -> None:
        from math import gcd

        step, den, unit = rate.period * _US, rate.count, 1
        common = gcd(step, den)
        step, den = step // common, den // common
        while rate.burst * step > _FARTHEST * den * unit:
            unit *= 10
        if unit > 1:
            step, den = -(-step // (den * unit)), 1
        self.unit, self.den, self.step, self.burst = unit, den, step, rate.burst
        self.full = rate.burst * step  # in parts: units times den

    def arguments(self, cost: int) -> bytes:
        # More than the bucket holds is refused by its size alone: its exact value could be more than a double has.
        taken = self.full + self.den if cost > self.burst else cost * self.step
        return packed(self.unit, self.den, *divmod(self.full, self.den), *divmod(taken, self.den))

    def left(self, used: int) -> tuple[int, float]:
        """Permits left, and seconds until there is one more, with so many parts used."""
        whole, rest = divmod(self.full - used, self.step)
        return whole, self.seconds(self.step - rest) if used else 0.0

    def wait(self, used: int, cost: int) -> float:
        return self.seconds(used + cost * self.step - self.full)

    def seconds(self, parts: int) -> float:
        return -(-parts * self.unit // self.den) / _US if parts > 0 else 0.0


class RedisLimiter(Limiter):
    """The buckets or windows of one name; all rates of a key are one value in Redis, so that they are in one place."""

    def __init__(self, run: Run, now: Now, prefix: bytes, name: str, rates: tuple[Rate, ...], algorithm: str) -> None:
        settled(rates, algorithm)
        self._run, self._now = run, now
        self._rates = rates
        self._kind = algorithm[0].encode()
        self._buckets = tuple(map(_Bucket, rates)) if algorithm == "token-bucket" else ()
        sizes = ",".join(f"{rate.count}/{rate.period}/{rate.burst}" for rate in rates)
        self._prefix = b"%bl%b:%b:%b:" % (prefix, self._kind, named(name), sizes.encode())
        self._values = 2 + len(rates) * {"token-bucket": 6, "sliding-window": 3, "fixed-window": 2}[algorithm] + 1
        self._one = self._arguments(1)
        self._most = max(rate.burst for rate in rates)

    def take(self, key: str, cost: int = 1) -> Taken:
        if cost < 0:
            raise ValueError("the cost of a request is not negative")
        refused, numbers = self._read(self._ask(key, self._one if cost == 1 else self._arguments(cost)))
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        if not self._buckets:
            return refused / _US, tuple([(left, due / _US) for left, due in pairs])
        wait, states = 0.0, []
        for bucket, (whole, part) in zip(self._buckets, pairs, strict=True):
            used = whole * bucket.den + part
            if refused:
                wait = max(wait, bucket.wait(used, cost))
            states.append(bucket.left(used))
        return wait, tuple(states)

    def give_back(self, key: str, cost: int = 1) -> None:
        if cost < 0:
            raise ValueError("the cost of a request is not negative")
        if cost:
            self._ask(key, self._arguments(-min(cost, self._most)))

    def reset(self, key: str) -> None:
        self._run(NOTES_SCRIPT, self._prefix + written(key), 3, self._now() + packed(b"forget", 0))

    def _read(self, reply: Any) -> tuple[int, list[int]]:
        try:
            first, *numbers = map(int, reply.split())
            if len(numbers) == 2 * len(self._rates):
                return first, numbers
        except (ValueError, AttributeError):
            pass
        raise StoreUnavailable("redis answered a limit with something else")

    def _ask(self, key: str, arguments: bytes) -> Any:
        return self._run(LIMITS_SCRIPT, self._prefix + written(key), self._values, self._now() + arguments)

    def _arguments(self, cost: int) -> bytes:
        size = abs(cost)
        head = bulk(self._kind) + packed(min(cost, _NEVER))
        if self._buckets:
            return head + b"".join([bucket.arguments(size) for bucket in self._buckets])
        if self._kind == b"f":
            return head + b"".join([packed(rate.count, rate.period * _US) for rate in self._rates])
        return head + b"".join([packed(rate.count, rate.period * _US, _slot(rate)) for rate in self._rates])


def _slot(rate: Rate) -> int:
    return 0 if rate.count <= _EXACT else rate.period * _US // _SLOTS


class RedisGate(Gate):
    """A sorted set a key: holders by the time at which they are forgotten."""

    def __init__(self, run: Run, now: Now, prefix: bytes, name: str, limit: int) -> None:
        settled_gate(limit)
        self._run, self._now = run, now
        self._prefix = b"%bg:%b:%d:" % (prefix, named(name), limit)
        self._limit = limit

    def enter(self, key: str, holder: str, ttl: float) -> tuple[bool, int]:
        return self._answer(self._ask(key, b"enter", holder, ttl))

    def renew(self, key: str, holder: str, ttl: float) -> bool:
        return self._answer(self._ask(key, b"renew", holder, ttl))[0]

    def leave(self, key: str, holder: str) -> None:
        self._ask(key, b"leave", holder, 0.0)

    def held(self, key: str) -> int:
        return self._answer(self._run(NOTES_SCRIPT, self._prefix + written(key), 4, self._now() + _NOBODY))[1]

    def reset(self, key: str) -> None:
        self._run(NOTES_SCRIPT, self._prefix + written(key), 3, self._now() + packed(b"forget", 0))

    def _ask(self, key: str, act: bytes, holder: str, ttl: float) -> Any:
        values = self._now() + packed(act, lifetime(ttl), written(holder), self._limit)
        return self._run(NOTES_SCRIPT, self._prefix + written(key), 5, values)

    def _answer(self, reply: Any) -> tuple[bool, int]:
        is_in, _, count = reply.partition(b" ") if isinstance(reply, bytes) else (b"", b"", b"")
        if is_in not in (b"0", b"1") or not count.isdigit():
            raise StoreUnavailable("redis answered a gate with something else")
        return is_in == b"1", int(count)


def lifetime(seconds: float) -> int:
    """Whole microseconds, rounded up, at most 200 years."""
    return -int(-min(seconds, 6.3e9) * _US // 1)
