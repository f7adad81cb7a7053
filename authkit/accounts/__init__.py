"""People with passwords: who there is, how they prove it, and the endpoints where they do."""

from __future__ import annotations

from ._accounts import Accounts
from ._attempts import LoginLimits, TooManyAttempts
from ._open_users import open_users
from ._people import PasswordRefused, RegistrationRefused, UnknownUser
from .cookies import Cookies, CookieTooLarge
from .passwords import PasswordHasher
from .users import MemoryUsers, User, Users, UserTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registration import Registration as Registration
    from ._reset import PasswordReset as PasswordReset
    from .dynamo_users import DynamoUsers as DynamoUsers
    from .handbook import HandbookSha256 as HandbookSha256
    from .older import OlderHash as OlderHash
    from .second_factor import SecondFactor as SecondFactor
    from .sqlite_users import SqliteUsers as SqliteUsers

# Loaded on first use.
_PLACES = {
    "DynamoUsers": "dynamo_users",
    "HandbookSha256": "handbook",
    "OlderHash": "older",
    "PasswordReset": "_reset",
    "Registration": "_registration",
    "SecondFactor": "second_factor",
    "SqliteUsers": "sqlite_users",
}

__all__ = [
    "Accounts",
    "CookieTooLarge",
    "Cookies",
    "DynamoUsers",
    "HandbookSha256",
    "LoginLimits",
    "MemoryUsers",
    "OlderHash",
    "PasswordHasher",
    "PasswordRefused",
    "PasswordReset",
    "Registration",
    "RegistrationRefused",
    "SecondFactor",
    "SqliteUsers",
    "TooManyAttempts",
    "UnknownUser",
    "User",
    "UserTable",
    "Users",
    "open_users",
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
