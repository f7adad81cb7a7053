"""`Rotation`: one secret replaced while it is in use, step by step, so that it can be killed anywhere and run again."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..versions import Sealed
    from .journal import Journal
    from .outcome import Outcome, Plan, Status
    from .target import RotationTarget


class Rotation:
    """Rotations of the secrets of one target, told to one journal.

    Every method may raise what the target's steps raise (`SecretNotFound`, `SecretUnavailable`, `ConfigurationError`), and
    those that change something `Busy`. What was interrupted is taken up again by the same call: never a second new value.
    """

    def __init__(self, target: RotationTarget, *, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._target = target
        self._journal = journal
        self._clock = clock

    def plan(self, name: str, *, grace: float = 86_400, test: bool = False, force: bool = False, discard: bool = False) -> Plan:
        """What `rotate` would do with these arguments now. Changes nothing, takes no lock. `test`: whether there is one."""
        raise NotImplementedError

    def rotate(
        self,
        name: str,
        make: Callable[[], Sealed],
        *,
        grace: float = 86_400,
        test: Callable[[Sealed], object] | None = None,
        force: bool = False,
        discard: bool = False,
    ) -> Outcome:
        """Replace the current value: stage, test, promote; the old value is accepted for `grace` seconds more.

        `make()` gives the new value, sealed; not called where a value is pending already: that one is taken, unless
        `discard`. `test(pending)` has to return exactly True; otherwise, or if it raises, nothing is promoted, and the pending
        value is dropped unless it was there before. `force`: also while the previous value is still accepted.

        Raises: `StillInGrace`, `NewValueRefused`.
        """
        raise NotImplementedError

    def create(self, name: str, value: Sealed) -> Outcome:
        """Make `value` current at once, with no previous: for a new name, or where the old value must not live on."""
        raise NotImplementedError

    def roll_back(self, name: str, *, grace: float = 86_400) -> Outcome:
        """Bring the previous value back; the one that was current is accepted for `grace` seconds more.

        Raises: `SecretNotFound` if there is no previous value; `RotationRefused` while a rotation is begun and not promoted.
        """
        raise NotImplementedError

    def retire(self, name: str) -> Outcome:
        """Drop the previous value, and prove by reading again that it is gone. There is none: nothing changes."""
        raise NotImplementedError

    def discard(self, name: str) -> Outcome:
        """Drop the pending value and give up the rotation that staged it. There is none: nothing changes."""
        raise NotImplementedError

    def status(self, name: str, *, max_age: float | None = None) -> Status:
        """Where the secret stands. `max_age`: seconds after which a current value is to be rotated."""
        raise NotImplementedError

    def history(self, name: str) -> list[dict[str, Any]]:
        """The journal's lines on this secret of this target, oldest first."""
        raise NotImplementedError
