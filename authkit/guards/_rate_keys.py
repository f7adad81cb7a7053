"""Who is counted together: what `rate_limit(key=...)` means, as a function of a request."""

from __future__ import annotations

from .._audit import warn
from ..errors import ConfigurationError
from ..limits import by_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from ..address import ClientAddress
    from ..http import Request

    Key: TypeAlias = Callable[[Request], str]

NAMES = ("ip", "principal", "global")
_LONGEST = 64  # characters; a longer one is counted under its digest, so that nobody chooses how much memory it takes


def parts_of(key: Any) -> tuple[Any, ...]:
    """The parts of a key, one or several. Raises: `ConfigurationError` for what is no key."""
    parts = key if isinstance(key, tuple) else (key,)
    if not parts or len(set(map(id, parts))) != len(parts):
        raise ConfigurationError("rate_limit: key names each part once, and at least one")
    for part in parts:
        if not (part in NAMES if isinstance(part, str) else callable(part)):
            raise ConfigurationError('rate_limit: key is "ip", "principal", "global", a callable, or a tuple of them')
    return parts


def reader(parts: tuple[Any, ...], client: ClientAddress, prefix: int) -> Key:
    """The function that reads the key of a request. `prefix`: bits of an IPv6 address that count."""
    address = _by_address(client, prefix)
    readers = [_part(part, address) for part in parts]
    if len(readers) == 1:
        return readers[0]

    def several(request: Request) -> str:
        return bounded("\0".join([read(request) for read in readers]))

    return several


def _part(part: Any, address: Key) -> Key:
    if part == "ip":
        return address
    if part == "global":
        return _everybody
    if part == "principal":
        return _by_principal(address)
    return _by_header(part, address) if isinstance(part, by_header) else _by_callable(part)


def _everybody(request: Request) -> str:
    return "everybody"


def _by_address(client: ClientAddress, prefix: int) -> Key:
    warned = False

    def key(request: Request) -> str:
        nonlocal warned
        if not warned and client.suspects_proxy(request):
            warned = True
            warn("rate_limit counts by the peer, which is probably a proxy: set AUTHKIT_TRUSTED_PROXIES or client=")
        address = client.locate(request)
        if address is None:
            return "no address"
        if prefix == 64 or address.bits == 32:
            return address.bucket
        return f"{address.value >> 128 - prefix:x}::/{prefix}"

    return key


def _by_principal(address: Key) -> Key:
    def key(request: Request) -> str:
        principal = request.principal
        if principal is None:  # an optional login that was not used
            return "anonymous " + address(request)
        return bounded(f"principal {principal.issuer}\0{principal.subject}")

    return key


def _by_header(header: by_header, address: Key) -> Key:
    def key(request: Request) -> str:
        found = header(request)
        return "without " + address(request) if found is None else found

    return key


def _by_callable(given: Callable[[Request], str]) -> Key:
    def key(request: Request) -> str:
        found = given(request)
        if not isinstance(found, str) or not found:
            raise TypeError("the key of a rate limit is a text that is not empty")
        return bounded("key " + found)

    return key


def bounded(key: str) -> str:
    """`key`, or its digest if it is long."""
    if len(key) <= _LONGEST:
        return key
    from hashlib import sha256

    return "digest " + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
