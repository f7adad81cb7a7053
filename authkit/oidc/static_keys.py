"""`StaticKeys`: the keys of an issuer that are given and never fetched; a `Secret` is followed through its rotation."""

from __future__ import annotations

import time
from functools import partial

from .._run import SingleFlight
from ..errors import ConfigurationError
from ..tokens import forms
from ..tokens.jwk import thumbprint
from ..tokens.keys import Key
from ..tokens.ring import KeyRing
from .keyset import MAX_KEYS, SAME, public_part, verifying_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from ..tokens.followed import RotatingSecret, Versions

    Given: TypeAlias = "str | bytes | Mapping[str, Any] | Key | KeyRing | RotatingSecret"

FOREVER = float("inf")
_VERSIONS = ("current", "previous", "pending")


class StaticSet:
    """Keys, each with the `kid` that somebody gave it, if anybody did: what has none may have signed a token of any."""

    __slots__ = ("_keys", "version_of")

    def __init__(self, keys: list[tuple[Key, str | None]], version_of: Mapping[int, str] | None = None) -> None:
        self._keys = keys
        self.version_of = version_of or {}  # by the id of the key, which `_keys` holds: which version of a secret it is

    def candidates(self, kid: str | None, alg: str) -> tuple[Key, ...]:
        """The keys that may have signed a token with this header."""
        alg = SAME.get(alg, alg)
        return tuple(key for key, own in self._keys if key.alg == alg and (own is None or kid is None or own == kid))

    def may_be_new(self, header: Mapping[str, Any]) -> bool:
        """Whether a token with it could be of a key that is not known yet: only a secret has others later."""
        return bool(self.version_of)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"<StaticSet of {len(self)} keys>"


class StaticKeys:
    """What `given` makes: text, bytes, PEM, a JWK, a JWK Set, a `Key`, a `KeyRing`, or a `Secret` of one of the first five.

    A key pair need not be whole: the public key is enough. All that a ring or a secret has verifies, `pending` too: it is the
    issuer who decides when it signs with the next one. Private keys in a JWK Set are not read, and what signs no tokens is left
    out of it.

    Raises: `ConfigurationError` if it makes no key; for a `Secret`, when it is first used.
    """

    def __init__(self, given: Given, name: str, clock: Callable[[], float] = time.time) -> None:
        given = read(given)
        if isinstance(given, ConfigurationError):
            raise given
        self.name = name
        self._clock = clock
        self._set: StaticSet | None = given if isinstance(given, StaticSet) else None  # of what is no secret
        self._secret: Any = given if self._set is None else None
        self._held: tuple[Versions | None, StaticSet | None, float] = None, None, FOREVER  # of a secret: until when
        if self._secret is not None:
            self._flights = SingleFlight()

    def at_hand(self) -> StaticSet | None:
        """The keys, if they may be used without asking anybody."""
        if self._secret is None:
            return self._set
        return self._holding(self._secret.fresh())

    async def load(self) -> StaticSet:
        """The keys, for a coroutine that anybody may drive.

        Raises: `ConfigurationError` if the secret makes none, `SecretNotFound`, `Unavailable`.
        """
        if self._set is not None:
            return self._set
        versions = await self._secret.load()
        found = self._holding(versions)
        if found is not None:
            return found
        make = partial(self._made, versions)
        if all(value is None or forms.is_quick(value) for value in _values(versions)):
            return make()
        return await self._flights.do(id(versions), make)  # a key pair takes long to read

    async def look(self, seen: Any) -> StaticSet | None:
        """Others than `seen`, under which a token did not hold; None if there are none."""
        if self._secret is None:
            return None
        versions, known, _ = self._held
        if known is seen and not await self._secret.reload_after_failure(versions):
            return None
        keys = await self.load()
        return None if keys is seen else keys

    def export(self) -> None:
        """Nothing: whoever starts another process gives it the keys too."""

    def restore(self, saved: str | bytes | None) -> bool:
        """False: what is given is not replaced by what was saved."""
        return False

    def _holding(self, versions: Versions | None) -> StaticSet | None:
        known, keys, until = self._held
        return None if versions is None or versions is not known or self._clock() >= until else keys

    def _made(self, versions: Versions) -> StaticSet:
        found = self._holding(versions)  # another flight may have just landed
        if found is not None:
            return found
        now = self._clock()
        ended = versions.previous_until is not None and now >= versions.previous_until
        keys: list[tuple[Key, str | None]] = []
        version_of: dict[int, str] = {}
        for version in _VERSIONS:
            if getattr(versions, version) is None or (version == "previous" and ended):
                continue
            some = _keys(lambda version=version: getattr(versions, version))  # type: ignore[misc]
            if isinstance(some, str):
                if version == "current":
                    raise ConfigurationError(f"the secret {self._secret.name}: {some}")
                _left_out(version, self._secret.name, some)
                continue
            keys += some
            version_of.update((id(key), version) for key, _ in some)
        until = FOREVER if versions.previous_until is None or ended else versions.previous_until
        made = StaticSet(keys, version_of)
        self._held = versions, made, until
        return made

    def __repr__(self) -> str:
        return f"<StaticKeys of {self.name!r}>"


