"""`DynamoUsers`: users in a table of Amazon DynamoDB, for any number of machines and for functions that come and go."""

from __future__ import annotations

import time
from random import random as _uniform

from .._kept import listed
from ..stores._dynamo_rows import DynamoRows
from ..stores._dynamo_table import Table
from ._user_rows import FIELDS, checked, is_name, restored
from .users import User, same_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builtins import list as List
    from collections.abc import Callable
    from typing import Any

_PLACE = "user."  # before the name: a `DynamoStore` may have the same table


class DynamoUsers:
    """Users in the DynamoDB table `table` (a name or an ARN), whose key is the text `pk`: `create_table` makes one, and that of
    a `DynamoStore` will do. A service needs dynamodb:GetItem and PutItem on it; DeleteItem to delete users; Scan for `list`,
    which reads the whole table and is for the command line.

    `region`: otherwise boto3's own order. `endpoint`: another address than AWS's, https except to this machine. `client`: a
    boto3 client of the user's; its own time limits and attempts hold. `timeout`: seconds for a call, about, then `Unavailable`;
    throttling and what may pass is tried again in them. Reads are consistent, and each change is one conditional write: of all
    who change one user at the same time, one does.
    Raises: `ConfigurationError`. Does no I/O until it is used.
    """

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        client: Any = None,
        timeout: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = _uniform,
    ) -> None:
        self._table = Table(table, region, endpoint, client, timeout, monotonic, sleep, random)
        self._rows = DynamoRows(self._table, _PLACE, "users", _packed, _user)

    def __repr__(self) -> str:
        return "<DynamoUsers>"

    def create_table(self) -> None:
        """Make the table, paid for by request, unless it is there; waits until it can be used.

        For tests and first use: it needs CreateTable, DescribeTable and UpdateTimeToLive, which a service should not have.
        Raises: `Unavailable`.
        """
        self._table.create()

    def find(self, username: str) -> User | None:
        """The user of exactly this canonical name, or None. Raises: `Unavailable`."""
        found: User | None = self._rows.find(username) if is_name(username) else None
        return found

    def add(self, user: User) -> bool:
        """Add `user`; False, and nothing changed, if the name is taken. Raises: `Unavailable`; `ValueError` for a user that
        cannot be kept, whose name is not canonical, say."""
        return self._rows.add(user.username, checked(user))

    def update(self, old: User, new: User) -> bool:
        """Put `new` in the place of exactly `old`; False, and nothing changed, if there is another. Raises: as `add`."""
        same_name(old, new)
        return self._rows.update(old.username, old, checked(new))

    def remove(self, username: str) -> bool:
        """Delete the user of this name, also one whose item cannot be read; False if there is none. Raises: `Unavailable`."""
        return is_name(username) and self._rows.remove(username)

    def list(self, after: str = "", limit: int = 100) -> List[User]:
        """At most `limit` users whose names come after `after`, by name. Raises: `Unavailable`."""
        return self._rows.list(after, limit)


def _packed(user: User) -> dict[str, Any]:
    fields = {name: getattr(user, name) for name in FIELDS}
    return {**fields, "roles": listed(user.roles), "scopes": listed(user.scopes)}


def _user(username: str, fields: dict[str, Any]) -> User | str:
    return restored(username, tuple(fields[name] for name in FIELDS))
