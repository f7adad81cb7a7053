"""Tokens for tests: good ones, and a catalogue of bad ones, made byte by byte."""

from __future__ import annotations

import os
import time

from ..tokens import Key, Tokens, base64url
from ._bad_tokens import bad_tokens
from ._forged import forged
from ._keys import made_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..stores import Store


class TokenMint:
    """An issuer for tests, with a fresh random key of its own, or with `key` of the program that is tested.

    `tokens`: the verifier, for `require_auth(mint.tokens)`. `clock`: what both issuing and verifying go by (seconds since the
    epoch); pass a `Clock` to move it. `alg`: HS256/384/512, RS256, PS256, ES256, ES384 or EdDSA; of a `key`, the key's own.
    `store`: where refresh tokens and revocations are kept, if there are to be any: `MemoryStore()`, say.
    """

    issuer: str
    audience: str
    alg: str

    def __init__(
        self,
        *,
        issuer: str = "https://issuer.example",
        audience: str = "https://api.example",
        clock: Callable[[], float] = time.time,
        alg: str = "HS256",
        key: str | bytes | Key | None = None,
        random: Callable[[int], bytes] = os.urandom,
        store: Store | None = None,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.clock = clock
        self.random = random
        self.key = made_key(alg, random=random) if key is None else key if isinstance(key, Key) else Key(key)
        self.alg = self.key.alg
        self.tokens = Tokens(self.key, issuer=issuer, audience=audience, clock=clock, random=random, store=store)

    def other_key(self) -> Key:
        """Another key of the same kind, which the verifier does not have."""
        return made_key(self.alg, random=self.random)

    def good(
        self,
        subject: str = "alice",
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        ttl: int | None = None,
    ) -> str:
        """A token that is accepted, until `ttl` seconds have passed (default: 900)."""
        return self.tokens.issue(subject, scopes=scopes, roles=roles, claims=claims, ttl=ttl)

    def bad(self) -> Mapping[str, str]:
        """Tokens that nobody may accept, by name; `BAD_TOKENS` says what is wrong with each.

        Each is wrong in one thing only, and is otherwise as `good()`. All of them are one word of an `Authorization` header,
        so that the answer to each is 401 `invalid_token`. A server may refuse the header of `huge` by itself.
        """
        return bad_tokens(self)

    def header(self) -> dict[str, Any]:
        """The header of a good token, to be changed and forged."""
        return {"alg": self.alg, "typ": "at+jwt", "kid": self.key.kid}

    def claims(self) -> dict[str, Any]:
        """The claims of a good token, to be changed and forged."""
        now = int(self.clock())
        named = {"iss": self.issuer, "aud": self.audience, "sub": "alice"}
        return {**named, "iat": now, "exp": now + 900, "jti": base64url.encode(self.random(16)).decode()}

    def forge(self, header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes, key: Key | None = None) -> str:
        """A token of exactly these two segments, with a signature that holds (of `key`, if given). Bytes go in as they are."""
        return forged(header, claims, key or self.key)
