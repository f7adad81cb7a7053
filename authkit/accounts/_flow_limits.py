"""How often registering and resetting may be begun: judged before anything is looked up, hashed or sent."""

from __future__ import annotations

from .._outage import Outage
from .._run import blocking
from ..decision import Deny
from ..errors import ConfigurationError, StoreUnavailable
from ..stores import MemoryStore, Rate, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..stores import Limiter

_NOWHERE = "no address"  # the network of all whose address nobody knows


class FlowLimits:
    """The limits of one flow, by network and, where it is about one, by account. Whatever comes of it, a beginning counts.

    A name that is nobody's counts as any other, so that the answer is the same. While the store fails, this process counts for
    itself. Nothing here locks an account: what is used up comes back by itself.
    """

    __slots__ = ("_blocks", "_shared", "_local", "_outage")

    def __init__(self, flow: str, store: Store, address: tuple[Rate, ...], account: tuple[Rate, ...] = ()) -> None:
        self._blocks = store.blocks
        self._shared = _limiters(flow, store, address, account)
        self._local = _limiters(flow, MemoryStore(), address, account)
        self._outage = Outage(f"{flow} limits", "this process counts for itself meanwhile")

    async def wait(self, network: str | None, username: str | None = None) -> int:
        """Whole seconds to wait, 0 if it may begin now and was counted. `username`: canonical, if the flow is about one.

        All without a network are one.
        """
        keys = [_NOWHERE if network is None else network]
        if username is not None:
            from hashlib import blake2b

            keys.append(blake2b(username.encode(), digest_size=16).hexdigest())
        return await blocking(self._take, keys) if self._blocks else self._take(keys)

    def _take(self, keys: list[str]) -> int:
        try:
            seconds = _taken(self._shared, keys)
        except StoreUnavailable as error:
            self._outage.began(error)
            return _taken(self._local, keys)
        self._outage.ended()
        return seconds


class Unlimited:
    """No limits."""

    __slots__ = ()

    async def wait(self, network: str | None, username: str | None = None) -> int:
        return 0


def too_many(seconds: int, reason: str = "too_many_attempts") -> Deny:
    """429: whoever it is about."""
    return Deny(429, "rate_limited", reason=reason, headers={"retry-after": str(seconds)})


def parsed(what: str, limits: str | Iterable[str]) -> tuple[Rate, ...]:
    """A limit or several, as in `rate_limit`. Raises: `ConfigurationError` for what is none, and for no limit at all."""
    rates = tuple(Rate.parse(text) for text in ((limits,) if isinstance(limits, str) else limits))
    if not rates:
        raise ConfigurationError(f"{what} is at least one limit: 10/hour, say")
    return rates


def _limiters(flow: str, store: Store, address: tuple[Rate, ...], account: tuple[Rate, ...]) -> list[Limiter]:
    made = [store.limiter(f"{flow}:{what}", rates) for what, rates in (("address", address), ("account", account)) if rates]
    if not store.blocks:
        return made
    from ..stores._refused import RefusalMemo

    return [RefusalMemo(limiter) for limiter in made]


def _taken(limiters: list[Limiter], keys: list[str]) -> int:
    """The network first: whoever has used that up uses up no account's."""
    for limiter, key in zip(limiters, keys, strict=False):
        wait = whole(limiter.take(key)[0])
        if wait:
            return wait
    return 0


def whole(seconds: float) -> int:
    """Whole seconds after which it will do: at least 1, unless there is nothing to wait for."""
    return max(1, int(-(-(seconds - 1e-6) // 1))) if seconds else 0
