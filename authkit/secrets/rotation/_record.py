"""What the journal knows of a secret: what was begun and not ended, and since when its versions are what they are."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ENDINGS = ("end", "failed", "abandoned")


@dataclass(slots=True)
class Begun:
    """Something begun and not ended. `ends`: each `previous_until` planned for it, epoch seconds. `steps`: what was told of it.

    `found`: whether a value was pending when it began.
    """

    action: str
    rotation: str
    found: bool
    ends: set[int] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)

    @property
    def own(self) -> bool:
        """Whether a value that is pending now was staged by it."""
        return not self.found or "discarded" in self.steps or "staged" in self.steps

    @property
    def waiting(self) -> bool:
        """Whether a value is pending, as far as was told."""
        steps = [step for step in self.steps if step in ("staged", "discarded")]
        return steps[-1] == "staged" if steps else self.found


def begun(entries: Iterable[Mapping[str, Any]]) -> Begun | None:
    """The newest of what was begun and not ended."""
    unended: dict[str, Begun] = {}
    for entry in entries:
        step, rotation = str(entry["step"]), str(entry["rotation"])
        if step == "begin":
            unended[rotation] = Begun(str(entry["action"]), rotation, entry.get("pending_found") is True)
        known = unended.get(rotation)
        if known is None:
            continue
        known.steps.append(step)
        if isinstance(entry.get("previous_until"), int):
            known.ends.add(entry["previous_until"])
        if step in ENDINGS:
            del unended[rotation]
    return list(unended.values())[-1] if unended else None


def since(entries: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Epoch seconds since when each version is what it is, as far as these lines tell."""
    times: dict[str, float] = {}
    for entry in entries:
        step, time = entry["step"], float(entry["time"])
        if step == "staged":
            times["pending"] = time
        elif step in ("promoted", "rolled_back"):
            times["current"] = times["previous"] = time
        elif step == "created":
            times["current"] = time
        if step in ("promoted", "discarded"):
            times.pop("pending", None)
        elif step in ("retired", "created"):
            times.pop("previous", None)
    return times


def rolled_back_to(entries: Iterable[Mapping[str, Any]], until: float | None) -> bool:
    """Whether the last change of the current value was a roll-back, and the place is as that left it."""
    changes = [entry for entry in entries if entry["step"] in ("promoted", "rolled_back", "created")]
    last = changes[-1] if changes else {}
    return last.get("step") == "rolled_back" and until in (None, last.get("previous_until"))


def previous_until(entries: Iterable[Mapping[str, Any]]) -> int | None:
    """The end of the previous value as it was last set, for a place that does not keep it."""
    set_to = [entry.get("previous_until") for entry in entries if entry["step"] in ("promoted", "rolled_back")]
    return set_to[-1] if set_to and isinstance(set_to[-1], int) else None
