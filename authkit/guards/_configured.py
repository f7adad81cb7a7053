"""The verifier that the AUTHKIT_* settings describe, for `@require_auth` without arguments."""

from __future__ import annotations

from .. import settings
from .._lock import ProcessLock
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..settings import Settings
    from ..stores import Store
    from ..tokens import Tokens

_stores: dict[bytes, Store] = {}  # by a digest of their URL, which may hold a password
_lock = ProcessLock()


def verifiers(source: Settings | None = None) -> tuple[Any, ...]:
    """The one verifier that the settings describe: `tokens`."""
    return (tokens(source),)


def tokens(source: Settings | None = None) -> Tokens:
    """`Tokens` from AUTHKIT_JWT_SECRET or AUTHKIT_JWT_KEY_FILE, AUTHKIT_ISSUER and AUTHKIT_AUDIENCE, with the store that
    AUTHKIT_STORE names: then what was revoked is refused. Does no I/O but to read the settings and the key file.

    Raises: `ConfigurationError` that names what is missing, or two settings that contradict each other; never a value.
    """
    found = source or settings.default
    name, material = key_material(found)
    store = kept_in(found)
    issuer, audience = found.require("AUTHKIT_ISSUER"), found.require("AUTHKIT_AUDIENCE")
    from ..tokens import Tokens

    try:
        return Tokens(material, issuer=issuer, audience=audience, store=store)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def key_material(found: Settings) -> tuple[str, str | bytes]:
    """The key that the settings describe, and the setting that did. Raises: as `verifiers` does."""
    secret, key_file = found.get("AUTHKIT_JWT_SECRET"), found.get("AUTHKIT_JWT_KEY_FILE")
    if secret is not None and key_file is not None:
        raise ConfigurationError("AUTHKIT_JWT_SECRET and AUTHKIT_JWT_KEY_FILE are both set: which is meant?")
    if secret is None and key_file is None:
        if found.get("AUTHKIT_OIDC_ISSUER") is not None:
            raise ConfigurationError(
                "AUTHKIT_OIDC_ISSUER is set, and this version of authkit has no OpenID Connect verifier yet"
            )
        raise ConfigurationError(
            "require_auth has no verifier: pass one, or set AUTHKIT_JWT_SECRET (at least 32 bytes) or AUTHKIT_JWT_KEY_FILE, "
            "with AUTHKIT_ISSUER and AUTHKIT_AUDIENCE"
        )
    return ("AUTHKIT_JWT_SECRET", secret) if secret is not None else ("AUTHKIT_JWT_KEY_FILE", _read(str(key_file)))


def kept_in(found: Settings) -> Store | None:
    """The store that AUTHKIT_STORE names, the same in the whole process; None if it is not set."""
    if found.get("AUTHKIT_STORE") is None:
        return None
    from hashlib import blake2b

    from ..stores import open_store

    name = blake2b(found.require("AUTHKIT_STORE").encode("utf-8", "surrogateescape")).digest()
    with _lock:
        store = _stores.get(name)
        if store is None:
            try:
                store = _stores[name] = open_store(found.require("AUTHKIT_STORE"))
            except ConfigurationError as error:
                raise ConfigurationError(f"AUTHKIT_STORE: {error}") from None
        return store


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(65_536)
    except OSError as error:
        raise ConfigurationError(f"AUTHKIT_JWT_KEY_FILE cannot be read: {error.strerror}") from None
