"""`open_users`: from a URL to a table of users."""

from __future__ import annotations

from ..stores._open_table import open_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .users import UserTable


def open_users(url: str) -> UserTable:
    """The table of users that `url` names. Does no I/O.

    `memory:` is this process's own, a new one at each call. `sqlite:///users.db` is a file, of the working directory at this
    moment; `sqlite:////var/lib/app/users.db` one by its whole path. `dynamodb://table` takes `region` and `endpoint` as
    its query.
    Raises: `ConfigurationError` for every other URL. It never repeats it.
    """
    return open_table(url, "users", _memory, _sqlite, _dynamo)


def _memory() -> UserTable:
    from .users import MemoryUsers

    return MemoryUsers()


def _sqlite(path: str) -> UserTable:
    from .sqlite_users import SqliteUsers

    return SqliteUsers(path)


def _dynamo(name: str, region: str | None, endpoint: str | None) -> UserTable:
    from .dynamo_users import DynamoUsers

    return DynamoUsers(name, region=region, endpoint=endpoint)
