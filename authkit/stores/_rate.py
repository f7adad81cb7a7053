"""A limit as a value: so many permits a period. What the text "10/second" means."""

from __future__ import annotations

from ..decision import _Value
from ..errors import ConfigurationError

_set = object.__setattr__

_SECONDS = {
    "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600,
    "d": 86_400, "day": 86_400, "days": 86_400,
}  # fmt: skip
_MOST = 1_000_000_000  # permits, and seconds: beyond this a limit is a typing error
_FASTEST = 1_000_000  # permits a second: time counted in permits stays exact in a float for 285 years


class Rate(_Value):
    """At most `count` permits in `period` seconds, as a token bucket of `burst` permits (default: `count`).

    Raises: `ConfigurationError` unless all three are whole numbers from 1 to 10^9, and no more than 10^6 permits come a second.
    """

    __slots__ = ("count", "period", "burst")
    count: int
    period: int
    burst: int

    def __init__(self, count: int, period: int, burst: int | None = None) -> None:
        burst = count if burst is None else burst
        for what, number in (("count", count), ("period", period), ("burst", burst)):
            if type(number) is not int or not 0 < number <= _MOST:
                raise ConfigurationError(f"the {what} of a limit is a whole number from 1 to 1,000,000,000")
        if count > period * _FASTEST:
            raise ConfigurationError("a limit is at most 1,000,000 a second")
        _set(self, "count", count)
        _set(self, "period", period)
        _set(self, "burst", burst)

    @classmethod
    def parse(cls, text: str, burst: int | None = None) -> Rate:
        """A rate from "10/second", "1000 per hour", "5 per 2 hours". Units: second, minute, hour, day.

        Raises: `ConfigurationError` for everything else.
        """
        wrong = ConfigurationError(
            'a limit is a text like "10/second", "1000/hour" or "5 per 2 hours" (second, minute, hour, day)'
        )
        if not isinstance(text, str):
            raise wrong
        words = text.lower().replace("/", " per ", 1).split()
        if len(words) == 3:
            words.insert(2, "1")
        if len(words) != 4 or words[1] != "per":
            raise wrong
        count, _, times, unit = words
        if not (_whole(count) and _whole(times) and unit in _SECONDS):
            raise wrong
        return cls(int(count), int(times) * _SECONDS[unit], burst)

    def __repr__(self) -> str:
        return f"Rate({self.count}, {self.period}, burst={self.burst})"


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
