"""Flask views: functions, blueprints, methods of class-based views, `async def`. A view is known by the active request context.

`app.wsgi_app = api(app.wsgi_app)` guards a whole app (host `wsgi`); a guard on a view then continues the same request.
Flask answers `OPTIONS` itself, without the view and its guards, unless the route names it.
"""

from __future__ import annotations

import sys

from .._state import State
from ..errors import BodyUnavailable
from ..http import Request, Response
from . import wsgi
from ._fields import changes
from ._host import Host, replace_headers
from ._stream import InState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..http import Headers
    from ._host import Args, Kwargs, Reply


_FROM_BODY = frozenset(("stream", "data", "form", "files", "values"))  # read once, if ever; never derived from a header alone


class FlaskRequest(wsgi.WsgiRequest):
    """The active request; `native` is Flask's request object."""

    __slots__ = ()

    def _read_params(self) -> Mapping[str, Any]:
        return self.native.view_args or {}

    def _read_route(self) -> str | None:
        rule = self.native.url_rule
        return None if rule is None else rule.rule

    async def _read_body(self, limit: int) -> bytes:
        native, environ = self.native, self.environ
        allowed = native.max_content_length
        if allowed is not None:
            limit = min(limit, allowed)
        kept: bytes | None = getattr(native, "_cached_data", None)  # what get_data() has read
        if kept is not None:
            declared = wsgi.content_length(environ)
            if len(kept) == declared or (declared is None and kept):
                return kept
        if kept is not None or "stream" in native.__dict__ or "form" in native.__dict__:
            raise BodyUnavailable("the body was read before the guard came to it: put the guard outside of what reads it")
        return wsgi.read_input(environ, limit)


class Flask(Host):
    name = "flask"

    def read(self, args: Args, kwargs: Kwargs) -> Request | None:
        flask = sys.modules["flask"]
        try:
            native = flask.request._get_current_object()
        except RuntimeError:  # there is no request context
            return None
        request = FlaskRequest.__new__(FlaskRequest)
        wsgi.fill(request, native.environ)
        request.host = "flask"
        request.native = native
        return request

    def find_state(self, request: Request) -> State | None:
        state = request.native.environ.get(wsgi.KEY)
        return state if isinstance(state, State) else None

    def keep_state(self, request: Request, state: State) -> None:
        request.native.environ[wsgi.KEY] = state

    def without(self, request: Request, args: Args, kwargs: Kwargs, names: tuple[str, ...]) -> tuple[Args, Kwargs]:
        native = request.native
        request._headers = _snapshot(request.headers)  # the guards still see what was sent
        wsgi.hide(native.environ, names)
        native.__dict__.pop("_parsed_content_type", None)
        cached = sys.modules["werkzeug.utils"].cached_property
        for kept in native.__dict__.keys() - _FROM_BODY:  # what Werkzeug has derived from headers
            if isinstance(getattr(type(native), kept, None), cached):
                del native.__dict__[kept]
        return args, kwargs

    def refuse(self, request: Request, response: Response) -> Any:
        made = sys.modules["flask"].current_app.response_class(response.body, response.status)
        made.headers.clear()
        made.headers.extend(response.headers.items())
        made.headers["content-length"] = str(len(response.body))
        return made

    def finish(self, request: Request, result: Any, reply: Reply) -> Any:
        if reply.wanted:
            app = sys.modules["flask"].current_app
            made = result if isinstance(result, app.response_class) else app.make_response(result)
            response = self.view(request, made)
            reply.apply(response)
            changed = changes(made.headers.items(), response.headers)
            for name, values in changed.items():
                made.headers.remove(name)
                for value in values:
                    made.headers.add(name, value)
            if changed or callable(result[0] if isinstance(result, tuple) else result):
                result = made  # a WSGI app as a value was run to make the response: not twice
        result = self.in_context(result, reply.state)
        return self.held(result, reply) if reply.holding else result

    def held(self, result: Any, reply: Reply) -> Any:
        app = sys.modules["flask"].current_app
        made = result if isinstance(result, app.response_class) else app.make_response(result)
        if not isinstance(made.response, (list, tuple)):
            made.call_on_close(reply.hold())
        return made

    def view(self, request: Request, result: Any) -> Response:
        response = Response(result.status_code)
        replace_headers(response, result.headers.items())
        return response

    def in_context(self, result: Any, state: State) -> Any:
        if isinstance(result, str):
            return result
        if isinstance(result, tuple):
            body = self.in_context(result[0], state) if result else None
            return (body, *result[1:]) if result and body is not result[0] else result
        if hasattr(result, "__next__"):
            return InState(result, state)
        if hasattr(result, "direct_passthrough"):  # a Werkzeug response
            body = result.response
            if not result.direct_passthrough and not isinstance(body, (list, tuple, InState)):
                result.response = InState(body, state)
        return result


def _snapshot(headers: Headers) -> Headers:
    from ..http import Headers as Plain

    return Plain(list(headers.items()))


HOST = Flask()
