"""What was fetched of an issuer, when, and for how long it may be used; and what its `Cache-Control` has to say about that."""

from __future__ import annotations

import os

from ..errors import ConfigurationError
from ..secrets.slot import elapsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..secrets.slot import Moment
    from .keyset import KeySet

NEVER = float("-inf")
EVER = float("inf")
SLACK = 1.0  # seconds that a wall clock may be set back without anybody asking
SET_BACK = 60.0  # seconds that it may be set back before the keys are fetched again
BOUNDS = 0.1, 6.0  # times `ttl`: between these an issuer may say itself how long its keys are kept; 1 minute to 1 hour


class Held:
    """Keys. `soft`: their age in seconds at which they are fetched again; read off without a further thought until disarmed."""

    __slots__ = ("keys", "at", "soft", "order", "_since", "_until", "_ticks")

    def __init__(self, keys: KeySet, at: Moment, soft: float, order: int) -> None:
        self.keys = keys
        self.at = at
        self.soft = soft
        self.order = order  # of the fetch: what was begun later counts, whenever it arrived
        self._since, self._until, self._ticks = EVER, NEVER, NEVER

    def is_armed(self, wall: float, ticks: float) -> bool:
        return self._since <= wall < self._until and ticks < self._ticks

    def arm(self, now: Moment, seconds: float) -> None:
        """Good for so many seconds more: until then nobody is asked, and no clock is allowed to jump unseen."""
        self._since = now[0] - SLACK
        self._ticks = now[1] + seconds
        self._until = now[0] + seconds

    def disarm(self) -> None:
        """Good for nothing without a further thought."""
        self._until = NEVER

    def age(self, now: Moment) -> float:
        """Seconds by whichever clock says more: frozen, or set back, neither makes a key immortal."""
        return elapsed(self.at, now)

    def is_due(self, now: Moment) -> bool:
        return self.age(now) >= self.soft or now[0] < self.at[0] - SET_BACK


def kept_for(headers: Mapping[str, str], ttl: float) -> float:
    """Seconds: `max-age` less the `Age` that it has (RFC 9111 section 4.2), within the bounds; `ttl` where nothing is said."""
    least, most = BOUNDS[0] * ttl, BOUNDS[1] * ttl
    told = None
    for part in headers.get("cache-control", "").lower().split(","):
        name, _, value = part.strip().partition("=")
        if name in ("no-store", "no-cache"):
            return least
        if name == "max-age":
            told = whole_seconds(value.strip('"'))
    if told is None:
        return ttl
    return min(most, max(least, told - (whole_seconds(headers.get("age")) or 0)))


def whole_seconds(text: str | None) -> int | None:
    """What a header says in seconds, or None: a date, say, is not read."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 12 else None


def waits_for_it(background: bool | None) -> bool:
    """Whether whoever finds the keys due waits for the fetch: unsaid, where threads stand still between requests.

    Raises: `ConfigurationError`.
    """
    if background is None:
        return "AWS_LAMBDA_RUNTIME_API" in os.environ
    if not isinstance(background, bool):
        raise ConfigurationError("background is True, False, or None")
    return not background


def seconds_of(setting: str, value: object, least: float, most: float) -> float:
    """A setting. Raises: `ConfigurationError`."""
    if type(value) not in (int, float) or not least <= value <= most:  # type: ignore[operator]
        raise ConfigurationError(f"{setting} is a number of seconds from {least:g} to {most:g}")
    return float(value)  # type: ignore[arg-type]
