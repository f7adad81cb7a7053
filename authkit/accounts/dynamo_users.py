"""`DynamoUsers`: users in a table of Amazon DynamoDB, for any number of machines and for functions that come and go."""

from __future__ import annotations

import time
from random import random as _uniform

from .._kept import listed
from ..stores._dynamo_change import KEY
from ..stores._dynamo_rows import DynamoRows
from ..stores._dynamo_table import Table
from ._user_rows import FIELDS, checked, is_name, restored
from .users import NOT_ITS_OWN, User, same_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from builtins import list as List
    from collections.abc import Callable
    from typing import Any

_PLACE = "user."  # before the name: a `DynamoStore` may have the same table
_SUBJECT = "subject."  # before the digest of a subject that is not the user's name: whose it is
_ABSENT = f"attribute_not_exists({KEY})"


class DynamoUsers:
    """Users in the DynamoDB table `table` (a name or an ARN), whose key is the text `pk`: `create_table` makes one, and that of
    a `DynamoStore` will do. A service needs dynamodb:GetItem and PutItem on it; DeleteItem to delete users; Scan for `list`,
    which reads the whole table and is for the command line.

    `region`: otherwise boto3's own order. `endpoint`: another address than AWS's, https except to this machine. `client`: a
    boto3 client of the user's; its own time limits and attempts hold. `timeout`: seconds for a call, about, then `Unavailable`;
    throttling and what may pass is tried again in them. Reads are consistent, and each change is one conditional write: of all
    who change one user at the same time, one does. A subject that is not the user's name has an item of its own, which says
    whose it is; of a user who is gone it says nothing.
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
        """Add `user`; False, and nothing changed, if the name or the subject is taken. Raises: `Unavailable`; `ValueError` for
        a user that cannot be kept, whose name is not canonical, say."""
        if not (self._claimed(checked(user)) and self._is_free(user) and self._rows.add(user.username, user)):
            return False
        if self._is_free(user):  # of two at the same time, each looks after it has written: one at least sees the other
            return True
        self._rows.remove(user.username)
        return False

    def update(self, old: User, new: User) -> bool:
        """Put `new` in the place of exactly `old`; False, and nothing changed, if there is another. Raises: as `add`."""
        same_name(old, new)
        if checked(new).subject != old.subject and not (self._claimed(new) and self._is_free(new)):
            raise ValueError(NOT_ITS_OWN)
        return self._rows.update(old.username, old, new)

    def remove(self, username: str) -> bool:
        """Delete the user of this name, also one whose item cannot be read; False if there is none. Raises: `Unavailable`."""
        return is_name(username) and self._rows.remove(username)

    def list(self, after: str = "", limit: int = 100) -> List[User]:
        """At most `limit` users whose names come after `after`, by name. Raises: `Unavailable`."""
        return self._rows.list(after, limit)

    def _claimed(self, user: User) -> bool:
        """Whether the subject is noted as this user's, unless it is the name."""
        if user.subject == user.username:
            return True
        place, mine = _noted_at(user.subject), user.username.encode()
        if self._table.put(place, {"r": mine}, _ABSENT)[0]:
            return True
        held = self._table.read(place).get("r")
        if held is None or held == mine:
            return held is not None
        if self._owner(user.subject) is not None:
            return False
        return self._table.put(place, {"r": mine}, "r = :held", {":held": held})[0]

    def _is_free(self, user: User) -> bool:
        """Whether the name is nobody else's subject, and the subject nobody else's name."""
        if self._owner(user.username) not in (None, user.username):
            return False
        if user.subject == user.username:
            return True
        held = self._table.read(_noted_at(user.subject)).get("r")
        return held == user.username.encode() and self.find(user.subject) is None

    def _owner(self, subject: str) -> str | None:
        """The name of the user who has this subject as of now, where it is noted."""
        held = self._table.read(_noted_at(subject)).get("r")
        user = None if held is None else self.find(held.decode())
        return None if user is None or user.subject != subject else user.username


def _noted_at(subject: str) -> str:
    from hashlib import sha256

    return _SUBJECT + sha256(subject.encode()).hexdigest()


def _packed(user: User) -> dict[str, Any]:
    fields = {name: getattr(user, name) for name in FIELDS}
    return {**fields, "roles": listed(user.roles), "scopes": listed(user.scopes)}


def _user(username: str, fields: dict[str, Any]) -> User | str:
    return restored(username, tuple(fields[name] for name in FIELDS))
