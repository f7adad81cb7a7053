"""What a rotation would do, by what is there now."""

from __future__ import annotations

from . import _record
from ._judging import NOT_STAGED_HERE, recent, successor_end, why_in_grace
from .outcome import Plan, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ..versions import SecretVersions

SAYS = {
    "resume": "take up the rotation that was interrupted",
    "discard": "drop the value that is pending",
    "stage": "make a new value and keep it as pending",
    "test": "test the pending value",
    "promote": "make the pending value current, and the current one previous",
}


def plan_of(
    name: str,
    target: str,
    versions: SecretVersions,
    ids: tuple[str | None, str | None],
    entries: Sequence[Mapping[str, Any]],
    now: float,
    *,
    grace: float,
    test: bool,
    force: bool,
    discard: bool,
    take_pending: bool,
) -> Plan:
    """What `Rotation.rotate` would do. `ids`: of the current and the pending value; `now`: epoch seconds."""
    current, waiting = ids
    until, pending = successor_end(versions, now, grace), versions.pending is not None
    begun, steps, refused = _record.begun(entries), [], None
    if begun is not None and begun.action == "rotate" and begun.happened(versions, current):
        if recent(begun, versions, now):
            return _plan(name, target, ["resume"], begun.end_of(versions), None)
        begun = None
    if begun is not None and begun.action == "rotate" and begun.holds(versions, current):
        steps.append("resume")
        discard = discard and "discarded" not in begun.steps
    elif not force:
        found = why_in_grace(versions, entries, now)
        refused = None if found is None else found[0]
    if pending and not discard and not take_pending and not _record.staged_here(entries, waiting):
        refused = refused or NOT_STAGED_HERE.format(name=name)
    steps += ["discard"] * (discard and pending) + ["stage"] * (discard or not pending) + ["test"] * test + ["promote"]
    return _plan(name, target, steps, until, refused)


def _plan(name: str, target: str, steps: list[str], until: int, refused: str | None) -> Plan:
    told = tuple(Step(step=step, says=SAYS[step]) for step in steps)
    return Plan(name=name, target=target, steps=told, previous_until=until, refused=refused)
