"""`DynamoUsers`: users in a table of Amazon DynamoDB, for any number of machines and for functions that come and go."""

from __future__ import annotations

import json
import time
from os import urandom
from random import random as _uniform

from ..errors import Unavailable
from ..stores._dynamo_change import KEY
from ..stores._dynamo_table import Table
from ._user_rows import FIELDS, checked, is_name, listed, restored
from .users import User, same_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builtins import list as List
    from collections.abc import Callable
    from typing import Any

    from ..stores._dynamo_change import Item

_PLACE = "user."  # before the name: a `DynamoStore` may have the same table
_ABSENT = f"attribute_not_exists({KEY})"


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
        return self._found(username)[1] if is_name(username) else None

    def add(self, user: User) -> bool:
        """Add `user`; False, and nothing changed, if the name is taken. Raises: `Unavailable`; `ValueError` for a user that
        cannot be kept, whose name is not canonical, say."""
        return self._put(checked(user), _ABSENT, None)

    def update(self, old: User, new: User) -> bool:
        """Put `new` in the place of exactly `old`; False, and nothing changed, if there is another. Raises: as `add`."""
        same_name(old, new)
        checked(new)
        item, found = self._found(old.username)
        return found == old and self._put(new, "o = :seen", {":seen": item["o"]})

    def remove(self, username: str) -> bool:
        """Delete the user of this name, also one whose item cannot be read; False if there is none. Raises: `Unavailable`."""
        return is_name(username) and self._table.remove(_PLACE + username)

    def list(self, after: str = "", limit: int = 100) -> List[User]:
        """At most `limit` users whose names come after `after`, by name. Raises: `Unavailable`."""
        found = {place.removeprefix(_PLACE): item for place, item in self._table.scan(_PLACE)}
        names = sorted(name for name in found if name > after)[: max(0, limit)]
        return [_user(name, found[name]) for name in names]

    def _found(self, username: str) -> tuple[Item, User | None]:
        item = self._table.read(_PLACE + username)
        return item, _user(username, item) if item else None

    def _put(self, user: User, condition: str, values: Item | None) -> bool:
        where, mine = _PLACE + user.username, urandom(12)
        done, doubtful = self._table.put(where, {"v": _packed(user), "o": mine}, condition, values)
        # Where an answer was lost, the condition may have failed because it was we who changed the item.
        return done or (doubtful and self._table.read(where).get("o") == mine)


def _packed(user: User) -> bytes:
    fields = {name: getattr(user, name) for name in FIELDS}
    return json.dumps({**fields, "roles": listed(user.roles), "scopes": listed(user.scopes)}).encode()


def _user(username: str, item: Item) -> User:
    """Raises: `Unavailable`."""
    user = _unpacked(username, item)
    del item
    if isinstance(user, str):
        raise Unavailable(f"an item of the users table cannot be read: its {user}")
    return user


def _unpacked(username: str, item: Item) -> User | str:
    """The user, or what of the item nobody can have meant. It raises nothing, because its locals hold a hash."""
    if not isinstance(item.get("o"), bytes):
        return "attribute o"
    try:
        fields = json.loads(item.get("v", b""))
        return restored(username, tuple(fields[name] for name in FIELDS))
    except (ValueError, RecursionError, TypeError, KeyError):
        return "attribute v"
