"""`Keyed`: the keys that tokens are signed and verified with, as they are at this moment. `Tokens` stands on it."""

from __future__ import annotations

import os
import time
from functools import partial

from .._run import SingleFlight, arun, blocking, run
from ..errors import ConfigurationError
from . import base64url, issue
from .followed import FOREVER, Known, ring_of
from .remembered import Remembered
from .ring import KeyRing
from .verify import MAX_TOKEN, SignedBy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from .followed import RotatingSecret, Versions
    from .keys import Key

ACCESS_TYPE = "at+jwt"  # RFC 9068 section 2.1: what tells an access token from every other kind


class State:
    """Everything that holds under one set of keys. Other keys are another state, and no decision is carried over."""

    __slots__ = ("ring", "signed", "remembered", "bound", "header", "versions", "version_of", "until")

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
        self.bound = Remembered(cache_size)  # of tokens that want a proof: apart, so that none passes for a bearer token
        self.header: str | None = None  # made with the first token: a service that only verifies needs none
        self.versions = versions
        self.version_of = version_of or {}  # kid -> "current" or "previous"; empty: the key is no secret's
        self.until = until


class Keyed:
    """What `key` makes: text, bytes, PEM, a JWK, a `Key`, a `KeyRing`, or a `Secret`, which is followed."""

    issuer: str
    audience: str

    def __init__(
        self,
        key: str | bytes | Mapping[str, Any] | Key | KeyRing | RotatingSecret,
        cache_size: int,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._cache_size = cache_size
        self._clock = clock
        self._random = random
        self._secret: Any = None
        self._state: State | None = None
        if hasattr(key, "versions"):
            self._secret = key
            self._known = Known(random)
            self._flights = SingleFlight()
        else:
            self._state = State(key if isinstance(key, KeyRing) else KeyRing(key), self._cache_size)

    def _jti(self) -> str:
        return base64url.encode(self._random(16)).decode()

    def _signed(
        self,
        state: State,
        subject: str,
        scopes: Iterable[str],
        roles: Iterable[str],
        claims: Mapping[str, Any],
        now: int,
        exp: int,
        further: Mapping[str, str],
    ) -> str:
        """An access token. `further`: what else only we may say in it."""
        key = signing_key(state)
        header = state.header
        if header is None:
            header = state.header = issue.header_segment(key, ACCESS_TYPE)
        registered: dict[str, Any] = {"iss": self.issuer, "aud": self.audience, "sub": subject, "iat": now, "exp": exp}
        if "jti" not in further:
            registered["jti"] = self._jti()
        registered.update(further)
        signed = f"{header}.{issue.payload_segment(registered, scopes, roles, claims)}"
        token = f"{signed}.{base64url.encode(key.sign(signed.encode())).decode()}"
        if len(token) > MAX_TOKEN:
            raise ValueError(f"the token would be longer than {MAX_TOKEN} characters: claims= holds too much")
        return token

    async def warm(self) -> None:
        """Have the key at hand, for a guard's own coroutine: `issue` does no I/O for it right after.

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
        if type(self).jwks is not Keyed.jwks or "jwks" in vars(self):
            return await blocking(self.jwks)
        return (await self._loaded()).ring.jwks()

    def _current(self) -> State:
        state = self._state
        return state if state is not None and self._secret is None else self._follow(self._secret.versions())

    async def _loaded(self) -> State:
        """The state under what the secret says now, for a coroutine that anybody may drive."""
        secret = self._secret
        if secret is None:
            return self._state  # type: ignore[return-value]  # without a secret there is always one
        versions = await secret.load()
        return self._holding(versions) or await self._making(versions)

    def _follow(self, versions: Versions) -> State:
        """The state under these versions. It gives the same object until something changes."""
        return self._holding(versions) or run(self._making(versions))

    def _holding(self, versions: Versions) -> State | None:
        state = self._state
        return None if state is None or state.versions is not versions or self._clock() >= state.until else state

    async def _making(self, versions: Versions) -> State:
        """Another state, made by one caller however many wait, and off the loop: a key pair takes long to read."""
        if self._known.is_quick(versions):
            return self._made(versions)
        return await self._flights.do(id(versions), partial(self._made, versions))

    def _made(self, versions: Versions) -> State:
        state = self._holding(versions)  # another flight may have just landed
        if state is None:
            ring, version_of, until = ring_of(self._secret.name, versions, self._clock(), self._known)
            state = self._state = State(ring, self._cache_size, versions, version_of, until)
        return state


def signing_key(state: State) -> Key:
    """The key that signs. Raises: `ConfigurationError` if there is none."""
    key = state.ring.current
    if not key.can_sign:
        raise ConfigurationError("this key only verifies: issuing tokens wants the private key")
    return key
