"""Everything that a login fetches, at hand before anybody wants it."""

from __future__ import annotations

from .._run import arun, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._endpoints import Endpoints
    from .browser_session import BrowserSession
    from .id_token import SignedForUs


class Warmed:
    """What `Login` has of `prefetch`; a chain with `login.session` does the same where it is prepared."""

    provider: Any
    session: BrowserSession
    _endpoints: Endpoints
    _signed: SignedForUs | None

    def prefetch(self) -> None:
        """Have metadata, keys and the session key at hand before the first login; `chain.prepare` does so too.

        Raises: `Unavailable`; `ConfigurationError` for metadata that name an endpoint at another origin.
        """
        run(self.warm())

    async def aprefetch(self) -> None:
        """`prefetch` on an event loop, which it does not block."""
        await arun(self.warm())

    async def warm(self) -> None:
        """`prefetch` for a guard's own coroutine, whether the host is sync or async."""
        await self.session.warm()

    async def _warm_provider(self) -> None:
        """`warm`, of what is the provider's."""
        for name in ("authorization_endpoint", "token_endpoint"):
            await self._endpoints.find(name)
        if self._signed is not None:
            await self.provider.warm()
