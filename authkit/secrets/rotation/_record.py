"""What the journal knows of a secret: what was begun and not ended, and since when its versions are what they are."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ..versions import SecretVersions

ENDINGS = ("end", "failed", "abandoned")


@dataclass(slots=True)
class Begun:
    """Something begun and not ended. `begin`: its first line. `ends`: each `previous_until` planned for it, epoch seconds.

    `steps`: what was told of it. `staged`: the id of the pending value that it staged, where the place has ids.
    """

    begin: Mapping[str, Any]
    ends: set[int] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)
    staged: str | None = None

    @property
    def action(self) -> str:
        """Of which action it is the beginning."""
        return str(self.begin["action"])

    @property
    def rotation(self) -> str:
        """Its id."""
        return str(self.begin["rotation"])

    @property
    def own(self) -> bool:
        """Whether a value that is pending now was staged by it."""
        return self.begin.get("pending_found") is not True or "discarded" in self.steps or "staged" in self.steps

    @property
    def waiting(self) -> bool:
        """Whether a value is pending, as far as was told."""
        steps = [step for step in self.steps if step in ("staged", "discarded")]
        return steps[-1] == "staged" if steps else self.begin.get("pending_found") is True

    def happened(self, versions: SecretVersions, current: str | None) -> bool:
        """Whether the promotion, or the roll-back, that was begun was done before the process ended. `current`: its id."""
        if versions.previous_until is not None and int(versions.previous_until) in self.ends:
            return True
        return self.action == "rotate" and current is not None and current == self.staged

    def end_of(self, versions: SecretVersions) -> int:
        """Until when the old value is accepted, once it has happened."""
        return int(versions.previous_until) if versions.previous_until is not None else max(self.ends, default=0)

    def holds(self, versions: SecretVersions, current: str | None) -> bool:
        """Whether what it judged at its beginning holds still: nobody has made another value previous since."""
        if versions.previous is None:
            return True  # nothing could be dropped
        was = self.begin.get("current")
        if was is not None and current is not None:
            return bool(was == current)
        return self.begin.get("previous_found") is True and self.begin.get("previous_end") == versions.previous_until


def seen(versions: SecretVersions, current: str | None) -> dict[str, Any]:
    """What a first line says of the place: what `Begun.holds` asks for."""
    until = versions.previous_until
    found = {"previous_found": versions.previous is not None, "previous_end": None if until is None else int(until)}
    return found if current is None else found | {"current": current}


def begun(entries: Iterable[Mapping[str, Any]]) -> Begun | None:
    """The newest of what was begun and not ended."""
    unended: dict[str, Begun] = {}
    for entry in entries:
        step, rotation = str(entry["step"]), str(entry["rotation"])
        if step == "begin":
            unended[rotation] = Begun(entry)
        known = unended.get(rotation)
        if known is None:
            continue
        known.steps.append(step)
        if isinstance(entry.get("previous_until"), int):
            known.ends.add(entry["previous_until"])
        if isinstance(entry.get("pending"), str):
            known.staged = entry["pending"]
        if step in ENDINGS:
            del unended[rotation]
    return list(unended.values())[-1] if unended else None


def staged_here(entries: Iterable[Mapping[str, Any]], pending: str | None) -> bool:
    """Whether the value that is pending now was staged by who writes here. `pending`: its id, if it has one.

    What was begun with nothing pending and told no more counts too: it may have been killed between staging and telling.
    """
    ours, by, untold = False, None, None
    for entry in entries:
        step, rotation = entry["step"], entry["rotation"]
        if step == "begin" and entry.get("pending_found") is False:
            ours, by, untold = True, None, rotation
        elif step == "staged":
            ours, by, untold = True, entry.get("pending"), None
        gone = step in ("discarded", "promoted") or (step in ENDINGS and entry.get("pending_found") is False)
        if gone or (step in ("end", "failed") and rotation == untold):
            ours = False
    return ours and (by is None or pending is None or by == pending)


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


def rolled_back_to(entries: Iterable[Mapping[str, Any]], until: float | None, current: str | None) -> bool:
    """Whether the last change of the current value was a roll-back, and the place is as that left it. `current`: its id."""
    changes = [entry for entry in entries if entry["step"] in ("promoted", "rolled_back", "created")]
    last = changes[-1] if changes else {}
    if last.get("step") != "rolled_back":
        return False
    if current is not None and last.get("current") == current:
        return True
    return until is not None and last.get("previous_until") == until


def previous_until(entries: Iterable[Mapping[str, Any]]) -> int | None:
    """The end of the previous value as it was last set, for a place that does not keep it."""
    set_to = [entry.get("previous_until") for entry in entries if entry["step"] in ("promoted", "rolled_back")]
    return set_to[-1] if set_to and isinstance(set_to[-1], int) else None
