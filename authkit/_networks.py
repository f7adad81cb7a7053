"""`Networks`: is this address in one of them? As fast for a hundred thousand networks as for ten."""

from __future__ import annotations

from ._ip import Address, number
from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from ._network_sources import NetworkSource
    from .secrets import Secret

    Prefix: TypeAlias = tuple[int, int, int]  # 32 or 128, the first address as a number, the prefix length
    Parse: TypeAlias = Callable[[str], Iterable[str]]
    Step: TypeAlias = tuple[int, int, dict[int, int]]  # bits to the right of a level's key and of its bitmap's, its nodes
    Table: TypeAlias = tuple[int, dict[int, tuple[Step, ...]], tuple[Step, ...]]

_LENGTHS = {str(length): length for length in range(129)}
REMEMBERED = 4096  # answers, about 0.3 MB; a client asks more than once
_FULL = (1 << 256) - 1


class Networks:
    """A set of networks and single addresses, as text: `10.0.0.0/8`, `2001:db8::/32`, `203.0.113.5`.

    Raises: `ConfigurationError` for what is no network: a name, a zone, a netmask instead of a prefix length, an empty text,
    a leading zero. Bits below the prefix are ignored, as routers do. `what` names the setting in the message.

    `Networks.file`, `.url`, `.secret` and `.call` name lists that change while the program runs.
    """

    __slots__ = ("_v4", "_v6", "_count", "_asked", "everyone")

    def __init__(self, networks: Iterable[str], what: str) -> None:
        prefixes = [prefix_of(network) for network in networks]
        if None in prefixes:
            raise ConfigurationError(f"{what}: every network is an address or address/prefix, like 10.0.0.0/8 or 2001:db8::/32")
        self._fill(prefixes)  # type: ignore[arg-type]

    @classmethod
    def of(cls, prefixes: list[Prefix]) -> Networks:
        """Networks that `prefix_of` has read."""
        networks = cls.__new__(cls)
        networks._fill(prefixes)
        return networks

    def _fill(self, prefixes: list[Prefix]) -> None:
        self._v4, all_of_v4 = _table([(value, length) for bits, value, length in prefixes if bits == 32], 32)
        self._v6, all_of_v6 = _table([(value, length) for bits, value, length in prefixes if bits == 128], 128)
        self._count = len(prefixes)
        self._asked: dict[Address, bool] = {}  # the very objects, which `parse` gives again for a text that it remembers
        self.everyone = all_of_v4 or all_of_v6  # all of IPv4 or of IPv6 is in it, in however many pieces

    def __contains__(self, address: Address) -> bool:
        found = self._asked.get(address)
        if found is None:
            if len(self._asked) >= REMEMBERED:
                self._asked.clear()
            found = self._asked[address] = self._find(address)
        return found

    def _find(self, address: Address) -> bool:
        value = address.value
        shift, below, levels = self._v4 if address.bits == 32 else self._v6
        for key, bit, nodes in below.get(value >> shift, levels):
            node = nodes.get(value >> key)
            if node is not None:
                return node >> (value >> bit & 255) & 1 == 1
        return False

    def __len__(self) -> int:
        return self._count

    # refresh: seconds between two readings, the rest as `NetworkSource` says.

    @staticmethod
    def file(
        path: str | os.PathLike[str], *, refresh: float = 5.0, parse: Parse | None = None, may_be_empty: bool = False
    ) -> NetworkSource:
        """The networks in a file, one to a line; read again when it has changed."""
        from ._network_readers import FileNetworks

        return FileNetworks(path, refresh=refresh, parse=parse, may_be_empty=may_be_empty)

    @staticmethod
    def url(
        url: str,
        *,
        refresh: float = 3600.0,
        parse: Parse | None = None,
        may_be_empty: bool = False,
        timeout: float = 10.0,
        headers: dict[str, str] | None = None,
    ) -> NetworkSource:
        """The networks that an https URL answers with; fetched with httpx, within `timeout` seconds."""
        from ._network_readers import UrlNetworks

        return UrlNetworks(url, refresh=refresh, parse=parse, may_be_empty=may_be_empty, timeout=timeout, headers=headers)

    @staticmethod
    def secret(
        secret: Secret, *, refresh: float = 30.0, parse: Parse | None = None, may_be_empty: bool = False
    ) -> NetworkSource:
        """The networks that a secret holds, as its `Secrets` remember it."""
        from ._network_readers import SecretNetworks

        return SecretNetworks(secret, refresh=refresh, parse=parse, may_be_empty=may_be_empty)

    @staticmethod
    def call(
        fn: Callable[[], str | Iterable[str]], *, refresh: float = 60.0, parse: Parse | None = None, may_be_empty: bool = False
    ) -> NetworkSource:
        """The networks that `fn()` gives. It is called in a thread, may block, and has a timeout of its own."""
        from ._network_readers import CalledNetworks

        return CalledNetworks(fn, refresh=refresh, parse=parse, may_be_empty=may_be_empty)


