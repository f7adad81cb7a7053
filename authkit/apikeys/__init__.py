"""API keys: made, listed, rotated, revoked and verified; kept as hashes alone. They need no handler."""

from __future__ import annotations

from ._api_keys import ApiKeys, UnknownKey
from ._open_keys import open_keys
from ._static import StaticKeys
from .key import ApiKey, NewKey
from .tables import KeyTable, MemoryKeys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .dynamo_keys import DynamoKeys as DynamoKeys
    from .sqlite_keys import SqliteKeys as SqliteKeys

# Loaded on first use.
_PLACES = {"DynamoKeys": "dynamo_keys", "SqliteKeys": "sqlite_keys"}

__all__ = [
    "ApiKey",
    "ApiKeys",
    "DynamoKeys",
    "KeyTable",
    "MemoryKeys",
    "NewKey",
    "SqliteKeys",
    "StaticKeys",
    "UnknownKey",
    "open_keys",
]


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
