"""`SignatureKey`: key material, the one algorithm that it is for, and whose it is."""

from __future__ import annotations

from ..errors import ConfigurationError
from ..secrets.secret import Secret
from ..secrets.versions import Masked, SecretVersions, is_blank
from ..tokens import base64url
from ..tokens.keys import Key
from .holder import MISSING, Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    Material: TypeAlias = "str | bytes | Mapping[str, Any] | Secret | SecretVersions | Key"
    Named: TypeAlias = tuple[tuple[str, Key], ...]  # the key of each version: "current", "previous", "pending"

# RFC 9421 section 3.3, and the same by the name that JWS gives it: the salt of PS512 is 64 bytes too, and ECDSA is r and s.
ALGORITHMS = {
    "rsa-pss-sha512": "PS512",
    "rsa-v1_5-sha256": "RS256",
    "hmac-sha256": "HS256",
    "ecdsa-p256-sha256": "ES256",
    "ecdsa-p384-sha384": "ES384",
    "ed25519": "EdDSA",
}
_NAMES = {jws: name for name, jws in ALGORITHMS.items()}


class SignatureKey(Holder):
    """A key that signs or verifies requests, and who is calling when it verifies one.

    `material`: text or bytes for HMAC (at least 32 bytes), PEM of an RSA, P-256, P-384 or Ed25519 key, a JWK, or a `Secret` of
    which every current, pending and not yet expired previous value verifies and the current one signs. A public key only
    verifies. `alg`: as RFC 9421 section 3.3 names it; None: by the material, for RSA "rsa-pss-sha512". A message never
    chooses it. `subject`: whose key it is; None: the key id. `scopes`, `roles`, `claims`: what that principal has.

    Raises: `ConfigurationError` for material that makes no such key: a literal here, any other when it is first read.
    """

    __slots__ = ("alg", "_secret", "_held", "_literal")
    alg: str | None

    def __init__(
        self,
        material: Material,
        alg: str | None = None,
        *,
        subject: str | None = None,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        self.alg = alg
        self._held: tuple[SecretVersions | None, Named] = (None, ())
        self._secret, self._literal, wrong = _taken(material, alg)
        del material  # what is raised below may be shown with its locals
        if wrong is not None:
            raise ConfigurationError(f"signature key: {wrong}")
        self._belongs(subject, scopes, roles, claims)
        if self._secret is not None:
            fresh = self._secret.fresh()
            if fresh is not None:
                self._named(fresh)

    async def load(self) -> tuple[SecretVersions | None, Named]:
        """The keys in force, and the versions of the secret that they were made of; fetched if need be.

        Raises: `SecretNotFound`, `SecretUnavailable`, `ConfigurationError`.
        """
        if self._secret is None:
            return None, self._literal
        versions = await self._secret.load()
        return versions, self._named(versions)

    async def reload_after_failure(self, seen: SecretVersions | None) -> bool:
        """Whether there is something new to try after a signature did not hold: the secret may have been rotated."""
        return self._secret is not None and await self._secret.reload_after_failure(seen)

    def note_use(self, version: str) -> None:
        if self._secret is not None:
            self._secret.note_use(version)

    async def signing(self) -> tuple[str, Callable[[bytes], bytes]]:
        """The name of the algorithm, and what signs. Raises: as `load`; `ConfigurationError` for a public key."""
        _, ((_, key), *_) = await self.load()
        if not key.can_sign:
            raise ConfigurationError("signature key: a public key only verifies; signing wants the private key")
        return _NAMES[key.alg], key.sign

    def _named(self, versions: SecretVersions) -> Named:
        held, named = self._held
        if held is not versions:  # a secret gives the same object until something changes
            named = self._of(versions)
            self._held = (versions, named)
        return named

    def _of(self, versions: SecretVersions) -> Named:
        found: list[tuple[str, Key]] = []
        name = self._secret.name if self._secret is not None else ""
        for version in ("current", "pending", "previous"):
            if version != "current" and getattr(versions, version) is None:
                continue
            key = _key(lambda version=version: getattr(versions, version), self.alg)  # type: ignore[misc]
            if not isinstance(key, str):
                found.append((version, key))
            elif version == "current":
                raise ConfigurationError(f"signature key: the secret {name}: {key}")
            else:
                import logging

                logging.getLogger("authkit.signatures").warning(
                    "the %s value of the secret %s is left out, and what is signed with it is refused: %s", version, name, key
                )
        return tuple(found)


def _taken(material: Any, alg: str | None) -> tuple[Secret | None, Named, str | None]:
    """The secret or the key, and what is wrong with the material. It raises nothing: its frame holds it."""
    if alg is not None and alg not in ALGORITHMS:
        return None, (), f"alg is one of {', '.join(ALGORITHMS)}"
    if isinstance(material, (Secret, SecretVersions)):
        return material if isinstance(material, Secret) else Secret.of(material), (), None
    if not isinstance(material, (Key, dict)) and is_blank(material):
        return None, (), MISSING
    key = _key(lambda: material, alg)
    return (None, (), key) if isinstance(key, str) else (None, (("current", key),), None)


class Unfit(Masked):
    """What is no key, and why: a type of its own, so that the words are never taken for a key."""

    __slots__ = ("why",)
    why: str

    def __init__(self, why: str) -> None:
        self.why = why


def key_of(material: Any) -> SignatureKey | Unfit:
    """A `SignatureKey`, or why it cannot be. It raises nothing: its frame holds the material."""
    try:
        return material if isinstance(material, (SignatureKey, Unfit)) else SignatureKey(material)
    except ConfigurationError as error:
        return Unfit(str(error))


def held_by(named: Named, alg: object, base: bytes, signature: bytes) -> str | None:
    """Which version made the signature, or None. `alg`: what the message says, which has to agree with the key.

    Every key is asked, so that time does not tell which one it was.
    """
    text = base64url.encode(signature).decode("ascii")
    found = None
    for version, key in named:
        if alg is not None and alg != _NAMES[key.alg]:
            continue
        if key.verify(base, text) and found is None:
            found = version
    return found


def agrees(named: Named, alg: object) -> bool:
    """Whether `alg`, which the message says, is the algorithm of one of the keys; saying nothing agrees."""
    return alg is None or any(alg == _NAMES[key.alg] for _, key in named)


def _key(material: Callable[[], Any], alg: str | None) -> Key | str:
    """The key, or what is wrong. It raises nothing: its frames hold the material."""
    jws = None if alg is None else ALGORITHMS[alg]
    try:
        given = material()
        key = given if isinstance(given, Key) else Key(given, jws)
        if key.alg == "RS256" and alg is None and not isinstance(given, Key) and not _says_alg(given):
            key = Key(given, "PS512")
    except ConfigurationError as error:
        return str(error)
    if key.alg not in _NAMES:
        return f"{key.alg} is no algorithm of signed requests: they have {', '.join(ALGORITHMS)}"
    if jws is not None and key.alg != jws:
        return f"alg is {alg}, and the key is for {_NAMES[key.alg]}"
    return key


def _says_alg(material: Any) -> bool:
    """Whether the material is a JWK that names its algorithm."""
    from ..tokens import forms

    if isinstance(material, (str, bytes)):
        text = material if isinstance(material, str) else material.decode("utf-8", "replace")
        material = forms.as_jwk(text) or {}
    return isinstance(material, dict) and material.get("alg") is not None
