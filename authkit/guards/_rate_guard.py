"""The guard that `rate_limit` makes: it asks a limiter, and a gate if places are limited too, and answers."""

from __future__ import annotations

import os
import time
from collections import namedtuple
from itertools import count

from .._audit import warn
from .._guard import Guard
from .._outage import Outage
from .._run import aside, blocking
from ..decision import ALLOW, Deny
from ..errors import ConfigurationError, Unavailable
from ..stores import MemoryStore
from ..stores._refused import RefusalMemo
from ._rate_back import may_return
from ._rate_held import RENEWAL, Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._state import State
    from ..address import ClientAddress
    from ..decision import Decision
    from ..http import Request, Response
    from ..stores._store import Limiter, Taken
    from ._rate_fields import Fields
    from ._rate_keys import Key
    from ._renewal import Renewal

_MEANWHILE = {
    "deny": "requests are refused with 503 meanwhile",
    "local": "this process counts for itself meanwhile",
    "insecure_allow": "nothing is limited meanwhile",
}
_unnamed = count(1)

# What was written. `rates` and `at_once`: the limits; `parts`: what is counted, as in `rate_limit(key=...)`; `prefix`: bits
# of an IPv6 address that are one client.
Limit = namedtuple("Limit", ("name", "rates", "at_once", "algorithm", "store", "parts", "prefix"))


