"""The one client address that address rules, limits and audit share: `ClientAddress`, and `Networks` to match it against.

Nothing here believes a header by default. IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is the IPv4 address; NAT64, 6to4 and Teredo
addresses stay the IPv6 addresses that they are, and match IPv6 networks only.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .http import Headers, Request

SETTING = "AUTHKIT_TRUSTED_PROXIES"
_LONGEST = 96  # characters: a full IPv6 address, a zone, brackets and a port; what is longer is no address
_LONGEST_LIST = 4096  # characters in all lines: some hundred proxies; reading a hostile list costs what it costs to send
_LISTS = ("x-forwarded-for", "forwarded")  # every proxy appends to these; any other header holds one address
_CLIENT_HEADERS = frozenset((  # a request with one of these has come through a proxy, or says so
    "x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip", "fly-client-ip", "fastly-client-ip",
    "x-client-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-azure-clientip", "x-appengine-user-ip",
    "x-original-forwarded-for", "x-nf-client-connection-ip", "cloudfront-viewer-address",
))  # fmt: skip
_ZONE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_PORT = frozenset("0123456789")


class Address:
    """An address that was understood. `text`: canonical; `bits`: 32 or 128; `bucket`: what limits count (IPv6: its /64)."""

    __slots__ = ("text", "bits", "value", "bucket")

    def __init__(self, text: str, bits: int, value: int) -> None:
        self.text = text
        self.bits = bits
        self.value = value
        self.bucket = text if bits == 32 else f"{value >> 64:x}::/64"

    def __repr__(self) -> str:
        return f"Address({self.text!r})"


def parse(text: str) -> Address | None:
    """The address in `text`, which may be bracketed and may carry a port; None if it is no address of a client."""
    return _parse(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=8192)
def _parse(text: str) -> Address | None:
    import ipaddress

    host = _without_port(text.strip(" \t"))
    if host is None:
        return None
    host, percent, zone = host.partition("%")
    if percent and (not zone or len(zone) > 32 or not _ZONE.issuperset(zone)):
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        if mapped is None:
            return Address(f"{address}%{zone}" if zone else str(address), 128, int(address)) if int(address) else None
        address = mapped
    return Address(str(address), 32, int(address)) if int(address) and not zone else None


def _without_port(text: str) -> str | None:
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in host or (port and not _is_port(port)):
            return None
        return host
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host if _is_port(":" + port) else None
    return text


def _is_port(text: str) -> bool:
    digits = text[1:]
    return text[:1] == ":" and 0 < len(digits) <= 5 and _PORT.issuperset(digits)


class Networks:
    """A set of networks and single addresses. Matching costs the same for ten networks and for a hundred thousand.

    Raises: `ConfigurationError` for what is no network: a name, a zone, a netmask instead of a prefix length, an empty text.
    Bits below the prefix are ignored, as routers do. `what` names the setting in the message.
    """

    __slots__ = ("_v4", "_v6", "_count")

    def __init__(self, networks: Iterable[str], what: str) -> None:
        ranges: dict[int, list[tuple[int, int]]] = {32: [], 128: []}
        self._count = 0
        for network in networks:
            bits, first, last = _network(network, what)
            ranges[bits].append((first, last))
            self._count += 1
        self._v4 = _merged(ranges[32])
        self._v6 = _merged(ranges[128])

    def __contains__(self, address: Address) -> bool:
        starts, ends = self._v4 if address.bits == 32 else self._v6
        place = bisect_right(starts, address.value)
        return place > 0 and address.value <= ends[place - 1]

    def __len__(self) -> int:
        return self._count

    def everything(self) -> bool:
        """Whether all of IPv4 or all of IPv6 is in it, in however many pieces."""
        return any(ends and starts[0] == 0 and ends[0] == top for (starts, ends), top in (
            (self._v4, 2**32 - 1), (self._v6, 2**128 - 1),
        ))  # fmt: skip


def _network(network: str, what: str) -> tuple[int, int, int]:
    import ipaddress

    wrong = ConfigurationError(f"{what}: every network is an address or address/prefix, like 10.0.0.0/8 or 2001:db8::/32")
    if not isinstance(network, str):
        raise wrong
    text, slash, prefix = network.strip().partition("/")
    if "%" in text or (slash and not (prefix.isascii() and prefix.isdigit() and len(prefix) <= 3)):
        raise wrong
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise wrong from None
    bits, value, length = address.max_prefixlen, int(address), int(prefix) if slash else address.max_prefixlen
    if length > bits:
        raise wrong
    if bits == 128 and value >> 32 == 0xFFFF and length >= 96:  # IPv4-mapped: the IPv4 network
        bits, value, length = 32, value & 0xFFFFFFFF, length - 96
    below = (1 << (bits - length)) - 1
    return bits, value & ~below, value | below


def _merged(ranges: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    starts: list[int] = []
    ends: list[int] = []
    for first, last in sorted(ranges):
        if ends and first <= ends[-1] + 1:
            ends[-1] = max(ends[-1], last)
        else:
            starts.append(first)
            ends.append(last)
    return starts, ends


class ClientAddress:
    """Finds the address of the client behind the proxies that you run.

    `trusted_proxies`: networks of your own proxies. The header is read only if the peer is one of them: a list
    (`X-Forwarded-For`, `Forwarded`) from the right to the first address that is no trusted proxy, any other header as the one
    address it holds. `hops`: that many proxies stand in front, whatever the peer's address (a unix socket, say); with
    `trusted_proxies` as well, the peer must also be one of them. With neither, `AUTHKIT_TRUSTED_PROXIES` (networks separated by
    commas or spaces) is read when first needed; where that is not set, the client is the peer that the host vouches for.

    What cannot be read, is empty or is obfuscated where the client should stand gives no address; it is never skipped.

    Raises: `ConfigurationError` for an empty list, a wrong network, a list that covers all of IPv4 or IPv6 (`*`, `0.0.0.0/0`)
    without `insecure_trust_all=True`, which lets every caller choose the address that it has.
    """

    def __init__(
        self,
        trusted_proxies: Iterable[str] | None = None,
        header: str = "x-forwarded-for",
        hops: int | None = None,
        *,
        insecure_trust_all: bool = False,
    ) -> None:
        if isinstance(trusted_proxies, str):
            raise ConfigurationError("trusted_proxies is a list of networks, not one string")
        if type(header) is not str or not header or not header.isascii() or not header.replace("-", "").isalnum():
            raise ConfigurationError("header is the name of a request header")
        self._header = header.lower()
        self._others = _CLIENT_HEADERS - {self._header}
        self._insecure = insecure_trust_all
        if hops is not None:
            if type(hops) is not int or hops < 1:
                raise ConfigurationError("hops is the number of proxies in front, at least 1")
            if hops != 1 and self._header not in _LISTS:
                raise ConfigurationError("hops above 1 needs a header that proxies append to: x-forwarded-for or forwarded")
        self._hops = hops
        self._is_peer = False
        self._proxies = None if trusted_proxies is None else self._trusted(trusted_proxies, "trusted_proxies")
        self._settled = self._proxies is not None or hops is not None

    @classmethod
    def peer(cls) -> ClientAddress:
        """The peer really is the client: no proxy stands in front, and no header is ever read."""
        client = cls()
        client._is_peer = client._settled = True
        return client

    def _trusted(self, networks: Iterable[str], what: str) -> Networks:
        items = list(networks)
        if self._insecure:
            items = [part for item in items for part in (("0.0.0.0/0", "::/0") if item == "*" else (item,))]
        elif "*" in items:
            raise ConfigurationError(f"{what}: trusting everyone lets every caller choose its address; name your proxies")
        found = Networks(items, what)
        if not found:
            raise ConfigurationError(f"{what} is empty: where no proxy stands in front, say ClientAddress.peer()")
        if found.everything() and not self._insecure:
            raise ConfigurationError(f"{what}: trusting everyone lets every caller choose its address; name your proxies")
        return found

    def settle(self) -> None:
        """Read the setting, if it decides. Raises: `ConfigurationError`."""
        if self._settled:
            return
        from . import settings

        value = settings.get(SETTING)
        if value is not None and value.strip(" ,"):
            self._proxies = self._trusted(value.replace(",", " ").split(), SETTING)
        elif self._header != "x-forwarded-for":
            raise ConfigurationError(f"ClientAddress(header=...) needs trusted_proxies=, hops= or {SETTING}")
        self._settled = True

    def resolve(self, request: Request) -> str | None:
        """The client's address as canonical text, or None where there is none to be had."""
        found = self.locate(request)
        return None if found is None else found.text

    def locate(self, request: Request) -> Address | None:
        """As `resolve`, and notes the answer for the audit event of this request, where nothing is noted yet."""
        if not self._settled:
            self.settle()
        found = parse(request.peer) if request.peer is not None else None
        proxies, hops = self._proxies, self._hops
        if proxies is not None:
            if found is not None and found in proxies:
                found = self._nth(request.headers, hops) if hops else self._walk(request.headers, found, proxies)
        elif hops is not None:
            found = self._nth(request.headers, hops)
        state = request.state
        if found is not None and state is not None and state.client is None:
            state.client = found.text
        return found

    def suspects_proxy(self, request: Request) -> bool:
        """Whether the peer is probably a proxy that nobody has told us about: address rules on it would be wrong."""
        if not self._settled:
            self.settle()
        if self._proxies is not None or self._hops is not None or self._is_peer or not request.peer_is_socket:
            return False
        return not _CLIENT_HEADERS.isdisjoint(request.headers.names())

    def _walk(self, headers: Headers, peer: Address, proxies: Networks) -> Address | None:
        entries = self._entries(headers)
        if entries is None:
            # The proxy speaks for itself, unless it tells about its client in a header that we were not told to read.
            return peer if self._others.isdisjoint(headers.names()) else None
        if self._header not in _LISTS:
            return _only(entries)
        furthest: Address | None = peer
        for entry in entries:
            furthest = parse(entry)
            if furthest is None or furthest not in proxies:
                break
        return furthest

    def _nth(self, headers: Headers, hops: int) -> Address | None:
        entries = self._entries(headers)
        if entries is None:
            return None
        if self._header not in _LISTS:
            return _only(entries)
        for place, entry in enumerate(entries, 1):
            if place == hops:
                return parse(entry)
        return None

    def _entries(self, headers: Headers) -> Iterator[str] | None:
        """What the header holds, the nearest first; None if it was not sent, or sent empty."""
        lines = [line for line in headers.get_all(self._header) if line.strip(" \t")]
        if not lines:
            return None
        if self._header in _LISTS and sum(map(len, lines)) > _LONGEST_LIST:
            return iter(("",))  # which is nobody's address
        if self._header == "x-forwarded-for":
            return (entry for line in reversed(lines) for entry in reversed(line.split(",")))
        if self._header == "forwarded":
            from ._forwarded import nodes

            return (node for line in reversed(lines) for node in reversed(nodes(line)))
        return iter(lines)


def _only(entries: Iterator[str]) -> Address | None:
    """The address of a header that holds one; a second line is somebody's attempt to be believed instead."""
    first, second = next(entries, ""), next(entries, None)
    return parse(first) if second is None else None
