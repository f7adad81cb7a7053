"""Address rules: what a decision costs with 10 networks and with 100,000, and what it costs to have those.

Addresses are asked for in no order: a long list does not fit into the processor's nearest cache, and asking for one address
again and again would not show it. "Seen": 2,000 clients take turns, whose addresses and answers are remembered. "New": 20,000
take turns, so that whatever was remembered of one is forgotten when it comes again. Every other one is in the list.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from itertools import cycle

from authkit import Request, Tokens, allow_ips
from authkit._run import run
from authkit._state import State
from authkit.address import ClientAddress, Networks

from ._table import Row, Table, Target
from ._timing import AUDIENCE, ISSUER, SECRET, YARDSTICK, Batch, added, calls, hand_written, nothing

PEER = ClientAddress.peer()
MANY, FLOOR = "100,000 networks, seen", "HS256 in ten lines"
V4 = (8, 12, 16, 20, 22, 24, 28, 32)  # prefix lengths as they occur in published lists
V6 = (29, 32, 40, 48, 56, 64)


def drawn(count: int, lengths: tuple[int, ...], bits: int, rng: random.Random) -> list[str]:
    """Networks at random, as text, as many of each length as there are of the others."""
    found = []
    for place in range(count):
        length = max(lengths[place % len(lengths)], 16 if count > 1000 else 0)  # 100,000 of /8 would be everybody
        value = rng.getrandbits(bits - 3) | 1 << (bits - 3)
        found.append(f"{_text(value, bits)}/{length}")
    return found


def _text(value: int, bits: int) -> str:
    if bits == 32:
        return ".".join(str(octet) for octet in value.to_bytes(4))
    return ":".join(f"{value >> shift & 0xFFFF:x}" for shift in range(112, -16, -16))


def _askers(networks: list[str], bits: int, rng: random.Random) -> list[str]:
    """Addresses, every other one of them in a network of the list."""
    found = [network.partition("/")[0] for network in rng.sample(networks, 10_000)]
    found += [_text(rng.getrandbits(bits - 3) | 1 << (bits - 3), bits) for _ in range(10_000)]
    rng.shuffle(found)
    return found


def _token() -> str:
    return Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE).issue("alice")


def tables(seconds: float) -> list[Table]:
    rng = random.Random(4)
    few, many = drawn(10, V4, 32, rng), drawn(100_000, V4, 32, rng)
    few6, many6 = drawn(10, V6, 128, rng), drawn(100_000, V6, 128, rng)
    asked, asked6 = _askers(many, 32, rng), _askers(many6, 128, rng)

    def checked(networks: list[str], texts: list[str]) -> tuple[Batch, Batch]:
        guard = allow_ips(*networks, client=PEER)
        requests = [Request.build(peer=text) for text in texts]
        for request in requests:
            request.state = State()
        turn = cycle(requests)
        return calls(lambda: run(guard.check(next(turn)))), calls(lambda: next(turn))

    verify = hand_written(_token())
    seen, seen6, new, new6 = asked[:2000], asked6[:2000], asked[10_000:] + asked[:10_000], asked6[10_000:] + asked6[:10_000]
    # In two runs: what is new drives what was seen out of what is remembered.
    found = added(
        {
            MANY: checked(many, seen),
            "10 networks, seen": checked(few, seen),
            "100,000 IPv6 networks, seen": checked(many6, seen6),
            "10 IPv6 networks, seen": checked(few6, seen6),
            FLOOR: (calls(verify), calls(nothing)),
        },
        seconds=seconds / 2,
        count=1000,
    )
    fresh = added(
        {
            "100,000 networks, new": checked(many, asked),
            "10 networks, new": checked(few, new),
            "100,000 IPv6 networks, new": checked(many6, asked6),
            "10 IPv6 networks, new": checked(few6, new6),
        },
        seconds=seconds / 2,
        count=1000,
    )
    targets = [Target(f"{MANY}, µs where the floor takes {YARDSTICK}", found.ratio(MANY, FLOOR) * YARDSTICK, 1.0)]
    for rounds in (found, fresh):
        names = [name for name in rounds if "100,000" in name]
        targets += [Target(f"{name} / 10", rounds.ratio(name, name.replace("100,000", "10")), 1.5) for name in names]
    rows = [Row(name, rounds.us(name), "floor" if name == FLOOR else "ours") for rounds in (found, fresh) for name in rounds]
    return [Table("allow_ips: the whole decision", rows, targets), _built("100,000 networks, once", many, many6)]


def _built(title: str, many: list[str], many6: list[str]) -> Table:
    rows = []
    for name, networks in (("IPv4", many), ("IPv6", many6)):
        start = time.perf_counter()
        Networks(networks, "networks")
        rows.append(Row(f"{name}: read and built, ms", (time.perf_counter() - start) * 1e3))
        tracemalloc.start()
        kept = Networks(networks, "networks")
        rows.append(Row(f"{name}: memory, MB", tracemalloc.get_traced_memory()[0] / 1e6))
        tracemalloc.stop()
        del kept
    return Table(title, rows, unit="")
