"""Guards that run in the order written, as one guard. The order, and who was known when, is what this file is about."""

from __future__ import annotations

from time import perf_counter_ns

from . import _refusal
from ._audit import warn
from ._guard import Guard
from ._lock import ProcessLock
from ._paths import Paths
from ._state import State
from .decision import ALLOW, Allow, Deny, Identified
from .errors import ConfigurationError, RequestError, SecretNotFound, Unavailable
from .http import Request, Response, check_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping
    from typing import Any, TypeAlias

    from .decision import Decision, Principal

    Render: TypeAlias = Callable[[Request, Response], Response]
    Listener: TypeAlias = Callable[[Mapping[str, Any]], object]


class Chain(Guard):
    """Guards run in the order written. A chain is itself a guard."""

    name = "chain"
    render: Render | None
    listeners: tuple[Listener, ...]
    hash_key: bytes | None

    def __init__(
        self,
        guards: tuple[Guard, ...],
        *,
        exempt: Paths | None = None,
        shadow: bool = False,
        render: Render | None = None,
        audit: Listener | None = None,
        hash_key: bytes | None = None,
    ) -> None:
        if not guards:
            raise ConfigurationError("a chain needs at least one guard")
        for item in guards:
            if not isinstance(item, Guard):
                raise ConfigurationError(f"a chain is made of guards, not of {type(item).__name__}")
        self.guards = guards
        listeners: list[Listener] = [] if audit is None else [audit]
        for inner in _chains_in(guards):  # their settings hold for the whole: their guards are judged under them
            render = render or inner.render
            hash_key = hash_key or inner.hash_key
            listeners.extend(one for one in inner.listeners if one not in listeners)
        self.render = render
        self.listeners = tuple(listeners)
        self.hash_key = hash_key
        self._exempt = exempt
        self._shadow = shadow
        self._sealed = False
        self._alone = (guards,)  # what has passed where these guards have, and nothing before them
        self._of_first: Callable[[Request], Principal | None] | None = None  # `_recalled` of the first guard, once sealed
        self._of_only: Callable[[Request, State], bool] | None = None  # what is asked of the only guard before `check`
        self._lock = ProcessLock()
        self.identifies = any(item.identifies for item in guards)
        self.sent_in = tuple(dict.fromkeys(name for item in guards if item.identifies for name in item.sent_in))
        self.reads_request = exempt is not None or any(item.reads_request for item in guards)
        self.needs_handler = any(item.needs_handler for item in guards)
        self.fills = ("principal", *dict.fromkeys(name for item in guards for name in item.fills if name != "principal"))
        self.hooks = tuple(item.after for item in reversed(self.flat()) if item.after is not None)

    def as_chain(self) -> Chain:
        return self

    def shadow(self) -> Chain:
        return self._with(shadow=True)

    def except_for(self, *paths: str) -> Chain:
        return self._with(exempt=Paths(paths))

    def _with(self, **changed: Any) -> Chain:
        return Chain((self,), **changed)  # around this chain: no setting replaces another

    @property
    def lets_through(self) -> bool:
        """Whether some request passes without a decision: in shadow mode, or by `except_for`, here or further in."""
        own = self._shadow or self._exempt is not None
        return own or any(isinstance(item, Chain) and item.lets_through for item in self.guards)

    def flat(self) -> list[Guard]:
        """The guards in the order in which they run, those of inner chains included."""
        found: list[Guard] = []
        for item in self.guards:
            found.extend(item.flat() if isinstance(item, Chain) else [item])
        return found

    def seal_all(self) -> None:
        """Judge the whole chain, once. Raises: `ConfigurationError`; a chain that cannot be sealed admits nobody."""
        with self._lock:
            if self._sealed:
                return
            guards = self.flat()
            for place, item in enumerate(guards):
                item.seal(tuple(guards[:place]), tuple(guards[place + 1 :]))
            if self._exempt is None and not self._shadow:
                self._of_first = _recalled_by(self.guards[0])
                if len(self.guards) == 1:
                    self._of_only = self._recalls_first if self._of_first else _own(self.guards[0], "_passes")
            self._sealed = True

    async def _prepare_all(self) -> None:
        self.seal_all()
        for item in self.flat():
            await item.warm()

    async def check(self, request: Request) -> Decision:
        """Run the guards on a request that an outer chain, or `judge`, has opened."""
        state: State = request.state
        if self._exempt is not None and request in self._exempt:
            return ALLOW
        if self._shadow:
            return await self._check_in_shadow(request, state)
        decided: Container[int] = ()
        guards = left = self.guards
        if state.passed:
            decided = _decided(state)
        elif len(left) > 1 and state.principal is None and self._recalls_first(request, state):
            left = left[1:]
        for item in left:
            if decided and id(item) in decided:
                continue
            known = state.principal
            try:
                if item.needs_body and not item.loads_body:
                    await request.load_body(item.body_limit)
                decision = await item.check(request)
            except BaseException:
                if state.guard is None:
                    state.guard = item.name
                raise
            if decision is ALLOW:
                if state.principal is not known:  # an inner chain has said who it is, and has seen to what had passed
                    guards, decided = _about(known, guards, item), ()
                continue
            if isinstance(decision, Allow):
                if decision.principal is not None and decision.principal is not known:
                    state.principal = decision.principal
                    if known is not None or state.passed:
                        guards, decided, state.passed = _about(known, guards, item), (), ()
                if type(decision) is Identified:  # it says nothing else
                    continue
                if decision.headers is not None:
                    for name, value in decision.headers.items():
                        check_field(name, value)  # now: later the handler would have run
                    (state.headers if state.headers is not None else _new_headers(state)).extend(decision.headers.items())
                if decision.drop_headers:
                    state.dropped += decision.drop_headers
                if decision.values is not None:
                    state.values = {**(state.values or {}), **decision.values}
            elif isinstance(decision, Deny):
                if state.guard is None:
                    state.guard = item.name
                return decision
            else:
                raise TypeError(f"guard {item.name!r} must return Allow or Deny, not {type(decision).__name__}")
        state.passed += (guards,)
        return ALLOW

    async def _check_in_shadow(self, request: Request, state: State) -> Decision:
        said = state.said()
        try:
            decision = await self.guards[0].check(request)
        except Exception as error:  # what would have been an error is recorded as one; a shadow decides nothing
            state.shadow = f"error:{type(error).__name__}"
            state.unsay(said)
        else:
            if isinstance(decision, Deny):
                state.shadow = f"{state.guard}:{decision.reason}"
                state.unsay(said)
        state.guard = None
        return ALLOW

    def recalls(self, request: Request, state: State) -> bool:
        """Whether the only guard lets this through without waiting, as `judge` would find out; False: ask it.

        About the outermost decision on a request, of which nothing has been said.
        """
        of_only = self._of_only
        if of_only is None:
            return False
        started = perf_counter_ns()
        try:
            if not of_only(request, state):
                return False
        except Exception:  # the guard's `check` comes across it too, and it is seen to there
            return False
        state.passed = self._alone
        state.ns = perf_counter_ns() - started
        return True

    def _recalls_first(self, request: Request, state: State) -> bool:
        """The first guard's part of it. False: nothing has happened."""
        recalled = self._of_first
        if recalled is None:
            return False
        try:
            principal = recalled(request)
        except Exception:  # the guard's `check` comes across it too, and it is seen to there
            return False
        if principal is None:
            return False
        state.principal = principal
        return True

    async def judge(self, request: Request, state: State) -> Decision:
        """The outermost decision on a request: `ALLOW` itself to go on, else the refusal. Never admits on an exception."""
        started = perf_counter_ns()
        try:
            if not self._sealed:
                self.seal_all()
            decision = await self.check(request)
            if decision is ALLOW:
                if state.reason is not None:  # of a refusal further in, which the program has put up with
                    state.reason = state.guard = None
                return ALLOW
            if isinstance(decision, Deny):
                state.reason = decision.reason
                return decision
            raise TypeError("a chain ended without a decision")
        except (RequestError, Unavailable, ConfigurationError, SecretNotFound) as error:
            deny = _refusal.from_error(error)
            state.reason = deny.reason
            if not isinstance(error, RequestError):
                warn("a request was refused with %s: %s", deny.status, error)
            return deny
        finally:
            state.ns += perf_counter_ns() - started


