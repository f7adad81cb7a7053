"""What a server said of tokens, kept for a while: bounded, by digests alone, the bad apart from the good."""

from __future__ import annotations

from hashlib import blake2b

from ..secrets.slot import SLACK, elapsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..decision import Principal
    from ..secrets.slot import Moment


class Good:
    """A token that was found good at a moment, and from when until when (epoch seconds) that may be used. `bound`: with the
    proof of a key alone."""

    __slots__ = ("principal", "bound", "at", "lower", "upper")

    def __init__(self, principal: Principal, bound: bool, at: Moment, lower: float, upper: float) -> None:
        self.principal = principal
        self.bound = bound
        self.at = at
        self.lower = lower
        self.upper = upper

    def holds(self, now: Moment, ttl: float) -> bool:
        return _is_younger(self.at, now, ttl) and self.lower <= now[0] < self.upper


class Bad:
    """A token that was refused at a moment. `reason`: the stable audit code."""

    __slots__ = ("reason", "at")

    def __init__(self, reason: str, at: Moment) -> None:
        self.reason = reason
        self.at = at

    def holds(self, now: Moment, ttl: float) -> bool:
        return _is_younger(self.at, now, ttl)


def _is_younger(then: Moment, now: Moment, seconds: float) -> bool:
    return elapsed(then, now) < seconds and now[0] >= then[0] - SLACK


class Asked:
    """At most `size` good tokens and as many bad ones, so that no flood of bad ones drives out a good one.

    The keys are keyed digests: no token is in memory because of this, and nobody can choose two that meet. Threads may share
    it: each step is one operation on a dict, and the worst that two of them can do to each other is to forget.
    """

    __slots__ = ("_half", "_key", "_good", "_old_good", "_bad", "_old_bad")

    def __init__(self, size: int, random: Callable[[int], bytes]) -> None:
        self._half = (size + 1) // 2  # two generations of each: the older one goes as a whole, but for what was used since
        self._key = random(32)
        self._good: dict[bytes, Good] = {}
        self._old_good: dict[bytes, Good] = {}
        self._bad: dict[bytes, Bad] = {}
        self._old_bad: dict[bytes, Bad] = {}

    def digest(self, token: str) -> bytes:
        return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32, key=self._key).digest()

    def good(self, digest: bytes) -> Good | None:
        """What is known of a good token, however long ago it was."""
        found = self._good.get(digest)
        if found is None:
            found = self._old_good.get(digest)
            if found is not None:
                self.keep(digest, found)
        return found

    def bad(self, digest: bytes) -> Bad | None:
        return self._bad.get(digest) or self._old_bad.get(digest)

    def keep(self, digest: bytes, found: Good) -> None:
        if not self._half:
            return
        if len(self._good) >= self._half and digest not in self._good:
            self._old_good, self._good = self._good, {}
        self._good[digest] = found

    def keep_bad(self, digest: bytes, found: Bad) -> None:
        """Refused now, whatever was known of it."""
        self._good.pop(digest, None)
        self._old_good.pop(digest, None)
        if not self._half:
            return
        if len(self._bad) >= self._half and digest not in self._bad:
            self._old_bad, self._bad = self._bad, {}
        self._bad[digest] = found

    def __len__(self) -> int:
        return len(self._good) + len(self._old_good) + len(self._bad) + len(self._old_bad)
