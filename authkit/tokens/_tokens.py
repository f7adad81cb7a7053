"""`Tokens`: the tokens of one issuer, issued, verified, refreshed and revoked (RFC 9068, RFC 9700)."""

from __future__ import annotations

import os
import time
from functools import partial

from .._run import arun, blocking, run
from ..errors import ConfigurationError, InvalidToken
from ._keyed import signing_key
from ._paired import Paired, kept_in
from .claims import validate
from .verify import MAX_TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..decision import Principal
    from ..stores import Store
    from ._keyed import State
    from .followed import RotatingSecret
    from .keys import Key
    from .refresh import Sessions
    from .remembered import Verified
    from .revocation import Revocations
    from .ring import KeyRing

MAX_LEEWAY = 300  # seconds
MAX_TTL = 10 * 366 * 86_400  # seconds
_ROTATED = ("token_key", "token_signature")  # what a token under a key looks like that came into force since


class Tokens(Paired):
    """Issues access tokens of `issuer` for `audience`, and verifies them; with a `store` also refreshes and revokes them.

    `key`: text, bytes, PEM, a JWK, a `Key`, a `KeyRing`, or a `Secret`, whose newest value signs and whose previous one still
    verifies. Times are in seconds. `refresh_ttl`: how long a refresh token that nobody uses is good; `session_ttl`: after which
    a session ends however often it is refreshed (None: never); `refresh_overlap`: how long a refresh token that was used gives
    the same successor again, unless that was used. `leeway`: how far clocks may differ, 0 to 300. `cache_size`: how many
    verified tokens are remembered.

    With a store each verification asks whether the token was revoked, and so does what is remembered. What a store that does
    I/O says of a token is kept for half a second, and dropped when something is revoked in this process. A store that does not
    answer is `Unavailable`. Without a store nothing can be revoked, and nothing is asked.

    A token that is bound to a key (`claims={"cnf": ...}`) is refused as a bearer token.

    Raises: `ConfigurationError` for a setting or a key that is missing or unfit; for a `Secret`, when it is first used.
    """

    access_ttl: int
    refresh_ttl: int

    def __init__(
        self,
        key: str | bytes | Mapping[str, Any] | Key | KeyRing | RotatingSecret,
        *,
        issuer: str,
        audience: str,
        access_ttl: int = 900,
        refresh_ttl: int = 2_592_000,
        refresh_overlap: int = 10,
        session_ttl: int | None = None,
        store: Store | None = None,
        leeway: float = 30,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
        cache_size: int = 1024,
    ) -> None:
        self.issuer = _text("issuer", issuer)
        self.audience = _text("audience", audience)
        self.access_ttl = _whole("access_ttl", access_ttl, 1, MAX_TTL)
        self.refresh_ttl = _whole("refresh_ttl", refresh_ttl, 1, MAX_TTL)
        _whole("refresh_overlap", refresh_overlap, 0, MAX_LEEWAY)
        if session_ttl is not None:
            _whole("session_ttl", session_ttl, 1, MAX_TTL)
        if type(leeway) not in (int, float) or not 0 <= leeway <= MAX_LEEWAY:
            raise ConfigurationError(f"leeway is a number of seconds from 0 to {MAX_LEEWAY}")
        self._leeway = leeway
        super().__init__(key, _whole("cache_size", cache_size, 0, 1_000_000), clock, random)
        self._revocations: Revocations | None = None
        self._kept: Sessions | None = None
        self._span = MAX_TTL  # seconds that an access token may live
        self._store = store
        if store is not None:
            self._span = max(access_ttl, refresh_ttl)
            self._revocations, self._kept = kept_in(
                store,
                issuer,
                audience,
                span=self._span,
                access_ttl=access_ttl,
                refresh_ttl=refresh_ttl,
                overlap=refresh_overlap,
                session_ttl=session_ttl,
                leeway=leeway,
                clock=clock,
                monotonic=monotonic,
                random=random,
            )
        self._plain = self._secret is None and store is None

    def issue(
        self,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        ttl: int | None = None,
    ) -> str:
        """A signed access token for `subject`, valid for `ttl` seconds (default: `access_ttl`).

        A store is asked once, and `ttl` is then at most the longer of `access_ttl` and `refresh_ttl`, because no revocation
        is remembered for longer.

        Raises: `ValueError` for what no verifier would accept, or for `claims` that only authkit may set;
        `ConfigurationError` if the key only verifies; `Unavailable` if the store does not answer.
        """
        if self._revocations is not None:
            return run(self._issuing(subject, scopes, roles, claims, ttl))
        return self._issued(self._current(), subject, scopes, roles, claims, ttl)

    async def aissue(
        self,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        ttl: int | None = None,
    ) -> str:
        """`issue` on an event loop, which it does not block."""
        return await arun(self.issuing(subject, scopes=scopes, roles=roles, claims=claims, ttl=ttl))

    async def issuing(self, subject: str, **options: Any) -> str:
        """`issue` for a guard's or endpoint's own coroutine, whether the host is sync or async."""
        if type(self).issue is not Tokens.issue or "issue" in vars(self):  # a subclass's may ask somebody
            return await blocking(partial(self.issue, subject, **options))
        return await self._issuing(subject, **options)

    async def _issuing(
        self,
        subject: str,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        ttl: int | None = None,
    ) -> str:
        state, revocations = await self._loaded(), self._revocations
        if revocations is None:
            return self._issued(state, subject, scopes, roles, claims, ttl)
        if type(subject) is not str or not subject:
            raise ValueError("subject is text, and not empty")
        now, jti = self._clock(), self._jti()  # the time before the store is asked: what is revoked after that came later
        standing = revocations.standing, now, revocations.owner(subject), revocations.token_key(jti)
        gen = (await revocations.ask(*standing))[0]
        return self._issued(state, subject, scopes, roles, claims, ttl, int(now), jti, gen)

    def _issued(
        self,
        state: State,
        subject: str,
        scopes: Iterable[str],
        roles: Iterable[str],
        claims: Mapping[str, Any] | None,
        ttl: int | None,
        now: int | None = None,
        jti: str | None = None,
        gen: str | None = None,
    ) -> str:
        signing_key(state)
        if ttl is not None and (type(ttl) is not int or not 0 < ttl <= self._span):
            raise ValueError(f"ttl is a whole number of seconds from 1 to {self._span}")
        if now is None:
            now = int(self._clock())
        further = {"jti": jti or self._jti()} if gen is None else {"jti": jti or self._jti(), "gen": gen}
        return self._signed(state, subject, scopes, roles, claims or {}, now, now + (ttl or self.access_ttl), further)

    def verify(self, token: str) -> Principal:
        """Who an access token of ours is for. I/O only for a `Secret` that is due to be read, or that may have been rotated:
        where a key is not known, or a signature does not hold, it is read once more, at most once in its cooldown; and for a
        store that does I/O, at most twice a second for one token.

        Raises: `InvalidToken`, whatever is wrong with the token (`token_revoked`, `store_reset`: the store says so);
        `Unavailable` if the key cannot be had, or the store does not answer.
        """
        if self._plain:
            return self._judge(self._state, token)[0]  # type: ignore[arg-type]  # without a secret there is always one
        found = self._found(token)
        if self._revocations is not None:
            self._revocations.check(found[4])  # type: ignore[arg-type]  # with a store there is always something to ask
        return found[0]

    def _found(self, token: str) -> Verified:
        """What a token is that holds, whether or not it was revoked."""
        secret = self._secret
        if secret is None:
            return self._judge(self._state, token)  # type: ignore[arg-type]  # as in verify
        versions = secret.versions()
        state = self._holding(versions) or self._follow(versions)
        try:
            return self._judge(state, token)
        except InvalidToken as error:
            if error.reason not in _ROTATED or not secret.recheck(state.versions):
                raise
        return self._judge(self._follow(secret.versions()), token)

    async def averify(self, token: str) -> Principal:
        """`verify` on an event loop, which it does not block."""
        return await arun(self.verifying(token))

    async def verifying(self, token: str) -> Principal:
        """`verify` for a guard's own coroutine, whether the host is sync or async."""
        if type(self).verify is not Tokens.verify or "verify" in vars(self):  # a subclass's checks more, and may wait
            return await blocking(self.verify, token)
        if self._plain:
            return self.verify(token)
        return await self._standing(token)

    async def verifying_bound(self, token: str) -> Principal:
        """`verifying` for who checks the proof that a bound token (`cnf`) wants: `DPoP`, `MutualTLS`."""
        return await self._standing(token, True)

    async def _standing(self, token: str, bound: bool = False) -> Principal:
        found = await self._finding(token, bound)
        if self._revocations is not None:
            await self._revocations.checking(found[4])  # type: ignore[arg-type]  # as in verify
        return found[0]

    async def _finding(self, token: str, bound: bool = False) -> Verified:
        """`_found`, for a coroutine that anybody may drive."""
        secret = self._secret
        state = await self._loaded()
        try:
            return self._judge(state, token, bound)
        except InvalidToken as error:
            if secret is None or error.reason not in _ROTATED or not await secret.reload_after_failure(state.versions):
                raise
        return self._judge(await self._loaded(), token, bound)

    def recall(self, token: str) -> Principal | None:
        """Who a token is for that `verify` found good before, if it still is; None: ask `verify`. Never I/O."""
        state = self._state
        now = self._clock()
        if self._plain:
            known = state.remembered.recall(token, now)  # type: ignore[union-attr]  # as in verify
            return known if known is None else known[0]
        secret = self._secret
        if secret is not None and (state is None or secret.fresh() is not state.versions or now >= state.until):
            return None
        known = state.remembered.recall(token, now)  # type: ignore[union-attr]  # as in verify
        if known is None or not (self._revocations is None or self._revocations.recalls(known[4], now)):  # type: ignore[arg-type]
            return None
        if secret is not None:
            secret.note_use(known[3])
        return known[0]

    def _judge(self, state: State, token: str, bound: bool = False) -> Verified:
        """Whether a token holds under these keys, remembered or found out."""
        if type(token) is not str:
            raise InvalidToken("token_malformed")
        if len(token) > MAX_TOKEN:  # before anything that would read or copy it
            raise InvalidToken("token_too_large")
        now = self._clock()
        remembered = state.bound if bound else state.remembered
        found = remembered.recall(token, now)
        if found is None:
            claims, key = state.signed.claims(token)
            if (
                "cnf" in claims and not bound
            ):  # to a key (RFC 7800), which whoever sends it as a bearer token has not shown to have
                raise InvalidToken("token_bound")
            validated = validate(claims, self.issuer, self.audience, self._leeway, now)
            unit = None if self._revocations is None else self._revocations.unit(validated[0].subject, claims)
            found = (*validated, state.version_of.get(key.kid), unit)
            remembered.keep(token, found)
        if found[3] is not None:
            self._secret.note_use(found[3])
        return found

    @property
    def in_place(self) -> bool:
        """Whether `verify` never does I/O: the key is not a `Secret`, and a store, if there is one, is in memory."""
        return self._secret is None and not (self._revocations is not None and self._revocations.blocks)

    def __repr__(self) -> str:
        return f"<Tokens of {self.issuer!r} for {self.audience!r}>"


def _text(name: str, value: object) -> str:
    if type(value) is not str or not value:
        raise ConfigurationError(f"{name} is text, and not empty")
    return value


def _whole(name: str, value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"{name} is a whole number from {least} to {most}")
    return value
