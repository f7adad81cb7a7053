"""Whether an endpoint is its issuer's own: secrets, codes and tokens of its users go to whom we named, and to nobody whom
somebody's metadata name."""

from __future__ import annotations

from ..errors import ConfigurationError
from .discovery import Discovery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def discovery_of(given: object) -> Discovery:
    """The metadata of a provider. Raises: `ConfigurationError` for what has none."""
    found = given if isinstance(given, Discovery) else getattr(given, "discovery", None)
    if not isinstance(found, Discovery):
        raise ConfigurationError("a provider is an OIDCProvider, its Discovery, or the https URL of its endpoint")
    return found


def own_endpoint(discovery: Discovery, name: str, origins: Iterable[str] = ()) -> str:
    """The URL that the metadata give under `name`, at the issuer's own origin or at one of `origins`. It may block.

    Raises: `Unfetched` if there is none; `ConfigurationError` if it is elsewhere.
    """
    url = discovery.endpoint(name)
    if origin_of(url) not in {origin_of(discovery.issuer), *map(origin_of, origins)}:
        raise ConfigurationError(
            f"the issuer's {name} is at another origin than the issuer: if it is right, pass its URL, or its origin"
        )
    return url


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    port = parts.port
    return parts.scheme, parts.hostname, {"https": 443, "http": 80}.get(parts.scheme) if port is None else port
