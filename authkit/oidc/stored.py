"""`StoredSessions`: sessions in a store. The browser has a random id; a logout, here or at the provider, ends them."""

from __future__ import annotations

from hashlib import sha256

from .._run import blocking
from ..errors import Unavailable
from ..secrets.versions import Masked
from ..tokens import base64url
from .session import Session, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._sealed import Keys, Seal
    from ..stores import Store

_PURPOSE = "oidc stored session"
_ID = 32  # bytes
_LENGTH = 43  # characters of it in base64url
_SKEW = 60.0  # seconds by which the clocks of machines that share a store may differ
_ROUNDS = 20  # how often a mark is tried to be set that others set too


class StoredSessions(Masked):
    """A record is sealed as a cookie would be, under the SHA-256 of its id: who reads the store finds neither ids nor tokens.

    `absolute`: seconds that a session lasts at most. Records of a store that was lost are gone; those in one that was lost in
    part are refused by its epoch. Raises: `StoreUnavailable` wherever the store does not answer.
    """

    revocable = True
    __slots__ = ("_blocks", "_store", "_seal", "_binding", "_place", "_absolute", "_clock", "_random")

    def __init__(
        self,
        store: Store,
        seal: Seal,
        binding: str,
        absolute: float,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._blocks: bool = store.blocks
        self._store = store
        self._seal = seal
        self._binding = binding
        self._place = "authkit:login:" + _digest(binding)[:16]
        self._absolute = absolute
        self._clock = clock
        self._random = random

    async def warm(self) -> None:
        await self._seal.load()

    async def keep(self, session: Session) -> str:
        value = base64url.encode(self._random(_ID)).decode()
        key = self._key(value)
        raw = self._sealed(await self._seal.load(), key, session)
        if not await self._ask(self._store.add, key, self._left(session), raw):
            raise ValueError(f"random gives {_ID} bytes that nobody had before")
        return value

    async def find(self, value: str) -> Session | None:
        if len(value) != _LENGTH or not value.isascii():
            return None
        key = self._key(value)
        epoch, (raw,) = await self._ask(self._store.look, key)
        if raw is None:
            return None
        keys = await self._seal.load()
        data = keys.opened(_PURPOSE, f"{self._binding}\0{key}", raw.decode("ascii", "replace"))
        if data is None:
            newer = await self._seal.look_again(keys)
            if newer is not None:
                data = newer.opened(_PURPOSE, f"{self._binding}\0{key}", raw.decode("ascii", "replace"))
        session = None if data is None else read(data)
        if session is None or session.began < epoch - _SKEW:
            return None
        session.raw = raw
        if await self._is_ended(session):
            await self._forget(key, raw)
            return None
        return session

    async def replace(self, value: str, old: Session, new: Session) -> tuple[str, Session | None]:
        """Write `new` in the place of `old`. Where somebody else was quicker it gives what they wrote, unless `new` was
        refreshed since; None where the session has ended meanwhile."""
        key = self._key(value)
        raw = self._sealed(await self._seal.load(), key, new)
        known: Session | None = old
        for _ in range(_ROUNDS):
            if known is None or (known is not old and known.turn >= new.turn):
                return value, known
            if await self._ask(self._store.swap, key, known.raw, raw, self._left(new)):
                new.raw = raw
                return value, new
            known = await self.find(value)
        raise Unavailable("a session is written by too many at once")

    async def end(self, value: str, session: Session | None) -> None:
        key = self._key(value)
        for _ in range(_ROUNDS):
            raw = await self._ask(self._store.get, key)
            if raw is None or await self._forget(key, raw):
                return

    async def end_all(self, sid: str | None, subject: str | None) -> None:
        """End the sessions of the provider's session `sid`, and those of `subject` until now that name none; without `sid` all
        that `subject` has begun until now."""
        now, until = self._clock(), self._absolute + _SKEW
        for key in self._marks(("sub", subject)) if sid is None else self._marks(("sid", sid), ("any", subject)):
            for _ in range(_ROUNDS):
                old = await self._ask(self._store.get, key)
                if old is not None and float(old) >= now:
                    break
                if await self._ask(self._store.swap, key, old, repr(now).encode(), until):
                    break

    async def add(self, name: str, ttl: float) -> bool:
        """Note that `name` was there, once: True for exactly one of those who say so."""
        return await self._ask(self._store.add, f"{self._place}:{_digest(name)}", ttl)  # type: ignore[no-any-return]

    async def begin(self, name: str, ttl: float) -> bool:
        """Whether `name` is not `done` yet, which is noted for `ttl` seconds: what failed half-way may be done again."""
        if await self.add(name, ttl):
            return True
        return await self._ask(self._store.get, f"{self._place}:{_digest(name)}") == b""  # type: ignore[no-any-return]

    async def done(self, name: str, ttl: float) -> None:
        """`name` is done, and not to be done again."""
        await self._ask(self._store.swap, f"{self._place}:{_digest(name)}", b"", b"done", ttl)

    async def drop(self, name: str) -> None:
        """Forget that `name` was there."""
        await self._ask(self._store.swap, f"{self._place}:{_digest(name)}", b"", None, 0)

    async def _is_ended(self, session: Session) -> bool:
        subject = session.sub or session.subject
        which = ("sid", session.sid) if session.sid is not None else ("any", subject)
        _, (of_one, of_all) = await self._ask(self._store.look, *self._marks(which, ("sub", subject)))
        if session.sid is not None and of_one is not None:
            return True  # the provider's session is over for good, also if that is said while a login under it is on its way
        return any(mark is not None and session.began <= float(mark) for mark in (of_one, of_all))

    def _marks(self, *named: tuple[str, str | None]) -> list[str]:
        """Where it is noted when a provider's session, or a subject, was logged out."""
        return [f"{self._place}:{kind}:{_digest(name)}" for kind, name in named if name is not None]

    async def _forget(self, key: str, raw: bytes) -> bool:
        return await self._ask(self._store.swap, key, raw, None, 0)  # type: ignore[no-any-return]

    async def _ask(self, fn: Callable[..., Any], *args: Any) -> Any:
        return await blocking(fn, *args) if self._blocks else fn(*args)

    def _sealed(self, keys: Keys, key: str, session: Session) -> bytes:
        return keys.seal(_PURPOSE, f"{self._binding}\0{key}", session.written()).encode()

    def _left(self, session: Session) -> float:
        return max(1.0, session.began + self._absolute - self._clock() + 1.0)

    def _key(self, value: str) -> str:
        return f"{self._place}:id:{_digest(value)}"


def _digest(text: str) -> str:
    return base64url.encode(sha256(text.encode()).digest()).decode()
