"""The refusal memo: who was refused is refused here until it may come back, and the store hears nothing of it."""

from __future__ import annotations

import time

from .._lock import ProcessLock
from ._store import Limiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ._store import Taken

    Memo: TypeAlias = tuple[float, float, int, Taken]  # when, until, the cost that was refused, the answer


class RefusalMemo(Limiter):
    """A limiter that asks `limiter` only what it cannot know.

    Refused with a wait, a key cannot have that cost, or more, before the wait is over, whatever others take: that is answered
    here. A smaller cost may still pass, and goes to the store. The wait of a larger cost is then told as that of the smaller
    one, which is less than it takes. `reset` and `give_back` here forget the memo; those of another process are seen when the
    wait is over, or after `longest` seconds. At most `max_keys` memos: one more costs a question, never a decision.

    `clock`: epoch seconds. A clock that jumps, or a process that was frozen, costs a question as well.
    """

    __slots__ = ("_limiter", "_clock", "_longest", "_half", "_lock", "_young", "_old", "_asking")

    def __init__(
        self, limiter: Limiter, *, longest: float = 60.0, max_keys: int = 100_000, clock: Callable[[], float] = time.time
    ) -> None:
        self._limiter = limiter
        self._clock = clock
        self._longest = longest
        self._half = max(1, max_keys // 2)
        self._lock = ProcessLock()  # for writers; readers need none
        self._young: dict[str, Memo] = {}
        self._old: dict[str, Memo] = {}
        self._asking: dict[str, object] = {}  # who asks for a key; gone if its answer may be out of date

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def take(self, key: str, cost: int = 1) -> Taken:
        taken = self.remembered(key, cost)
        if taken is not None:
            return taken
        mine = self._asking[key] = object()
        try:
            since = self._clock()
            taken = self._limiter.take(key, cost)
            if taken[0] > 0.0:
                with self._lock:
                    if self._asking.get(key) is mine:
                        self._note(key, (since, since + min(taken[0], self._longest), cost, taken))
            return taken
        finally:
            with self._lock:
                if self._asking.get(key) is mine:
                    del self._asking[key]

    def take_here(self, key: str, cost: int = 1) -> Taken | None:
        taken = self.remembered(key, cost)
        return self._limiter.take_here(key, cost) if taken is None else taken

    def give_back(self, key: str, cost: int = 1) -> None:
        try:
            self._limiter.give_back(key, cost)
        finally:
            self._forget(key)

    def reset(self, key: str) -> None:
        try:
            self._limiter.reset(key)
        finally:
            self._forget(key)

    def remembered(self, key: str, cost: int) -> Taken | None:
        """The answer to `take`, if it is known to be a refusal. Nothing is asked, and nothing taken."""
        memo = self._young.get(key) or self._old.get(key)
        if memo is None or cost < memo[2]:
            return None
        since, until, _, (wait, states) = memo
        now = self._clock()
        if not since <= now < until:
            return None
        passed = now - since
        return wait - passed, tuple([(left, following - passed if following > passed else 0.0) for left, following in states])

    def _note(self, key: str, memo: Memo) -> None:
        old = self._young.get(key) or self._old.pop(key, None)
        if old is not None and old[2] < memo[2] and old[0] <= memo[0] < old[1]:
            memo = old  # it says more
        self._young[key] = memo
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}

    def _forget(self, key: str) -> None:
        with self._lock:
            self._asking.pop(key, None)
            self._young.pop(key, None)
            self._old.pop(key, None)
