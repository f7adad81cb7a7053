"""Noted keys in memory: bounded, and none is forgotten before its time."""

from __future__ import annotations

from _operator import _compare_digest as same  # what `hmac` gives, without what it loads

from .._lock import ProcessLock
from ..errors import StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Note: TypeAlias = tuple[float, bytes]  # when its time is over, and the value

_EVER = float("inf")


class Noted:
    """Keys with values and a time. Two dictionaries take turns, as in `MemoryLimiter`, from when a note may be over on."""

    __slots__ = ("_clock", "_max_keys", "_lock", "_young", "_old", "_young_due", "_old_due", "_due")

    def __init__(self, clock: Callable[[], float], max_keys: int) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._lock = ProcessLock()
        self._young: dict[str, Note] = {}
        self._old: dict[str, Note] = {}
        self._young_due = self._old_due = _EVER  # no note there is over before
        self._due = _EVER  # the earlier of the two

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: str) -> bytes | None:
        with self._lock.plain:
            return self._find(key, self._clock())

    def several(self, keys: tuple[str, ...]) -> list[bytes | None]:
        """The values of keys, of one moment."""
        with self._lock.plain:
            now = self._clock()
            return [self._find(key, now) for key in keys]

    def add(self, key: str, ttl: float, value: bytes) -> bool:
        with self._lock.plain:
            now = self._clock()
            young, older = self._young, self._old
            if (key in young or key in older) and self._find(key, now) is not None:
                return False
            if now >= self._due or len(young) + len(older) >= self._max_keys:
                self._make_room(now)
            end = now + ttl
            self._young[key] = (end, value)
            if end < self._young_due:
                self._young_due = end
                self._due = min(end, self._old_due)
            return True

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        with self._lock.plain:
            now = self._clock()
            note = self._young.get(key)
            found = note[1] if note is not None and note[0] > now else self._find(key, now)
            if found is None or old is None:
                if found is not old:
                    return False
            elif not same(found, old):
                return False
            if new is None:
                self._young.pop(key, None)
                self._old.pop(key, None)
                return True
            if found is None:
                if now >= self._due or len(self._young) + len(self._old) >= self._max_keys:
                    self._make_room(now)
            elif self._old:
                self._old.pop(key, None)
            end = now + ttl
            self._young[key] = (end, new)
            if end < self._young_due:
                self._young_due = end
                self._due = min(end, self._old_due)
            return True

    def _find(self, key: str, now: float) -> bytes | None:
        for table in (self._young, self._old):
            note = table.get(key)
            if note is not None:
                if note[0] > now:
                    return note[1]
                del table[key]
        return None

    def _make_room(self, now: float) -> None:
        """Look at two old keys, and if that leaves no place at all of them. Raises: `StoreUnavailable`."""
        if now >= self._due:
            self._look(now)
            self._look(now)
            if len(self) >= self._max_keys:
                self._young = {key: note for key, note in (self._young | self._old).items() if note[0] > now}
                self._old = {}
                self._young_due = min([note[0] for note in self._young.values()], default=_EVER)
            if not self._old:
                self._old_due = _EVER
            self._due = min(self._young_due, self._old_due)
        if len(self) >= self._max_keys:
            raise StoreUnavailable("the memory store is full: raise max_keys")

    def _look(self, now: float) -> None:
        if not self._old:
            self._old, self._young = self._young, {}
            self._old_due, self._young_due = self._young_due, _EVER
        if self._old:
            key, note = self._old.popitem()
            if note[0] > now:
                self._young[key] = note
                self._young_due = min(self._young_due, note[0])
