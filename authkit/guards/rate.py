"""How often a caller may come: `rate_limit`."""

from __future__ import annotations

from itertools import count
from math import ceil

from .._audit import warn
from .._guard import Guard
from .._run import blocking
from ..address import ClientAddress
from ..decision import ALLOW, Allow, Deny
from ..errors import ConfigurationError, Unavailable
from ..stores import MemoryStore, Rate, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from ..decision import Decision
    from ..http import Request
    from ..stores._store import Taken

_LONGEST_KEY = 64  # characters; a longer one is counted under its digest, so that nobody chooses how much memory it takes
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/")
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))

_process_store: MemoryStore | None = None
_unnamed = count(1)


def _own_store() -> MemoryStore:
    global _process_store
    if _process_store is None:
        _process_store = MemoryStore()
    return _process_store


class RateLimit(Guard):
    """Made by `rate_limit`. Its keys and its answers; the counting is the store's."""

    name = "rate_limit"

    def __init__(
        self,
        rates: tuple[Rate, ...],
        *,
        key: str | Callable[[Request], str],
        client: ClientAddress,
        cost: int | Callable[[Request], int],
        name: str | None,
        exempt: Callable[[Request], bool] | None,
        store: Store,
        on_error: str,
        legacy_headers: bool,
    ) -> None:
        self._by = key if isinstance(key, str) else "callable"
        named = {"ip": self._by_address, "principal": self._by_principal, "global": _everybody}
        self._key = named.get(self._by, self._by_callable)
        self._callable = key
        self._client = client
        self._cost = cost
        self._fixed = cost if isinstance(cost, int) else None
        self._exempt = exempt
        self._on_error = on_error
        self._legacy = legacy_headers
        self._rates = rates
        self._limiter = store.limiter(name or f"rate_limit#{next(_unnamed)}", rates)  # "#": a name nobody can give
        self._local = MemoryStore().limiter("local", rates) if on_error == "local" else None
        self._blocks = store.blocks
        self._failing = self._warned = False
        labels = _labels(name, rates)
        self._labels = tuple(f'"{label}";r=' for label in labels)
        self._policy = ", ".join(f'"{label}";q={rate.count};w={rate.period}' for label, rate in zip(labels, rates, strict=True))

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None:
        if self._by == "principal" and not any(guard.identifies for guard in before):
            raise ConfigurationError('rate_limit(key="principal") stands before any guard that says who is calling')
        self._client.settle()

    async def check(self, request: Request) -> Decision:
        if self._exempt is not None and self._exempt(request) is True:
            return ALLOW
        key = self._key(request)
        cost = self._fixed if self._fixed is not None else self._ask_cost(request)
        try:
            taken = await blocking(self._limiter.take, key, cost) if self._blocks else self._limiter.take(key, cost)
        except Unavailable as error:
            if not self._failing:
                self._failing = True
                warn("rate_limit: the store failed (%s); on_error=%s", error, self._on_error)
            if self._on_error == "deny":
                raise
            if self._local is None:
                return ALLOW
            taken = self._local.take(key, cost)
        else:
            self._failing = False
        if not taken[0]:
            return Allow(headers=self._fields(taken))
        headers = self._fields(taken)
        headers["retry-after"] = str(max(1, _ceil(taken[0])))
        return Deny(429, "rate_limited", headers=headers)

    def _fields(self, taken: Taken) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11), and the older ones if asked for."""
        states = taken[1]
        if len(states) == 1:
            left, following = states[0]
            limit = f"{self._labels[0]}{left};t={_ceil(following)}"
        else:
            limit = ", ".join(f"{label}{left};t={_ceil(due)}" for label, (left, due) in zip(self._labels, states, strict=True))
        fields = {"ratelimit": limit, "ratelimit-policy": self._policy}
        if self._legacy:
            import time

            rate, (left, following) = min(zip(self._rates, states, strict=True), key=lambda pair: pair[1][0])
            fields["x-ratelimit-limit"] = str(rate.count)
            fields["x-ratelimit-remaining"] = str(left)
            fields["x-ratelimit-reset"] = str(_ceil(time.time() + following))
        return fields

    def _by_address(self, request: Request) -> str:
        client = self._client
        if not self._warned and client.suspects_proxy(request):
            self._warned = True
            warn("rate_limit counts by the peer, which is probably a proxy: set AUTHKIT_TRUSTED_PROXIES or client=")
        address = client.locate(request)
        return "no address" if address is None else address.bucket

    def _by_principal(self, request: Request) -> str:
        principal = request.principal
        if principal is None:  # an optional login that was not used
            return "anonymous " + self._by_address(request)
        return _bounded(f"principal {principal.issuer}\0{principal.subject}")

    def _by_callable(self, request: Request) -> str:
        key = self._callable(request)  # type: ignore[operator]
        if not isinstance(key, str) or not key:
            raise TypeError("the key of a rate limit is a text that is not empty")
        return _bounded("key " + key)

    def _ask_cost(self, request: Request) -> int:
        cost = self._cost(request)  # type: ignore[operator]
        if type(cost) is not int or cost < 0:
            raise TypeError("the cost of a request is a whole number, 0 or more")
        return cost


def _everybody(request: Request) -> str:
    return "everybody"


def _bounded(key: str) -> str:
    if len(key) <= _LONGEST_KEY:
        return key
    from hashlib import sha256

    return "digest " + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _ceil(seconds: float) -> int:
    """Whole seconds, rounded up; what rounding left over is no second."""
    return ceil(seconds - 1e-6)


def _labels(name: str | None, rates: tuple[Rate, ...]) -> list[str]:
    """The policy names. Several limits need different ones."""
    if len(rates) == 1:
        return [name or "default"]
    labels = []
    for rate in rates:
        unit, word = next((unit, word) for unit, word in _UNITS if rate.period % unit == 0)
        times = rate.period // unit
        labels.append(f"{name + ':' if name else ''}{rate.count}-per-{word if times == 1 else f'{times}-{word}s'}")
    if len(set(labels)) != len(labels):
        raise ConfigurationError("rate_limit: two of the limits are the same")
    return labels


def rate_limit(
    *limits: str,
    key: Literal["ip", "principal", "global"] | Callable[[Request], str] = "ip",
    client: ClientAddress | None = None,
    burst: int | None = None,
    cost: int | Callable[[Request], int] = 1,
    name: str | None = None,
    deduct_when: Callable[..., bool] | None = None,
    exempt: Callable[[Request], bool] | None = None,
    store: Store | None = None,
    lease: int | None = None,
    algorithm: Literal["token-bucket", "sliding-window", "fixed-window"] = "token-bucket",
    on_error: Literal["deny", "local", "insecure_allow"] = "deny",
    legacy_headers: bool = False,
) -> RateLimit:
    """Admit at most so many requests a time: `rate_limit("10/second", "1000/hour")`; what is over any of them gets 429.

    `key`: what is counted: the client's address (IPv6: its /64), the principal (an anonymous one by address), everybody
    together, or `key(request)`. `burst`: how many may come at once (default: the limit); a window never admits more than burst
    plus limit. `cost`: permits a request takes. `name`: of the policy in the headers; limits of one name, rates and store
    share their buckets, without it they are this guard's own. `exempt(request)`: True passes uncounted. `store`: where it is
    counted, by default in this process. A refused request takes nothing. `on_error`, where the store fails: 503, a limiter of
    this process meanwhile, or (`insecure_allow`) no limit at all. `legacy_headers`: the `X-RateLimit-*` fields as well.

    Raises: `ConfigurationError` for what is no limit, for `key="principal"` before any guard that identifies, and for
    `deduct_when`, `lease` and the window algorithms, which are not available in this version.
    """
    if not limits:
        raise ConfigurationError('rate_limit needs at least one limit, like "10/second"')
    if algorithm != "token-bucket":
        known = algorithm in ("sliding-window", "fixed-window")
        raise ConfigurationError("rate_limit: algorithm is " + ("not available in this version" if known else "token-bucket"))
    if deduct_when is not None or lease is not None:
        raise ConfigurationError(
            f"rate_limit: {'lease' if deduct_when is None else 'deduct_when'} is not available in this version"
        )
    if key not in ("ip", "principal", "global") and not callable(key):
        raise ConfigurationError('rate_limit: key is "ip", "principal", "global" or a callable')
    if client is not None and not isinstance(client, ClientAddress):
        raise ConfigurationError("rate_limit: client is a ClientAddress")
    if burst is not None and len(limits) != 1:
        raise ConfigurationError("rate_limit: burst= goes with one limit")
    if name is not None and not (type(name) is str and 0 < len(name) <= 64 and _NAME.issuperset(name)):
        raise ConfigurationError("rate_limit: name is 1 to 64 letters, digits and -_.:/")
    if exempt is not None and not callable(exempt):
        raise ConfigurationError("rate_limit: exempt is a callable")
    if store is not None and not isinstance(store, Store):
        raise ConfigurationError("rate_limit: store is a Store")
    if on_error not in ("deny", "local", "insecure_allow"):
        raise ConfigurationError('rate_limit: on_error is "deny", "local" or "insecure_allow"')
    rates = tuple(Rate.parse(limit, burst) for limit in limits)
    if not callable(cost):
        if type(cost) is not int or cost < 1:
            raise ConfigurationError("rate_limit: cost is a whole number of at least 1, or a callable")
        if any(cost > rate.burst for rate in rates):
            raise ConfigurationError("rate_limit: cost is above the limit, so that no request would ever pass")
    return RateLimit(
        rates,
        key=key,
        client=ClientAddress() if client is None else client,
        cost=cost,
        name=name,
        exempt=exempt,
        store=_own_store() if store is None else store,
        on_error=on_error,
        legacy_headers=legacy_headers,
    )
