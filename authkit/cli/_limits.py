"""Which limits are meant: one that the command line states, or those that a program has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ConfigurationError
from ._exits import NotFound, Wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..accounts._attempts import Attempts
    from ..stores import Gate, Limiter, Rate, Store
    from ..stores._store import Algorithm


class Asked(NamedTuple):
    """The options that say which limits are meant."""

    app: str | None
    url: str | None
    name: str | None
    limits: tuple[str, ...]
    algorithm: Algorithm | None
    burst: int | None


class Limit(NamedTuple):
    """One limit. `name` None: it has none. `parts`: what it counts by; None: unknown. `at_once`: requests at the same time."""

    name: str | None
    rates: tuple[Rate, ...]
    at_once: int | None
    algorithm: Algorithm
    store: Store
    parts: tuple[Any, ...] | None
    prefix: int

    def counted(self) -> tuple[Limiter | None, Gate | None]:
        """What counts it, without memos and leases: the store's own. Raises: `Wrong` where there is nothing to ask."""
        from ..stores import MemoryStore

        if isinstance(self.store, MemoryStore):
            raise Wrong("this limit counts in the memory of each process: nothing outside it can look")
        if self.name is None:
            raise Wrong("this limit has no name, and its store keeps it under one that changes: give it name=")
        limiter = self.store.limiter(self.name, self.rates, self.algorithm) if self.rates else None
        return limiter, None if self.at_once is None else self.store.gate(self.name, self.at_once)


def chosen(asked: Asked) -> list[Limit]:
    """The limits that are meant, at least one. Raises: `Wrong`, `NotFound`, `ConfigurationError`."""
    if (asked.app is None) == (not asked.limits):
        raise Wrong("say which limit: --app module:name, or --limit with --name")
    if asked.app is None:
        return [_stated(asked)]
    if asked.algorithm is not None or asked.burst is not None or asked.url is not None:
        raise Wrong("--algorithm, --burst and --store go with --limit: a program says its own")
    found = _found(asked.app)
    named = [limit for limit in found if asked.name in (None, limit.name)]
    if not named:
        raise NotFound(f"the program's limits are {names_of(found)}" if found else "the program has no rate limit there")
    return named


def _stated(asked: Asked) -> Limit:
    from ..guards.rate import parsed
    from ._store import place

    if asked.name is None:
        raise Wrong("--limit needs the limit's --name")
    if asked.burst is not None and len(asked.limits) > 1:
        raise Wrong("--burst goes with one --limit")
    try:
        rates, at_once = parsed(asked.limits, asked.burst)
    except ConfigurationError as error:
        raise Wrong(str(error)) from None
    return Limit(asked.name, rates, at_once, asked.algorithm or "token-bucket", place(asked.url).store, None, 64)


def _found(app: str) -> list[Limit]:
    """Each once, in the order in which the program has them."""
    from ..accounts import Accounts
    from ..guards.rate import RateLimit
    from ._program import guards_in, things_of

    things = things_of(app)
    limits = [Limit(*guard.limit) for guard in guards_in(things) if isinstance(guard, RateLimit)]
    for thing in things:
        if isinstance(thing, Accounts) and thing._attempts is not None:
            limits += _of_logins(thing._attempts)
    return [limit for place, limit in enumerate(limits) if limit not in limits[:place]]


def _of_logins(attempts: Attempts) -> Iterator[Limit]:
    """The three limits of `Accounts`, under the names that they have in its store."""
    said, store = attempts.limits, attempts._shared._store
    parts: tuple[tuple[str, tuple[Rate, ...], tuple[str, ...]], ...] = (
        ("here", said.account_here, ("account", "ip")),
        ("account", said.account, ("account",)),
        ("address", said.address, ("ip",)),
    )
    for what, rates, counted in parts:
        yield Limit(f"{said.name}:{what}", rates, None, "token-bucket", store, counted, said.ipv6_prefix)


def spelled(rate: Rate) -> str:
    """A rate as `Rate.parse` takes it, with its burst if that is another."""
    units = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
    size, unit = next((size, unit) for size, unit in units if rate.period % size == 0)
    times = rate.period // size
    text = f"{rate.count}/{unit}" if times == 1 else f"{rate.count} per {times} {unit}s"
    return text if rate.burst == rate.count else f"{text}, burst {rate.burst}"


def names_of(limits: Sequence[Limit]) -> str:
    return ", ".join(limit.name or "(no name)" for limit in limits)
