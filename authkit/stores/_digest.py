"""Short names of a fixed length for keys, which are texts of any length: what a file or a table holds tells no address."""

from __future__ import annotations

from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._rate import Rate

SIZE = 20  # bytes: no two texts that anybody finds (2^80 tries) share a name


def space(kind: str, name: str = "", *numbers: object) -> bytes:
    """The name of what keys are in: a limiter, a gate, the notes."""
    return blake2b(repr((kind, name, numbers)).encode(), digest_size=SIZE).digest()


def space_of(name: str, rates: tuple[Rate, ...], algorithm: str, *numbers: object) -> bytes:
    """The name of a limiter."""
    return space(algorithm, name, *((rate.count, rate.period, rate.burst) for rate in rates), *numbers)


def digest(space: bytes, key: str, size: int = SIZE) -> bytes:
    """The name of `key` in its space, `size` bytes."""
    return blake2b(key.encode("utf-8", "surrogatepass"), key=space, digest_size=size).digest()
