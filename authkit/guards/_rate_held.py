"""Places in a gate, held while a request is being handled: each is let go of once, and renewed until then.

A process that is killed lets go of nothing. So a place is held for half a minute only, and those that are still in use, such as
a websocket's, are renewed.
"""

from __future__ import annotations

import os

from .._audit import warn
from .._run import aside
from ..errors import Unavailable
from ._renewal import Renewal, Renewed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..stores import Gate

RENEWAL = Renewal(what="rate_limit: a place")


class Held(Renewed):
    """A place of `holder`, from before it is asked for."""

    __slots__ = ("blocks", "_gate", "_key", "_holder", "_renewal", "_pid", "_asked", "_over")

    def __init__(self, gate: Gate, key: str, holder: str, blocks: bool, renewal: Renewal) -> None:
        self._gate = gate
        self._key = key
        self._holder = holder
        self.blocks = blocks
        self._renewal = renewal
        self._pid = os.getpid()
        self._asked = False  # the store has been asked, and has answered or failed
        self._over = False  # nobody wants the place any more
        self.renewed = 0.0

    @property
    def source(self) -> Gate:
        return self._gate

    def enter(self) -> tuple[bool, int]:
        """Ask for the place. It may be given up meanwhile, by another thread. Raises: `StoreUnavailable`."""
        try:
            return self._gate.enter(self._key, self._holder, self._renewal.ttl)
        finally:
            self._asked = True
            if self._over:
                self._renewal.forget(self)

    def give_up(self) -> None:
        """Nobody knows whether it was taken, or waits to hear: let go of it as soon as the store is through with it."""
        self._over = True
        if self._asked:  # else `enter` is still under way and does it, or never began
            self._renewal.forget(self)

    def release(self) -> None:
        """Let go. What cannot be told to the store now is forgotten there in time."""
        self._over = True
        self._renewal.drop(self)
        if self._pid != os.getpid():  # a child that was forked meanwhile: the place is its parent's
            return
        try:
            aside(self._leave) if self.blocks else self._leave()
        except Unavailable:  # too many calls are waiting
            pass

    def _leave(self) -> None:
        try:
            self._gate.leave(self._key, self._holder)
        except Unavailable as error:
            warn("rate_limit: a place could not be let go of, and is held for up to %s s: %s", int(self._renewal.ttl), error)

    def _is_over(self) -> bool:
        return self._over

    def left(self) -> bool:
        """Let go once more; False: the store could not be told, or told so."""
        try:
            self._gate.leave(self._key, self._holder)
        except Exception:
            return False
        return True

    def renew(self) -> None:
        """Hold on for another while; what the store has forgotten is taken again, if there is room."""
        ttl = self._renewal.ttl
        if self._is_over() or self._gate.renew(self._key, self._holder, ttl) or self._is_over():
            return
        self._gate.enter(self._key, self._holder, ttl)
        if self._is_over():  # let go of while we asked, perhaps before it was taken again
            self._renewal.forget(self)
