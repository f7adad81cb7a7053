"""One look at a secret of Secrets Manager: where its labels are, and what the versions hold that they are on."""

from __future__ import annotations

from ..versions import SecretVersions, is_blank
from ._members import Members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..versions import Sealed
    from .labels import Labels


class Seen:
    """`members` is None for a secret that is no JSON object, and for one that is meant as a whole."""

    __slots__ = ("labels", "current", "previous", "pending", "members", "previous_members", "pending_members")

    def __init__(
        self, labels: Labels, current: Sealed, previous: Sealed | None, pending: Sealed | None, *, whole: bool
    ) -> None:
        self.labels = labels
        self.current = current
        self.previous = previous
        self.pending = pending
        self.members = None if whole else Members.of(current)
        self.previous_members = None if previous is None else Members.of(previous)
        self.pending_members = None if pending is None else Members.of(pending)

    def current_of(self, name: str) -> Sealed | None:
        """The current value of `name`; None if it is no member that is text."""
        return self.current if self.members is None else self.members.get(name)

    def previous_of(self, name: str) -> tuple[Sealed | None, int | None]:
        """The previous value and its end in epoch seconds: by its label, and where that says nothing new, in the document."""
        if self.members is None:
            previous = None if self.previous is None or is_blank(self.previous()) else self.previous
            return previous, self.labels.until
        previous = _other(self.members, self.previous_members, name)
        if previous is not None:
            return previous, self.labels.until
        return self.members.get(name + "__PREVIOUS"), self.members.until(name)

    def pending_of(self, name: str) -> Sealed | None:
        """The pending value, if that is another than the current one."""
        if self.members is None:
            return None if self.pending is None or is_blank(self.pending()) else self.pending
        return _other(self.members, self.pending_members, name)

    def versions(self, name: str) -> SecretVersions:
        """All of them. Whether there is a current one has been looked at before."""
        current, pending = self.current_of(name), self.pending_of(name)
        previous, until = self.previous_of(name)
        return SecretVersions(
            None if current is None else current(),
            None if previous is None else previous(),
            None if pending is None else pending(),
            None if previous is None else until,
        )


def _other(current: Members, other: Members | None, name: str) -> Sealed | None:
    return None if other is None or name not in current.differing(other) else other.get(name)
