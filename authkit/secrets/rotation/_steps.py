"""The steps of one action, each told to the journal when it is done."""

from __future__ import annotations

from .outcome import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .journal import Journal
    from .target import RotationTarget


class Steps:
    """What one call does to one secret. It has an id of its own until it takes up that of one that was interrupted."""

    def __init__(self, journal: Journal, *, action: str, name: str, target: RotationTarget) -> None:
        self._journal = journal
        self._action, self._name, self._target = action, name, target
        self._rotation: str | None = None
        self._done: list[str] = []
        self._changed = False

    def take_up(self, rotation: str) -> None:
        """Go on under the id of what was begun."""
        self._rotation = rotation

    def tell(self, step: str, **more: Any) -> None:
        """Write one line. The first one gives the action its id."""
        if self._rotation is None:
            from uuid import uuid4

            self._rotation = uuid4().hex
        place = self._target.place(self._name)
        self._journal.write(action=self._action, step=step, name=self._name, target=place, rotation=self._rotation, **more)
        self._done.append(step)

    def do(self, step: str, change: Callable[[], Mapping[str, Any] | None], **more: Any) -> None:
        """Change the place, then tell it: a line says what was done, never what might be. What `change` gives is told too."""
        found = change() or {}
        self._changed = True
        self.tell(step, **more, **found)

    def outcome(self, *, resumed: bool = False, previous_until: float | None = None) -> Outcome:
        return Outcome(
            name=self._name,
            target=str(self._target),
            action=self._action,
            rotation=self._rotation,
            steps=tuple(self._done),
            changed=self._changed,
            resumed=resumed,
            previous_until=previous_until,
        )
