"""`Tokens`: one issuer's access tokens, issued and verified (RFC 9068)."""

from __future__ import annotations

import os
import time

from ..decision import Principal
from ..errors import ConfigurationError, InvalidToken
from . import base64url, issue
from .claims import validate
from .keys import Key
from .ring import KeyRing
from .strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, NoReturn

ACCESS = "at+jwt"  # the typ of an access token: RFC 9068 section 2.1
MAX_TOKEN = 16_384  # characters
MAX_LEEWAY = 300  # seconds


class _State:
    """Everything that was decided under one ring of keys. Another ring is another state, and nothing carries over."""

    __slots__ = ("ring", "versions", "until", "header", "headers", "young", "old")

    def __init__(self, ring: KeyRing, versions: object = None, until: float = float("inf")) -> None:
        self.ring = ring
        self.versions = versions
        self.until = until
        self.header: str | None = None
        self.headers: dict[str, Key] = {}
        self.young: dict[str, tuple[Principal, float, float]] = {}
        self.old: dict[str, tuple[Principal, float, float]] = {}


class Tokens:
    """Issues and verifies the access tokens of `issuer` for `audience`."""

    def __init__(
        self,
        key: Any,
        *,
        issuer: str,
        audience: str,
        access_ttl: int = 900,
        refresh_ttl: int = 2_592_000,
        refresh_overlap: int = 10,
        store: Any = None,
        leeway: float = 30,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
        cache_size: int = 1024,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self._ttl = access_ttl
        self._leeway = leeway
        self._clock = clock
        self._random = random
        self._half = cache_size // 2
        self._secret = key if hasattr(key, "versions") else None
        self._state = None if self._secret is not None else _State(key if isinstance(key, KeyRing) else KeyRing(key))

    def issue(
        self,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        ttl: int | None = None,
    ) -> str:
        state = self._current()
        now = int(self._clock())
        registered = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "exp": now + (self._ttl if ttl is None else ttl),
            "jti": base64url.encode(self._random(16)).decode(),
        }
        key = state.ring.current
        signed = issue.header_segment(key, ACCESS) + "." + issue.payload_segment(registered, scopes, roles, claims or {})
        return signed + "." + base64url.encode(key.sign(signed.encode())).decode()

    def verify(self, token: str) -> Principal:
        if type(token) is not str:
            raise InvalidToken("token_malformed")
        if len(token) > MAX_TOKEN:
            raise InvalidToken("token_too_large")
        state = self._current()
        seen = state.young.get(token)
        if seen is not None:
            principal, lower, upper = seen
            if lower <= self._clock() < upper:
                return principal
        return self._judge(state, token)

    def _judge(self, state: _State, token: str) -> Principal:
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        if not token.isascii() or not payload or "." in payload:
            raise InvalidToken("token_malformed")
        data, written = signed.encode(), signature.encode()
        key = state.headers.get(header)
        if key is None:
            key = self._choose(state, header, data, written)
        elif not key.verify(data, written):
            raise InvalidToken("token_signature")
        try:
            claims = parse_object(base64url.decode(payload.encode()))
        except ValueError:
            raise InvalidToken("token_malformed") from None
        result = validate(claims, self.issuer, self.audience, self._leeway, self._clock())
        if self._half:
            if len(state.young) >= self._half:
                state.old, state.young = state.young, {}
            state.young[token] = result
        return result[0]

    def _choose(self, state: _State, header: str, data: bytes, signature: bytes) -> Key:
        try:
            members = parse_object(base64url.decode(header.encode()))
        except ValueError:
            raise InvalidToken("token_malformed") from None
        if "crit" in members:
            raise InvalidToken("token_critical")
        if members.get("typ") != ACCESS:
            raise InvalidToken("token_type")
        kid = members.get("kid")
        alg = members.get("alg")
        if type(alg) is not str or (kid is not None and type(kid) is not str):
            raise InvalidToken("token_malformed")
        found = state.ring.candidates(kid, alg)
        if not found:
            raise InvalidToken("token_key")
        for key in found:
            if key.verify(data, signature):
                if len(state.headers) >= 64:
                    state.headers.clear()
                state.headers[header] = key
                return key
        raise InvalidToken("token_signature")

    def jwks(self) -> dict[str, Any]:
        return self._current().ring.jwks()

    def _current(self) -> _State:
        state = self._state
        if self._secret is None and state is not None:
            return state
        raise ConfigurationError("later")
