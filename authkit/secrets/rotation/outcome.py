"""What a rotation says of itself: its plan, its outcome, where a secret stands, and why it refused. Never a value."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import AuthkitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class RotationRefused(AuthkitError):
    """The rotation was not begun, or changed nothing: something is in use that it would have dropped."""


class StillInGrace(RotationRefused):
    """The previous value is still accepted; another rotation would drop it early. `until`: epoch seconds, None: no end."""

    def __init__(self, message: str, *, until: float | None) -> None:
        super().__init__(message)
        self.until = until


class PendingFound(RotationRefused):
    """Another value is pending than the one that would be promoted: somebody else staged it, and may be testing it."""


class NewValueRefused(RotationRefused):
    """The test did not accept the new value. Current and previous are what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a plan. `step`: "resume", "discard", "stage", "test", "promote"; `says`: a sentence for people."""

    step: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `rotate` would do now. `refused`: why it would refuse, or None. `previous_until`: epoch seconds."""

    name: str
    target: str
    steps: tuple[Step, ...]
    previous_until: int
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was done. `action`: "create", "publish", "rotate", "retire", "roll_back", "discard"; `steps`: those
    done in this run, in order.

    `changed`: whether this run changed the place. `resumed`: whether it finished what another run had begun.
    `rotation`: the id under which the journal has it. `previous_until`: epoch seconds until which the old value is accepted.
    """

    name: str
    target: str
    action: str
    rotation: str | None
    steps: tuple[str, ...]
    changed: bool
    resumed: bool = False
    previous_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a secret stands.

    `state`: "interrupted" (begun and not ended: its process was killed, or is still at work), "pending" (a next value waits),
    "grace" (the previous one is still accepted), "expired" (the previous one is kept, though its time is over), "steady".
    `versions`: those that exist, of "current", "previous", "pending". `since`: epoch seconds since when each is what it is, as
    far as the journal knows. `previous_until`: epoch seconds, None: no previous, or no end. `due`: epoch seconds at which
    the next rotation is due, `overdue` whether that is past; None without a maximal age, or if the age is not known.
    """

    name: str
    target: str
    state: str
    versions: tuple[str, ...]
    since: Mapping[str, float]
    previous_until: float | None
    due: float | None = None
    overdue: bool | None = None
