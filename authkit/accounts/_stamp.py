"""Which user and which password a one-time token was made for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .users import User


def stamp_of(user: User | None) -> str:
    """The same for as long as this user has this password; a hash that is merely made anew leaves it.

    A table without `password_changed` is judged by the hash. Of nobody it takes as long.
    """
    from hashlib import sha256

    if user is None:
        parts: tuple[object, ...] = ("", "", "")
    else:
        parts = (user.subject, user.password_changed, user.password_hash if user.password_changed is None else None)
    return sha256(repr(parts).encode()).hexdigest()
