"""When an issuer that has failed is asked again."""

from __future__ import annotations

from ..secrets.slot import NEVER_YET, elapsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..secrets.slot import Moment

RETRY = 10.0  # seconds between two attempts at an issuer that is down, at first; they double up to
RETRY_AT_MOST = 60.0
RETRY_COLD = 1.0  # the same where no key is known, so that every caller is refused meanwhile; up to RETRY


class Attempts:
    """Those that failed in a row; the next one comes later each time, and not at one moment from all processes."""

    __slots__ = ("failures", "_failed", "_pause", "_chance")

    def __init__(self, chance: Callable[[], float]) -> None:
        self.failures = 0
        self._failed: Moment = NEVER_YET
        self._pause = 0.0  # seconds after `_failed`
        self._chance = chance

    def failed(self, now: Moment, usable: bool, ttl: float) -> None:
        """One more has. `usable`: there are keys that stand in."""
        first, most = (min(RETRY, ttl), RETRY_AT_MOST) if usable else (RETRY_COLD, RETRY)
        self._pause = min(most, first * 2.0 ** min(self.failures, 16)) * (0.75 + 0.5 * self._chance())
        self.failures += 1
        self._failed = now

    def rest(self, now: Moment) -> float:
        """Seconds until the next one may be made; 0 or less: now."""
        return self._pause - elapsed(self._failed, now) if self.failures else 0.0
