"""The one client address that address rules, limits and audit share: `ClientAddress`, and `Networks` to match it against.

Nothing here believes a header by default. How an address is read stands in `_ip.py`, how a list is matched in `_networks.py`.
"""

from __future__ import annotations

from ._forwarded import LISTS, entries
from ._ip import Address, parse, viewer
from ._networks import Networks, sorted_out
from .errors import ConfigurationError, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._network_sources import NetworkSource
    from .http import Headers, Request

__all__ = ["Address", "ClientAddress", "Networks", "parse"]

SETTING = "AUTHKIT_TRUSTED_PROXIES"
_CLIENT_HEADERS = frozenset((  # a request with one of these has come through a proxy, or says so
    "x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip", "fly-client-ip", "fastly-client-ip",
    "x-client-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-azure-clientip", "x-appengine-user-ip",
    "x-original-forwarded-for", "x-nf-client-connection-ip", "cloudfront-viewer-address",
))  # fmt: skip


class ClientAddress:
    """Finds the address of the client behind the proxies that you run.

    `trusted_proxies`: networks of your own proxies, and sources of such (`Networks.file`, `Networks.url`, ...). The header is
    read only if the peer is one of them: a list (`X-Forwarded-For`, `Forwarded`) from the right to the first address that is
    no trusted proxy, any other header as the one address it holds. `hops`: that many proxies stand in front, whatever the
    peer's address (a unix socket, say); with `trusted_proxies` as well, the peer must also be one of them. With neither,
    `AUTHKIT_TRUSTED_PROXIES` (networks separated by commas or spaces) is read when first needed; where that is not set, the
    client is the peer that the host vouches for. `ClientAddress.alb(...)` and its like say the same for well-known proxies.

    What cannot be read, is empty or is obfuscated where the client should stand gives no address; it is never skipped.

    Raises: `ConfigurationError` for an empty list, a wrong network, a list that covers all of IPv4 or IPv6 (`*`, `0.0.0.0/0`)
    without `insecure_trust_all=True`, which lets every caller choose the address that it has.
    """

    suspicious = True  # a header may show that the peer is a proxy that nobody told us about
    _reads = False  # more than the peer counts
    _platform = False  # a request that came over a socket has no address: only a platform's own word counts
    _nameless = False  # the proxy is who has no address of its own: a unix socket, or a platform that gives none

    def __init__(
        self,
        trusted_proxies: Iterable[str | NetworkSource] | None = None,
        header: str = "x-forwarded-for",
        hops: int | None = None,
        *,
        insecure_trust_all: bool = False,
    ) -> None:
        if isinstance(trusted_proxies, str) or (trusted_proxies is not None and not hasattr(trusted_proxies, "__iter__")):
            raise ConfigurationError("trusted_proxies is a list of networks, not one string")
        if type(header) is not str or not header or not header.isascii() or not header.replace("-", "").isalnum():
            raise ConfigurationError("header is the name of a request header")
        self._settled = False
        self._header = header.lower()
        self._others = _CLIENT_HEADERS - {self._header}
        self._insecure = insecure_trust_all
        if hops is not None:
            if type(hops) is not int or hops < 1:
                raise ConfigurationError("hops is the number of proxies in front, at least 1")
            if hops != 1 and self._header not in LISTS:
                raise ConfigurationError("hops above 1 needs a header that proxies append to: x-forwarded-for or forwarded")
        self._hops = hops
        self._proxies: Networks | None = None
        self.sources: tuple[NetworkSource, ...] = ()  # the lists of proxies that change
        if trusted_proxies is not None:
            self._trust(trusted_proxies, "trusted_proxies")
        if self._proxies is not None or hops is not None:
            self._settle(reads=True)

    @classmethod
    def peer(cls) -> ClientAddress:
        """The peer really is the client: no proxy stands in front, and no header is ever read."""
        client = cls()
        client._settle(reads=False)
        return client

    @classmethod
    def api_gateway(cls) -> ClientAddress:
        """`sourceIp` as API Gateway or a function URL states it, and nothing else: no setting, no header.

        Trusts the event. Not for a service behind API Gateway that is reached over a socket: there nobody has an address. With
        CloudFront in front of API Gateway, `sourceIp` is CloudFront's: use `cloudfront`.
        """
        client = cls()
        client._platform = True
        client._settle(reads=True)
        return client

    @classmethod
    def alb(cls, *subnets: str | NetworkSource) -> ClientAddress:
        """Behind one Application Load Balancer: the last entry of `X-Forwarded-For`, which it has appended.

        `subnets`: those that the load balancer has addresses in. Without any, only a Lambda target has an address. Trusts
        that its attribute `routing.http.xff_header_processing.mode` is `append`, as it is by default: `preserve` leaves
        the entry to the client.
        """
        if subnets:
            return cls(subnets, hops=1)
        return cls.api_gateway()

    @classmethod
    def cloudfront(cls, *networks: str | NetworkSource) -> ClientAddress:
        """Behind CloudFront: `X-Forwarded-For` from the right, past `networks`, to the viewer that CloudFront has appended.

        `networks`: CloudFront's origin-facing servers, and the subnets of a load balancer between it and you. They change:
        name a source, or keep the list up to date. They are every customer's: have your distribution send a secret header too,
        or keep the origin private, else another's distribution passes for yours.
        """
        return cls(networks)

    @classmethod
    def cloudflare(cls, *networks: str | NetworkSource) -> ClientAddress:
        """Behind Cloudflare: `CF-Connecting-IP`, from a peer in `networks`.

        `networks`: those that Cloudflare publishes. They change: name `Networks.url(...)` as a source, or keep the list up to
        date; none is built in, because it would age unseen. They are every customer's: use authenticated origin pulls or a
        tunnel as well.
        """
        return cls(networks, "cf-connecting-ip")

    @classmethod
    def netlify(cls) -> ClientAddress:
        """In a Netlify function: `X-Nf-Client-Connection-Ip`, which Netlify sets.

        Trusts the event, which has no other address. A request that came over a socket has no address: a server that Netlify
        proxies to needs `trusted_proxies`.
        """
        client = cls(None, "x-nf-client-connection-ip", 1)
        client._platform = client._nameless = True
        return client

    @classmethod
    def nginx(cls, *networks: str | NetworkSource, header: str = "x-forwarded-for", unix_socket: bool = False) -> ClientAddress:
        """Behind an nginx at an address in `networks`, or at the other end of a unix socket.

        Trusts that nginx sets the header: `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for`, or `X-Real-IP
        $remote_addr` with `header="x-real-ip"`. It passes on what the client sent if you do not write that line.
        """
        if unix_socket is bool(networks):
            raise ConfigurationError("ClientAddress.nginx needs the networks that nginx is in, or unix_socket=True")
        if not unix_socket:
            return cls(networks, header)
        client = cls(None, header, 1)
        client._nameless = True
        return client

    def _trust(self, networks: Iterable[str | NetworkSource], what: str) -> None:
        items = list(networks)
        if self._insecure:
            items = [part for item in items for part in (("0.0.0.0/0", "::/0") if item == "*" else (item,))]
        elif "*" in items:
            raise ConfigurationError(f"{what}: trusting everyone lets every caller choose its address; name your proxies")
        literal, sources = sorted_out(items, what)
        if not items:
            raise ConfigurationError(f"{what} is empty: where no proxy stands in front, say ClientAddress.peer()")
        if not self._insecure:
            if literal.everyone:
                raise ConfigurationError(f"{what}: trusting everyone lets every caller choose its address; name your proxies")
            for source in sources:
                source.refuse_everybody()
        self._proxies, self.sources = literal, sources

    def settle(self) -> None:
        """Read the setting, if it decides. Raises: `ConfigurationError`."""
        if self._settled:
            return
        from . import settings

        value = settings.get(SETTING)
        if value is not None and value.strip(" ,"):
            self._trust(value.replace(",", " ").split(), SETTING)
            self._settle(reads=True)
        elif self._header != "x-forwarded-for":
            raise ConfigurationError(f"ClientAddress(header=...) needs trusted_proxies=, hops= or {SETTING}")
        self._settled = True

    def _settle(self, reads: bool) -> None:
        """Known now: whether headers are read, and that the peer is no riddle."""
        self._reads, self.suspicious = reads, False
        self._settled = True  # last: another thread may be looking

    @property
    def waits(self) -> bool:
        """Whether a list of proxies has never been read: `await load()` first."""
        return any(source.at_hand() is None for source in self.sources)

    async def load(self) -> None:
        """Have every list of proxies at hand. Raises: `Unavailable` for one that cannot be had."""
        for source in self.sources:
            await source.load()

    def resolve(self, request: Request) -> str | None:
        """The client's address as canonical text, or None where there is none to be had."""
        found = self.locate(request)
        return None if found is None else found.text

    def locate(self, request: Request) -> Address | None:
        """As `resolve`, and notes the answer for the audit event of this request, where nothing is noted yet.

        Raises: `Unavailable` where it takes a list of proxies that has never been read; it is being read from now on.
        """
        if not self._settled:
            self.settle()
        peer = request.peer
        said = found = parse(peer) if peer is not None else None
        if self._reads:
            found = self._client_of(request, said)
        state = request.state
        if state is not None and not state.client:
            if found is not None:
                state.client = found.text
            elif said is not None:
                state.client = ""  # the peer is a proxy: the audit names nobody
        return found

    def is_trusted_peer(self, request: Request) -> bool:
        """Whether the other end of the socket is one of the trusted proxies: then what it says of its client in a header may be
        believed. Raises: `Unavailable` as `locate`."""
        if not self._settled:
            self.settle()
        if self._nameless and not self._platform:  # at the other end of a unix socket
            return request.peer is None and request.peer_is_socket
        peer = parse(request.peer) if request.peer is not None and request.peer_is_socket else None
        return self._proxies is not None and peer is not None and self._trusts(peer)

    def suspects_proxy(self, request: Request) -> bool:
        """Whether the peer is probably a proxy that nobody has told us about: address rules on it would be wrong."""
        if not self._settled:
            self.settle()
        if not self.suspicious or not request.peer_is_socket:
            return False
        return not _CLIENT_HEADERS.isdisjoint(request.headers.names())

    def _client_of(self, request: Request, peer: Address | None) -> Address | None:
        if self._platform and request.peer_is_socket:
            return None
        if self._proxies is not None:
            if peer is None or not self._trusts(peer):
                return peer
            return self._walk(request.headers, peer) if self._hops is None else self._nth(request.headers, self._hops)
        if self._hops is None:
            return peer
        if self._nameless and request.peer is not None:  # it came past the proxy that we were told of, perhaps through another
            return peer if _CLIENT_HEADERS.isdisjoint(request.headers.names()) else None
        return self._nth(request.headers, self._hops)

    def _trusts(self, address: Address) -> bool:
        if address in self._proxies:  # type: ignore[operator]
            return True
        if not self.sources:
            return False
        lists = [source.at_hand() for source in self.sources]
        if any(networks is not None and address in networks for networks in lists):
            return True
        if None in lists:
            raise Unavailable("a list of trusted proxies has not been read yet")
        return False

    def _walk(self, headers: Headers, peer: Address) -> Address | None:
        found = entries(headers, self._header)
        if found is None:
            # The proxy speaks for itself (a health check), unless it tells about its client in a header that we were not told
            # to read. One that writes a single address writes it always.
            return peer if self._header in LISTS and self._others.isdisjoint(headers.names()) else None
        if self._header not in LISTS:
            return self._only(*found)
        furthest: Address | None = peer
        for entry in found:
            furthest = parse(entry)
            if furthest is None or not self._trusts(furthest):
                break
        return furthest

    def _nth(self, headers: Headers, hops: int) -> Address | None:
        found = entries(headers, self._header)
        if found is None:
            return None
        if self._header not in LISTS:
            return self._only(*found)
        for place, entry in enumerate(found, 1):
            if place == hops:
                return parse(entry)
        return None

    def _only(self, entry: str, *more: str) -> Address | None:
        """The address of a header that holds one; a second line is somebody's attempt to be believed instead."""
        if more:
            return None
        return viewer(entry) if self._header == "cloudfront-viewer-address" else parse(entry)
