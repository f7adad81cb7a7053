"""What all endpoints of accounts have in common: nothing of them is stored, each request is told to the audit, and CORS."""

from __future__ import annotations

from .. import _refusal
from .._audit import write
from .._compose import public
from .._state import State
from ..decision import Deny, Principal
from ..endpoint import Endpoint
from ..errors import RequestError
from ..http import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..endpoint import Answer
    from ..http import Request
    from ._cors import Cors

ON_PURPOSE = public(reason="an endpoint of accounts, which judges for itself what it is sent")
BODY_LIMIT = 65_536  # bytes; a user name and a password of 4096 bytes, every character of them escaped


class Served(Endpoint):
    """An endpoint of accounts. `fn` gives a `Response`, or a `Deny` whose `reason` goes to the audit alone."""

    csrf_exempt = True  # a credential that a browser sends by itself is read with a check of where the request comes from

    def __init__(
        self,
        fn: Callable[[Request], Answer],
        cors: Cors,
        client: Callable[[Request], str | None],
        *,
        name: str,
        methods: tuple[str, ...] = ("POST",),
    ) -> None:
        super().__init__(fn, methods=methods, body_limit=BODY_LIMIT, veto=_no_texts(name))
        self.__name__ = self.__qualname__ = name
        self._cors = cors
        self._client = client
        ON_PURPOSE(self)

    async def answer(self, request: Request) -> Response:
        around: State | None = request.state
        own = around is None or around.ended
        state = request.state = State() if around is None or around.ended else around
        try:
            decided = await self.decide(request)
            response = _refusal.response(decided) if isinstance(decided, Deny) else decided
            response.headers.setdefault("cache-control", "no-store")
            try:
                self._cors.mark(request, response)
                if state.client is None:
                    state.client = self._client(request) or ""
            except RequestError:  # its headers cannot be read: that is what was decided
                pass
            state.guard = self.__name__
            state.status = response.status
            if isinstance(decided, Deny):
                state.outcome = "unavailable" if decided.status == 503 else "deny"
                state.reason = decided.reason
            elif own:
                state.outcome = "allow"
            return response
        finally:
            if own:
                state.ended = True
                write(state, request)

    async def decide(self, request: Request) -> Response | Deny:
        try:
            answer = self._cors.preflight(request, self._methods)
        except RequestError as error:
            return _refusal.from_error(error)
        return await super().decide(request) if answer is None else answer


def note_principal(request: Request, principal: Principal) -> None:
    """Tell the audit who it was about, unless the guards around it know who is calling."""
    state: State | None = request.state
    if state is not None and state.principal is None:
        state.principal = principal


def note_client(request: Request, address: str | None) -> None:
    """Tell the audit where it came from; None: nobody knows."""
    state: State | None = request.state
    if state is not None and not state.client:
        state.client = address or ""


def _no_texts(name: str) -> Callable[[tuple[Any, ...]], None]:
    def veto(args: tuple[Any, ...]) -> None:
        if args and all(isinstance(arg, str) for arg in args):
            raise TypeError(
                f"accounts.{name} is an endpoint that serves requests; to check a password, call accounts.authenticate"
            )
        return

    return veto
