"""`OneTime`: tokens that are good once, for one purpose and a short while. The store holds their digests, never one of them."""

from __future__ import annotations

import os
import time

from .._run import blocking
from ..errors import ConfigurationError, Unavailable
from ..stores import Store
from ..tokens import base64url
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

SIZE = 32  # random bytes in a token: nobody guesses it, so that its bare digest is safe to keep (ASVS 6.5.2)
LENGTH = 43  # characters of a token
LONGEST = 86_400  # seconds: what is good for longer is no one-time token
_PURPOSE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class OneTime:
    """Tokens for one `purpose`, each good for `ttl` seconds and for one caller of `redeem`.

    A token is 32 random bytes in base64url. It is found by its SHA-256 and its purpose: one of another purpose is unknown.
    `clock`: epoch seconds. Any store will do; one that is lost has forgotten every token, and revives none.

    Raises: `ConfigurationError` for a purpose or ttl that is none.
    """

    __slots__ = ("_store", "_purpose", "_ttl", "_clock", "_random")

    def __init__(
        self,
        store: Store,
        purpose: str,
        ttl: int,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if not isinstance(store, Store):
            raise ConfigurationError("store is a Store")
        if not (type(purpose) is str and 0 < len(purpose) <= 32 and _PURPOSE.issuperset(purpose)):
            raise ConfigurationError("purpose is 1 to 32 small letters, digits and -")
        if type(ttl) is not int or not 1 <= ttl <= LONGEST:
            raise ConfigurationError(f"the life of a one-time token is a whole number of seconds from 1 to {LONGEST}")
        self._store = store
        self._purpose = purpose
        self._ttl = ttl
        self._clock = clock
        self._random = random

    async def issue(self, data: Mapping[str, Any], *, owner: str | None = None) -> str:
        """A new token that stands for `data`, which JSON can say and which holds no secret: it lies in the store as it is.

        `owner`: of all tokens of one owner only the newest is good. Raises: `StoreUnavailable`, of it when the store is full.
        """
        return await self._asking(self._issue, data, owner)  # type: ignore[no-any-return]

    async def read(self, token: str) -> dict[str, Any] | None:
        """What `token` stands for, and it stays good; None: forged, used, replaced by a newer one, too old, or malformed.

        What is no token by its form is refused without asking the store. Raises: `StoreUnavailable`.
        """
        if not _is_formed(token):
            return None
        found = await self._asking(self._found, token)
        return None if found is None else found[1]

    async def redeem(self, token: str) -> dict[str, Any] | None:
        """As `read`, and `token` is used up: of any number of callers, in any processes, one gets its data, the others None."""
        if not _is_formed(token):
            return None
        return await self._asking(self._redeem, token)  # type: ignore[no-any-return]

    async def forget(self, owner: str) -> None:
        """No token that `owner` has is good any more. Raises: `StoreUnavailable`."""
        await self._asking(self._point, owner, None)

    async def _asking(self, fn: Callable[..., Any], *args: Any) -> Any:
        return await blocking(fn, *args) if self._store.blocks else fn(*args)

    def _issue(self, data: Mapping[str, Any], owner: str | None) -> str:
        import json

        raw = self._random(SIZE)
        if len(raw) != SIZE:
            raise ValueError(f"random gives {SIZE} bytes when asked for them")
        token = base64url.encode(raw).decode()
        until = float(self._clock() + self._ttl)
        value = json.dumps({"until": until, "owner": owner, "data": dict(data)}, allow_nan=False).encode()
        if not self._store.add(self._key(token), self._ttl, value):
            raise Unavailable("the source of randomness repeats itself")
        if owner is not None:
            self._point(owner, self._key(token).encode())
        return token

    def _redeem(self, token: str) -> dict[str, Any] | None:
        found = self._found(token)
        if found is None or not self._store.swap(self._key(token), found[0], None, self._ttl):
            return None
        return found[1]

    def _found(self, token: str) -> tuple[bytes, dict[str, Any]] | None:
        """What is noted for a token that is good now, and what it stands for."""
        value = self._store.get(self._key(token))
        if value is None:
            return None
        noted = _noted(value)
        if noted is None or not self._clock() < noted["until"]:
            return None
        owner = noted["owner"]
        if owner is not None and self._store.get(self._key_of(owner)) != self._key(token).encode():
            return None
        return value, noted["data"]

    def _point(self, owner: str, newest: bytes | None) -> None:
        """Have `newest` be the one token of `owner` that is good. Of two at the same time, the last one is."""
        key = self._key_of(owner)
        while True:
            held = self._store.get(key)
            if held is None and newest is None:
                return
            if self._store.swap(key, held, newest, self._ttl):
                return

    def _key(self, token: str) -> str:
        return f"once:{self._purpose}:token:{_digest(token)}"

    def _key_of(self, owner: str) -> str:
        return f"once:{self._purpose}:owner:{_digest(owner)}"

    def __repr__(self) -> str:
        return f"<one-time tokens, {self._purpose}, {self._ttl} s>"


def _digest(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_formed(token: object) -> bool:
    if type(token) is not str or len(token) != LENGTH:
        return False
    try:
        return len(base64url.decode(token)) == SIZE
    except ValueError:
        return False


def _noted(value: bytes) -> dict[str, Any] | None:
    """What `_issue` wrote, or None: somebody else wrote it."""
    try:
        noted = parse_object(value)
    except ValueError:
        return None
    if noted.keys() != {"until", "owner", "data"} or type(noted["until"]) is not float or not isinstance(noted["data"], dict):
        return None
    return noted if noted["owner"] is None or type(noted["owner"]) is str else None
