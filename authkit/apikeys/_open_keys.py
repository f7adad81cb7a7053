"""`open_keys`: from a URL to a table of API keys."""

from __future__ import annotations

from ..stores._open_table import open_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .tables import KeyTable


def open_keys(url: str) -> KeyTable:
    """The table of API keys that `url` names. Does no I/O.

    `memory:` is this process's own, a new one at each call. `sqlite:///keys.db` is a file, of the working directory at this
    moment; `sqlite:////var/lib/app/keys.db` one by its whole path. `dynamodb://table` takes `region` and `endpoint` as
    its query.
    Raises: `ConfigurationError` for every other URL. It never repeats it.
    """
    return open_table(url, "API keys", _memory, _sqlite, _dynamo)


def _memory() -> KeyTable:
    from .tables import MemoryKeys

    return MemoryKeys()


def _sqlite(path: str) -> KeyTable:
    from .sqlite_keys import SqliteKeys

    return SqliteKeys(path)


def _dynamo(name: str, region: str | None, endpoint: str | None) -> KeyTable:
    from .dynamo_keys import DynamoKeys

    return DynamoKeys(name, region=region, endpoint=endpoint)
