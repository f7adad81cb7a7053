"""Which client addresses may come in: `allow_ips`, `deny_ips`."""

from __future__ import annotations

from .._guard import Guard
from .._networks import sorted_out
from ..address import ClientAddress
from ..decision import ALLOW, Deny
from ..errors import ConfigurationError, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._ip import Address
    from .._network_sources import NetworkSource
    from ..decision import Decision
    from ..http import Request

_REFUSED = Deny(403, "forbidden", reason="address_refused")
_NO_ADDRESS = Deny(403, "forbidden", reason="no_client_address")
_NOT_CONFIGURED = Deny(403, "forbidden", reason="proxy_not_configured")


class AddressRule(Guard):
    """Decides by the client's address alone. No address, or one that may be a proxy's, is refused either way."""

    def __init__(self, name: str, networks: tuple[str | NetworkSource, ...], client: ClientAddress | None) -> None:
        if not networks:
            raise ConfigurationError(f"{name} needs at least one network")
        if client is not None and not isinstance(client, ClientAddress):
            raise ConfigurationError(f"{name}: client is a ClientAddress")
        self.name = name
        self._networks, self._sources = sorted_out(networks, name)
        self._client = ClientAddress() if client is None else client
        self._inside_passes = name == "allow_ips"

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None:
        self._client.settle()

    async def warm(self) -> None:
        await self._client.load()
        for source in self._sources:
            await source.load()

    async def check(self, request: Request) -> Decision:
        client = self._client
        if client.suspicious and client.suspects_proxy(request):
            return _NOT_CONFIGURED
        if client.sources and client.waits:
            await client.load()
        address = client.locate(request)
        if address is None:
            return _NO_ADDRESS
        inside = address in self._networks or (bool(self._sources) and await self._is_listed(address))
        return ALLOW if inside is self._inside_passes else _REFUSED

    async def _is_listed(self, address: Address) -> bool:
        """Whether a source has it: first those that are known, so that what they say does not wait for the others.

        Raises: `Unavailable` where none has it, and one could not say.
        """
        unknown = []
        for source in self._sources:
            networks = source.at_hand()
            if networks is None:
                unknown.append(source)
            elif address in networks:
                return True
        failure = None
        for source in unknown:
            try:
                if address in await source.load():
                    return True
            except Unavailable as error:
                failure = error
        if failure is not None:
            raise failure
        return False


def allow_ips(*networks: str | NetworkSource, client: ClientAddress | None = None) -> AddressRule:
    """Let in who comes from one of `networks` (`10.0.0.0/8`, `2001:db8::/32`, single addresses); everybody else gets 403.

    A network may also be a list that changes: `Networks.file`, `.url`, `.secret`, `.call`. The last good list stays in force
    while a newer one cannot be had; where there never was one, who is not in another of `networks` gets 503.
    `client`: how the address is found; without it the host's word counts, or `AUTHKIT_TRUSTED_PROXIES`. A request that came
    through a proxy nobody configured is refused (reason `proxy_not_configured`), and so is one without an address.
    Says nothing against whoever may invoke a Lambda directly: they write the whole event.
    Raises: `ConfigurationError` for no network at all, or one that is none.
    """
    return AddressRule("allow_ips", networks, client)


def deny_ips(*networks: str | NetworkSource, client: ClientAddress | None = None) -> AddressRule:
    """Refuse who comes from one of `networks`; otherwise as `allow_ips`: no known address is refused, never let in.

    Beside `allow_ips` in one chain it wins, in whichever order they stand.
    """
    return AddressRule("deny_ips", networks, client)
