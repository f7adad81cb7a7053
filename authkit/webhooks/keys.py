"""The secrets of a verifier or signer, and the keys that they make under a scheme."""

from __future__ import annotations

from hmac import compare_digest

from ..errors import ConfigurationError
from ..secrets.secret import Secret
from ..secrets.versions import Masked, SecretVersions, is_blank
from .algorithms import derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from .algorithms import Key
    from .mac import Mac
    from .scheme import Scheme

    AnySecret: TypeAlias = str | bytes | Secret | SecretVersions | Sequence[str | bytes | Secret | SecretVersions]
    # A key, the secret and the version that it was made of (None: it was fetched), and what a match of it is called.
    Keys: TypeAlias = tuple[tuple[Any, Secret | None, str, str | int], ...]


class Sealed(Masked):
    """One or several secrets out of sight: `Sealed(secret)` is the first thing done with what a caller hands in.

    It raises nothing, because the frame that would raise holds the value; `check` says what is wrong, with no value in sight.
    """

    __slots__ = ("secrets", "several", "given")
    secrets: tuple[Secret, ...]
    several: bool
    given: bool

    def __init__(self, secret: AnySecret | Sealed | None) -> None:
        if isinstance(secret, Sealed):
            self.secrets, self.several, self.given = secret.secrets, secret.several, secret.given
            return
        self.given = secret is not None
        self.several = isinstance(secret, (list, tuple))
        items: tuple[Any, ...] = tuple(secret) if isinstance(secret, (list, tuple)) else (secret,)
        if secret is None:  # a scheme whose keys are fetched takes none: `check` tells
            self.secrets = ()
            return
        wrong = any(not isinstance(item, (Secret, SecretVersions)) and is_blank(item) for item in items)
        self.secrets = () if wrong else tuple(item if isinstance(item, Secret) else Secret.of(item) for item in items)

    def check(self, scheme: Scheme, *, signing: bool = False) -> None:
        """Raises: `ConfigurationError` if there is no secret, or an empty one, or one where none is used. No value stands for
        "do not verify"."""
        if scheme.keyless and not signing:
            if self.given:
                raise ConfigurationError(f"webhook scheme {scheme.name} takes no secret: its keys are fetched")
        elif not self.secrets:
            raise ConfigurationError(f"webhook scheme {scheme.name}: the secret is missing, empty, blank, or not text or bytes")


def keys_of(scheme: Scheme, secrets: tuple[Secret, ...], versions: tuple[SecretVersions, ...], *, several: bool) -> Keys:
    """The key of each value of each secret, with what a match of it is called.

    Raises: `ConfigurationError` for a current value that the scheme cannot make a key of, naming the secret. A previous or
    pending one is left out, with a warning: the current one shall not fall with it.
    """
    keys: list[tuple[Any, Secret | None, str, str | int]] = []
    for index, (secret, values) in enumerate(zip(secrets, versions, strict=True)):
        for version, mac in _derived(scheme, values):
            if mac is not None:
                keys.append((mac, secret, version, index if several else version))
            elif version == "current":
                raise _unfit(scheme, secret)
            else:
                _warn_unfit(scheme, secret, version)
    return tuple(keys)


def signing_key(scheme: Scheme, secret: Secret, versions: SecretVersions) -> Key:
    """The key of the current value. Raises: `ConfigurationError` if the scheme cannot make one of it, naming the secret."""
    (_, key), *_ = [(version, derived(scheme, value, signing=True)) for version, value in versions.named()]
    if key is None:
        raise _unfit(scheme, secret, signing=True)
    return key  # type: ignore[return-value]  # no Mac: that is for verifying


_SHAPES = {
    "text": "text that UTF-8 can encode",
    "base64": "base64, as the provider shows it",
    "hex": "hex digits",
    "pem": "a PEM or JWK of the right kind",
    "der": "a key in base64 of DER, or in PEM, of the right kind",
    "fetched": "a private key in PEM of the right kind",
}


def _shape(scheme: Scheme, *, signing: bool = False) -> str:
    if scheme.asymmetric:
        kind = "private" if signing else "public"
        return f"a {kind} key of the right kind, as {_SHAPES[scheme.key]}"
    return "a secret as text" if scheme.algorithm.startswith("jws") else _SHAPES[scheme.key]


def _unfit(scheme: Scheme, secret: Secret, *, signing: bool = False) -> ConfigurationError:
    shape = _shape(scheme, signing=signing)
    return ConfigurationError(f"webhook scheme {scheme.name}: the secret {secret.name} (current) is not {shape}")


def _warn_unfit(scheme: Scheme, secret: Secret, version: str) -> None:
    import logging

    logging.getLogger("authkit.webhooks").warning(
        "webhook scheme %s: the %s value of the secret %s is left out, and what is signed with it is refused: it is not %s",
        scheme.name, version, secret.name, _shape(scheme),
    )  # fmt: skip


def _derived(scheme: Scheme, versions: SecretVersions) -> list[tuple[str, Key | Mac | None]]:
    """The versions, the current one first. It raises nothing: its frames hold the values."""
    return [(version, derived(scheme, value)) for version, value in versions.named()]


def matching(
    keys: Keys, signatures: list[str], encode: Callable[[bytes], str], before: bytes, body: bytes, after: bytes
) -> tuple[Any, Secret | None, str, str | int] | None:
    """The first key that matches. Every key meets every signature, so that time does not tell which matched.

    Expected signatures live in this frame only, and it raises nothing: they reach no log.
    """
    matched = None
    for key in keys:
        expected = encode(key[0].digest(before, body, after))
        for signature in signatures:
            if compare_digest(expected, signature) and matched is None:
                matched = key
    return matched
