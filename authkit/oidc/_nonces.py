"""Nonces for DPoP proofs (RFC 9449 section 9): stateless, each the time that it was made at, under a key of ours."""

from __future__ import annotations

import hmac

from ..errors import ConfigurationError
from ..secrets.secret import Secret
from ..secrets.versions import Masked, as_bytes, is_blank
from ..tokens import base64url
from ._held import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..secrets.versions import SecretVersions

MIN_SECRET = 32  # bytes
_TIME = 6  # bytes
_MAC = 16  # bytes


class Nonces(Masked):
    """Makes and judges nonces, each good for `ttl` seconds. The newest value of `secret` makes them, and its previous one still
    judges them. Whoever has the secret can make them: give each API its own, or let a nonce of one be good at the others."""

    __slots__ = ("_secret", "_ttl")

    def __init__(self, secret: Secret, ttl: float) -> None:
        self._secret = secret
        self._ttl = ttl

    async def load(self) -> SecretVersions:
        """The keys, for `make` and `age`. Raises: as a `Secret` does; `ConfigurationError` for one that is too short."""
        versions = await self._secret.load()
        if any(_is_short(value) for _, value in versions.named()):
            raise ConfigurationError(f"nonce: the secret {self._secret.name} has fewer than {MIN_SECRET} bytes")
        return versions

    def make(self, versions: SecretVersions, now: float) -> str:
        moment = int(now).to_bytes(_TIME, "big")
        return base64url.encode(moment + self._mac(versions.current, moment)).decode()

    def age(self, versions: SecretVersions, nonce: object, now: float) -> float | None:
        """How much of its time a nonce has had, from 0 to 1; None: it is none of ours, or over."""
        try:
            raw = base64url.decode(nonce) if type(nonce) is str and len(nonce) <= 64 and nonce.isascii() else b""
        except ValueError:
            return None
        moment = raw[:_TIME]
        if len(raw) != _TIME + _MAC:
            return None
        if not any(hmac.compare_digest(self._mac(value, moment), raw[_TIME:]) for _, value in versions.named()):
            return None
        passed = now - int.from_bytes(moment, "big")
        return max(0.0, passed / self._ttl) if -self._ttl <= passed < self._ttl else None

    def _mac(self, key: str | bytes, moment: bytes) -> bytes:
        return hmac.digest(as_bytes(key) or b"", b"authkit dpop nonce\0" + moment, "sha256")[:_MAC]


def nonces_of(secret: Any, ttl: float) -> Nonces | str:
    """Nonces, or what is wrong. `secret`: text, bytes, or a `Secret`. It raises nothing: its frame holds the secret."""
    try:
        seconds = seconds_of("nonce_ttl", ttl, 10, 3600)
    except ConfigurationError as error:
        return str(error)
    if isinstance(secret, Secret):
        return Nonces(secret, seconds)
    if is_blank(secret) or not isinstance(secret, (str, bytes)) or _is_short(secret):
        return f"nonce is a Secret, or text or bytes of at least {MIN_SECRET} bytes"
    return Nonces(Secret.of(secret), seconds)


def _is_short(value: str | bytes) -> bool:
    return len(as_bytes(value) or b"") < MIN_SECRET
