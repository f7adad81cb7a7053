"""Times as senders write them."""

from __future__ import annotations


def written(timestamp: float, unit: str) -> str:
    """Epoch seconds as text in a scheme's unit."""
    if unit == "s":
        return str(int(timestamp))
    if unit == "ms":
        return str(int(timestamp * 1000))
    from datetime import UTC, datetime

    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
