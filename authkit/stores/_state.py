"""What a limiter of a shared store keeps for a key: the arithmetic of the limiters in memory, and its states as bytes."""

from __future__ import annotations

import struct

from ._bucket import BucketsLimiter
from ._window import Fixed, Sliding, WindowsLimiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._rate import Rate
    from ._store import Taken

_ORIGIN = 1_700_000_000.0  # epoch seconds: time counted in permits from here stays small, and floats fine


class Arithmetic:
    """What taking does to a state. It keeps none itself."""

    def __init__(self, rates: tuple[Rate, ...], algorithm: str) -> None:
        self._rates = rates
        self._origin = 0.0
        self._rules: BucketsLimiter | WindowsLimiter
        if algorithm == "token-bucket":
            self._rules = BucketsLimiter(rates, _no_time, 1)
            self._origin = _ORIGIN
        else:
            kind: type[Sliding | Fixed] = Fixed if algorithm == "fixed-window" else Sliding
            self._rules = WindowsLimiter(tuple(kind(rate) for rate in rates), _no_time, 0.0, 1)
        self._algorithm = algorithm
        self._most = min(rate.burst for rate in rates)
        self.fresh: Any = self._rules._fresh

    def step(self, state: Any, now: float, cost: int) -> tuple[Any, Taken]:
        """What taking `cost` at `now` (epoch seconds) does: the state afterwards, and the answer."""
        return self._rules._step(state, now - self._origin, cost)

    def back(self, state: Any, now: float, cost: int) -> Any:
        """The state of a key that is given back `cost`."""
        return self._rules._back(state, now - self._origin, cost)

    def limited(self, taken: Taken, cost: int) -> float:
        """Seconds for which a key that was answered so, at this cost, is at its limit: it waits for that much, or for one."""
        wait = taken[0] if cost <= self._most else 0.0
        return max(wait, *(following for left, following in taken[1] if not left), 0.0)

    def until(self, state: Any) -> float:
        """Epoch seconds after which the key is as if new, but for what floats lose."""
        pairs = zip(self._rates, state, strict=True)
        if self._algorithm == "token-bucket":
            return self._origin + max(float(full) * rate.period / rate.count for rate, full in pairs)
        if self._algorithm == "fixed-window":
            return max(float((one[0] + 1) * rate.period) for rate, one in pairs)
        return max(float(one[-2]) + rate.period if len(one) > 1 else 0.0 for rate, one in pairs)

    def packed(self, state: Any) -> bytes:
        """The state as bytes."""
        rows = (state,) if self._algorithm == "token-bucket" else state
        return b"".join(struct.pack(f"<H{len(row)}d", len(row), *row) for row in rows)

    def unpacked(self, data: bytes) -> Any:
        """The state that was packed. Raises: `ValueError` for what was not."""
        rows = []
        place = 0
        try:
            while place < len(data):
                (length,) = struct.unpack_from("<H", data, place)
                rows.append(struct.unpack_from(f"<{length}d", data, place + 2))
                place += 2 + 8 * length
            state = rows[0] if self._algorithm == "token-bucket" else tuple(rows)
        except (struct.error, IndexError):
            raise ValueError("this is no state of a limiter") from None
        if len(state) != len(self._rates):
            raise ValueError("this is no state of a limiter")
        return state


def _no_time() -> float:
    return 0.0
