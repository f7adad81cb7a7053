"""Accounts at Auth0: what its Management API says of them, and whose they are."""

from __future__ import annotations

import re

from authkit.oidc.for_providers import AuthkitError, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARK = "authkit_made_for"  # in `app_metadata`, which people cannot write: the address that we made the account for
FIELDS = "user_id,email,email_verified,blocked,identities,app_metadata"
# Upper case, lower case, digits and others: whatever a database's password policy wants, and never the same twice in a row.
_KINDS = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!@#$%^&*")
_EMAIL = re.compile(r"(?=.{3,254}\Z)[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}", re.ASCII)


class AccountRefused(AuthkitError):
    """There is no account that the address alone entitles to anything. `reason`: "email_malformed"; "email_unverified", if
    somebody registered with the address and has not shown that it is theirs; "several_accounts"; "account_conflict", if Auth0
    neither finds an account nor makes one. No address is in the message.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Auth0: {reason}")


class Auth0User:
    """One account. `id`: "auth0|6553da..."; `email` in lower case; `created`: it was made just now. Its repr shows the id."""

    __slots__ = ("id", "email", "email_verified", "blocked", "created")

    id: str
    email: str
    email_verified: bool
    blocked: bool
    created: bool

    def __init__(self, id: str, email: str, *, email_verified: bool, blocked: bool, created: bool) -> None:
        given = {"id": id, "email": email, "email_verified": email_verified, "blocked": blocked, "created": created}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an Auth0User is not changed")

    def __repr__(self) -> str:
        return f"<Auth0User {self.id}>"


class Account:
    """What Auth0 says of one account. `connection`: of the identity that it began with, whose address this is, not of one that
    was linked to it; `is_theirs`: the address entitles to it.
    """

    __slots__ = ("user", "connection", "is_theirs")

    def __init__(self, said: Any, address: str, what: str, *, created: bool = False) -> None:
        """Raises: `Unavailable` for what is no account of that address."""
        told = said if isinstance(said, dict) else {}
        user_id, email, verified = told.get("user_id"), told.get("email"), told.get("email_verified", False)
        identities = told.get("identities")
        if (
            type(user_id) is not str
            or type(email) is not str
            or email.lower() != address
            or type(verified) is not bool
            or not isinstance(identities, list)
        ):
            raise Unavailable(f"Auth0: {what}: what it answered is no account of the address")
        marks = told.get("app_metadata")
        made_for = marks.get(MARK) if isinstance(marks, dict) else None
        self.user = Auth0User(
            user_id, address, email_verified=verified, blocked=told.get("blocked", False) is not False, created=created
        )
        self.connection = next((one["connection"] for one in identities if _is_first(one, user_id)), None)
        self.is_theirs = verified or made_for == address


def checked_address(email: object) -> str:
    """`email` in lower case, as Auth0 keeps it. Raises: `AccountRefused` for what is none of ASCII."""
    address = email.strip().lower() if isinstance(email, str) and email.isascii() else ""
    if _EMAIL.fullmatch(address) is None:
        raise AccountRefused("email_malformed")
    return address


class Unshown(str):
    """Text that a traceback with its locals does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'...'"


def password(random: bytes) -> Unshown:
    """40 characters of `random`, 48 bytes or so: 157 bits that nobody is told."""
    number = int.from_bytes(random, "big")
    found = []
    for _ in range(10):
        for kind in _KINDS:
            number, place = divmod(number, len(kind))
            found.append(kind[place])
    return Unshown("".join(found))


def _is_first(identity: Any, user_id: str) -> bool:
    return (
        isinstance(identity, dict)
        and type(identity.get("connection")) is str
        and f"{identity.get('provider')}|{identity.get('user_id')}" == user_id
    )
