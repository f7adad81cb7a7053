"""What is held in a store for a while, and renewed as long as it is in use: by one thread of the process for all of it.

A process that is killed lets go of nothing. So what it holds is held for a short time only, and renewed. The same thread lets
go of what nobody knows to have been taken (the store was asked, and its answer was lost or not waited for), and of what the
store could not be told about in time.
"""

from __future__ import annotations

import os
import threading
import time
from _weakrefset import WeakSet
from collections import deque

from .._audit import warn
from .._lock import ProcessLock
from ..errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TTL = 30.0  # seconds for which something is held without being renewed
EVERY = 10.0  # seconds between two renewals: two of them may fail
_AT_ONCE = 8  # calls of stores that a process has under way for what it holds
_ENOUGH = 50  # of them to ask a store about, for each further thread that does it
_MOST_LEAVING = 10_000  # beyond it something is held for its time


class Renewed:
    """Something that is held. `blocks`: whether asking its store takes I/O."""

    __slots__ = ("renewed", "__weakref__")
    blocks: bool
    renewed: float  # when it last was, by the clock of `Renewal`

    @property
    def source(self) -> object:
        """Whose failure is the failure of all that is held there."""
        raise NotImplementedError

    def renew(self) -> None:
        """Hold on for another while."""
        raise NotImplementedError

    def left(self) -> bool:
        """Let go; False: the store could not be told, or told so."""
        raise NotImplementedError


class Renewal:
    """Renews what is held, every `every` seconds, for `ttl` seconds from then. Its thread lives while something is held.

    `what` it is, for a warning. Eight at once at most, whichever wait longest first: a process keeps as many as it can renew in
    `ttl` less `every`.
    """

    def __init__(self, ttl: float = TTL, every: float = EVERY, what: str = "what is held") -> None:
        self.ttl = ttl
        self._every = every
        self._what = what
        self._lock = ProcessLock()
        self._held: WeakSet[Renewed] = WeakSet()
        self._leaving: dict[Renewed, float] = {}  # until when the store may still hold it
        self._wake = threading.Event()
        self._thread: tuple[int, threading.Thread] | None = None

    def add(self, held: Renewed) -> None:
        with self._lock:
            if self._runs():
                held.renewed = time.monotonic()
                self._held.add(held)

    def drop(self, held: Renewed) -> None:
        with self._lock:
            self._held.discard(held)

    def forget(self, held: Renewed) -> None:
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
        made = threading.Thread(target=self._run, name="authkit-renewal", daemon=True)
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
        every = self._longest_first()
        failed: set[str] = set()

        def renew(held: Renewed) -> None:
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
            warn("%s could not be renewed: %s", self._what, ", ".join(sorted(failed)))

    def _longest_first(self) -> list[Renewed]:
        with self._lock:
            while True:
                try:
                    return sorted(self._held, key=_renewed)
                except RuntimeError:  # the collector ran, and let go of one of them: this thread has the lock already
                    continue

    def _let_go(self) -> None:
        with self._lock:
            leaving = dict(self._leaving)
        sick = set()  # stores that failed just now: theirs wait for the next round

        def let_go(held: Renewed) -> None:
            source, until = id(held.source), leaving[held]
            if source not in sick and held.left():
                until = 0.0
            else:
                sick.add(source)
            if time.monotonic() >= until:
                with self._lock:
                    self._leaving.pop(held, None)

        _for_each(list(leaving), let_go)


def _for_each(them: list[Renewed], work: Callable[[Renewed], None]) -> None:
    """Call `work` for each, in this order; several at once where a store is waited for and there are many."""
    waiting = deque(them)

    def take_turns() -> None:
        while True:
            try:
                held = waiting.popleft()
            except IndexError:
                return
            work(held)

    helpers = []
    for _ in range(min(_AT_ONCE - 1, sum(held.blocks for held in them) // _ENOUGH)):
        helper = threading.Thread(target=take_turns, name="authkit-renewal", daemon=True)
        try:
            helper.start()
        except RuntimeError:  # no thread is to be had
            break
        helpers.append(helper)
    take_turns()
    for helper in helpers:
        helper.join()


def _renewed(held: Renewed) -> float:
    return held.renewed
