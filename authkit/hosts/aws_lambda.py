"""AWS Lambda: API Gateway REST (v1), HTTP (v2) and WebSocket, Function URL, ALB, VPC Lattice, Lambda@Edge, Netlify.

Whoever may invoke the function directly writes the whole event, the source address included: see SECURITY.md.
"""

from __future__ import annotations

from .._state import State, current
from ..http import Request, Response
from . import _lambda_answer as answer
from ._host import Host
from ._lambda_event import ALB, LambdaRequest, read_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._host import Args, Kwargs, Reply


class AwsLambda(Host):
    name = "aws_lambda"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        if len(args) == 2 and type(args[0]) is dict:
            event, context = args
        else:
            found = _call(args, kwargs)
            if found is None:
                return None
            event, context = found
        if "methodArn" in event or "routeArn" in event:
            raise TypeError("this event is for a Lambda authorizer: use the guard's .authorizer() as the handler")
        request = read_event(event)
        if request is not None:
            request.context = context
        return request

    def find_state(self, request: Request) -> State | None:
        state = current.get()  # an event has no place of its own that the handler would not see
        return state if state is not None and state.native is request.native else None

    def keep_state(self, request: Request, state: State) -> None:
        state.native = request.native

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        assert isinstance(request, LambdaRequest)
        event = answer.without_headers(request.kind, request.native, names)
        request.state.native = event
        if "event" in kwargs:
            return args, {**kwargs, "event": event}
        place = 0 if args[0] is request.native else 1
        return (*args[:place], event, *args[place + 1 :]), kwargs

    def refuse(self, request: Request, response: Response) -> Any:
        assert isinstance(request, LambdaRequest)
        return answer.from_response(request.kind, response, multi_value=_is_multi_value(request))

    def enter(self, request: Request, handler: Callable[..., Any], args: Args, kwargs: Kwargs, reply: Reply) -> Any:
        result = handler(*args, **kwargs)
        return self.finish(request, result, reply) if reply.wanted else result

    def view(self, request: Request, result: Any) -> Response:
        assert isinstance(request, LambdaRequest)
        return answer.view(request.kind, result)

    def update(self, request: Request, result: Any, response: Response) -> Any:
        assert isinstance(request, LambdaRequest)
        return answer.update(request.kind, result, response, multi_value=_is_multi_value(request))


def _call(args: Args, kwargs: Kwargs) -> tuple[dict[str, Any], Any] | None:
    """Event and context of any call but `handler(event, context)`: a decorated method's, or one with names, as in tests.

    FastAPI fills parameters of these names from what a client sends. So where both come by name, nothing else may come with
    them, and the context must be Lambda's own; a client could otherwise write the request that the guards judge.
    """
    if len(args) == 2 and isinstance(args[0], dict):
        return args[0], args[1]
    if len(args) == 3 and isinstance(args[1], dict) and not isinstance(args[0], dict):
        return args[1], args[2]
    if "context" in kwargs and len(args) < 3:
        context = kwargs["context"]
        event = kwargs["event"] if "event" in kwargs else args[-1] if args else None
        if "event" in kwargs and not (len(kwargs) == 2 and callable(getattr(context, "get_remaining_time_in_millis", None))):
            return None
        if isinstance(event, dict):
            return event, context
    return None


def _is_multi_value(request: LambdaRequest) -> bool:
    """Whether the answer must use `multiValueHeaders`: an ALB in that mode ignores `headers`."""
    return request.kind is ALB and "multiValueHeaders" in request.native and "headers" not in request.native


HOST = AwsLambda()
