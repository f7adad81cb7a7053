"""Shared state: limits, replays, revocations. `MemoryStore` for one process; `open_store` for the one that a URL names."""

from __future__ import annotations

from ..errors import ConfigurationError
from ._rate import Rate
from ._store import Gate, Limiter, Store
from .memory import MemoryStore

__all__ = ["Gate", "Limiter", "MemoryStore", "Rate", "Store", "open_store"]


def open_store(url: str) -> Store:
    """The store that `url` names. `memory:` is this process's own, a new one at each call.

    Raises: `ConfigurationError` for a scheme that is unknown or not available in this version.
    """
    scheme, colon, rest = str(url).partition(":")
    if colon and scheme == "memory":
        if rest:
            raise ConfigurationError("a memory store has no address: write memory:")
        return MemoryStore()
    if colon and scheme in ("sqlite", "redis", "rediss", "dynamodb"):
        raise ConfigurationError(f"{scheme}: stores are not available in this version")
    raise ConfigurationError("a store is named by a URL; this version knows memory:")
