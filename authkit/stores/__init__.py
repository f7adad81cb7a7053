"""Shared state: limits, replays, revocations. `MemoryStore` for one process; `open_store` for the one that a URL names."""

from __future__ import annotations

from ._open import open_store
from ._rate import Rate
from ._store import Gate, Limiter, Store
from .memory import MemoryStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .dynamo import DynamoStore as DynamoStore
    from .redis_store import RedisStore as RedisStore
    from .sqlite import SqliteStore as SqliteStore

# Loaded on first use.
_PLACES = {"DynamoStore": "dynamo", "RedisStore": "redis_store", "SqliteStore": "sqlite"}

__all__ = ["DynamoStore", "Gate", "Limiter", "MemoryStore", "Rate", "RedisStore", "SqliteStore", "Store", "open_store"]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
