"""`Rotation`: one secret replaced while it is in use, step by step, so that it can be killed anywhere and run again."""

from __future__ import annotations

import time
from contextlib import contextmanager

from ...errors import ConfigurationError, SecretNotFound
from ..versions import sealed
from . import _record
from ._judging import NOT_STAGED_HERE, WAYS_OUT, judged, recent, seconds, successor_end, why_in_grace
from ._planning import plan_of
from ._same import same_value
from ._status import status_of
from ._steps import Steps
from ._undoing import taken_back
from .outcome import NewValueRefused, Outcome, PendingFound, Plan, RotationRefused, Status, StillInGrace
from .target import Busy

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
    The target has to give back, as `previous_until`, what it was told at the promotion, or the ids of its versions: by that an
    interrupted step is told from one that was not reached.
    """

    def __init__(self, target: RotationTarget, *, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._target = target
        self._journal = journal
        self._clock = clock

    def plan(
        self,
        name: str,
        *,
        grace: float = GRACE,
        test: bool = False,
        force: bool = False,
        discard: bool = False,
        take_pending: bool = False,
    ) -> Plan:
        """What `rotate` would do with these arguments now. Changes nothing, takes no lock. `test`: whether there is one."""
        seconds(grace, "grace")
        versions, ids, entries = self._target.read(name), self._target.ids(name), self.history(name)
        options = {"grace": grace, "test": test, "force": force, "discard": discard, "take_pending": take_pending}
        return plan_of(name, str(self._target), versions, ids, entries, self._clock(), **options)  # type: ignore[arg-type]

    def rotate(
        self,
        name: str,
        make: Callable[[], Sealed],
        *,
        grace: float = GRACE,
        test: Callable[[Sealed], object] | None = None,
        force: bool = False,
        discard: bool = False,
        take_pending: bool = False,
        given: bool = False,
    ) -> Outcome:
        """Replace the current value: stage, test, promote; the old value is accepted for `grace` seconds more.

        `make()` gives the new value, sealed. `given`: it is that very value which has to become current; otherwise any will do,
        and `make` is not called where a value is pending that was staged from here: that one is taken, unless `discard`. One
        that somebody else staged, who may be testing it, is refused, unless `take_pending` or `discard`. `test(pending)` has to
        return exactly True; otherwise, or if it raises, nothing is promoted, and the pending value is dropped unless it was
        there before. `force`: also while the previous value is still accepted.

        A rotation that was killed is finished, with the value it had staged and a grace that counts from the promotion, as long
        as nobody has made another value previous since; else it is given up, and this one begins anew. One that had promoted
        its value is only ended; a new one follows if its grace is over or another value is given. What ends by an exception
        takes back what it staged.

        Raises: `StillInGrace`, `PendingFound`, `NewValueRefused`.
        """
        seconds(grace, "grace")
        with self._at_work(name, "rotate") as (steps, versions, begun):
            current, waiting = self._target.ids(name)
            now, value = self._clock(), make() if given else None
            if begun is not None and begun.happened(versions, current):
                until = begun.end_of(versions)
                self._end(steps, begun, "promoted", until)
                done = recent(begun, versions, now) if value is None else same_value(sealed(versions.current), value)
                if done:
                    return steps.outcome(resumed=True, previous_until=until)
                steps, begun = self._steps(name, "rotate"), None
            entries = self.history(name)
            if begun is not None and not begun.holds(versions, current):
                self._abandon(steps, begun, versions)
                steps, begun = self._steps(name, "rotate"), None
            refused = None if force or begun is not None else why_in_grace(versions, entries, now)
            if refused is not None:
                raise StillInGrace(refused[0], until=refused[1])
            pending = None if versions.pending is None else sealed(versions.pending)
            fits = pending is None or value is None or same_value(pending, value)
            again = pending is not None and discard and (begun is None or "discarded" not in begun.steps or not fits)
            if pending is not None and not again:
                if not fits:
                    raise PendingFound(f"another value of {name} is pending than the one given: {WAYS_OUT}")
                if value is None and not take_pending and not _record.staged_here(entries, waiting):
                    raise PendingFound(NOT_STAGED_HERE.format(name=name))
            # Before anything is told: what cannot be made leaves nothing begun.
            if pending is None or again:
                pending = value = make() if value is None else value
                if same_value(value, sealed(versions.current)):
                    raise ConfigurationError(f"the new value of {name} is the current one")
            else:
                value = None
            until = successor_end(versions, now, grace)
            if begun is not None:
                steps.take_up(begun.rotation)
                steps.tell("resume", previous_until=until)
            else:
                found = {"pending_found": versions.pending is not None, "force": force}
                steps.tell("begin", previous_until=until, **found, **_record.seen(versions, current))
            drop = value is not None or (begun is not None and begun.own)
            with taken_back(self._target, steps, name, pending, drop=drop):
                if again:
                    steps.do("discarded", lambda: self._target.discard(name))
                if value is not None:
                    self._stage(steps, name, value)
                elif begun is not None and not begun.waiting:
                    steps.tell("staged", **_id("pending", waiting))  # it was, and then the process was killed
                refusal = None if test is None else judged(test, pending)
                if refusal is not None:
                    raise NewValueRefused(f"the new value of {name} was not promoted: {refusal}")
                if test is not None:
                    steps.tell("tested")
                    self._check_pending(name, pending)  # the test may have taken long
                steps.do("promoted", lambda: self._target.promote(name, until), previous_until=until)
                self._prove(name, pending, "promoted")
                steps.tell("end", previous_until=until)
            return steps.outcome(resumed=begun is not None, previous_until=until)

    def stage(self, name: str, make: Callable[[], Sealed], *, discard: bool = False) -> Outcome:
        """Only keep a new value as pending: known to others, and nothing is signed with it yet. The next `rotate` takes it.

        Where a value is pending already nothing changes, unless `discard`: `make` is not called then.
        """
        with self._at_work(name, "publish") as (steps, versions, begun):
            if begun is not None:
                steps.take_up(begun.rotation)
                if versions.pending is not None and not begun.waiting and begun.own:
                    steps.tell("staged", **_id("pending", self._target.ids(name)[1]))
            if versions.pending is not None and not (discard and (begun is None or "discarded" not in begun.steps)):
                if begun is not None:
                    steps.tell("end")
                return steps.outcome(resumed=begun is not None)
            value = make()
            if begun is None:
                steps.tell("begin", pending_found=versions.pending is not None)
            with taken_back(self._target, steps, name, value, drop=True):
                if versions.pending is not None:
                    steps.do("discarded", lambda: self._target.discard(name))
                self._stage(steps, name, value)
                steps.tell("end")
            return steps.outcome(resumed=begun is not None)

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
            current = self._target.ids(name)[0]
            if begun is not None and begun.happened(versions, current):
                until = begun.end_of(versions)
                self._end(steps, begun, "rolled_back", until, **_id("current", current))
                return steps.outcome(resumed=True, previous_until=until)
            if versions.previous is None:
                raise SecretNotFound(f"the secret {name} has no previous value in {self._target}")
            back = _record.rolled_back_to(self.history(name), versions.previous_until, current)
            if begun is None and not force and back:
                return steps.outcome(previous_until=versions.previous_until)
            until = successor_end(versions, self._clock(), grace)
            if begun is not None:
                steps.take_up(begun.rotation)
            steps.tell("begin" if begun is None else "resume", previous_until=until)

            def change() -> dict[str, str]:
                self._target.roll_back(name, until)
                return _id("current", self._target.ids(name)[0])

            steps.do("rolled_back", change, previous_until=until)
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
                given_up = open_ is not None and open_.action != "discard"
                steps.tell("abandoned" if given_up else "end", pending_found=False)
            return steps.outcome()

    def status(self, name: str, *, max_age: float | None = None) -> Status:
        """Where the secret stands. `max_age`: seconds after which a current value is to be rotated."""
        if max_age is not None:
            seconds(max_age, "max_age")
        versions, entries = self._target.read(name), self.history(name)
        return status_of(name, str(self._target), versions, entries, self._clock(), max_age)

    def history(self, name: str) -> list[dict[str, Any]]:
        """The journal's lines on this secret of this target, oldest first."""
        return self._journal.entries(name, self._target.place(name))

    def _steps(self, name: str, action: str) -> Steps:
        return Steps(self._journal, action=action, name=name, target=self._target)

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
        steps, (current, pending) = self._steps(name, begun.action), self._target.ids(name)
        happened = begun.happened(versions, current)
        if begun.action == "rotate" and not happened:
            if action == "roll_back" and begun.holds(versions, current):
                raise RotationRefused(
                    f"a rotation of {name} was begun and has promoted nothing: there is nothing to roll back; "
                    "rotate again to finish it, or discard what is pending"
                )
            return None  # retire, discard and create can do their work without ending it
        steps.take_up(begun.rotation)
        if begun.action in ("rotate", "roll_back") and happened:
            self._end(steps, begun, "promoted" if begun.action == "rotate" else "rolled_back", begun.end_of(versions))
        elif begun.action == "publish" and versions.pending is not None and begun.own:
            if "staged" not in begun.steps:
                steps.tell("staged", **_id("pending", pending))
            steps.tell("end")
        elif begun.action == "retire" and versions.previous is None:
            if "retired" not in begun.steps:
                steps.tell("retired")
            steps.tell("end")
        elif "created" in begun.steps:
            steps.tell("end")
        else:
            self._abandon(steps, begun, versions)
        return None

    def _end(self, steps: Steps, begun: _record.Begun, done: str, until: int, **more: str) -> None:
        """Tell what was done and not told, and that it is over."""
        steps.take_up(begun.rotation)
        if done not in begun.steps:
            steps.tell(done, previous_until=until, **more)
        steps.tell("end", previous_until=until)

    def _abandon(self, steps: Steps, begun: _record.Begun, versions: SecretVersions) -> None:
        steps.take_up(begun.rotation)
        steps.tell("abandoned", pending_found=versions.pending is not None)

    def _stage(self, steps: Steps, name: str, value: Sealed) -> None:
        def change() -> dict[str, str]:
            self._target.stage(name, value)
            self._check_pending(name, value)
            return _id("pending", self._target.ids(name)[1])

        steps.do("staged", change)

    def _check_pending(self, name: str, value: Sealed) -> None:
        versions = self._target.read(name)
        if versions.pending is None or not same_value(sealed(versions.pending), value):
            raise Busy(f"the new value of {name} was staged in {self._target} and somebody else has changed that: look again")

    def _prove(self, name: str, value: Sealed, done: str) -> None:
        versions = self._target.read(name)
        if not same_value(sealed(versions.current), value):
            raise RotationRefused(
                f"the new value of {name} was {done}, and {self._target} now has another: somebody else changed it"
            )


def _id(which: str, version: str | None) -> dict[str, str]:
    return {} if version is None else {which: version}


def _has(after: SecretVersions, before: SecretVersions) -> bool:
    """Whether what was the previous value is still one of the values."""
    if before.previous is None:
        return False
    return any(same_value(sealed(one), sealed(before.previous)) for _, one in after.named())
