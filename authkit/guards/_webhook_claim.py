"""A claim on an event while its handler runs: renewed until then, and then the event is done, or deliverable again."""

from __future__ import annotations

import os
import sys
from weakref import WeakValueDictionary

from .._audit import warn
from .._run import aside, blocking
from ..errors import Unavailable
from ._renewal import Renewal, Renewed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._state import State
    from ..http import Request
    from ..stores import Store
    from ..webhooks.replay import Claim, Replay, Standing

IN_PROCESS = 3600.0  # seconds that a claim lasts which ends with its process: nothing has to be renewed

_renewals: dict[float, Renewal] = {}
_places: WeakValueDictionary[tuple[int, str, str], Claims] = WeakValueDictionary()


def renewal_of(lease: float) -> Renewal:
    """What renews claims of that lease: one thread for all of a process, three times in a lease."""
    found = _renewals.get(lease)
    if found is None:
        found = _renewals.setdefault(lease, Renewal(lease, lease / 3, "verify_webhook: a claim"))
    return found


class Claims:
    """Makes the claims of one guard."""

    __slots__ = ("_replay", "_renewal", "in_process", "__weakref__")

    def __init__(self, replay: Replay, scheme: str = "") -> None:
        place = id(replay.store), scheme, replay.name
        if _places.get(place) is not None:
            warn(
                "verify_webhook: two guards of webhook scheme %s share a store and a name: what one has handled, the other "
                "does not; if both get the same events, tell them apart with Replay(store, name=...)",
                scheme,
            )
        _places[place] = self
        self._replay = replay
        self._renewal = renewal_of(replay.lease)
        self.in_process = not replay.store.blocks

    def claim(self, key: str, keep: float, request: Request) -> Taken:
        """A claim, not made yet. On Lambda it lasts until the function is killed at the latest.

        `keep`: as `keep_of` says.
        """
        if self.in_process:
            return Taken(self._replay.claim(key, IN_PROCESS), keep, request.state)
        left = request.seconds_left()
        if left is None:
            return Kept(self._replay.claim(key), keep, request.state, self._renewal)
        return Kept(self._replay.claim(key, left + 1), keep, request.state, self._renewal, renews=False)

    def at_once(self, key: str, keep: float, state: State) -> Taken | None:
        """A claim that is made, in a store of this process; None if another's is there, or the event is done.

        `keep`: as `keep_of` says.
        """
        claim = self._replay.claim(key, IN_PROCESS)
        try:
            return Taken(claim, keep, state) if claim.begin() == "new" else None
        except BaseException:  # it may have been made all the same
            claim.release()
            raise

    def keep_of(self, seconds: float) -> float:
        """Seconds that an event is known once it is handled: so many, or longer if the `Replay` says so."""
        return max(seconds, self._replay.keep or 0)


class Taken(Renewed):
    """One claim, from before it is made. Called when the response is finished, however it ended, perhaps often.

    This one is in a store of this process: it ends with it, and needs no renewal.
    """

    __slots__ = ("_claim", "_keep", "_state", "_around", "answered", "_over")
    blocks = False

    def __init__(self, claim: Claim, keep: float, state: State) -> None:
        self._claim = claim
        self._keep = keep
        self._state: State | None = state
        self.answered = False  # the handler has, with a status below 400
        self._over = False  # nobody wants it any more
        # What is being handled anyhow: a call from an `except` is no failure of ours.
        self._around: BaseException | None = sys.exception()

    def begin(self) -> Standing:
        """Make the claim. It may be given up meanwhile, by another thread. Raises: `StoreUnavailable`."""
        return self._claim.begin()

    def give_up(self) -> None:
        """Nobody knows whether it was made, or waits to hear: let go of it."""
        self._over = True
        self._claim.release()

    def forget(self) -> None:
        """It was not made: another's is there."""
        self._over = True
        self._state = self._around = None

    def hold(self) -> None:
        """It is ours, until the handler is done."""

    def __call__(self) -> None:
        if not self._over:
            self._over = True
            self._claim.finish(self._keep) if self._succeeded() else self._claim.release()

    def __del__(self) -> None:  # the request was dropped, by a server that forgot its response
        if not self._over:
            self()

    def _succeeded(self) -> bool:
        """Whether the event is handled, as far as can be told when its response ends. Asked once."""
        state, around = self._state, self._around
        self._state = self._around = None  # they lead back here: no cycle for the collector
        if not self.answered or state is None or state.outcome != "allow":
            return False
        passing = sys.exception()
        return passing is None or passing is around or isinstance(passing, _ENDS)


class Kept(Taken):
    """A claim in a store that outlives this process: renewed while the handler runs, and told what became of the event."""

    __slots__ = ("_renewal", "_renews", "_pid", "_asked", "_done")
    blocks = True

    def __init__(self, claim: Claim, keep: float, state: State, renewal: Renewal, *, renews: bool = True) -> None:
        super().__init__(claim, keep, state)
        self._renewal = renewal
        self._renews = renews
        self.renewed = 0.0
        self._pid = os.getpid()
        self._asked = False  # the store has been asked, and has answered or failed
        self._done = False  # so the event is to be noted

    @property
    def source(self) -> Store:
        return self._claim.store

    def begin(self) -> Standing:
        try:
            return self._claim.begin()
        finally:
            self._asked = True
            if self._over:
                self._renewal.forget(self)

    def give_up(self) -> None:
        self._over = True
        if self._asked:  # else `begin` is still under way and does it, or never began
            self._renewal.forget(self)

    def hold(self) -> None:
        if self._renews:
            self._renewal.add(self)

    async def settle(self) -> None:
        """The handler has returned: note what became of the event, before its sender hears of it."""
        if not self._ends():
            return
        try:
            await blocking(self._end)
        except BaseException as error:  # cancelled, or too many calls wait: it may not have been called
            self._renewal.forget(self)
            if not isinstance(error, Unavailable):
                raise

    def __call__(self) -> None:
        if not self._ends():
            return
        try:
            aside(self._end)
        except Unavailable:  # too many calls are waiting
            self._renewal.forget(self)

    def __del__(self) -> None:
        """It runs out: no store is asked in the middle of something else."""

    def _ends(self) -> bool:
        """Whether it is to end now; then it is decided how."""
        if self._over:
            return False
        self._over = True
        self._renewal.drop(self)
        self._done = self._succeeded()
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
