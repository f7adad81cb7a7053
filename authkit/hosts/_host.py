"""What a host file provides: how to recognise its call, read a `Request` from it, and answer in its form."""

from __future__ import annotations

from ..http import MutableHeaders, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any, Protocol, TypeAlias

    from .._state import State
    from ..http import Request

    Args: TypeAlias = tuple[Any, ...]
    Kwargs: TypeAlias = dict[str, Any]

    class Reply(Protocol):
        """What the chain wants of the handler's response. `wanted` is False where it need not be looked at."""

        @property
        def wanted(self) -> bool: ...

        state: State

        def apply(self, response: Response) -> None:
            """Run the response hooks, add the guards' headers, and note the status."""

        @property
        def holding(self) -> bool:
            """Whether something is held until the response is finished."""
            raise NotImplementedError

        def hold(self, *, whole: bool = False) -> Callable[[], None]:
            """The response goes on after `enter` has returned: what to call when it is finished, from any thread, and often.

            `whole`: all of it is there, and has only to be sent.
            """
            raise NotImplementedError

        async def settle(self) -> None:
            """The response is whole, and has not left yet: what shall be known before it does."""

        def failed(self) -> None:
            """The handler raised after `enter` had returned: run the hooks without a response."""

        def postpone(self) -> None:
            """The response starts only after `enter` returns: hold the audit event until `finished`."""

        def finished(self) -> None:
            """It has started, or never will."""


class Host:
    """One kind of handler. Stateless: one instance serves the process."""

    name = ""
    # Whether the caller will await what this plain function returns; None where that never happens.
    awaits: Callable[[Callable[..., Any], Args], bool] | None = None

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        """The request behind this call, or None if the call is not one of this host's."""
        raise NotImplementedError

    def find_state(self, request: Request) -> State | None:
        """The state that an outer chain left in the host's own request object."""
        raise NotImplementedError

    def keep_state(self, request: Request, state: State) -> None:
        """Leave the state there for inner chains."""
        raise NotImplementedError

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        """The call with these request headers (lower case) gone, so that the handler does not see them."""
        raise NotImplementedError

    def refuse(self, request: Request, response: Response) -> Any:
        """The host's own form of `response`, for a handler that is not entered."""
        raise NotImplementedError

    async def arefuse(self, request: Request, response: Response) -> Any:
        """As `refuse`, on an event loop."""
        return self.refuse(request, response)

    def enter(self, request: Request, handler: Callable[..., Any], args: Args, kwargs: Kwargs, reply: Reply) -> Any:
        """Call a sync handler, and let `reply` at its response."""
        return self.finish(request, handler(*args, **kwargs), reply)

    async def aenter(
        self, request: Request, handler: Callable[..., Coroutine[Any, Any, Any]], args: Args, kwargs: Kwargs, reply: Reply
    ) -> Any:
        """Call an async handler, and let `reply` at its response."""
        return self.finish(request, await handler(*args, **kwargs), reply)

    async def live(self, request: Request, app: Callable[..., Any], aprepare: Callable[[], Coroutine[Any, Any, None]]) -> Any:
        """Pass start-up and shut-down through to the app, warming the chain up first. Only ASGI has this."""
        raise TypeError(f"host {self.name!r} has no lifespan")

    def finish(self, request: Request, result: Any, reply: Reply) -> Any:
        """The handler's result with the chain's headers; the same object where nothing is wanted of it."""
        if reply.wanted:
            response = self.view(request, result)
            before = response.headers.lines()
            reply.apply(response)
            if response.headers.lines() != before:
                result = self.update(request, result, response)
        result = self.in_context(result, reply.state)
        return self.held(result, reply) if reply.holding else result

    def view(self, request: Request, result: Any) -> Response:
        """A neutral view of the handler's result: its status and headers (the body is not copied)."""
        raise NotImplementedError

    def update(self, request: Request, result: Any, response: Response) -> Any:
        """The handler's result with the headers of `response`."""
        raise NotImplementedError

    def in_context(self, result: Any, state: State) -> Any:
        """The result, made so that the principal is still there while a streamed body is produced."""
        return result

    def held(self, result: Any, reply: Reply) -> Any:
        """The result; where it streams, made so that `reply.hold()` is called at its end, however it ends."""
        return result


def replace_headers(response: Response, items: Iterator[tuple[str, str]]) -> None:
    """Fill `response.headers` from a host's pairs, whatever they hold: they are the application's, not ours to judge."""
    headers = MutableHeaders()
    for name, value in items:
        headers._map.setdefault(name.lower(), []).append(value)
    response.headers = headers