def _chains_in(guards: tuple[Guard, ...]) -> Iterator[Chain]:
    """The chains among these guards, and among the alternatives of an `any_of`."""
    for item in guards:
        if isinstance(item, Chain):
            yield item
        else:
            yield from _chains_in(getattr(item, "guards", ()))


def _recalled_by(guard: Guard) -> Callable[[Request], Principal | None] | None:
    return None if guard.needs_body else _own(guard, "_recalled")


def _own(guard: Guard, name: str) -> Callable[..., Any] | None:
    """What the guard can do in place of its `check`, if it is as derived as that: one that was overridden since checks more."""
    if "check" in vars(guard):
        return None
    for kind in type(guard).__mro__:
        if "check" in vars(kind) or name in vars(kind):
            return getattr(guard, name) if "check" in vars(kind) and name in vars(kind) else None
    return None


def _new_headers(state: State) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    state.headers = headers
    return headers


def _about(known: Principal | None, guards: tuple[Guard, ...], item: Guard) -> tuple[Guard, ...]:
    """The guards of a chain whose decision counts, now that `item` has said who it is.

    What was decided about somebody else who was known before does not; about a request of nobody's, it does.
    """
    if known is None:
        return guards
    return guards[next(place for place, one in enumerate(guards) if one is item) :]


