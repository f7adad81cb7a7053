"""`Paired`: the half of `Tokens` that wants a store. Pairs of an access and a refresh token, and revocation."""

from __future__ import annotations

from functools import partial

from .._run import arun, run
from ..errors import ConfigurationError
from ._keyed import Keyed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any

    from ..stores import Store
    from .grant import Grant
    from .pair import TokenPair
    from .refresh import Sessions
    from .remembered import Verified
    from .revocation import Revocations


class Paired(Keyed):
    """Each method but the coroutines has a twin for event loops. A subclass that changes one changes the coroutine."""

    _store: Store | None
    _kept: Sessions | None

    async def _finding(self, token: str, bound: bool = False) -> Verified:
        """What an access token is that holds, whether or not it was revoked. Raises: `InvalidToken`."""
        raise NotImplementedError

    @property
    def store(self) -> Store | None:
        """Where refresh tokens and revocations are kept."""
        return self._store

    def issue_pair(
        self,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        client: str | None = None,
        stamp: str = "",
    ) -> TokenPair:
        """An access token for `subject`, and a refresh token that is good for the next pair.

        `claims` are in every access token of the session. `client`: who alone may refresh it. `stamp`: a text that `held` is
        given back. Raises: as `issue`; `ConfigurationError` without a store; `Unavailable`.
        """
        return run(self.issuing_pair(subject, scopes=scopes, roles=roles, claims=claims, client=client, stamp=stamp))

    async def aissue_pair(
        self,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        client: str | None = None,
        stamp: str = "",
    ) -> TokenPair:
        """`issue_pair` on an event loop, which it does not block."""
        return await arun(self.issuing_pair(subject, scopes=scopes, roles=roles, claims=claims, client=client, stamp=stamp))

    async def issuing_pair(
        self,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        client: str | None = None,
        stamp: str = "",
    ) -> TokenPair:
        """`issue_pair` for an endpoint's own coroutine, whether the host is sync or async."""
        kept = self._sessions()
        sign = partial(self._signed, await self._loaded())
        return await kept.begin(sign, subject, scopes, roles, claims, client, stamp)

    def refresh(self, refresh_token: str, *, scopes: Iterable[str] | None = None, client: str | None = None) -> TokenPair:
        """The next pair for a refresh token, which is used up.

        `scopes`: of those granted, for this access token; None: all. A token that was used gives the same successor again for
        `refresh_overlap` seconds, unless that was used too; after that its session is ended: one of its holders stole it.

        Raises: `InvalidToken` (`refresh_unknown`, `refresh_expired`, `refresh_reused`, `refresh_client`, `refresh_scope`,
        `refresh_user`, `refresh_malformed`, `token_revoked`, `store_reset`); `ConfigurationError` without a store;
        `Unavailable`, after which the same token may be tried again within `refresh_overlap`: the store may have done it.
        """
        return run(self.refreshing(refresh_token, scopes=scopes, client=client))

    async def arefresh(
        self, refresh_token: str, *, scopes: Iterable[str] | None = None, client: str | None = None
    ) -> TokenPair:
        """`refresh` on an event loop, which it does not block."""
        return await arun(self.refreshing(refresh_token, scopes=scopes, client=client))

    async def refreshing(
        self,
        refresh_token: str,
        *,
        scopes: Iterable[str] | None = None,
        client: str | None = None,
        held: Callable[[Grant], Awaitable[Grant | None]] | None = None,
    ) -> TokenPair:
        """`refresh` for an endpoint's own coroutine, whether the host is sync or async.

        `held` is asked what is still held of a grant, before the token is used up: roles and scopes that are gone are not in
        the access token. None: nothing is, and the session is ended.
        """
        kept = self._sessions()
        sign = partial(self._signed, await self._loaded())
        return await kept.exchange(sign, refresh_token, scopes, client, held)

    def revoke(self, token: str) -> None:
        """Let a token count no more: of a pair either ends the session. What is no token of ours, or over, does nothing.

        Seen at once in this process, and within a second in others.
        Raises: `ConfigurationError` without a store; `Unavailable`.
        """
        run(self.revoking(token))

    async def arevoke(self, token: str) -> None:
        """`revoke` on an event loop, which it does not block."""
        await arun(self.revoking(token))

    async def revoking(self, token: str) -> None:
        """`revoke` for an endpoint's own coroutine, whether the host is sync or async."""
        await self._sessions().revoke(token, partial(self._finding, bound=True))

    def revoke_subject(self, subject: str) -> None:
        """Let nothing count any more that was issued to `subject` until now: access tokens, and sessions.

        Raises: `ConfigurationError` without a store; `Unavailable`.
        """
        run(self.revoking_subject(subject))

    async def arevoke_subject(self, subject: str) -> None:
        """`revoke_subject` on an event loop, which it does not block."""
        await arun(self.revoking_subject(subject))

    async def revoking_subject(self, subject: str) -> None:
        """`revoke_subject` for an endpoint's own coroutine, whether the host is sync or async."""
        await self._sessions().revoke_subject(subject)

    def _sessions(self) -> Sessions:
        if self._kept is None:
            raise ConfigurationError("pairs, refresh and revocation want a store, and Tokens has none: pass store=")
        return self._kept


def kept_in(store: Store, issuer: str, audience: str, **settings: Any) -> tuple[Revocations, Sessions]:
    """What `Tokens` asks of its store. Raises: `ConfigurationError` for what is no store."""
    from ..stores import Store

    if not isinstance(store, Store):
        raise ConfigurationError("store is a Store: MemoryStore(), SqliteStore(path), open_store(url)")
    from .refresh import Sessions
    from .revocation import Revocations

    span, monotonic = settings.pop("span"), settings.pop("monotonic")
    clock, random, leeway = settings["clock"], settings["random"], settings["leeway"]
    revocations = Revocations(store, issuer, leeway, span, clock, monotonic, random)
    return revocations, Sessions(revocations, audience, **settings)
