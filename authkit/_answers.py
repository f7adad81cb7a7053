"""What a store, or a table, was asked of a credential a moment ago: asked again after half a second, or after anything was
revoked here."""

from __future__ import annotations

from ._lock import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any, TypeAlias

    Keys: TypeAlias = tuple[str, ...]
    Answer: TypeAlias = Any  # what whoever asks makes of it

KEPT = 0.5  # seconds, of both clocks: revocation is seen everywhere within one
_MOST = 4096


class Answers:
    """Of one store, for everybody in this process who asks it. An answer is as old as its question.

    Two clocks: a wall clock may be set back, and a monotonic one may stand still while a process is frozen.
    """

    __slots__ = ("_kept", "_lock", "turn", "__weakref__")

    def __init__(self) -> None:
        self._kept: dict[Keys, tuple[float, float, Answer]] = {}
        self._lock = ProcessLock()
        self.turn = 0

    def get(self, keys: Keys, wall: float, monotonic: float) -> Answer | None:
        """The answer for these keys, if it still counts."""
        found = self._kept.get(keys)
        if found is not None and 0.0 <= wall - found[0] < KEPT and 0.0 <= monotonic - found[1] < KEPT:
            return found[2]
        return None

    def keep(self, turn: int, keys: Keys, wall: float, monotonic: float, answer: Answer) -> None:
        """Keep an answer, asked for at these times in that turn: if something was revoked since, it does not count."""
        with self._lock:
            if turn == self.turn:
                if len(self._kept) >= _MOST:
                    self._kept = {}
                self._kept[keys] = (wall, monotonic, answer)

    def drop(self) -> None:
        """Something was revoked: nobody's answers count. Other objects may stand for the same store."""
        with _lock:
            everybody = [] if _all is None else list(_all.values())
        for each in (self, *everybody):
            with each._lock:
                each.turn += 1
                each._kept = {}


_all: MutableMapping[Any, Answers] | None = None
_lock = ProcessLock()


def answers_of(store: Any) -> Answers:
    """The answers of `store`, the same for everybody who asks."""
    global _all
    with _lock:
        if _all is None:
            from weakref import WeakKeyDictionary

            _all = WeakKeyDictionary()
        try:
            return _all.setdefault(store, Answers())
        except TypeError:  # a store that has no hash, or takes no weak reference
            return Answers()
