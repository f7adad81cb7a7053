"""`KeyRing`: the keys of one issuer through a rotation, and which of them a token's header names."""

from __future__ import annotations

from ..errors import ConfigurationError
from .keys import Key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class KeyRing:
    """Keys in rotation: `current` signs and verifies, `previous` still verify, `pending` are published and nothing else yet.

    Each key admits its own algorithm only, chosen by `kid` and algorithm together. Keys are given as `Key` or as its material.

    Raises: `ConfigurationError` for two keys with one `kid`, and for a secret without a `kid` of its own beside a key pair.
    """

    __slots__ = ("current", "previous", "pending", "_by_kid", "_mixed")

    def __init__(self, current: Any, previous: Iterable[Any] = (), pending: Iterable[Any] = ()) -> None:
        self.current = as_key(current, "current")
        self.previous = _keys(previous, "previous")
        self.pending = _keys(pending, "pending")
        keys = (self.current, *self.previous, *self.pending)
        self._mixed = len({key.algorithm.kty == "oct" for key in keys}) > 1
        if self._mixed and not all(key.named for key in keys):
            raise ConfigurationError("a KeyRing of secrets and key pairs wants a kid with every secret")
        if len({key.kid for key in keys}) != len(keys):
            raise ConfigurationError("two keys of a KeyRing have the same kid, or are the same key")
        self._by_kid = {key.kid: key for key in (self.current, *self.previous)}

    def candidates(self, kid: str | None, alg: str) -> tuple[Key, ...]:
        """The keys that may have signed a token with this header. Without a `kid`: all of its algorithm, or none if mixed."""
        if kid is not None:
            key = self._by_kid.get(kid)
            return (key,) if key is not None and key.alg == alg else ()
        return () if self._mixed else tuple(key for key in self._by_kid.values() if key.alg == alg)

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517 section 5), the pending ones included, so that others know them in time."""
        found = (key.public_jwk() for key in (self.current, *self.previous, *self.pending))
        return {"keys": [jwk for jwk in found if jwk is not None]}

    def __repr__(self) -> str:
        return f"<KeyRing {self.current!r} previous={len(self.previous)} pending={len(self.pending)}>"


def as_key(value: Any, place: str) -> Key:
    """`value` as a `Key`."""
    if isinstance(value, KeyRing) or hasattr(value, "versions"):
        raise ConfigurationError(f"the {place} key of a KeyRing is one key: pass a Secret or a KeyRing to Tokens itself")
    return value if isinstance(value, Key) else Key(value)


def _keys(values: Iterable[Any], place: str) -> tuple[Key, ...]:
    if isinstance(values, (str, bytes, dict, Key)):
        raise ConfigurationError(f"{place} of a KeyRing is a list of keys")
    return tuple(as_key(value, place) for value in values)
