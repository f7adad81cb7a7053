"""What a one-time token of a login is bound to: the user, their subject, their password, and whose users they are."""

from __future__ import annotations

from ._onetime import OneTime
from ._stamp import stamp_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..stores import Store
    from ._accounts import Accounts
    from .users import User


RESET, LINK, MFA = "reset", "link", "mfa"  # what one-time tokens are for


def bound_to(accounts: Accounts, user: User) -> dict[str, Any]:
    """The data of a token that is good for this user, until their password is another."""
    return {
        "for": accounts._tokens.issuer,  # of two applications on one store, neither takes the other's tokens
        "user": user.username,
        "subject": user.subject,
        "stamp": stamp_of(user),
    }


async def bound_user(accounts: Accounts, data: Mapping[str, Any] | None) -> User | None:
    """The user whom the data of a token is about, as they are now; None: gone, disabled, or with another password."""
    if data is None or type(data.get("user")) is not str:
        return None
    user = await accounts._people.find(data["user"])
    return user if user is not None and is_bound(accounts, user, data) else None


def is_bound(accounts: Accounts, user: User, data: Mapping[str, Any]) -> bool:
    """Whether the data of a token is about this user as they are now."""
    return not user.disabled and all(data.get(name) == value for name, value in bound_to(accounts, user).items())


def owner_of(accounts: Accounts, user: User) -> str:
    """Under what name a store keeps what is this user's."""
    return _owner(accounts._tokens.issuer, user.subject)


def _owner(issuer: str, subject: str) -> str:
    from hashlib import blake2b

    return blake2b(f"{issuer} {subject}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


async def forget(store: Store, issuer: str, user: User) -> None:
    """No token that was sent to this user is good any more, whichever of the processes sent it. Raises: `StoreUnavailable`."""
    for purpose in (RESET, LINK, MFA):
        await OneTime(store, purpose, 1).forget(_owner(issuer, user.subject))
