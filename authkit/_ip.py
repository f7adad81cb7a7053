"""An address as text: read strictly, and written in one way. `parse` for what a peer or a header says, `number` for lists.

IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. NAT64 (`64:ff9b::/96`), 6to4 (`2002::/16`) and Teredo
(`2001::/32`) addresses stay the IPv6 addresses that they are, whatever IPv4 address is in them: who wants rules about those
writes IPv6 networks. Limits count a NAT64 address as the IPv4 address in it: else all of IPv4 would be one client.
"""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv6Address

_LONGEST = 96  # characters: a full IPv6 address, a zone, brackets and a port; what is longer is no address
_OCTETS = {str(octet): octet for octet in range(256)}  # ASCII digits, no leading zero, no sign
_ZONE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_PORT = frozenset("0123456789")
_NAT64 = 0x64FF9B << 64  # the first 96 bits of 64:ff9b::/96 (RFC 6052)


class Address:
    """An address that was understood. `text`: canonical; `bits`: 32 or 128; `bucket`: what limits count (IPv6: its /64)."""

    __slots__ = ("text", "bits", "value", "bucket")

    def __init__(self, text: str, bits: int, value: int) -> None:
        self.text = text
        self.bits = bits
        self.value = value
        if bits == 128 and value >> 32 == _NAT64:
            self.bucket = ".".join(map(str, (value & 0xFFFFFFFF).to_bytes(4, "big")))
        else:
            self.bucket = text if bits == 32 else f"{value >> 64:x}::/64"

    def __repr__(self) -> str:
        return f"Address({self.text!r})"


def parse(text: str) -> Address | None:
    """The address in `text`, which may be bracketed and may carry a port; None if it is no address of a client.

    A zone (`fe80::1%eth0`) stays in the text and matters to no network. `0.0.0.0` and `::` are nobody.
    """
    return _parse(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=8192)
def _parse(text: str) -> Address | None:
    bare = text.strip(" \t")
    if ":" not in bare:  # no port, no brackets, and no zone where there is no IPv6
        found = number(bare)
        return Address(bare, 32, found[1]) if found is not None and found[1] else None
    host = _without_port(bare)
    if host is None:
        return None
    host, percent, zone = host.partition("%")
    if percent and (not zone or len(zone) > 32 or not _ZONE.issuperset(zone)):
        return None
    if ":" not in host:  # it was IPv4 with a port
        found = number(host)
        return Address(host, 32, found[1]) if found is not None and found[1] and not zone else None
    address = _ipv6(host)
    if address is None:
        return None
    value = int(address)
    if value >> 32 == 0xFFFF:
        value &= 0xFFFFFFFF
        return Address(".".join(map(str, value.to_bytes(4))), 32, value) if value and not zone else None
    return Address(f"{address}{percent}{zone}", 128, value) if value else None


def number(text: str) -> tuple[int, int] | None:
    """(32 or 128, the address as a number), or None for anything but the address alone. IPv4-mapped is still 128 here."""
    if ":" not in text:
        try:
            first, second, third, fourth = map(_OCTETS.__getitem__, text.split("."))
        except (KeyError, ValueError):
            return None
        return 32, first << 24 | second << 16 | third << 8 | fourth
    address = _ipv6(text)
    return None if address is None else (128, int(address))


def _ipv6(text: str) -> IPv6Address | None:
    from ipaddress import IPv6Address

    try:
        return None if "%" in text else IPv6Address(text)
    except ValueError:
        return None


def viewer(text: str) -> Address | None:
    """The address in CloudFront-Viewer-Address: always with a port, and without brackets also where it is IPv6."""
    host, colon, port = text.strip(" \t").rpartition(":")
    if not _is_port(colon + port) or len(host) > _LONGEST:
        return None
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    return parse(host) if number(host) else None


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
    return text[:1] == ":" and 0 < len(digits) <= 5 and _PORT.issuperset(digits) and int(digits) <= 65_535
