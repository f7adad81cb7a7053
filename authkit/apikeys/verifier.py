"""What verifies a key: the one coroutine of `ApiKeys` and `StaticKeys`, asked from any side."""

from __future__ import annotations

from .._run import arun, blocking, run
from .header import HEADER, InHeader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..decision import Deny, Principal
    from ..http import Request


class KeyVerifier:
    """`verify` and its twins; `authenticate`, which makes it a credential beside others in `require_auth`."""

    reads_request = False
    sent_in = (HEADER,)
    _at: InHeader | None = None

    async def _verified(self, key: str) -> Principal:
        raise NotImplementedError

    def verify(self, key: str) -> Principal:
        """Whose key it is: subject, scopes and roles; `claims` are `key_id` and `name`, `method` is "api_key".

        Raises: `InvalidToken` with the reason `api_key_malformed`, `api_key_unknown`, `api_key_expired` or `api_key_disabled`;
        `Unavailable` if it cannot be looked up.
        """
        return run(self._verified(key))

    async def averify(self, key: str) -> Principal:
        """`verify` on an event loop, which it does not block."""
        return await arun(self.verifying(key))

    async def verifying(self, key: str) -> Principal:
        """`verify` for a guard's own coroutine, whether the host is sync or async."""
        if type(self).verify is not KeyVerifier.verify or "verify" in vars(self):  # a subclass's checks more, and may wait
            return await blocking(self.verify, key)
        return await self._verified(key)

    async def authenticate(self, request: Request) -> Principal | Deny | None:
        """Whose key stands in the header `x-api-key`: `require_auth(tokens, keys)`. For another header: `at`."""
        at = self._at
        if at is None:
            at = self._at = self.at(HEADER)
        return await at.authenticate(request)

    def at(self, header: str, *, realm: str = "api") -> InHeader:
        """The same keys in another header: `require_auth(tokens, keys.at("x-service-key"))`. Raises: `ConfigurationError`."""
        return InHeader(self, header, realm)
