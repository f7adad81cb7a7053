"""`Tokens`: the access tokens of one issuer, issued and verified (RFC 9068)."""

from __future__ import annotations

import os
import time
from functools import partial

from .._run import SingleFlight, arun, blocking, run
from ..errors import ConfigurationError, InvalidToken
from . import base64url, issue
from .claims import validate
from .followed import FOREVER, Known, ring_of
from .remembered import Remembered
from .ring import KeyRing
from .verify import MAX_TOKEN, SignedBy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, NoReturn

    from ..decision import Principal
    from .followed import RotatingSecret, Versions
    from .keys import Key
    from .remembered import Verified


ACCESS_TYPE = "at+jwt"  # RFC 9068 section 2.1: what tells an access token from every other kind
MAX_LEEWAY = 300  # seconds
MAX_TTL = 10 * 366 * 86_400  # seconds
_ROTATED = ("token_key", "token_signature")  # what a token under a key looks like that came into force since


class _State:
    """Everything that holds under one set of keys. Other keys are another state, and no decision is carried over."""

    __slots__ = ("ring", "signed", "remembered", "header", "versions", "version_of", "until")

    def __init__(
        self,
        ring: KeyRing,
        cache_size: int,
        versions: Versions | None = None,
        version_of: Mapping[str, str] | None = None,
        until: float = FOREVER,
    ) -> None:
        self.ring = ring
        self.signed = SignedBy(ring, ACCESS_TYPE)
        self.remembered = Remembered(cache_size)
        self.header: str | None = None  # made with the first token: a service that only verifies needs none
        self.versions = versions
        self.version_of = version_of or {}  # kid -> "current" or "previous"; empty: the key is no secret's
        self.until = until


