"""`Endpoints`: where a provider's endpoints are: written out, or as its metadata say, at its own origin."""

from __future__ import annotations

from .._fetch import Unfetched, checked_url
from .._run import SingleFlight
from ..errors import ConfigurationError, Unavailable
from ._own import own_endpoint
from .discovery import Discovery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_FOLLOW = 15.0  # seconds that others wait for a fetch; it has a shorter bound of its own


class Endpoints:
    """The endpoints of `provider`. `given`: URLs by their metadata names, which win. `origins`: further origins at which the
    metadata may name some, beside the provider's own `endpoint_origins`. Raises: `ConfigurationError`."""

    __slots__ = ("issuer", "_discovery", "_flights", "_given", "_origins")

    def __init__(self, provider: Any, given: Mapping[str, str], origins: Iterable[str]) -> None:
        told = {**getattr(provider, "login_endpoints", {}), **given}
        self._given = {name: checked_url(name, url) for name, url in told.items()}
        self._origins = (*checked_origins(origins), *getattr(provider, "endpoint_origins", ()))
        found = provider if isinstance(provider, Discovery) else None
        if found is None and not {"authorization_endpoint", "token_endpoint"} <= self._given.keys():
            found = getattr(provider, "discovery", None)
            if not isinstance(found, Discovery):
                raise ConfigurationError("login: the provider has no metadata: endpoints= says where its endpoints are")
        self._discovery = found
        self._flights = SingleFlight()
        self.issuer: str = found.issuer if found is not None else self._given["token_endpoint"]

    def url(self, name: str) -> str:
        """It may block. Raises: `Unfetched`, `ConfigurationError`."""
        url = self._given.get(name)
        if url is not None:
            return url
        if self._discovery is None:
            raise Unfetched(f"nobody has said where its {name} is")
        return own_endpoint(self._discovery, name, self._origins)

    def names(self, name: str) -> bool:
        """Whether anybody says where it is. It may block. Raises: `Unfetched`."""
        return name in self._given or self.metadata().get(name) is not None

    def metadata(self) -> Mapping[str, Any]:
        """All that it says of itself; nothing where it says nothing. It may block. Raises: `Unfetched`."""
        return self._discovery.metadata() if self._discovery is not None else {}

    async def find(self, name: str) -> str:
        """`url`, for a coroutine that anybody may drive. Raises: `Unavailable`, `ConfigurationError`."""
        if name not in self._given:
            await self._load()
        failure = ""
        try:
            return self.url(name)
        except Unfetched as error:
            failure = str(error)
        raise self._unavailable(failure)

    async def says(self, name: str) -> object:
        """What the metadata have under `name`, or None. Raises: `Unavailable`."""
        await self._load()
        return self.metadata().get(name)

    async def _load(self) -> None:
        """Have the metadata at hand, fetched once however many wait. Raises: `Unavailable`."""
        discovery = self._discovery
        if discovery is None or discovery.at_hand() is not None:
            return
        failure = ""
        try:
            await self._flights.do("metadata", discovery.metadata, bounded=True, follow=_FOLLOW)
        except Unfetched as error:
            failure = str(error)
        if failure:
            raise self._unavailable(failure)

    def _unavailable(self, failure: str) -> Unavailable:
        return Unavailable(f"the metadata of {self.issuer} cannot be had: {failure}")


def checked_origins(origins: Iterable[str]) -> tuple[str, ...]:
    """Raises: `ConfigurationError` for what is no origin, like "https://oauth2.example.com"."""
    found = tuple(origins) if not isinstance(origins, str) else (None,)
    for origin in found:
        if not isinstance(origin, str) or "/" in checked_url("origins", origin).partition("://")[2] or "?" in origin:
            raise ConfigurationError("origins is a list of origins, like 'https://oauth2.example.com'")
    return found  # type: ignore[return-value]