def read(given: Any) -> Any:
    """`given` as something that no traceback shows: its keys, the `Secret` that it is, or the error to raise. None for None.

    It raises nothing: its frame holds what was given.
    """
    if given is None or hasattr(given, "versions") or isinstance(given, (StaticSet, ConfigurationError)):
        return given
    found = _keys(lambda: given)
    return ConfigurationError(f"keys: {found}") if isinstance(found, str) else StaticSet(found)


def _values(versions: Versions) -> tuple[str | bytes | None, ...]:
    return versions.current, versions.previous, versions.pending


def _left_out(version: str, name: str, wrong: str) -> None:
    import logging

    logging.getLogger("authkit.oidc").warning(
        "the %s value of the secret %s is left out, and what is signed with it is refused: %s", version, name, wrong
    )


def _keys(given: Callable[[], Any]) -> list[tuple[Key, str | None]] | str:
    """The keys that a value makes, or what is wrong with it: it raises nothing, its frames hold it."""
    try:
        return _read(given())
    except ConfigurationError as error:
        return str(error)


def _read(value: Any) -> list[tuple[Key, str | None]]:
    if isinstance(value, KeyRing):
        return [_named(key) for key in (value.current, *value.previous, *value.pending)]
    if isinstance(value, Key):
        return [_named(value)]
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = forms.as_jwk(bytes(value).decode("utf-8", "replace")) or bytes(value)
    elif isinstance(value, str):
        value = forms.as_jwk(value) or value
    if isinstance(value, dict):
        return _of_set(value["keys"]) if "keys" in value else _of_jwk(value)
    key = Key(value)
    algorithms = ("RS256", "RS384", "RS512") if key.alg == "RS256" else (None,)  # PEM does not say which, as in a key set
    return [(Key(value, alg), None) for alg in algorithms]


def _of_set(members: Any) -> list[tuple[Key, str | None]]:
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        raise ConfigurationError(f"the JWK Set has no list of keys, or more than {MAX_KEYS}")
    found = []
    for member in members:
        if isinstance(member, dict) and member.get("kty") == "oct":
            found += _of_jwk(member)
            continue
        public = public_part(member)
        if public is not None:
            found += [(key, public.get("kid")) for key in verifying_keys(public)]
    if not found:
        raise ConfigurationError("the JWK Set has no key that verifies tokens")
    return found


def _of_jwk(member: dict[str, Any]) -> list[tuple[Key, str | None]]:
    key = Key(member)
    if key.alg == "RS256" and member.get("alg") is None:
        return [(Key(member, alg), member.get("kid")) for alg in ("RS256", "RS384", "RS512")]
    return [(key, member.get("kid"))]


def _named(key: Key) -> tuple[Key, str | None]:
    """A key with the `kid` that somebody gave it: what was computed names it to us, and to nobody else."""
    public = key.public_jwk()
    given = key.named
    if public is not None:
        given = key.kid != thumbprint({name: value for name, value in public.items() if name not in ("use", "alg", "kid")})
    return key, key.kid if given else None