class Tokens:
    """Issues access tokens of `issuer` for `audience`, and verifies them.

    `key`: text, bytes, PEM, a JWK, a `Key`, a `KeyRing`, or a `Secret`, whose newest value signs and whose previous one still
    verifies. Times are in seconds. `leeway`: how far clocks may differ, 0 to 300. `cache_size`: how many verified tokens are
    remembered. Whether a token was revoked is not checked without a store.

    Raises: `ConfigurationError` for a setting or a key that is missing or unfit; for a `Secret`, when it is first used.
    """

    issuer: str
    audience: str
    access_ttl: int

    def __init__(
        self,
        key: str | bytes | Mapping[str, Any] | Key | KeyRing | RotatingSecret,
        *,
        issuer: str,
        audience: str,
        access_ttl: int = 900,
        refresh_ttl: int = 2_592_000,
        refresh_overlap: int = 10,
        store: None = None,
        leeway: float = 30,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
        cache_size: int = 1024,
    ) -> None:
        self.issuer = _text("issuer", issuer)
        self.audience = _text("audience", audience)
        self.access_ttl = _whole("access_ttl", access_ttl, 1, MAX_TTL)
        _whole("refresh_ttl", refresh_ttl, 1, MAX_TTL)
        _whole("refresh_overlap", refresh_overlap, 0, MAX_LEEWAY)
        if store is not None:
            raise ConfigurationError("store: refresh and revocation are not there yet; without them pass no store")
        if type(leeway) not in (int, float) or not 0 <= leeway <= MAX_LEEWAY:
            raise ConfigurationError(f"leeway is a number of seconds from 0 to {MAX_LEEWAY}")
        self._leeway = leeway
        self._cache_size = _whole("cache_size", cache_size, 0, 1_000_000)
        self._clock = clock
        self._random = random
        self._secret: Any = None
        self._state: _State | None = None
        if hasattr(key, "versions"):
            self._secret = key
            self._known = Known(random)
            self._flights = SingleFlight()
        else:
            self._state = _State(key if isinstance(key, KeyRing) else KeyRing(key), self._cache_size)

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

        Raises: `ValueError` for what no verifier would accept, or for `claims` that only authkit may set;
        `ConfigurationError` if the key only verifies.
        """
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
        return self._issued(await self._loaded(), subject, **options)

    def _issued(
        self,
        state: _State,
        subject: str,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        ttl: int | None = None,
    ) -> str:
        key = state.ring.current
        if not key.can_sign:
            raise ConfigurationError("this key only verifies: issuing tokens wants the private key")
        header = state.header
        if header is None:
            header = state.header = issue.header_segment(key, ACCESS_TYPE)
        if ttl is not None and (type(ttl) is not int or not 0 < ttl <= MAX_TTL):
            raise ValueError(f"ttl is a whole number of seconds from 1 to {MAX_TTL}")
        now = int(self._clock())
        registered = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "exp": now + (ttl or self.access_ttl),
            "jti": base64url.encode(self._random(16)).decode(),
        }
        signed = f"{header}.{issue.payload_segment(registered, scopes, roles, claims or {})}"
        token = f"{signed}.{base64url.encode(key.sign(signed.encode())).decode()}"
        if len(token) > MAX_TOKEN:
            raise ValueError(f"the token would be longer than {MAX_TOKEN} characters: claims= holds too much")
        return token

    def verify(self, token: str) -> Principal:
        """Who an access token of ours is for. I/O only for a `Secret` that is due to be read, or that may have been rotated:
        where a key is not known, or a signature does not hold, it is read once more, at most once in its cooldown.

        Raises: `InvalidToken`, whatever is wrong with the token; `Unavailable` if the key cannot be had.
        """
        secret = self._secret
        if secret is None:
            return self._judge(self._state, token)[0]  # type: ignore[arg-type]  # without a secret there is always one
        versions = secret.versions()
        state = self._holding(versions) or self._follow(versions)
        try:
            return self._judge(state, token)[0]
        except InvalidToken as error:
            if error.reason not in _ROTATED or not secret.recheck(state.versions):
                raise
        return self._judge(self._follow(secret.versions()), token)[0]

    async def averify(self, token: str) -> Principal:
        """`verify` on an event loop, which it does not block."""
        return await arun(self.verifying(token))

    async def verifying(self, token: str) -> Principal:
        """`verify` for a guard's own coroutine, whether the host is sync or async."""
        if type(self).verify is not Tokens.verify or "verify" in vars(self):  # a subclass's checks more, and may wait
            return await blocking(self.verify, token)
        secret = self._secret
        if secret is None:
            return self.verify(token)
        state = await self._loaded()
        try:
            return self._judge(state, token)[0]
        except InvalidToken as error:
            if error.reason not in _ROTATED or not await secret.reload_after_failure(state.versions):
                raise
        return self._judge(await self._loaded(), token)[0]

    def recall(self, token: str) -> Principal | None:
        """Who a token is for that `verify` found good before, if it still is; None: ask `verify`. Never I/O."""
        state = self._state
        now = self._clock()
        secret = self._secret
        if secret is None:
            known = state.remembered.recall(token, now)  # type: ignore[union-attr]  # as in verify
            return known if known is None else known[0]
        if state is None or secret.fresh() is not state.versions or now >= state.until:
            return None
        known = state.remembered.recall(token, now)
        if known is None:
            return None
        secret.note_use(known[3])
        return known[0]

    def _judge(self, state: _State, token: str) -> Verified:
        """Whether a token holds under these keys, remembered or found out."""
        if type(token) is not str:
            raise InvalidToken("token_malformed")
        if len(token) > MAX_TOKEN:  # before anything that would read or copy it
            raise InvalidToken("token_too_large")
        now = self._clock()
        found = state.remembered.recall(token, now)
        if found is None:
            claims, key = state.signed.claims(token)
            validated = validate(claims, self.issuer, self.audience, self._leeway, now)
            found = (*validated, state.version_of.get(key.kid))
            state.remembered.keep(token, found)
        if found[3] is not None:
            self._secret.note_use(found[3])
        return found

    @property
    def in_place(self) -> bool:
        """Whether `verify` never does I/O: the key is not a `Secret`."""
        return self._secret is None

    async def warm(self) -> None:
        """Have the key at hand, for a guard's own coroutine: `issue` does no I/O right after it.

        Raises: `ConfigurationError` if the key is unfit, `SecretNotFound`, `Unavailable`.
        """
        await self._loaded()

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517 section 5), those of the next rotation included. Secrets are never in it."""
        return self._current().ring.jwks()

    async def ajwks(self) -> dict[str, Any]:
        """`jwks` on an event loop, which it does not block."""
        return await arun(self._publishing())

    async def _publishing(self) -> dict[str, Any]:
        if type(self).jwks is not Tokens.jwks or "jwks" in vars(self):
            return await blocking(self.jwks)
        return (await self._loaded()).ring.jwks()

    def _current(self) -> _State:
        state = self._state
        return state if state is not None and self._secret is None else self._follow(self._secret.versions())

    async def _loaded(self) -> _State:
        """The state under what the secret says now, for a coroutine that anybody may drive."""
        secret = self._secret
        if secret is None:
            return self._state  # type: ignore[return-value]  # as in verify
        versions = await secret.load()
        return self._holding(versions) or await self._making(versions)

    def _follow(self, versions: Versions) -> _State:
        """The state under these versions. It gives the same object until something changes."""
        return self._holding(versions) or run(self._making(versions))

    def _holding(self, versions: Versions) -> _State | None:
        state = self._state
        return None if state is None or state.versions is not versions or self._clock() >= state.until else state

    async def _making(self, versions: Versions) -> _State:
        """Another state, made by one caller however many wait, and off the loop: a key pair takes long to read."""
        if self._known.is_quick(versions):
            return self._made(versions)
        return await self._flights.do(id(versions), partial(self._made, versions))

    def _made(self, versions: Versions) -> _State:
        state = self._holding(versions)  # another flight may have just landed
        if state is None:
            ring, version_of, until = ring_of(self._secret.name, versions, self._clock(), self._known)
            state = self._state = _State(ring, self._cache_size, versions, version_of, until)
        return state

    def issue_pair(self, subject: str, **_: Any) -> NoReturn:
        """Raises: `ConfigurationError`: there is no store to keep refresh tokens in."""
        raise _no_store()

    def refresh(self, refresh_token: str) -> NoReturn:
        """Raises: `ConfigurationError`: there is no store to keep refresh tokens in."""
        raise _no_store()

    def revoke(self, token: str) -> NoReturn:
        """Raises: `ConfigurationError`: there is no store to remember it in."""
        raise _no_store()

    def revoke_subject(self, subject: str) -> NoReturn:
        """Raises: `ConfigurationError`: there is no store to remember it in."""
        raise _no_store()

    def __repr__(self) -> str:
        return f"<Tokens of {self.issuer!r} for {self.audience!r}>"


def _no_store() -> ConfigurationError:
    return ConfigurationError("refresh and revocation want a store, and Tokens has none")


def _text(name: str, value: object) -> str:
    if type(value) is not str or not value:
        raise ConfigurationError(f"{name} is text, and not empty")
    return value


def _whole(name: str, value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"{name} is a whole number from {least} to {most}")
    return value
