"""The secrets of a verifier or signer, and the keys that they make under a scheme."""

from __future__ import annotations

from ..errors import ConfigurationError
from ..secrets.secret import Secret
from ..secrets.versions import Masked, SecretVersions, is_blank
from .mac import Mac, derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from .scheme import Scheme

    AnySecret: TypeAlias = str | bytes | Secret | SecretVersions | Sequence[str | bytes | Secret | SecretVersions]
    # A key, the secret and the version that it was made of, and what a match of it is called.
    Keys: TypeAlias = tuple[tuple[Mac, Secret, str, str | int], ...]


class Sealed(Masked):
    """One or several secrets out of sight: `Sealed(secret)` is the first thing done with what a caller hands in.

    It raises nothing, because the frame that would raise holds the value; `check` says what is wrong, with no value in sight.
    """

    __slots__ = ("secrets", "several")
    secrets: tuple[Secret, ...]
    several: bool

    def __init__(self, secret: AnySecret | Sealed | None) -> None:
        if isinstance(secret, Sealed):
            self.secrets, self.several = secret.secrets, secret.several
            return
        self.several = isinstance(secret, (list, tuple))
        items: tuple[Any, ...] = tuple(secret) if isinstance(secret, (list, tuple)) else (secret,)
        wrong = any(not isinstance(item, (Secret, SecretVersions)) and is_blank(item) for item in items)
        self.secrets = () if wrong else tuple(item if isinstance(item, Secret) else Secret.of(item) for item in items)

    def check(self, scheme: Scheme) -> None:
        """Raises: `ConfigurationError` if there is no secret, or an empty one. No value stands for "do not verify"."""
        if not self.secrets:
            raise ConfigurationError(f"webhook scheme {scheme.name}: the secret is missing, empty, blank, or not text or bytes")


def keys_of(scheme: Scheme, secrets: tuple[Secret, ...], versions: tuple[SecretVersions, ...], *, several: bool) -> Keys:
    """The key of each value of each secret, with what a match of it is called.

    Raises: `ConfigurationError` for a current value that the scheme cannot make a key of, naming the secret. A previous or
    pending one is left out, with a warning: the current one shall not fall with it.
    """
    keys: list[tuple[Mac, Secret, str, str | int]] = []
    for index, (secret, values) in enumerate(zip(secrets, versions, strict=True)):
        for version, mac in _derived(scheme, values):
            if mac is not None:
                keys.append((mac, secret, version, index if several else version))
            elif version == "current":
                raise _unfit(scheme, secret)
            else:
                _warn_unfit(scheme, secret, version)
    return tuple(keys)


def signing_key(scheme: Scheme, secret: Secret, versions: SecretVersions) -> Mac:
    """The key of the current value. Raises: `ConfigurationError` if the scheme cannot make one of it, naming the secret."""
    (_, mac), *_ = _derived(scheme, versions)
    if mac is None:
        raise _unfit(scheme, secret)
    return mac


_SHAPES = {"text": "text that UTF-8 can encode", "base64": "base64, as the provider shows it", "hex": "hex digits"}


def _unfit(scheme: Scheme, secret: Secret) -> ConfigurationError:
    return ConfigurationError(f"webhook scheme {scheme.name}: the secret {secret.name} (current) is not {_SHAPES[scheme.key]}")


def _warn_unfit(scheme: Scheme, secret: Secret, version: str) -> None:
    import logging

    logging.getLogger("authkit.webhooks").warning(
        "webhook scheme %s: the %s value of the secret %s is left out, and what is signed with it is refused: it is not %s",
        scheme.name, version, secret.name, _SHAPES[scheme.key],
    )  # fmt: skip


def _derived(scheme: Scheme, versions: SecretVersions) -> list[tuple[str, Mac | None]]:
    """The versions, the current one first. It raises nothing: its frames hold the values."""
    return [(version, derived(scheme, value)) for version, value in versions.named()]
