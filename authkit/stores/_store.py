"""The contract that every store keeps. Stores know nothing of what they keep."""

from __future__ import annotations

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from ._rate import Rate

    # (seconds to wait, or 0: admitted; for each rate: permits left, seconds until there is one more)
    Taken: TypeAlias = tuple[float, tuple[tuple[int, float], ...]]
    Algorithm: TypeAlias = Literal["token-bucket", "sliding-window", "fixed-window"]

ALGORITHMS = ("token-bucket", "sliding-window", "fixed-window")


class Limiter:
    """What keys have used of the same rates. Made by `Store.limiter`.

    What is admitted in a period, whatever the threads, processes and phases:
    - `token-bucket` (GCRA): at most burst plus count in any period. A bucket fills evenly.
    - `sliding-window`: at most count in any period `[t, t + period)`. A permit is back one period after it was taken; where
      count is above 64 up to 1/50 of a period later (counted in slots), never earlier.
    - `fixed-window`: at most count from one multiple of the period (epoch seconds) to the next: up to twice that in a period.
    """

    def take(self, key: str, cost: int = 1) -> Taken:
        """Take `cost` permits from every rate of `key` in one atomic step, or from none if any of them has too few.

        Gives `(wait, ((left, next), ...))`: `wait` is 0 if they were taken, else the seconds after which they could be, if
        nobody else takes any; for each rate `left` permits, and `next` seconds until there is one more (0: all are there).
        A cost of 0 only looks. A cost above what a rate can ever hold is refused, however long it waits.
        Raises: `StoreUnavailable`; `ValueError` for a negative cost.
        """
        raise NotImplementedError

    def take_here(self, key: str, cost: int = 1) -> Taken | None:
        """What `take` does, where that needs no I/O; else None, and nothing was taken: ask `take`."""
        return None

    def give_back(self, key: str, cost: int = 1) -> None:
        """Undo one earlier `take` of that cost, the newest there is; a key never has more than if it were unused.

        Which take it was is not known. Given back after a while, the permits of a later one go, and the period seen by what
        stays is shorter by that while; in a fixed window that has ended meanwhile, the new one has `cost` more.
        Raises: `StoreUnavailable`; `ValueError` for a negative cost.
        """
        raise NotImplementedError

    def reset(self, key: str) -> None:
        """Forget what `key` has used. Raises: `StoreUnavailable`."""
        raise NotImplementedError


class Gate:
    """How many may be in at once: at most `limit` holders of a key. Made by `Store.gate`."""

    def enter(self, key: str, holder: str, ttl: float) -> tuple[bool, int]:
        """Let `holder` (a random id) in, if fewer than `limit` are: whether it is in, and how many holders there are now.

        A holder is forgotten after `ttl` seconds unless renewed. One who is in already is renewed. Raises: `StoreUnavailable`.
        """
        raise NotImplementedError

    def renew(self, key: str, holder: str, ttl: float) -> bool:
        """Keep `holder` for `ttl` seconds from now. False: it was not in, or forgotten, and stays out.

        Raises: `StoreUnavailable`.
        """
        raise NotImplementedError

    def leave(self, key: str, holder: str) -> None:
        """Forget `holder`; nothing if it is not in. Raises: `StoreUnavailable`."""
        raise NotImplementedError

    def held(self, key: str) -> int:
        """How many holders there are. Raises: `StoreUnavailable`."""
        raise NotImplementedError

    def reset(self, key: str) -> None:
        """Forget every holder. Who is renewed after that is not in, and may enter anew. Raises: `StoreUnavailable`."""
        raise NotImplementedError


class Store:
    """State that several requests share, and perhaps several processes.

    `blocks`: its methods do I/O, so that a guard calls them through `blocking`. One that does none is in the memory of one
    process, and ends with it. All methods are safe from any thread.
    Keys are texts, whatever is in them and however long; values are bytes; times are seconds. Limiters, gates and noted keys do
    not meet, whatever their names. All methods with I/O raise `StoreUnavailable` where the store cannot answer.
    """

    blocks = True

    def limiter(self, name: str, rates: tuple[Rate, ...], algorithm: Algorithm = "token-bucket") -> Limiter:
        """The limiter called `name`: whoever asks for the same name, rates and algorithm shares it. Does no I/O.

        Raises: `ConfigurationError` for no rates, an unknown algorithm, or a window with a burst of its own.
        """
        raise NotImplementedError

    def gate(self, name: str, limit: int) -> Gate:
        """The gate called `name`: whoever asks for the same name and limit shares it. Does no I/O.

        Raises: `ConfigurationError` unless `limit` is a whole number of at least 1.
        """
        raise NotImplementedError

    def get(self, key: str) -> bytes | None:
        """The value noted under `key`, or None: never noted, or its time is over."""
        raise NotImplementedError

    def add(self, key: str, ttl: float, value: bytes = b"") -> bool:
        """Note `key` for `ttl` seconds, unless it is noted already: True for exactly one of any number of callers.

        Never forgotten before its time; a store that is full is a `StoreUnavailable`.
        """
        raise NotImplementedError

    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        """Note `new` under `key` for `ttl` seconds from now if `old` is what is noted there; False, and nothing done, if not.

        `old=None`: nothing may be noted. `new=None`: forget it. Of any number of callers with the same `old`, one gets True
        (as long as none of them puts `old` back). A store that is full is a `StoreUnavailable`.
        """
        raise NotImplementedError

    def look(self, *keys: str) -> tuple[float, list[bytes | None]]:
        """The epoch, and what is noted under each of a few `keys` (at most 50), in one question where the store can do that.

        It sees all that was answered before, here or elsewhere. The epoch is never older than the values: a store that is lost
        meanwhile shows in it. Where parts of a store may be lost by themselves, it is that of the parts these keys are in.
        """
        values = [self.get(key) for key in keys]
        return self.epoch(), values  # asked last: values of a store that is new by now go with its epoch

    def epoch(self) -> float:
        """Epoch seconds at which this store was created, kept in the store: it goes with the data, and the next one is newer.

        A store that has none yet gets the present time, the same for everybody who asks.
        """
        raise NotImplementedError

    def adopt(self) -> float:
        """Take this store into use as of now, be it empty, another's or restored: its epoch is the present time, given."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of connections and files. The store is not used any more."""


def settled(rates: tuple[Rate, ...], algorithm: str) -> None:
    """Judge the arguments of `Store.limiter`. Raises: `ConfigurationError`."""
    if not rates:
        raise ConfigurationError("a limiter needs at least one rate")
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"the algorithm of a limit is one of {', '.join(ALGORITHMS)}")
    if algorithm != "token-bucket" and any(rate.burst != rate.count for rate in rates):
        raise ConfigurationError("a window has no burst: burst= goes with the token bucket")


def settled_gate(limit: int) -> None:
    """Judge the limit of `Store.gate`. Raises: `ConfigurationError`."""
    if type(limit) is not int or limit < 1:
        raise ConfigurationError("the limit of a gate is a whole number of at least 1")
