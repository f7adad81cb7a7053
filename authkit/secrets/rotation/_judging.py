"""What a rotation judges before it changes anything: its arguments, the grace of the previous value, the new value itself."""

from __future__ import annotations

import math

from ...errors import AuthkitError, ConfigurationError
from . import _record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..versions import Sealed, SecretVersions

RECENT = 600.0  # seconds in which a promotion that was not told counts as that of the run which is now repeated
WAYS_OUT = "take_pending=True promotes that one, discard=True drops it"
NOT_STAGED_HERE = "a value of {name} is pending that was not staged from here: it may be under test; " + WAYS_OUT
LONGEST = 10 * 365 * 86_400.0  # seconds; more is a mistake in the unit


def seconds(value: float, what: str) -> None:
    """Raises: `ConfigurationError` for what is no length of time."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LONGEST:
        raise ConfigurationError(f"{what} is a number of seconds, from 0 to ten years")


def successor_end(versions: SecretVersions, now: float, grace: float) -> int:
    """Until when the value that is current now will be accepted: epoch seconds, and never the same as what is written there
    now, because by this number a promotion that was done is told from one that was not."""
    until = math.ceil(now + grace)
    return until + 1 if versions.previous_until is not None and until == int(versions.previous_until) else until


def why_in_grace(versions: SecretVersions, entries: Iterable[Mapping[str, Any]], now: float) -> tuple[str, int | None] | None:
    """Why a new rotation would drop a value that is still accepted, and its end; None if it would not."""
    if versions.previous is None:
        return None
    until = versions.previous_until
    if until is None:
        until = _record.previous_until(entries)
    if until is None:
        return "the previous value has no end, and may still be in use: retire it first, or force the rotation", None
    if now >= until:
        return None
    left = math.ceil(until - now)
    return f"the previous value is accepted for {left} s more: wait, retire it, or force the rotation", int(until)


def recent(begun: _record.Begun, versions: SecretVersions, now: float) -> bool:
    """Whether a rotation that was promoted and not ended is the one that is asked for now: its grace is not over."""
    return now < max(begun.end_of(versions), float(begun.begin["time"]) + RECENT)


def judged(test: Callable[[Sealed], object], value: Sealed) -> str | None:
    """Why the test does not accept the value, or None. Only errors of ours are quoted: another's text may hold the value."""
    try:
        said = test(value)
    except AuthkitError as error:
        return f"its test failed ({error})"
    except Exception as error:
        return f"its test failed ({type(error).__name__})"
    return None if said is True else "its test did not return True"
