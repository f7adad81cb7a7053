"""`open_users`: from a URL to a table of users."""

from __future__ import annotations

from ..errors import ConfigurationError
from ..stores._open import path_in, table_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .users import UserTable

_ANY = "a table of users is named by a URL: memory:, sqlite:///PATH or dynamodb://TABLE"
_SQLITE = "a users file is sqlite:///relative/path.db or sqlite:////absolute/path.db"
_DYNAMO = "a table of users is dynamodb://NAME?region=eu-west-1; its options are region and endpoint, each once"


def open_users(url: str) -> UserTable:
    """The table of users that `url` names. Does no I/O.

    `memory:` is this process's own, a new one at each call. `sqlite:///users.db` is a file, of the working directory at this
    moment; `sqlite:////var/lib/app/users.db` one by its whole path. `dynamodb://table` takes `region` and `endpoint` as
    its query.
    Raises: `ConfigurationError` for every other URL. It never repeats it.
    """
    scheme, _, rest = url.partition(":") if isinstance(url, str) else ("", "", "")
    if scheme == "sqlite":
        path = path_in(rest)
        if path is None:
            raise ConfigurationError(_SQLITE)
        from .sqlite_users import SqliteUsers

        return SqliteUsers(path)
    if scheme == "dynamodb":
        found = table_in(rest, ("region", "endpoint"))
        if found is None:
            raise ConfigurationError(_DYNAMO)
        from .dynamo_users import DynamoUsers

        return DynamoUsers(found[0], region=found[1].get("region"), endpoint=found[1].get("endpoint"))
    if url == "memory:":
        from .users import MemoryUsers

        return MemoryUsers()
    raise ConfigurationError(_ANY)
