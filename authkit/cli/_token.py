"""What `authkit token` goes by: the key, issuer, audience and store of a service, from its settings or from options."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ._exits import Wrong
from ._options import source_option
from ._store import store_option
from ._values import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..secrets.versions import Sealed
    from ..stores import Store
    from ..tokens import KeyRing, Tokens


class Service(NamedTuple):
    """`store`: None where there is none that processes share."""

    ring: KeyRing
    issuer: str
    audience: str
    store: Store | None

    def tokens(self) -> Tokens:
        from ..tokens import Tokens

        return Tokens(self.ring, issuer=self.issuer, audience=self.audience, store=self.store)


def service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--issuer", metavar="TEXT", help="Default: AUTHKIT_ISSUER."),
        click.option("--audience", metavar="TEXT", help="Default: AUTHKIT_AUDIENCE."),
        click.option("--key", metavar="NAME", help="The secret in SOURCE that is the key. Default: the key of the settings."),
        source_option,
        store_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def token_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--value-from", metavar="FILE", help="Read the token from FILE, or from stdin if it is -."),
        click.option("--token-env", metavar="NAME", help="The environment variable that has the token."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def service_of(issuer: str | None, audience: str | None, key: str | None, source: str, url: str | None) -> Service:
    """The service that is meant. Raises: `Wrong`, `ConfigurationError`, and as a source of secrets does."""
    from ..settings import default, get, require

    ring = _ring_of_settings(default) if key is None else _ring_of_secret(key, source)
    store = None
    if url is not None or get("AUTHKIT_STORE") is not None:
        from ._store import place

        found = place(url)
        store = found.store if found.shared else None
    return Service(ring, issuer or require("AUTHKIT_ISSUER"), audience or require("AUTHKIT_AUDIENCE"), store)


def token_of(value_from: str | None, variable: str | None) -> Sealed:
    """The token, without white space around it. Raises: `Wrong`, `NotFound`."""
    return _stripped(told(value_from, variable, "Token"))


def _stripped(value: Sealed) -> Sealed:
    from ..secrets.versions import sealed

    found = value()
    return sealed((found if isinstance(found, str) else found.decode("latin-1")).strip())


def _ring_of_settings(settings: Any) -> KeyRing:
    from ..errors import ConfigurationError
    from ..guards._configured import key_material
    from ..tokens import KeyRing

    if settings.get("AUTHKIT_JWT_SECRET") is None and settings.get("AUTHKIT_JWT_KEY_FILE") is None:
        raise Wrong("no key is named: give --key NAME and its --source, or set AUTHKIT_JWT_SECRET or AUTHKIT_JWT_KEY_FILE")
    name, material = key_material(settings)
    try:
        return KeyRing(material)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _ring_of_secret(name: str, source: str) -> KeyRing:
    from ..tokens.followed import ring_of
    from .secrets_read import fetched

    return ring_of(name, fetched(name, source), time.time())[0]
