"""Whether what we depend on answers, told once a change: not at every request, and not never."""

from __future__ import annotations

from ._audit import warn
from ._lock import ProcessLock


class Outage:
    """One dependency. `who`, `meanwhile` and `what` stand in the two messages: that it failed, and that it answers again."""

    __slots__ = ("_who", "_meanwhile", "_what", "_lock", "lasts")

    def __init__(self, who: str, meanwhile: str, what: str = "the store") -> None:
        self._who = who
        self._meanwhile = meanwhile
        self._what = what
        self._lock = ProcessLock()
        self.lasts = False

    def began(self, error: Exception) -> None:
        """It has failed just now."""
        if not self.lasts:
            with self._lock:
                told, self.lasts = self.lasts, True
            if not told:
                warn("%s: %s failed (%s); %s", self._who, self._what, error, self._meanwhile)

    def ended(self) -> None:
        """It has answered just now."""
        if self.lasts:
            with self._lock:
                told, self.lasts = not self.lasts, False
            if not told:
                warn("%s: %s answers again", self._who, self._what)
