"""Places in a gate, held while a request is being handled: each is let go of once, and renewed until then.

A process that is killed lets go of nothing. So a place is held for half a minute only, and one thread of the process renews
those that are still in use, such as a websocket's. The same thread lets go of places that nobody knows to have been taken: the
store was asked, and its answer was lost or not waited for.
"""

from __future__ import annotations

import os
import threading
import time
from _weakrefset import WeakSet
from collections import deque

from .._audit import warn
from .._lock import ProcessLock
from .._run import aside
from ..errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..stores import Gate

TTL = 30.0  # seconds for which a place is held without being renewed
EVERY = 10.0  # seconds between two renewals: two of them may fail
_AT_ONCE = 8  # calls of stores that a process has under way for its places
_ENOUGH = 50  # places to ask a store about, for each further thread that does it
_MOST_LEAVING = 10_000  # beyond it a place is held for its time


class Held:
    """A place of `holder`, from before it is asked for."""

    __slots__ = ("_gate", "_key", "_holder", "blocks", "_renewal", "_pid", "_asked", "_over", "renewed", "__weakref__")

    def __init__(self, gate: Gate, key: str, holder: str, blocks: bool, renewal: Renewal) -> None:
        self._gate = gate
        self._key = key
        self._holder = holder
        self.blocks = blocks
        self._renewal = renewal
        self._pid = os.getpid()
        self._asked = False  # the store has been asked, and has answered or failed
        self._over = False  # nobody wants the place any more
        self.renewed = 0.0  # when it last was, by the clock of `Renewal`

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


class Renewal:
    """Renews what is held, every `every` seconds, for `ttl` seconds from then. Its thread lives while something is held.

    Eight places at once at most, whichever wait longest first: a process keeps as many as it can renew in `ttl` less `every`.
    """

    def __init__(self, ttl: float = TTL, every: float = EVERY) -> None:
        self.ttl = ttl
        self._every = every
        self._lock = ProcessLock()
        self._held: WeakSet[Held] = WeakSet()
        self._leaving: dict[Held, float] = {}  # until when the store may still hold it
        self._wake = threading.Event()
        self._thread: tuple[int, threading.Thread] | None = None

    def add(self, held: Held) -> None:
        with self._lock:
            if self._runs():
                held.renewed = time.monotonic()
                self._held.add(held)

    def drop(self, held: Held) -> None:
        with self._lock:
            self._held.discard(held)

    def forget(self, held: Held) -> None:
        """Have the thread let go of it, again and again while the store fails and may hold it."""
        with self._lock:
            if self._runs() and len(self._leaving) < _MOST_LEAVING:
                self._leaving[held] = time.monotonic() + self.ttl
                self._wake.set()

    def _runs(self) -> bool:
        """Whether there is a thread, started if need be. Under the lock."""
        thread = self._thread
        if thread is not None and thread[0] == os.getpid():
            return True
        if thread is not None:  # the parent's: threads do not survive a fork
            self._held, self._leaving, self._thread = WeakSet(), {}, None
        self._wake = threading.Event()
        made = threading.Thread(target=self._run, name="authkit-places", daemon=True)
        try:
            made.start()
        except RuntimeError:  # no thread is to be had, or the interpreter ends: places are held for `ttl`
            return False
        self._thread = os.getpid(), made
        return True

    def _run(self) -> None:
        with self._lock:  # whoever starts it holds the lock until this is the thread that is known
            wake = self._wake
        ended = False
        try:
            due = time.monotonic() + self._every
            while not ended:
                wake.wait(max(0.0, due - time.monotonic()))
                wake.clear()
                self._let_go()
                if time.monotonic() >= due:
                    due = time.monotonic() + self._every
                    self._renew()
                with self._lock:
                    if not self._held and not self._leaving:
                        self._thread, ended = None, True
        finally:
            if not ended:  # what a store may raise that is no `Exception`: the next place starts another
                with self._lock:
                    self._thread = None

    def _renew(self) -> None:
        with self._lock:
            every = sorted(self._held, key=_renewed)
        failed: set[str] = set()

        def renew(held: Held) -> None:
            began = time.monotonic()
            try:
                held.renew()
            except Unavailable:
                pass  # the next round comes before it is forgotten
            except Exception as error:
                failed.add(type(error).__name__)
            else:
                held.renewed = began

        _for_each(every, renew)
        if failed:
            warn("rate_limit: a place could not be renewed: %s", ", ".join(sorted(failed)))

    def _let_go(self) -> None:
        with self._lock:
            leaving = dict(self._leaving)
        sick = set()  # gates that failed just now: theirs wait for the next round

        def let_go(held: Held) -> None:
            gate, until = id(held._gate), leaving[held]
            if gate not in sick and held.left():
                until = 0.0
            else:
                sick.add(gate)
            if time.monotonic() >= until:
                with self._lock:
                    self._leaving.pop(held, None)

        _for_each(list(leaving), let_go)


def _for_each(places: list[Held], work: Callable[[Held], None]) -> None:
    """Call `work` for each place, in this order; several at once where a store is waited for and there are many."""
    waiting = deque(places)

    def take_turns() -> None:
        while True:
            try:
                held = waiting.popleft()
            except IndexError:
                return
            work(held)

    helpers = []
    for _ in range(min(_AT_ONCE - 1, sum(held.blocks for held in places) // _ENOUGH)):
        helper = threading.Thread(target=take_turns, name="authkit-places", daemon=True)
        try:
            helper.start()
        except RuntimeError:  # no thread is to be had
            break
        helpers.append(helper)
    take_turns()
    for helper in helpers:
        helper.join()


def _renewed(held: Held) -> float:
    return held.renewed
