"""A claim on an event while its handler runs: renewed until then, and then the event is done, or deliverable again."""

from __future__ import annotations

import os
import sys

from .._audit import warn
from .._run import aside, blocking
from ..errors import Unavailable
from ._renewal import Renewal, Renewed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._state import State
    from ..http import Response
    from ..stores import Store
    from ..webhooks.replay import Claim, Standing

_renewals: dict[float, Renewal] = {}


def renewal_of(lease: float) -> Renewal:
    """What renews claims of that lease: one thread for all of a process, three times in a lease."""
    found = _renewals.get(lease)
    if found is None:
        found = _renewals.setdefault(lease, Renewal(lease, lease / 3, "verify_webhook: a claim"))
    return found


class Kept(Renewed):
    """One claim, from before it is made. Called when the response is finished, however it ended, perhaps often."""

    __slots__ = ("_claim", "_keep", "_renewal", "_pid", "_asked", "_over", "_answered", "_done", "_state", "_around")

    def __init__(self, claim: Claim, keep: float, renewal: Renewal, state: State) -> None:
        self._claim = claim
        self._keep = keep
        self._renewal = renewal
        self._state = state
        self.blocks = claim.blocks
        self.renewed = 0.0
        self._pid = os.getpid()
        self._asked = False  # the store has been asked, and has answered or failed
        self._over = False
        self._answered = False  # the handler has, with a status below 400
        self._done = False
        self._around = sys.exc_info()[1]  # what is being handled anyhow: a call from an `except` is no failure of ours

    @property
    def source(self) -> Store:
        return self._claim.store

    def begin(self) -> Standing:
        """Make the claim. It may be given up meanwhile, by another thread. Raises: `StoreUnavailable`."""
        try:
            return self._claim.begin()
        finally:
            self._asked = True
            if self._over:
                self._renewal.forget(self)

    def hold(self) -> None:
        """It is ours: renew it until the handler is done."""
        self._renewal.add(self)

    def give_up(self) -> None:
        """Nobody knows whether it was made, or waits to hear: let go of it as soon as the store is through with it."""
        self._over = True
        if self._asked:  # else `begin` is still under way and does it, or never began
            self._renewal.forget(self)

    def answered(self, response: Response | None) -> None:
        self._answered = response is not None and response.status < 400

    async def settle(self) -> None:
        """The handler has returned: note what became of the event, before its sender hears of it."""
        if not self._ends():
            return
        try:
            await blocking(self._end) if self.blocks else self._end()
        except BaseException as error:  # cancelled, or too many calls wait: it may not have been called
            self._renewal.forget(self)
            if not isinstance(error, Unavailable):
                raise

    def __call__(self) -> None:
        if not self._ends():
            return
        try:
            aside(self._end) if self.blocks else self._end()
        except Unavailable:  # too many calls are waiting
            self._renewal.forget(self)

    def _ends(self) -> bool:
        """Whether it is to end now; then it is decided how."""
        if self._over:
            return False
        self._over = True
        self._renewal.drop(self)
        passing = sys.exc_info()[1]
        failed = passing is not None and passing is not self._around and not isinstance(passing, _ENDS)
        self._done = self._answered and not failed and self._state.outcome == "allow"
        return self._pid == os.getpid()  # a child that was forked meanwhile: the claim is its parent's

    def _end(self) -> None:
        try:
            if self._tell() or not self._done:
                return
        except Unavailable as error:
            warn("verify_webhook: a claim could not be ended, and is tried again: %s", error)
            self._renewal.forget(self)
        else:
            warn("verify_webhook: an event was handled longer than its claim could be renewed; another has it, or had it")

    def _tell(self) -> bool:
        return self._claim.finish(self._keep) if self._done else self._claim.release()

    def left(self) -> bool:
        try:
            self._tell()
        except Exception:
            return False
        return True

    def _is_over(self) -> bool:
        return self._over

    def renew(self) -> None:
        if self._is_over():
            return
        self._claim.renew()
        if self._is_over():  # ended while we asked, perhaps before it was claimed again
            self._renewal.forget(self)


_ENDS = (StopIteration, StopAsyncIteration)  # how a body says that it is whole
