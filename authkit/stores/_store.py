"""The contract that every store keeps. Stores know nothing of what they keep."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from ._rate import Rate

    # (seconds to wait, or 0: admitted; for each rate: permits left, seconds until there is one more)
    Taken: TypeAlias = tuple[float, tuple[tuple[int, float], ...]]


class Limiter:
    """Buckets of the same rates, one set a key. Made by `Store.limiter`."""

    def take(self, key: str, cost: int = 1) -> Taken:
        """Take `cost` permits from every rate of `key` in one atomic step, or from none if any of them has too few.

        Gives `(wait, ((left, next), ...))`: `wait` is 0 if they were taken, else the seconds after which they could be; for
        each rate `left` permits, and `next` seconds until there is one more. A cost of 0 only looks.
        Never more than burst plus rate times period in any period, whatever the threads and processes.
        Raises: `StoreUnavailable`.
        """
        raise NotImplementedError

    def reset(self, key: str) -> None:
        """Forget what `key` has used. Raises: `StoreUnavailable`."""
        raise NotImplementedError


class Store:
    """State that several requests share, and perhaps several processes.

    `blocks`: its methods do I/O, so that a guard calls them through `blocking`. All of them are safe from any thread.
    """

    blocks = True

    def limiter(self, name: str, rates: tuple[Rate, ...]) -> Limiter:
        """The buckets called `name`: whoever asks for the same name and rates shares them. Does no I/O."""
        raise NotImplementedError

    def add(self, key: str, ttl: float) -> bool:
        """Note `key` for `ttl` seconds, unless it is noted already: True for exactly one of any number of callers.

        Never forgotten before its time. Raises: `StoreUnavailable`, also where the store is full.
        """
        raise NotImplementedError
