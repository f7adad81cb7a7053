"""Where keys are kept: the `KeyTable` protocol, and `MemoryKeys`."""

from __future__ import annotations

import threading

from .key import ApiKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builtins import list as List
    from typing import Protocol
else:
    Protocol = object


class KeyTable(Protocol):
    """A table of API keys. May block: `ApiKeys` calls it off the event loop, unless `in_place` is True.

    Raises: `Unavailable` where the table cannot be reached.
    """

    def find(self, id: str) -> ApiKey | None:
        """The key of this id, or None. All that verifying needs, if `ApiKeys(track_use=False)`."""

    def add(self, key: ApiKey) -> bool:
        """Add `key` in one atomic step; False, and nothing changed, if its id is taken."""
        raise NotImplementedError

    def update(self, old: ApiKey, new: ApiKey) -> bool:
        """Put `new` in the place of exactly `old`, in one atomic step. They have the same `id`.

        False, and nothing changed, if there is no such key or any field of it is another by now.
        """
        raise NotImplementedError

    def remove(self, id: str) -> bool:
        """Delete the key of this id; False if there is none."""
        raise NotImplementedError

    def list(self, subject: str | None = None, after: str = "", limit: int = 100) -> List[ApiKey]:
        """At most `limit` keys whose ids come after `after`, sorted by id; of one subject, or of all."""
        raise NotImplementedError


class MemoryKeys:
    """Keys of this process, gone when it ends: for demos and tests."""

    in_place = True

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "<MemoryKeys>"

    def find(self, id: str) -> ApiKey | None:
        return self._keys.get(id)

    def add(self, key: ApiKey) -> bool:
        checked(key)
        with self._lock:
            if key.id in self._keys:
                return False
            self._keys[key.id] = key
            return True

    def update(self, old: ApiKey, new: ApiKey) -> bool:
        same_id(old, new)
        checked(new)
        with self._lock:
            if self._keys.get(old.id) != old:
                return False
            self._keys[old.id] = new
            return True

    def remove(self, id: str) -> bool:
        with self._lock:
            return self._keys.pop(id, None) is not None

    def list(self, subject: str | None = None, after: str = "", limit: int = 100) -> List[ApiKey]:
        with self._lock:
            keys = sorted((key for key in self._keys.values() if key.id > after), key=lambda key: key.id)
        return [key for key in keys if subject is None or key.subject == subject][: max(0, limit)]


def same_id(old: ApiKey, new: ApiKey) -> None:
    """Raises: `ValueError` if an update would give a key another id."""
    if old.id != new.id:
        raise ValueError("a key keeps its id: add the new one and remove the old one")


def checked(key: ApiKey) -> ApiKey:
    """The key, if a table can give it back as it is. Raises: `ValueError` that names the field."""
    from .rows import wrong

    field = wrong(key)
    if field:
        raise ValueError(f"the {field} of an API key cannot be kept")
    return key
