"""The fields of a row that is kept in a table, a user's or an API key's: names as JSON, and what a text or a time may be."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """Names as JSON: sorted, so that the same names are the same text, and ASCII."""
    import json

    return json.dumps(sorted(names))


def names_in(text: object) -> list[str] | None:
    """The names that `listed` wrote, or somebody's hand; None if there are none to read."""
    import json

    if not isinstance(text, str):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(name, str) for name in found) else None


def is_text(value: object) -> bool:
    """Whether it is text that UTF-8 can say, without NUL."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def is_time(value: object) -> bool:
    """Whether it is a number of seconds, or None."""
    import math

    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value))
