"""A plain function whose first argument is an `authkit.Request`; refused, it returns an `authkit.Response`."""

from __future__ import annotations

from ..http import Headers, Request, Response
from ._host import Host
from ._stream import AsyncHolding, AsyncInState, Holding, InState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._state import State
    from ._host import Args, Kwargs, Reply


class Function(Host):
    name = "function"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        if args and isinstance(args[0], Request):
            return args[0]
        found = kwargs.get("request")
        return found if isinstance(found, Request) else None

    def find_state(self, request: Request) -> State | None:
        found: State | None = request.state
        return found

    def keep_state(self, request: Request, state: State) -> None:
        request.state = state

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        seen = request.clone(Headers([(name, value) for name, value in request.headers.items() if name not in names]))
        if args and args[0] is request:
            return (seen, *args[1:]), kwargs
        return args, {**kwargs, "request": seen}

    def refuse(self, request: Request, response: Response) -> Any:
        return response

    def finish(self, request: Request, result: Any, reply: Reply) -> Any:
        if not isinstance(result, Response):
            return super().finish(request, result, reply)
        if reply.wanted:
            reply.apply(result)  # changed in place; all of it is there
        return result

    def view(self, request: Request, result: Any) -> Response:
        return result if isinstance(result, Response) else Response()

    def update(self, request: Request, result: Any, response: Response) -> Any:
        return result  # a Response was changed in place; any other value has no headers to set

    def in_context(self, result: Any, state: State) -> Any:
        if hasattr(result, "__next__"):
            return InState(result, state)
        return AsyncInState(result, state) if hasattr(result, "__anext__") else result

    def held(self, result: Any, reply: Reply) -> Any:
        if isinstance(result, InState):
            return Holding(result, reply.state, reply.hold())
        return AsyncHolding(result, reply.state, reply.hold()) if isinstance(result, AsyncInState) else result


HOST = Function()