def _decided(state: State) -> set[int]:
    """The `id` of every guard object that has let this request through in an outer chain: one that is equal has not."""
    return {id(item) for guards in state.passed for item in _deciding(guards, state.undecided)}


def _deciding(guards: tuple[Guard, ...], undecided: tuple[Guard, ...]) -> Iterator[Guard]:
    for item in guards:
        if isinstance(item, Chain):
            if item._exempt is not None or item._shadow:  # lets through without deciding
                continue
            yield from _deciding(item.guards, undecided)
            if item.lets_through:
                continue
        if not (undecided and _among(item, undecided)):
            yield item


def _among(item: Guard, undecided: tuple[Guard, ...]) -> bool:
    return any(item is one for one in undecided) or any(_among(one, undecided) for one in getattr(item, "guards", ()))


def chain(
    *guards: Guard | Callable[..., Any],
    render: Render | None = None,
    audit: Listener | None = None,
    hash_ids: bool | bytes = False,
) -> Chain:
    """Guards that run in the order written, as one guard.

    `render(request, response)` changes how a refusal looks, never the decision. `audit(event)` is called once per request.
    `hash_ids`: the audit event carries a keyed hash of the subject; True takes the key from `AUTHKIT_AUDIT_KEY`, or a random
    one for the life of this process. Raises: `ConfigurationError` if empty or given something that is no guard.
    """
    hash_key: bytes | None = None
    if hash_ids is True:
        import os

        hash_key = os.environ.get("AUTHKIT_AUDIT_KEY", "").encode()[:64] or os.urandom(32)
    elif hash_ids is not False:
        if not isinstance(hash_ids, bytes) or not hash_ids:
            raise ConfigurationError("chain: hash_ids is True, or a key of at least one byte")
        hash_key = hash_ids[:64]
    items = tuple(_unmarked(item) for item in guards)
    return Chain(items, render=render, audit=audit, hash_key=hash_key)


def _unmarked(item: Any) -> Guard:
    """`chain(require_auth)` means `chain(require_auth())`: a factory that works without arguments says so."""
    bare = getattr(item, "bare_guard", None)
    found = bare() if bare is not None and not isinstance(item, Guard) else item
    if not isinstance(found, Guard):
        raise ConfigurationError(f"a chain is made of guards, not of {type(item).__name__}")
    return found