def sorted_out(items: Iterable[str | NetworkSource], what: str) -> tuple[Networks, tuple[NetworkSource, ...]]:
    """The literal networks of `items`, and the sources among them. Raises: `ConfigurationError` for what is neither."""
    everything: list[object] = list(items)
    literal = [item for item in everything if isinstance(item, str)]
    others = [item for item in everything if not isinstance(item, str)]
    if others:
        from ._network_sources import NetworkSource

        sources = tuple(item for item in others if isinstance(item, NetworkSource))
        if len(sources) != len(others):
            raise ConfigurationError(f"{what}: a network is a text like 10.0.0.0/8, or a source like Networks.file(path)")
        return Networks(literal, what), sources
    return Networks(literal, what), ()


def prefix_of(network: object) -> Prefix | None:
    """The network in a text, or None if it is none. An IPv4-mapped one is the IPv4 network."""
    if not isinstance(network, str):
        return None
    text, slash, prefix = network.strip(" \t").partition("/")
    found = number(text)
    if found is None:
        return None
    bits, value = found
    length = _LENGTHS.get(prefix) if slash else bits
    if length is None or length > bits:
        return None
    if bits == 128 and value >> 32 == 0xFFFF and length >= 96:
        return 32, value & 0xFFFFFFFF, length - 96
    return bits, value, length


def _table(prefixes: list[tuple[int, int]], bits: int) -> tuple[Table, bool]:
    """What a match looks through, and whether everything is in it.

    A level is a multiple of 8: its nodes are dictionary entries, one for each prefix of that many bits below which longer ones
    stand, and a node is a bitmap of the 256 prefixes that are 8 bits longer. The first node met, the longest level first, has
    the answer: at most 4 look-ups for IPv4 and 16 for IPv6, however long the list. The first quarter of an address says which
    levels are in use below it, so that most addresses take one or two.
    """
    levels: dict[int, dict[int, int]] = {level: {} for level in range(0, bits, 8)}
    for value, length in prefixes:
        level = (length - 1) // 8 * 8 if length else 0
        nodes, key, below = levels[level], value >> (bits - level), level + 8 - length
        first = (value >> (bits - level - 8) & 255) >> below << below
        nodes[key] = nodes.get(key, 0) | ((1 << (1 << below)) - 1) << first
    for level in range(bits - 8, 0, -8):  # a full node is one bit of the node above it
        above = levels[level - 8]
        for key in [key for key, node in levels[level].items() if node == _FULL]:
            del levels[level][key]
            above[key >> 8] = above.get(key >> 8, 0) | 1 << (key & 255)
    steps: list[Step] = []  # the shortest level first
    found: dict[int, tuple[Step, ...]] = {}  # the first quarter of an address -> its steps, the longest level first
    shared: dict[object, object] = {}
    quarter = bits // 4
    short: tuple[Step, ...] = ()
    for level, nodes in levels.items():
        if level == quarter:
            short = tuple(reversed(steps))
        for key in [key for key in nodes if _has(steps, key << (bits - level))]:
            del nodes[key]  # a shorter prefix has it all
        if not nodes:
            continue
        step = (bits - level, bits - level - 8, nodes)
        for key, node in nodes.items():
            nodes[key] = shared.setdefault(node, node)  # type: ignore[assignment]
            if level >= quarter:
                start = key >> (level - quarter)
                known = found.get(start, short)
                if not known or known[0] is not step:
                    longer = (step, *known)
                    found[start] = shared.setdefault(tuple(map(id, longer)), longer)  # type: ignore[assignment]
        steps.append(step)
    return (bits - quarter, found, short), levels[0].get(0) == _FULL


def _has(steps: list[Step], value: int) -> bool:
    return any(nodes.get(value >> key, 0) >> (value >> bit & 255) & 1 for key, bit, nodes in steps)
