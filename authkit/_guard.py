"""`Guard`: decides about a request, and decorates a handler of any host."""

from __future__ import annotations

from ._run import arun, run
from .errors import ConfigurationError
from .http import MAX_BODY, Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeVar

    from ._chain import Chain
    from ._state import State
    from .decision import Decision, Principal

    H = TypeVar("H", bound=Callable[..., Any])


class _NotADependency:
    """FastAPI reads this from a guard's signature when it meets `Depends(guard)`, which would guard nothing."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> NoReturn:
        raise ConfigurationError("Depends(guard) guards nothing: write Depends(guard.dependency)")


class Guard:
    """Decides about a request (`check`), and decorates a handler or a whole ASGI or WSGI app of any host.

    Subclasses implement `check`; it returns `Allow` or `Deny`, and whatever else happens admits nobody.
    """

    name = "guard"  # in the audit event
    needs_body = False  # the body is read before `check`, at most `body_limit` bytes
    body_limit = MAX_BODY
    loads_body = False  # `check` has the body read itself, if the request is one whose body it judges
    identifies = False  # may say who is calling
    sent_in: tuple[str, ...] = ("authorization",)  # by a bearer token; or the headers of API keys; or neither: for OpenAPI
    fills: tuple[str, ...] = ()  # handler parameters that it fills in, by `Allow(values=...)`
    after: Callable[[Request, Response | None], None] | None = None  # a response hook; runs on both outcomes
    # The response is part of the matter: something is held until it is finished, or given back by what it is. So the guard
    # must stand around the handler: `decide`, an authorizer and FastAPI's `Depends` see no response, and refuse it.
    needs_handler = False
    # What a Lambda authorizer must know before its answer may be cached for a whole stage. A guard that looks at nothing but
    # the credential, or the principal, says False.
    reads_request = True  # the decision may depend on path, method, address or a rate
    # Django reads these two from a middleware factory.
    sync_capable = True
    async_capable = True
    _chain: Chain | None = None

    async def check(self, request: Request) -> Decision:
        """Decide. I/O only behind `await blocking(...)`. An exception never admits; `Unavailable` is answered with 503."""
        raise NotImplementedError

    def _recalled(self, request: Request) -> Principal | None:
        """Whose credential this is, if it was found good in a request before and `check` would do no more than say so.

        The first guard of a chain is asked this before it is asked to `check`: a coroutine costs more than the answer.
        """
        return None

    def _passes(self, request: Request, state: State) -> bool:
        """Whether `check` would let this request through, and that can be told without waiting; then what it would say of it
        is in `state`. False: ask it; nothing has happened.

        The only guard of a chain is asked this first, of a request about which nothing has been said.
        """
        return False

    def seal(self, before: tuple[Guard, ...], after: tuple[Guard, ...]) -> None:
        """Judge what only the whole chain, a setting or a secret can show. Raises: `ConfigurationError`.

        `before` and `after` are the guards that run earlier and later. Called once, before the first request.
        """

    async def warm(self) -> None:
        """Fetch keys and secrets before the first request. Called by `prepare` and `aprepare`."""

    if TYPE_CHECKING:

        def __call__(self, handler: H, *, host: str | None = None) -> H:
            """`handler` guarded. `host` names the host where a call cannot be recognised."""
            ...

    else:

        def __call__(self, handler: _NotADependency = None, *, host=None, app=None):
            """`handler` guarded. `host` names the host where a call cannot be recognised; `app`: older Starlettes say it so."""
            from ._wrap import wrap

            return wrap(self, handler if app is None else app, host)

        __call__.__annotations__["handler"] = _NotADependency

    def as_chain(self) -> Chain:
        """This guard as a chain, made once."""
        own = self._chain
        if own is None:
            from ._chain import Chain

            own = self._chain = Chain((self,))
        return own

    def shadow(self) -> Guard:
        """A guard that decides and records as this one, and never blocks."""
        return self.as_chain().shadow()

    def except_for(self, *paths: str) -> Guard:
        """This guard for every path but these: exact ones, or `/x/*` for whole segments below. A new guard; this one stays."""
        return self.as_chain().except_for(*paths)

    def decide(self, request: Request) -> Decision:
        """The decision about `request`, with no host: for gRPC, Celery, GraphQL. Writes the audit event."""
        from ._visit import decide

        return run(decide(self.as_chain(), request))

    async def adecide(self, request: Request) -> Decision:
        """As `decide`, on an event loop."""
        from ._visit import decide

        return await arun(decide(self.as_chain(), request))

    def prepare(self) -> None:
        """Seal this guard and warm it up now, at Lambda INIT say. Raises: `ConfigurationError`, `Unavailable`."""
        run(self.as_chain()._prepare_all())

    async def aprepare(self) -> None:
        """As `prepare`, on an event loop. Done by ASGI lifespan for a guarded app."""
        await arun(self.as_chain()._prepare_all())

    def authorizer(self, *, cached: bool = True, simple: bool = True) -> Callable[..., Any]:
        """This guard as a handler for an API Gateway Lambda authorizer; see docs/aws.md.

        `cached`: its answer covers the stage; off, one method, and the authorizer's TTL must be 0. `simple`: an HTTP API
        (payload 2.0) is answered with `isAuthorized`; off, with a policy. Raises: `ConfigurationError` for a guard that needs
        the body, and with `cached` for one that reads path, method, address or a rate.
        """
        from .hosts import proxy

        return proxy("aws_authorizer:authorizer")(self, cached=cached, simple=simple)  # type: ignore[no-any-return]

    @property
    def dependency(self) -> Any:
        """For FastAPI: `Depends(api.dependency)` gives the `Principal` and puts the security scheme into OpenAPI."""
        from ._visit import Visit
        from .hosts import proxy

        return proxy("fastapi:dependency")(self, Visit)
