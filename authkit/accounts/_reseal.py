"""Sealing every user's factors anew under the current secret, so that the previous one can go."""

from __future__ import annotations

from .._run import blocking
from .._sealed import Unsealable
from ..errors import Unavailable
from ._factors import Factors
from .users import method

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._sealed import Keys, Seal
    from .users import User, Users

_PAGE = 100  # users
_ROUNDS = 20  # how often a user is tried anew who goes on changing


async def resealed(seal: Seal, users: Users) -> int:
    """How many were sealed anew. Raises: `Unsealable`, when all the others are done; `ConfigurationError`; `Unavailable`."""
    listed, update = method(users, "list"), method(users, "update")
    in_place = getattr(users, "in_place", False) is True

    async def asking(fn: Callable[..., Any], *args: Any) -> Any:
        return fn(*args) if in_place else await blocking(fn, *args)

    async def renewed(user: User | None, name: str) -> bool:
        """Whether this user's were sealed anew: there are some, and they were not."""
        for _ in range(_ROUNDS):
            new = None if user is None else _renewed(keys, user)
            if new is None:
                return False
            if await asking(update, user, new) is True:
                return True
            user = await asking(users.find, name)
        raise Unavailable("somebody else goes on changing a user")

    keys = await seal.load()
    done, unopened, after = 0, 0, ""
    while page := await asking(listed, after, _PAGE):
        for user in page:
            try:
                done += await renewed(user, user.username)
            except Unsealable:
                unopened += 1
        after = page[-1].username
    if unopened:
        raise Unsealable(f"the factors of {unopened} users open under no key there is")
    return done


def _renewed(keys: Keys, user: User) -> User | None:
    """The user with factors under the current key; None: there are none, or they are."""
    if user.factors is None or keys.is_current(user.factors):
        return None
    return user.changed(factors=Factors.opened(keys, user.subject, user.factors).sealed(keys, user.subject))
