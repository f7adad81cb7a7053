"""People with passwords: who there is, how they prove it, and the endpoints where they do."""

from __future__ import annotations

from ._accounts import Accounts, RegistrationRefused
from ._attempts import LoginLimits, TooManyAttempts
from .passwords import PasswordHasher
from .users import MemoryUsers, User, Users

__all__ = [
    "Accounts",
    "LoginLimits",
    "MemoryUsers",
    "PasswordHasher",
    "RegistrationRefused",
    "TooManyAttempts",
    "User",
    "Users",
]
