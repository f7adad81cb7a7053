"""`Circuit`: what fails again and again is left alone for a while, and then asked by one caller at a time."""

from __future__ import annotations

import time

from .._audit import warn
from .._lock import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES = 3  # in a row: one lost packet opens nothing
PAUSE = 0.5  # seconds between probes: with one probe's timeout, what is back is used again well within two seconds
_LOST = 2.0  # seconds after which a probe is not heard of any more: its process was frozen, or is this one's parent


class Circuit:
    """Whether to ask `place` (for the log: no credentials). Closed: everybody may. Open: nobody, but for a probe now and then.

    Each change is one line in the log. `clock`: seconds, as `time.monotonic`.
    """

    def __init__(
        self,
        place: str,
        *,
        failures: int = FAILURES,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[..., None] = warn,
    ) -> None:
        self._place = place
        self._most = failures
        self._pause = pause
        self._clock = clock
        self._tell = tell
        self._lock = ProcessLock()
        self._failed = 0  # in a row
        self._turn = 1  # counts the changes: what was asked before one says nothing after it
        self._opened: float | None = None
        self._next = 0.0  # when the next probe may go

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    def enter(self) -> int:
        """0: do not ask. Else the turn, to be told to `passed` or `failed`: each caller tells one of them, once."""
        if self._opened is None:
            return self._turn
        with self._lock:
            now = self._clock()
            if self._opened is not None and self._next - _LOST <= now < self._next:
                return 0
            self._next = now + _LOST
            return self._turn

    def passed(self, turn: int) -> None:
        if not self._failed:
            return
        with self._lock:
            if turn != self._turn:
                return
            self._failed, opened = 0, self._opened
            if opened is None:
                return
            self._opened = None
            self._turn += 1
            down = max(0.0, self._clock() - opened)
        self._tell("%s answers again, after %.1f s", self._place, down)

    def failed(self, turn: int, why: str) -> None:
        """`why`: for the log; no credentials, no keys."""
        with self._lock:
            if turn != self._turn:
                return
            self._failed += 1
            now = self._clock()
            self._next = now + self._pause
            if self._opened is not None or self._failed < self._most:
                return
            self._opened = now
            self._turn += 1
        self._tell("%s fails (%s): not asked, but for a probe every %.1f s", self._place, why, self._pause)
