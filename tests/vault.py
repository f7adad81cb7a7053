"""A secret source whose versions a test sets while the service runs, and which counts how often it is asked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from authkit.secrets import SecretSource, SecretVersions

if TYPE_CHECKING:
    from collections.abc import Callable


class Vault(SecretSource):
    """`versions`: what it says now, or raises. `before`: called on every fetch, in the thread that fetches."""

    def __init__(self, versions: SecretVersions | Exception, before: Callable[[], object] = lambda: None) -> None:
        self.versions = versions
        self.asked = 0
        self.threads: set[int] = set()
        self._before = before
        self._lock = threading.Lock()

    def fetch(self, name: str) -> SecretVersions:
        with self._lock:
            self.asked += 1
            self.threads.add(threading.get_ident())
        self._before()
        versions = self.versions
        if isinstance(versions, Exception):
            raise versions
        return versions

    def rotate(self, new: str | bytes, until: float | None = None) -> None:
        """`new` is current from now on, and what was current is previous."""
        old = self.versions
        assert isinstance(old, SecretVersions)
        self.versions = SecretVersions(new, previous=old.current, previous_until=until)

    def retire(self) -> None:
        """The previous value is gone."""
        assert isinstance(self.versions, SecretVersions)
        self.versions = SecretVersions(self.versions.current)