class RateLimit(Guard):
    """Made by `rate_limit`. `limit`: what was written."""

    name = "rate_limit"

    def __init__(
        self,
        limit: Limit,
        *,
        key: Key,
        client: ClientAddress,
        cost: int | Callable[[Request], int],
        deduct_when: Callable[[Request, Response | None], bool] | None,
        exempt: Callable[[Request], bool] | None,
        lease: int | None,
        on_error: str,
        fields: Fields,
        renewal: Renewal = RENEWAL,
        random: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.limit = limit
        self._key = key
        self._client = client
        self._cost = cost
        self._fixed = cost if isinstance(cost, int) else None
        self._exempt = exempt
        self._on_error = on_error
        self.fields = fields
        self._renewal = renewal
        self._random = random
        self._clock = clock
        self._wall = wall
        self._blocks = limit.store.blocks
        self._told_unnamed = False
        self._outage = Outage("rate_limit", f"on_error={on_error}: {_MEANWHILE[on_error]}")
        name = limit.name or f"rate_limit#{next(_unnamed)}"  # "#": a name nobody can give
        self._limiter = _limiter(limit, name, lease) if limit.rates else None
        self._gate = limit.store.gate(name, limit.at_once) if limit.at_once is not None else None
        # What is known to be refused. Not where there are leases: permits that are held here may pass all the same.
        self._memo = self._limiter if self._gate is not None and isinstance(self._limiter, RefusalMemo) else None
        local = MemoryStore() if on_error == "local" else None
        self._local = local.limiter("local", limit.rates, limit.algorithm) if local is not None and limit.rates else None
        self._local_gate = local.gate("local", limit.at_once) if local is not None and limit.at_once is not None else None
        self._deduct_when = deduct_when
        if deduct_when is not None:
            self.after = self._settle
        # What nearly every limit is: the whole decision is a key, a question, and an answer that was given before.
        plain = exempt is None and deduct_when is None and limit.at_once is None and not client.sources
        self._take_here = self._limiter.take_here if plain and self._limiter is not None else None
        self.needs_handler = deduct_when is not None or limit.at_once is not None

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None:
        if "principal" in self.limit.parts and not any(guard.identifies for guard in before):
            raise ConfigurationError('rate_limit(key="principal") stands before any guard that says who is calling')
        self._client.settle()
        others = [guard for guard in before if isinstance(guard, RateLimit) and guard is not self]
        self.fields.tell_apart({label for guard in others for label in guard.fields.labels})
        if self._blocks and self.limit.name is None and not self._told_unnamed:
            self._told_unnamed = True
            warn("rate_limit without a name= on a store of several processes: it is counted by its place among the limits")
        if isinstance(self.limit.store, MemoryStore):
            from ._rate_misfit import note

            note()

    async def warm(self) -> None:
        await self._client.load()

    async def check(self, request: Request) -> Decision:
        here = self._take_here
        if here is None:
            return await self._check_all(request)
        key = self._key(request)
        cost = self._fixed if self._fixed is not None else self._ask_cost(request)
        taken = here(key, cost)
        if taken is None:
            taken, _ = await self._take(key, cost)
            if taken is None:
                return ALLOW
        state = request.state
        if state is not None and state.limits is not self:
            self._join(state)
        if not taken[0]:
            return self.fields.allowed(taken[1])
        return Deny(429, "rate_limited", headers=self.fields.refused(taken[1], None, taken[0]))

    async def _check_all(self, request: Request) -> Decision:
        if self._exempt is not None and self._exempt(request) is True:
            return ALLOW
        if self._client.waits:
            await self._client.load()
        key = self._key(request)
        cost = self._fixed if self._fixed is not None else self._ask_cost(request)
        state = request.state
        if state is not None and state.limits is not self:
            self._join(state)
        if self._memo is not None:
            known = self._memo.remembered(key, cost)
            if known is not None:  # refused anyhow: no place is asked for
                return Deny(429, "rate_limited", headers=self.fields.refused(known[1], None, known[0]))
        held, places = (None, None) if self._gate is None else await self._enter(key, cost)
        if places is not None and held is None:
            headers = self.fields.refused((), 0, 0.0)
            return Deny(429, "rate_limited", reason="too_many_at_once", headers=headers)
        states: tuple[tuple[int, float], ...] = ()
        try:
            if self._limiter is not None:
                asked = (self._clock(), self._wall()) if self._deduct_when is not None else None
                taken = self._limiter.take_here(key, cost)
                source: Limiter | None = self._limiter
                if taken is None:
                    taken, source = await self._take(key, cost)
                if taken is not None:
                    wait, states = taken
                    if wait:
                        return Deny(429, "rate_limited", headers=self.fields.refused(states, places, wait))
                    if asked is not None and state is not None:
                        state.kept = {**(state.kept or {}), id(self): (source, key, cost, *asked)}
            if held is not None and state is not None:
                state.closing = [*(state.closing or ()), held.release]
                held = None
        finally:
            if held is not None:  # refused or failed: nothing is held for it
                held.release()
        if not states and places is None:
            return ALLOW
        return self.fields.allowed(states, places)

    async def _take(self, key: str, cost: int) -> tuple[Taken | None, Limiter | None]:
        """What the limiter says, and which one it was: the store's, or its stand-in. None: there is no limit at all now."""
        limiter = self._limiter
        assert limiter is not None
        try:
            taken = await blocking(limiter.take, key, cost) if self._blocks else limiter.take(key, cost)
        except Unavailable as error:
            self._failed(error)
            return (None, None) if self._local is None else (self._local.take(key, cost), self._local)
        self._outage.ended()
        return taken, limiter

    async def _enter(self, key: str, cost: int) -> tuple[Held | None, int | None]:
        """A place, and how many are left; no place: there is none; neither: there is no limit at all now."""
        gate = self._gate
        assert gate is not None
        holder = self._random(12).hex()
        blocks = self._blocks
        held = Held(gate, key, holder, blocks, self._renewal)
        try:
            admitted, holders = await blocking(held.enter) if blocks else held.enter()
        except BaseException as error:  # cancelled, or too late an answer: the place may have been taken all the same
            held.give_up()
            if not isinstance(error, Unavailable):
                raise
            self._failed(error)
            gate = self._local_gate
            if gate is None:
                return None, None
            held = Held(gate, key, holder, False, self._renewal)
            admitted, holders = held.enter()
        else:
            self._outage.ended()
        if not admitted:
            return None, 0
        self._renewal.add(held)
        return held, max(0, self.limit.at_once - holders)

    def _failed(self, error: Unavailable) -> None:
        """The store did not answer: say so once, and refuse if nothing is to stand in for it."""
        self._outage.began(error)
        if self._on_error == "deny":
            raise error

    def _settle(self, request: Request, response: Response | None) -> None:
        """The response hook of `deduct_when`: gives back what a request took that is not to count, and still lacks."""
        state: State | None = request.state
        found = None if state is None or state.kept is None else state.kept.pop(id(self), None)
        if found is None:  # it took nothing
            return
        assert self._deduct_when is not None
        try:
            counts = self._deduct_when(request, response)
        except Exception as error:
            warn("rate_limit: deduct_when raised %s; the request counts", type(error).__name__)
            return
        if counts is not False:
            return
        limiter, key, cost, since, taken = found
        limit = self.limit
        permits = may_return(limit.rates, limit.algorithm, cost, self._clock() - since, taken, self._wall())
        if not permits:
            return

        def give_back() -> None:
            try:
                limiter.give_back(key, permits)
            except Unavailable as error:
                self._outage.began(error)

        try:
            aside(give_back) if self._blocks else give_back()
        except Unavailable:  # too many calls are waiting: it counts
            pass

    def _join(self, state: State) -> None:
        """One more limit on this request: the policies of all of them need names of their own."""
        told = state.limits
        if told is None:
            state.limits = self
            return
        others = told if isinstance(told, tuple) else (told,)
        if any(other is self for other in others):
            return
        self.fields.tell_apart({label for other in others for label in other.fields.labels})
        state.limits = (*others, self)

    def _ask_cost(self, request: Request) -> int:
        cost = self._cost(request)  # type: ignore[operator]
        if type(cost) is not int or cost < 0:
            raise TypeError("the cost of a request is a whole number, 0 or more")
        return cost


def _limiter(limit: Limit, name: str, lease: int | None) -> Limiter:
    """The store's limiter. Where asking it takes I/O, what is known here is not asked: refusals, and permits on lease."""
    limiter: Limiter = limit.store.limiter(name, limit.rates, limit.algorithm)
    if limit.store.blocks:
        limiter = RefusalMemo(limiter)
    if lease is not None:
        from ..stores._lease import LeasedLimiter

        leased = LeasedLimiter(limiter, limit.rates, lease)  # also where it gains nothing: to judge what was written
        return leased if limit.store.blocks else limiter
    return limiter
