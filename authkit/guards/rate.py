"""How often a caller may come, and how many requests of one may run at once: `rate_limit`."""

from __future__ import annotations

from .._wrap import is_async
from ..address import ClientAddress
from ..errors import ConfigurationError
from ..stores import MemoryStore, Rate, Store
from ..stores._store import ALGORITHMS
from ._rate_fields import Fields
from ._rate_guard import Limit, RateLimit
from ._rate_keys import parts_of, reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    from ..http import Request, Response

    Key: TypeAlias = Literal["ip", "principal", "global"] | Callable[[Request], str | None]

__all__ = ["RateLimit", "rate_limit"]

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/")
_MOST_AT_ONCE = 1_000_000

_process_store: MemoryStore | None = None


def _own_store() -> MemoryStore:
    global _process_store
    if _process_store is None:
        _process_store = MemoryStore()
    return _process_store


def rate_limit(
    *limits: str,
    key: Key | tuple[Key, ...] = "ip",
    client: ClientAddress | None = None,
    ipv6_prefix: int = 64,
    burst: int | None = None,
    cost: int | Callable[[Request], int] = 1,
    name: str | None = None,
    deduct_when: Callable[[Request, Response | None], bool] | None = None,
    exempt: Callable[[Request], bool] | None = None,
    store: Store | None = None,
    lease: int | None = None,
    algorithm: Literal["token-bucket", "sliding-window", "fixed-window"] = "token-bucket",
    on_error: Literal["deny", "local", "insecure_allow"] = "deny",
    legacy_headers: bool = False,
) -> RateLimit:
    """Admit so many requests a time: `rate_limit("10/second", "1000/hour", "20 concurrent")`; over any of them it is 429.

    What a refused request would have taken, of any limit, it has not taken. "20 concurrent": at most so many requests of a key
    at once, each until its response is finished, streamed or failed or left by its client.

    - `key`: who is counted together: the client's address, the principal (an anonymous one by address), everybody,
      `key(request)`, or several of these as a tuple: `("ip", by_path)`. `authkit.limits` has `by_header` and `by_path`.
    - `client`: how the address is found. `ipv6_prefix`: the bits of an IPv6 address that are one client.
    - `algorithm`: in any period, a token bucket admits at most `burst` (default: the limit) plus the limit, a sliding window
      the limit, a fixed window (that begins with the clock's own minutes and hours) twice the limit.
    - `cost`: permits that a request takes: a number, or `cost(request)`; 0 is free. One above the limit is
      429 whenever it comes, whatever `Retry-After` says.
    - `deduct_when(request, response)`: False gives the permits back that the request took before it was handled: what must not
      count, say everything but a failed login. `response` is None if the handler raised. What it raises counts.
    - `exempt(request)`: exactly True passes uncounted.
    - `name`: of the policy in the headers; limits of one name, rates and store share their buckets. Without it they are this
      guard's own; two programs on one store need names.
    - `store`: where it is counted, by default in this process. Whoever was refused is refused here until it may come back.
      `lease`: take so many permits from the store at a time (see docs/limits.md for what that costs in exactness).
    - `on_error`, where the store fails: 503, a limiter of this process meanwhile, or (`insecure_allow`) no limit at all.
    - `legacy_headers`: the `X-RateLimit-*` fields as well, of the tightest limit.

    With "concurrent" or `deduct_when` the guard stands around a handler: `decide`, `Depends` and an authorizer refuse it.

    Raises: `ConfigurationError` for what is no limit; when the chain is sealed, for `key="principal"` before any guard that
    identifies.
    """
    rates, concurrent = parsed(limits, burst)
    parts = parts_of(key)
    if client is not None and not isinstance(client, ClientAddress):
        raise ConfigurationError("rate_limit: client is a ClientAddress")
    if type(ipv6_prefix) is not int or not 16 <= ipv6_prefix <= 128:
        raise ConfigurationError("rate_limit: ipv6_prefix is a whole number from 16 to 128")
    if name is not None and not (type(name) is str and 0 < len(name) <= 64 and _NAME.issuperset(name)):
        raise ConfigurationError("rate_limit: name is 1 to 64 letters, digits and -_.:/")
    for what, given in (("exempt", exempt), ("deduct_when", deduct_when)):
        if given is not None and not callable(given):
            raise ConfigurationError(f"rate_limit: {what} is a callable")
    for what, given in (("exempt", exempt), ("deduct_when", deduct_when), ("cost", cost), *(("key", part) for part in parts)):
        if callable(given) and is_async(given):
            raise ConfigurationError(f"rate_limit: {what} is not async")
    if not rates and (deduct_when is not None or lease is not None or cost != 1):
        raise ConfigurationError("rate_limit: cost=, deduct_when= and lease= go with a limit by time")
    if store is not None and not isinstance(store, Store):
        raise ConfigurationError("rate_limit: store is a Store")
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"rate_limit: algorithm is one of {', '.join(ALGORITHMS)}")
    if on_error not in ("deny", "local", "insecure_allow"):
        raise ConfigurationError('rate_limit: on_error is "deny", "local" or "insecure_allow"')
    if not callable(cost):
        if type(cost) is not int or cost < 1:
            raise ConfigurationError("rate_limit: cost is a whole number of at least 1, or a callable")
        if any(cost > rate.burst for rate in rates):
            raise ConfigurationError("rate_limit: cost is above the limit, so that no request would ever pass")
    fields = Fields(name, rates, concurrent, legacy_headers)
    client = ClientAddress() if client is None else client
    store = _own_store() if store is None else store
    return RateLimit(
        Limit(name, rates, concurrent, algorithm, store, parts, ipv6_prefix),
        key=reader(parts, client, ipv6_prefix),
        client=client,
        cost=cost,
        deduct_when=deduct_when,
        exempt=exempt,
        lease=lease,
        on_error=on_error,
        fields=fields,
    )


def parsed(limits: tuple[str, ...], burst: int | None) -> tuple[tuple[Rate, ...], int | None]:
    """The limits by time, and how many may be in at once. Raises: `ConfigurationError`."""
    rates, concurrent = [], None
    for limit in limits:
        words = limit.lower().split() if isinstance(limit, str) else []
        if words[1:] != ["concurrent"]:
            rates.append(limit)
        elif concurrent is not None or not (words[0].isascii() and words[0].isdigit() and len(words[0]) <= 7):
            raise ConfigurationError('rate_limit: "20 concurrent" is a whole number, and stands once')
        else:
            concurrent = int(words[0])
    if concurrent is not None and not 1 <= concurrent <= _MOST_AT_ONCE:
        raise ConfigurationError(f'rate_limit: "concurrent" is from 1 to {_MOST_AT_ONCE:,}')
    if not limits:
        raise ConfigurationError('rate_limit needs at least one limit, like "10/second"')
    if burst is not None and len(rates) != 1:
        raise ConfigurationError("rate_limit: burst= goes with one limit")
    return tuple(Rate.parse(limit, burst) for limit in rates), concurrent
