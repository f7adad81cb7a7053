"""How often somebody may be asked about what nobody knows: so many questions a second, and so many at once."""

from __future__ import annotations

from .._lock import ProcessLock
from ..errors import Unavailable


class Budget:
    """`rate` questions a second about unknown tokens, and `flights` at once; as many again at once about tokens that were good.

    In this process alone: ten processes ask ten times as much.
    """

    __slots__ = ("_rate", "_flights", "_lock", "_left", "_filled", "_aloft")

    def __init__(self, rate: float, flights: int) -> None:
        self._rate = rate
        self._flights = flights
        self._lock = ProcessLock()
        self._left = max(1.0, rate)
        self._filled: float | None = None
        self._aloft = [0, 0]  # about unknown tokens, and about those that were good

    def begin(self, known: bool, now: float) -> None:
        """One more question, at `now` of a monotonic clock. Raises: `Unavailable` if there are too many; then it is none."""
        with self._lock:
            if self._aloft[known] >= self._flights:
                raise Unavailable("too many tokens are being asked about at once")
            if not known:
                passed = 0.0 if self._filled is None else max(0.0, now - self._filled)
                left = min(max(1.0, self._rate), self._left + passed * self._rate)
                self._filled = now
                self._left = left
                if left < 1.0:
                    raise Unavailable("too many unknown tokens: no more are asked about in this second")
                self._left = left - 1.0
            self._aloft[known] += 1

    def end(self, known: bool) -> None:
        with self._lock:
            self._aloft[known] -= 1

    def after_fork(self) -> None:
        """In the child: what the parent is asking about never ends here."""
        self._aloft = [0, 0]
