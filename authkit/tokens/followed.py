"""The keys that the values of a secret make, from one moment of its rotation to the next."""

from __future__ import annotations

import os

from ..errors import ConfigurationError
from . import base64url, forms
from .keys import Key
from .ring import KeyRing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Versions(Protocol):
        """The values of a secret at one moment."""

        @property
        def current(self) -> str | bytes: ...
        @property
        def previous(self) -> str | bytes | None: ...
        @property
        def pending(self) -> str | bytes | None: ...
        @property
        def previous_until(self) -> float | None: ...

    class RotatingSecret(Protocol):
        """What `Tokens` needs of an `authkit.secrets.Secret`."""

        @property
        def name(self) -> str: ...
        def fresh(self) -> Versions | None: ...
        def versions(self) -> Versions: ...
        async def load(self) -> Versions: ...
        def recheck(self, seen: Any = None) -> bool: ...
        async def reload_after_failure(self, seen: Any = None) -> bool: ...
        def note_use(self, version: str) -> None: ...


FOREVER = float("inf")


class Known:
    """The keys that values were found to make: a value that becomes previous, or stays when another ends, is not read again.

    By a digest of the value under a key of our own, which says nothing of it. `random`: a number of bytes nobody can guess.
    """

    __slots__ = ("_key", "_found")

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._key = random(32)
        self._found: dict[bytes, list[Key]] = {}

    def is_quick(self, versions: Versions) -> bool:
        """Whether `ring_of` takes next to no time: what is not known is no key pair."""
        return all(self._digest(value) in self._found or forms.is_quick(value) for value in _values(versions))

    def keys(self, value: Callable[[], str | bytes | None]) -> list[Key] | str:
        """As `_keys`, which is asked for what is new."""
        material = value()
        if material is None:
            return _keys(value)
        digest = self._digest(material)
        found: list[Key] | str | None = self._found.get(digest)
        if found is None:
            found = _keys(value)
            if not isinstance(found, str):
                self._found[digest] = found
        return found

    def keep(self, versions: Versions) -> None:
        """Forget every value that is none of these."""
        wanted = {self._digest(value) for value in _values(versions)}
        self._found = {digest: keys for digest, keys in self._found.copy().items() if digest in wanted}

    def _digest(self, value: str | bytes) -> bytes:
        from hashlib import blake2b

        text = isinstance(value, str)  # which is another key than the same bytes are, where UTF-8 cannot say it
        raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return blake2b(raw, digest_size=32, key=self._key, person=b"text" if text else b"bytes").digest()


def _values(versions: Versions) -> list[str | bytes]:
    return [value for value in (versions.current, versions.previous, versions.pending) if value is not None]


def ring_of(name: str, versions: Versions, now: float, known: Known | None = None) -> tuple[KeyRing, dict[str, str], float]:
    """The ring of the secret `name`, which version each `kid` is of, and until when (epoch seconds) the ring holds.

    `current` signs and verifies, `previous` verifies until its end, `pending` is published and verifies nothing of ours. A
    value may be a JWK Set: its first key is the one that signs, the others only verify. Where the kind of key changes, from a
    secret to a key pair say, both kinds verify: a token of ours names its key, and each key has one algorithm.

    Raises: `ConfigurationError` if `current` makes no key. A previous or pending value that makes none is left out, with a
    warning: no token can have been signed with it, and the current one shall not fall with it.
    """
    known = Known() if known is None else known
    keys = known.keys(lambda: versions.current)
    if isinstance(keys, str):
        raise ConfigurationError(f"the secret {name}: {keys}")
    previous, until = keys[1:], versions.previous_until
    if versions.previous is None or (until is not None and now >= until):
        until = FOREVER
    elif versions.previous != versions.current:
        previous += _others(name, "previous", known.keys(lambda: versions.previous), keys)
    named = {key.kid: "previous" for key in previous} | {keys[0].kid: "current"}
    pending = []
    if versions.pending is not None and versions.pending not in (versions.current, versions.previous):
        pending = _others(name, "pending", known.keys(lambda: versions.pending), [keys[0], *previous])
    known.keep(versions)
    everything = (*keys[:1], *previous, *pending)
    if len({key.algorithm.kty == "oct" for key in everything}) > 1:
        for key in everything:
            key.named = True
    return KeyRing(keys[0], previous=previous, pending=pending), named, FOREVER if until is None else until


def _others(name: str, version: str, keys: list[Key] | str, known: list[Key]) -> list[Key]:
    """The keys of a value that is not the one to sign with, but for those that are known."""
    if isinstance(keys, str):
        wrong = keys
    else:
        by_kid = {key.kid: key for key in known}
        if all(key.kid not in by_kid or _is_same(key, by_kid[key.kid]) for key in keys):
            return [key for key in keys if key.kid not in by_kid]
        wrong = "its kid is that of another key"
    import logging

    logging.getLogger("authkit.tokens").warning(
        "the %s value of the secret %s is left out, and what is signed with it is refused: %s", version, name, wrong
    )
    return []


def _is_same(one: Key, other: Key) -> bool:
    if one.public_jwk() is not None or not one.can_sign:
        return one.public_jwk() == other.public_jwk()
    return other.verify(b"whose?", base64url.encode(one.sign(b"whose?")).decode())


def _keys(value: Callable[[], str | bytes | None]) -> list[Key] | str:
    """The keys that a value makes, the signing one first, or what is wrong with it: it raises nothing, its frames hold it."""
    material = value()
    try:
        found = forms.as_jwk(material if isinstance(material, str) else (material or b"").decode("utf-8", "replace"))
        if found is None or "keys" not in found:
            return [Key(material)]  # type: ignore[arg-type]  # None is refused by Key
        members = found["keys"]
        if not isinstance(members, list) or not members or not all(isinstance(member, dict) for member in members):
            return "the JWK Set has no list of keys"
        keys = [Key(member) for member in members]
    except ConfigurationError as error:
        return str(error)
    if len({key.kid for key in keys}) != len(keys):
        return "two keys of the JWK Set have the same kid"
    return keys
