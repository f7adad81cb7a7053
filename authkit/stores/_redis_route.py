"""Which server of Redis's a key is on: the only one, the master that sentinels name, or a cluster's node for its slot."""

from __future__ import annotations

import time
from binascii import crc_hqx

from .._lock import ProcessLock
from .._needs import needs
from ..errors import StoreUnavailable
from ._redis_node import Node, Refused
from ._redis_script import packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._redis_node import Connection
    from ._redis_way import Address, Way

_SLOTS = 16384
_REDIRECTS = 4  # MOVED, then ASK, and once more while the cluster changes its mind
_BETWEEN = 0.25  # seconds from one look at the map to the next, while nodes fail or slots move
_ASKED = 2  # nodes asked for the map within one call: each may take the whole timeout


class Route:
    """`shards`: on how many slots notes are spread, each with an epoch of its own."""

    shards = 1

    def ask(self, key: bytes, command: bytes) -> Any:
        """What the server that has `key` answers to a packed command; a `Refused` is returned. Raises: `StoreUnavailable`."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class One(Route):
    """One server, or the master that the sentinels name when a connection is made."""

    def __init__(self, way: Way, timeout: float) -> None:
        self._way = way
        self._timeout = timeout
        self._sentinels = way.addresses
        sentinel = way.kind == "sentinel"
        place = f"redis {way.service}" if sentinel else f"redis {_said(way.addresses[0])}"
        self._node = Node(place, self._dial_master if sentinel else self._dial, timeout)

    def ask(self, key: bytes, command: bytes) -> Any:
        return self._node.ask(command)

    def close(self) -> None:
        self._node.drop()

    def _dial(self) -> Connection:
        return self._way.dial(self._way.addresses[0])

    def _dial_master(self) -> Connection:
        redis = needs("redis.exceptions")
        question = packed(b"SENTINEL", b"get-master-addr-by-name", self._way.service.encode())
        started = time.monotonic()
        for address in list(self._sentinels):
            if time.monotonic() - started > self._timeout:
                break
            try:
                connection = self._way.dial_sentinel(address)
                try:
                    connection.send_packed_command((b"*3\r\n" + question,), check_health=False)
                    found: Any = connection.read_response()
                finally:
                    connection.disconnect()
            except (redis.RedisError, OSError):
                found = None
            if found:
                return self._way.dial((found[0].decode(), int(found[1])))
            # Whoever did not answer is asked last from now on.
            self._sentinels = [other for other in self._sentinels if other != address] + [address]
        raise redis.ConnectionError("no sentinel that answers knows the master")


class Cluster(Route):
    """A cluster: the map of its slots, renewed when a node says that it is old or does not answer. `shards` as in `Route`."""

    shards = 8  # a few per node in a cluster of the usual size, and few enough to be asked for their epochs one by one

    def __init__(self, way: Way, timeout: float) -> None:
        self._way = way
        self._timeout = timeout
        self._lock = ProcessLock()
        self._nodes: dict[Address, Node] = {}
        self._slots: list[Address | None] = []
        self._last = list(way.addresses)  # whom to ask for the map; who failed stands last
        self._old = True
        self._looked = float("-inf")

    def ask(self, key: bytes, command: bytes) -> Any:
        slot = _slot(key)
        if self._old and (not self._slots or time.monotonic() - self._looked >= _BETWEEN):
            self._looked = time.monotonic()
            self._renew()
        address, asking = self._slots[slot], False
        for _ in range(_REDIRECTS):
            if address is None:
                self._old = True
                raise StoreUnavailable("redis cluster: no node has the slot")
            try:
                reply = self._node(address).ask(command, asking=asking)
            except StoreUnavailable:
                self._old = True
                self._last_of_all(address)
                raise
            if not isinstance(reply, Refused) or reply.code not in ("MOVED", "ASK"):
                return reply
            asking = reply.code == "ASK"
            address = _address(reply.place, address)
            if not asking:
                self._old = True
                self._slots[slot] = address
        raise StoreUnavailable("redis cluster: the nodes do not agree on a slot")

    def close(self) -> None:
        for node in list(self._nodes.values()):
            node.drop()

    def _node(self, address: Address) -> Node:
        node = self._nodes.get(address)
        if node is None:
            with self._lock:
                node = self._nodes.get(address)
                if node is None:
                    node = self._nodes[address] = Node(
                        f"redis {_said(address)}", lambda: self._way.dial(address), self._timeout
                    )
        return node

    def _last_of_all(self, address: Address) -> None:
        self._last = [other for other in self._last if other != address] + [address]

    def _renew(self) -> None:
        """Ask for the map. Callers at the same time ask too: nobody waits for another's I/O."""
        why = "no node answers"
        for address in list(self._last)[:_ASKED]:
            try:
                reply = self._node(address).ask(b"*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n")
            except StoreUnavailable:
                self._last_of_all(address)
                continue
            slots = _read(reply, address)
            known = dict.fromkeys(place for place in slots if place)
            if not known:
                why = f"{_said(address)} knows no map of a cluster"
                self._last_of_all(address)
                continue
            self._slots, self._old = slots, False
            # Who failed last is still asked last; where all of them move at once, the addresses given are left.
            others = [place for place in self._last if place in known or place in self._way.addresses]
            self._last = [*(place for place in known if place not in others), *others]
            for gone in self._nodes.keys() - known.keys():
                self._nodes.pop(gone).drop()
            return
        if not self._slots:
            raise StoreUnavailable(f"redis cluster: {why}")


def _read(reply: Any, sender: Address) -> list[Address | None]:
    """The master of each slot, of what CLUSTER SLOTS was answered with: `[first, last, [host, port, ...], replicas...]`."""
    slots: list[Address | None] = [None] * _SLOTS
    try:
        for first, last, (host, port, *_), *_ in reply:
            place = ((host or b"").decode() or sender[0], int(port))
            for slot in range(max(0, first), min(last + 1, _SLOTS)):
                slots[slot] = place
    except (TypeError, ValueError, AttributeError):
        return []
    return slots


def _slot(key: bytes) -> int:
    """The slot of a key (Redis cluster specification, "Hash tags")."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % _SLOTS


def _address(place: str, sender: Address) -> Address | None:
    """`host:port` of a redirection; without a host it is the sender's."""
    host, _, port = place.rpartition(":")
    return (host.strip("[]") or sender[0], int(port)) if port.isdecimal() else None


def _said(address: Address) -> str:
    host, port = address
    return f"{host}:{port}" if port else host


def route(way: Way, timeout: float) -> Route:
    return Cluster(way, timeout) if way.kind == "cluster" else One(way, timeout)
