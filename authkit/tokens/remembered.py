"""Tokens that were found good, so that a token's second request costs next to nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from ..decision import Principal
    from .revocation import Unit

    # Whose token it is, between which times (epoch seconds) that holds, which version of a secret verified it, and with a store
    # what is asked there about it.
    Verified: TypeAlias = tuple[Principal, float, float, str | None, Unit | None]

MAX_LENGTH = 4096  # characters; a longer token is verified each time, so that the memory in use stays bounded


class Remembered:
    """At most `size` tokens, the least used forgotten first.

    One belongs to one ring of keys and one configuration, and is dropped with them: its key need only be the token. What it
    recalls is checked against the clock each time. Threads may share it: each step is one operation on a dict, and the worst
    that two of them can do to each other is to forget.
    """

    __slots__ = ("_half", "_young", "_old")

    def __init__(self, size: int) -> None:
        self._half = (size + 1) // 2
        self._young: dict[str, Verified] = {}
        self._old: dict[str, Verified] = {}

    def recall(self, token: str, now: float) -> Verified | None:
        """What was decided about a token that was found good and still is at `now`."""
        found = self._young.get(token)
        if found is None:
            found = self._old.get(token)
            if found is None:
                return None
            self.keep(token, found)
        return found if found[1] <= now < found[2] else None

    def keep(self, token: str, result: Verified) -> None:
        """Remember what was decided about `token`."""
        if len(token) > MAX_LENGTH or not self._half:
            return
        if len(self._young) >= self._half:  # two generations: the older one goes as a whole, but for what was used since
            self._old, self._young = self._young, {}
        self._young[token] = result
