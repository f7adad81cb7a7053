"""Moments and spans of time, as people read them."""

from __future__ import annotations

UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def span(seconds: float) -> str:
    """A span of time in its largest unit, two of them below ten: "7d", "1d 6h", "90s" is "1m 30s"."""
    left = max(0, int(seconds))
    for place, (unit, size) in enumerate(UNITS):
        count = left // size
        if count:
            rest = left % size // UNITS[place + 1][1] if count < 10 and size > 1 else 0
            return f"{count}{unit}" + (f" {rest}{UNITS[place + 1][0]}" if rest else "")
    return "0s"


def moment(epoch: float | None, now: float) -> str:
    """That time in UTC, and how far it is from now; "-" for None."""
    if epoch is None:
        return "-"
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{at} (in {span(epoch - now)})" if epoch > now else f"{at} ({span(now - epoch)} ago)"
