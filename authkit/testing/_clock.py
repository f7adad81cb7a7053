"""A clock that stands still until it is moved."""

from __future__ import annotations


class Clock:
    """Pass it wherever authkit takes `clock=`. `start`: seconds since the epoch."""

    __slots__ = ("now",)
    now: float

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self.now = float(start)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Move the clock; back, if `seconds` is negative, as real ones are set back. Returns the new time."""
        self.now += seconds
        return self.now

    def __repr__(self) -> str:
        return f"Clock({self.now!r})"
