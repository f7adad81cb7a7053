"""The verifier that the AUTHKIT_* settings describe, for `@require_auth` without arguments."""

from __future__ import annotations

from .. import settings
from .._lock import ProcessLock
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..settings import Settings
    from ..stores import Store
    from ..tokens import Tokens

_stores: dict[bytes, Store] = {}  # by a digest of their URL, which may hold a password
_providers: dict[bytes, Any] = {}  # by a digest of the settings that were read, one of which may be a secret
_lock = ProcessLock()
_OWN = ("AUTHKIT_ISSUER", "AUTHKIT_JWT_KEY_FILE", "AUTHKIT_JWT_SECRET")  # of tokens of our own


def verifiers(source: Settings | None = None) -> tuple[Any, ...]:
    """The one verifier that the settings describe: of tokens of our own (`tokens`), or of a provider's (`provider`).

    Raises: `ConfigurationError` that names what is missing, or settings that contradict each other; never a value.
    """
    found = source or settings.default
    theirs = [name for name in ("AUTHKIT_OIDC_ISSUER", "AUTHKIT_PROVIDER") if found.get(name) is not None]
    if not theirs:
        return (tokens(found),)
    ours = [name for name in _OWN if found.get(name) is not None]
    if len(theirs + ours) > 1:
        raise ConfigurationError(
            f"{' and '.join((*ours, *theirs)[-2:])} are both set: which is meant? For both, pass two verifiers in code"
        )
    return (provider(found),)


def provider(source: Settings | None = None) -> Any:
    """The verifier of a provider's tokens: `OIDCProvider` from AUTHKIT_OIDC_ISSUER, AUTHKIT_AUDIENCE and, if its access tokens
    have another `typ` than "at+jwt", AUTHKIT_OIDC_TOKEN_TYPE; or what AUTHKIT_PROVIDER names makes of its own settings. The
    same for the same settings in the whole process, so that its keys are fetched once. It does no I/O.

    Raises: `ConfigurationError` as `verifiers` does.
    """
    found = source or settings.default
    read: dict[str, bytes | None] = {}  # digests: what is raised below may be shown with its locals

    def get(name: str) -> str | None:
        value = found.get(name)
        read[name] = None if value is None else _digest(value)
        return value

    try:
        made = _named(get) if get("AUTHKIT_PROVIDER") is not None else _discovered(get)
    except ConfigurationError as error:
        setting = "AUTHKIT_OIDC_ISSUER" if read["AUTHKIT_PROVIDER"] is None else "AUTHKIT_PROVIDER"
        raise ConfigurationError(f"{setting}: {error}") from None
    with _lock:
        return _providers.setdefault(_digest(repr(sorted(read.items()))), made)


def _discovered(get: Callable[[str], str | None]) -> Any:
    issuer, audience = get("AUTHKIT_OIDC_ISSUER"), get("AUTHKIT_AUDIENCE")
    if audience is None:
        raise ConfigurationError("AUTHKIT_AUDIENCE is not set: for whom its tokens have to be made out")
    from ..oidc import OIDCProvider

    return OIDCProvider(str(issuer), audience=audience, token_type=get("AUTHKIT_OIDC_TOKEN_TYPE"))


def _named(get: Callable[[str], str | None]) -> Any:
    from ..oidc import named_class

    build = getattr(named_class(str(get("AUTHKIT_PROVIDER"))), "from_settings", None)
    if build is None:
        raise ConfigurationError("this provider is not built from settings: build it in code, and pass it to require_auth")
    return build(get)


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
    """The key that the settings describe, and the setting that did. Raises: `ConfigurationError`, as `verifiers` does."""
    secret, key_file = found.get("AUTHKIT_JWT_SECRET"), found.get("AUTHKIT_JWT_KEY_FILE")
    if secret is not None and key_file is not None:
        raise ConfigurationError("AUTHKIT_JWT_SECRET and AUTHKIT_JWT_KEY_FILE are both set: which is meant?")
    if secret is None and key_file is None:
        raise ConfigurationError(
            "require_auth has no verifier: pass one, or set AUTHKIT_JWT_SECRET (at least 32 bytes) or AUTHKIT_JWT_KEY_FILE, "
            "with AUTHKIT_ISSUER and AUTHKIT_AUDIENCE; or AUTHKIT_OIDC_ISSUER with AUTHKIT_AUDIENCE; or AUTHKIT_PROVIDER"
        )
    return ("AUTHKIT_JWT_SECRET", secret) if secret is not None else ("AUTHKIT_JWT_KEY_FILE", _read(str(key_file)))


def kept_in(found: Settings) -> Store | None:
    """The store that AUTHKIT_STORE names, the same in the whole process; None if it is not set."""
    if found.get("AUTHKIT_STORE") is None:
        return None
    from ..stores import open_store

    name = _digest(found.require("AUTHKIT_STORE"))
    with _lock:
        store = _stores.get(name)
        if store is None:
            try:
                store = _stores[name] = open_store(found.require("AUTHKIT_STORE"))
            except ConfigurationError as error:
                raise ConfigurationError(f"AUTHKIT_STORE: {error}") from None
        return store


def _digest(text: str) -> bytes:
    from hashlib import blake2b

    return blake2b(text.encode("utf-8", "surrogateescape")).digest()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(65_536)
    except OSError as error:
        raise ConfigurationError(f"AUTHKIT_JWT_KEY_FILE cannot be read: {error.strerror}") from None
