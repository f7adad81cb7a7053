"""`SealedSessions`: sessions that lie in their owners' browsers, sealed. No store, and nothing that could be revoked."""

from __future__ import annotations

from ..secrets.versions import Masked
from ..tokens import base64url
from .session import Session, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._sealed import Keys, Seal

_PURPOSE = "oidc session"
_SALT = 12  # bytes: one key for each sealing, so that no two nonces ever meet under one


class SealedSessions(Masked):
    """The whole session is what the cookies hold: AES-256-GCM under a key of the newest value of the secret, bound to `binding`
    (issuer, client, and this purpose). Whoever has a copy of the cookies is logged in until it times out, logged out or not.
    """

    __slots__ = ("_seal", "_binding", "_random")
    revocable = False

    def __init__(self, seal: Seal, binding: str, random: Callable[[int], bytes]) -> None:
        self._seal = seal
        self._binding = binding
        self._random = random

    async def warm(self) -> None:
        await self._seal.load()

    async def keep(self, session: Session) -> str:
        """The value that `find` opens. Raises: as a `Secret` does."""
        keys = await self._seal.load()
        salt = base64url.encode(self._random(_SALT)).decode()
        return f"{salt}.{keys.seal(_PURPOSE, self._bound(salt), session.written())}"

    async def find(self, value: str) -> Session | None:
        """The session; None if it is none, of another login, or damaged. Raises: as a `Secret` does."""
        keys = await self._seal.load()
        data = self._opened(keys, value)
        if data is None:  # sealed elsewhere, perhaps, under a value that we have not seen yet
            newer = await self._seal.look_again(keys)
            data = None if newer is None else self._opened(newer, value)
        return None if data is None else read(data)

    async def replace(self, value: str, old: Session, new: Session) -> tuple[str, Session | None]:
        """The value of what `old` has become."""
        return await self.keep(new), new

    async def end(self, value: str, session: Session | None) -> None:
        """Nothing: the cookies are forgotten by who holds them."""

    def _opened(self, keys: Keys, value: str) -> bytes | None:
        salt, _, sealed = value.partition(".")
        return keys.opened(_PURPOSE, self._bound(salt), sealed) if salt.isascii() else None

    def _bound(self, salt: str) -> str:
        return f"{self._binding}\0{salt}"
