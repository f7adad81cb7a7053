"""Where a secret stands, by the place and by the journal."""

from __future__ import annotations

from . import _record
from .outcome import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ..versions import SecretVersions


def status_of(
    name: str,
    target: str,
    versions: SecretVersions,
    entries: Sequence[Mapping[str, Any]],
    now: float,
    max_age: float | None,
) -> Status:
    """`now`: epoch seconds; `max_age`: seconds, or None."""
    there = tuple(which for which, _ in versions.named())
    until = versions.previous_until
    if until is None and versions.previous is not None:
        until = _record.previous_until(entries)
    since = {which: time for which, time in _record.since(entries).items() if which in there}
    if _record.begun(entries) is not None:
        state = "interrupted"
    elif versions.pending is not None:
        state = "pending"
    elif versions.previous is not None:
        state = "grace" if until is None or now < until else "expired"
    else:
        state = "steady"
    due = None if max_age is None or "current" not in since else since["current"] + max_age
    return Status(
        name=name,
        target=target,
        state=state,
        versions=there,
        since=since,
        previous_until=until if versions.previous is not None else None,
        due=due,
        overdue=None if due is None else now >= due,
    )
