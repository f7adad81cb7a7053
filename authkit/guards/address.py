"""Which client addresses may come in: `allow_ips`, `deny_ips`."""

from __future__ import annotations

from .._guard import Guard
from ..address import ClientAddress, Networks
from ..decision import ALLOW, Deny
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..decision import Decision
    from ..http import Request

_REFUSED = Deny(403, "forbidden", reason="address_refused")
_NO_ADDRESS = Deny(403, "forbidden", reason="no_client_address")
_NOT_CONFIGURED = Deny(403, "forbidden", reason="proxy_not_configured")


class AddressRule(Guard):
    """Decides by the client's address alone. No address, or one that may be a proxy's, is refused either way."""

    def __init__(self, name: str, networks: tuple[str, ...], client: ClientAddress | None) -> None:
        if not networks:
            raise ConfigurationError(f"{name} needs at least one network")
        if client is not None and not isinstance(client, ClientAddress):
            raise ConfigurationError(f"{name}: client is a ClientAddress")
        self.name = name
        self._networks = Networks(networks, name)
        self._client = ClientAddress() if client is None else client
        self._inside_passes = name == "allow_ips"

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None:
        self._client.settle()

    async def check(self, request: Request) -> Decision:
        client = self._client
        if client.suspects_proxy(request):
            return _NOT_CONFIGURED
        address = client.locate(request)
        if address is None:
            return _NO_ADDRESS
        return ALLOW if (address in self._networks) is self._inside_passes else _REFUSED


def allow_ips(*networks: str, client: ClientAddress | None = None) -> AddressRule:
    """Let in who comes from one of `networks` (`10.0.0.0/8`, `2001:db8::/32`, single addresses); everybody else gets 403.

    `client`: how the address is found; without it the host's word counts, or `AUTHKIT_TRUSTED_PROXIES`. A request that came
    through a proxy nobody configured is refused (reason `proxy_not_configured`), and so is one without an address.
    Says nothing against whoever may invoke a Lambda directly: they write the whole event.
    Raises: `ConfigurationError` for no network at all, or one that is none.
    """
    return AddressRule("allow_ips", networks, client)


def deny_ips(*networks: str, client: ClientAddress | None = None) -> AddressRule:
    """Refuse who comes from one of `networks`; otherwise as `allow_ips`: no known address is refused, never let in."""
    return AddressRule("deny_ips", networks, client)
