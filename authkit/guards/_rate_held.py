"""Places in a gate, held while a request is being handled: each is let go of once, and renewed until then.

A process that is killed lets go of nothing. So a place is held for half a minute only, and one thread of the process renews
those that are still in use, such as a websocket's.
"""

from __future__ import annotations

import os
import threading
from _weakrefset import WeakSet

from .._audit import warn
from .._lock import ProcessLock
from .._run import aside
from ..errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..stores import Gate

TTL = 30.0  # seconds for which a place is held without being renewed
EVERY = 10.0  # seconds between two renewals: two of them may fail


class Held:
    """One place, taken by `holder`."""

    __slots__ = ("_gate", "_key", "_holder", "_blocks", "_renewal", "_pid", "__weakref__")

    def __init__(self, gate: Gate, key: str, holder: str, blocks: bool, renewal: Renewal) -> None:
        self._gate = gate
        self._key = key
        self._holder = holder
        self._blocks = blocks
        self._renewal = renewal
        self._pid = os.getpid()

    def release(self) -> None:
        """Let go. What cannot be told to the store now is forgotten there in time."""
        self._renewal.drop(self)
        if self._pid != os.getpid():  # a child that was forked meanwhile: the place is its parent's
            return
        try:
            aside(self._leave) if self._blocks else self._leave()
        except Unavailable:  # too many calls are waiting
            pass

    def _leave(self) -> None:
        try:
            self._gate.leave(self._key, self._holder)
        except Unavailable as error:
            warn("rate_limit: a place could not be let go of, and is held for up to %s s: %s", int(self._renewal.ttl), error)

    def renew(self) -> None:
        """Hold on for another while. Raises: `StoreUnavailable`."""
        self._gate.renew(self._key, self._holder, self._renewal.ttl)


class Renewal:
    """Renews what is held, every `every` seconds, for `ttl` seconds from then. Its thread lives while something is held."""

    def __init__(self, ttl: float = TTL, every: float = EVERY) -> None:
        self.ttl = ttl
        self._every = every
        self._lock = ProcessLock()
        self._held: WeakSet[Held] = WeakSet()
        self._thread: tuple[int, threading.Thread] | None = None

    def add(self, held: Held) -> None:
        with self._lock:
            thread = self._thread
            if thread is None or thread[0] != os.getpid():  # none, or the parent's: threads do not survive a fork
                if thread is not None:
                    self._held = WeakSet()
                made = threading.Thread(target=self._run, name="authkit-places", daemon=True)
                try:
                    made.start()
                except RuntimeError:  # no thread is to be had, or the interpreter ends: places are held for `ttl`
                    return
                self._thread = os.getpid(), made
            self._held.add(held)

    def drop(self, held: Held) -> None:
        with self._lock:
            self._held.discard(held)

    def _run(self) -> None:
        wait = threading.Event().wait
        while True:
            wait(self._every)
            with self._lock:
                every = list(self._held)
                if not every:
                    self._thread = None
                    return
            try:
                for held in every:
                    held.renew()
            except Unavailable:
                pass  # the next round comes before the places are forgotten
            del every[:]
            held = None  # type: ignore[assignment]  # nothing is kept alive by who renews it
