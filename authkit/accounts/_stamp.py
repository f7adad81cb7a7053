"""Which user and which password a one-time token was made for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .users import User


def stamp_of(user: User) -> str:
    """The same for as long as this user has this password; a hash that is merely made anew leaves it.

    A table without `password_changed` is judged by the hash.
    """
    from hashlib import sha256

    parts = (user.subject, user.password_changed, user.password_hash if user.password_changed is None else None)
    return sha256(repr(parts).encode()).hexdigest()
