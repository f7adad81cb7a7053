"""`Rotation`: one secret replaced while it is in use, step by step, so that it can be killed anywhere and run again."""

from __future__ import annotations

import time
from contextlib import contextmanager

from ...errors import SecretNotFound
from ..versions import sealed
from . import _record
from ._judging import judged, seconds, successor_end, why_in_grace
from ._steps import Steps, same_value
from .outcome import NewValueRefused, Outcome, Plan, RotationRefused, Status, Step, StillInGrace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..versions import Sealed, SecretVersions
    from .journal import Journal
    from .target import RotationTarget

GRACE = 86_400.0  # seconds for which the replaced value is still accepted


class Rotation:
    """Rotations of the secrets of one target, told to one journal.

    Every method may raise what the target's steps raise (`SecretNotFound`, `SecretUnavailable`, `ConfigurationError`), and
    those that change something `Busy`. What was interrupted is taken up again by the same call: never a second new value.
    The target has to give back, as `previous_until`, what it was told at the promotion: by that an interrupted step is told
    from one that was not reached.
    """

    def __init__(self, target: RotationTarget, *, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._target = target
        self._journal = journal
        self._clock = clock

    def plan(self, name: str, *, grace: float = GRACE, test: bool = False, force: bool = False, discard: bool = False) -> Plan:
        """What `rotate` would do with these arguments now. Changes nothing, takes no lock. `test`: whether there is one."""
        seconds(grace, "grace")
        versions = self._target.read(name)
        entries, now = self.history(name), self._clock()
        until = successor_end(versions, now, grace)
        begun, steps, refused = _record.begun(entries), [], None
        if begun is not None and begun.action == "rotate":
            steps.append(Step(step="resume", says="take up the rotation that was interrupted"))
            if _happened(begun, versions):
                return Plan(
                    name=name, target=str(self._target), steps=tuple(steps), previous_until=_end_of(begun, versions, until)
                )
            discard = discard and "discarded" not in begun.steps
        elif not force:
            refused = why_in_grace(versions, entries, now)
        if discard and versions.pending is not None:
            steps.append(Step(step="discard", says="drop the value that is pending"))
        if discard or versions.pending is None:
            steps.append(Step(step="stage", says="make a new value and keep it as pending"))
        if test:
            steps.append(Step(step="test", says="test the pending value"))
        steps.append(Step(step="promote", says="make the pending value current, and the current one previous"))
        return Plan(
            name=name,
            target=str(self._target),
            steps=tuple(steps),
            previous_until=until,
            refused=refused[0] if refused else None,
        )

    def rotate(
        self,
        name: str,
        make: Callable[[], Sealed],
        *,
        grace: float = GRACE,
        test: Callable[[Sealed], object] | None = None,
        force: bool = False,
        discard: bool = False,
    ) -> Outcome:
        """Replace the current value: stage, test, promote; the old value is accepted for `grace` seconds more.

        `make()` gives the new value, sealed; not called where a value is pending already: that one is taken, unless
        `discard`. `test(pending)` has to return exactly True; otherwise, or if it raises, nothing is promoted, and the pending
        value is dropped unless it was there before. `force`: also while the previous value is still accepted.
        An interrupted rotation is finished: with the value it had staged, and a grace that counts from the promotion.

        Raises: `StillInGrace`, `NewValueRefused`.
        """
        seconds(grace, "grace")
        with self._at_work(name, "rotate") as (steps, versions, begun):
            if begun is not None and _happened(begun, versions):
                until = _end_of(begun, versions, 0)
                steps.take_up(begun.rotation)
                if "promoted" not in begun.steps:
                    steps.tell("promoted", previous_until=until)
                steps.tell("end", previous_until=until)
                return steps.outcome(resumed=True, previous_until=until)
            until = successor_end(versions, self._clock(), grace)
            if begun is not None:
                steps.take_up(begun.rotation)
                steps.tell("resume", previous_until=until)
            else:
                refused = None if force else why_in_grace(versions, self.history(name), self._clock())
                if refused is not None:
                    raise StillInGrace(refused[0], until=refused[1])
            again = discard and versions.pending is not None and (begun is None or "discarded" not in begun.steps)
            # Before anything is told: what cannot be made leaves nothing begun.
            value = make() if again or versions.pending is None else None
            if begun is None:
                steps.tell("begin", previous_until=until, pending_found=versions.pending is not None)
            if again:
                steps.do("discarded", lambda: self._target.discard(name))
            if value is not None:
                steps.do("staged", lambda: self._target.stage(name, value))
            elif begun is not None and not begun.waiting:
                steps.tell("staged")  # it was, and then the process was killed
            pending = self._pending(name)
            refusal = None if test is None else judged(test, pending)
            if refusal is not None:
                self._give_up(steps, name, drop=value is not None or (begun is not None and begun.own))
                raise NewValueRefused(f"the new value of {name} was not promoted: {refusal}")
            if test is not None:
                steps.tell("tested")
            steps.do("promoted", lambda: self._target.promote(name, until), previous_until=until)
            self._prove(name, pending, "promoted")
            steps.tell("end", previous_until=until)
            return steps.outcome(resumed=begun is not None, previous_until=until)

    def create(self, name: str, value: Sealed) -> Outcome:
        """Make `value` current at once, with no previous: for a new name, or where the old value must not live on."""
        with self._target.locked(name):
            try:
                self._settle(name, "create", self._target.read(name))
            except SecretNotFound:
                pass
            steps = self._steps(name, "create")
            steps.tell("begin")
            steps.do("created", lambda: self._target.create(name, value))
            self._prove(name, value, "created")
            steps.tell("end")
            return steps.outcome()

    def roll_back(self, name: str, *, grace: float = GRACE, force: bool = False) -> Outcome:
        """Bring the previous value back; the one that was current is accepted for `grace` seconds more.

        Also one whose time is over, while the target has it. Where the last change was a roll-back nothing is done, so that
        asking twice is not asking for the opposite; unless `force`. Raises: `SecretNotFound` if there is no previous value;
        `RotationRefused` while a rotation is begun and not promoted.
        """
        seconds(grace, "grace")
        with self._at_work(name, "roll_back") as (steps, versions, begun):
            if begun is not None and _happened(begun, versions):
                until = _end_of(begun, versions, 0)
                steps.take_up(begun.rotation)
                if "rolled_back" not in begun.steps:
                    steps.tell("rolled_back", previous_until=until)
                steps.tell("end", previous_until=until)
                return steps.outcome(resumed=True, previous_until=until)
            if versions.previous is None:
                raise SecretNotFound(f"the secret {name} has no previous value in {self._target}")
            if begun is None and not force and _record.rolled_back_to(self.history(name), versions.previous_until):
                return steps.outcome(previous_until=versions.previous_until)
            until = successor_end(versions, self._clock(), grace)
            if begun is not None:
                steps.take_up(begun.rotation)
            steps.tell("begin" if begun is None else "resume", previous_until=until)
            steps.do("rolled_back", lambda: self._target.roll_back(name, until), previous_until=until)
            steps.tell("end", previous_until=until)
            return steps.outcome(resumed=begun is not None, previous_until=until)

    def retire(self, name: str) -> Outcome:
        """Drop the previous value, also one that is still accepted, and prove by reading again that it is gone.

        There is none: nothing changes. Raises: `RotationRefused` if it is still among the versions after that.
        """
        with self._at_work(name, "retire") as (steps, versions, begun):
            if begun is not None:
                steps.take_up(begun.rotation)
            if versions.previous is not None:
                if begun is None:
                    steps.tell("begin")
                steps.do("retired", lambda: self._target.retire(name))
            elif begun is None:
                return steps.outcome()
            elif "retired" not in begun.steps:
                steps.tell("retired")
            after = self._target.read(name)
            if after.previous is not None or _has(after, versions):
                raise RotationRefused(
                    f"the previous value of {name} was dropped and is still accepted: another version has it too"
                )
            steps.tell("end")
            return steps.outcome(resumed=begun is not None)

    def discard(self, name: str) -> Outcome:
        """Drop the pending value and give up the rotation that staged it. There is none: nothing changes."""
        with self._at_work(name, "discard") as (steps, versions, _):
            open_ = _record.begun(self.history(name))
            if open_ is not None:
                steps.take_up(open_.rotation)
            if versions.pending is not None:
                if open_ is None:
                    steps.tell("begin")
                steps.do("discarded", lambda: self._target.discard(name))
            if open_ is not None or versions.pending is not None:
                steps.tell("abandoned" if open_ is not None and open_.action != "discard" else "end")
            return steps.outcome()

    def status(self, name: str, *, max_age: float | None = None) -> Status:
        """Where the secret stands. `max_age`: seconds after which a current value is to be rotated."""
        if max_age is not None:
            seconds(max_age, "max_age")
        versions, entries, now = self._target.read(name), self.history(name), self._clock()
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
            target=str(self._target),
            state=state,
            versions=there,
            since=since,
            previous_until=until if versions.previous is not None else None,
            due=due,
            overdue=None if due is None else now >= due,
        )

    def history(self, name: str) -> list[dict[str, Any]]:
        """The journal's lines on this secret of this target, oldest first."""
        return self._journal.entries(name, str(self._target))

    def _steps(self, name: str, action: str) -> Steps:
        return Steps(self._journal, action=action, name=name, target=str(self._target))

    @contextmanager
    def _at_work(self, name: str, action: str) -> Iterator[tuple[Steps, SecretVersions, _record.Begun | None]]:
        """The lock, how to go on, the versions as they are, and what the same action has begun and not ended."""
        with self._target.locked(name):
            versions = self._target.read(name)
            yield self._steps(name, action), versions, self._settle(name, action, versions)

    def _settle(self, name: str, action: str, versions: SecretVersions) -> _record.Begun | None:
        """What was begun and not ended, if by this action; another one's end is told first, if it was reached."""
        begun = _record.begun(self.history(name))
        if begun is None or begun.action == action:
            return begun
        steps = self._steps(name, begun.action)
        steps.take_up(begun.rotation)
        if begun.action == "rotate" and not _happened(begun, versions):
            if action == "roll_back":
                raise RotationRefused(
                    f"a rotation of {name} was begun and has promoted nothing: there is nothing to roll back; "
                    "rotate again to finish it, or discard what is pending"
                )
            return None  # retire, discard and create can do their work without ending it
        if begun.action in ("rotate", "roll_back") and _happened(begun, versions):
            done, until = "promoted" if begun.action == "rotate" else "rolled_back", _end_of(begun, versions, 0)
            if done not in begun.steps:
                steps.tell(done, previous_until=until)
            steps.tell("end", previous_until=until)
        elif begun.action == "retire" and versions.previous is None:
            if "retired" not in begun.steps:
                steps.tell("retired")
            steps.tell("end")
        else:
            steps.tell("end" if "created" in begun.steps else "abandoned")
        return None

    def _pending(self, name: str) -> Sealed:
        versions = self._target.read(name)
        if versions.pending is None:
            raise RotationRefused(
                f"the new value of {name} was staged in {self._target} and is not there: nothing was promoted"
            )
        return sealed(versions.pending)

    def _give_up(self, steps: Steps, name: str, *, drop: bool) -> None:
        if drop:
            steps.do("discarded", lambda: self._target.discard(name))
        steps.tell("failed")

    def _prove(self, name: str, value: Sealed, done: str) -> None:
        versions = self._target.read(name)
        if not same_value(sealed(versions.current), value):
            raise RotationRefused(
                f"the new value of {name} was {done}, and {self._target} now has another: somebody else changed it"
            )


def _happened(begun: _record.Begun, versions: SecretVersions) -> bool:
    """Whether the promotion, or the roll-back, that was begun was done before the process ended."""
    if versions.previous_until is not None:
        return int(versions.previous_until) in begun.ends
    return begun.action == "rotate" and begun.waiting and versions.pending is None and versions.previous is not None


def _end_of(begun: _record.Begun, versions: SecretVersions, otherwise: int) -> int:
    return int(versions.previous_until) if versions.previous_until is not None else max(begun.ends, default=otherwise)


def _has(after: SecretVersions, before: SecretVersions) -> bool:
    """Whether what was the previous value is still one of the values."""
    if before.previous is None:
        return False
    return any(same_value(sealed(one), sealed(before.previous)) for _, one in after.named())
