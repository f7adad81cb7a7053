"""What all endpoints of accounts have in common: CORS, and where a request came from."""

from __future__ import annotations

from .. import _refusal
from .._recorded import Recorded
from ..errors import RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._state import State
    from ..decision import Deny, Principal
    from ..endpoint import Answer
    from ..http import Request, Response
    from ._cors import Cors


class Served(Recorded):
    """An endpoint of accounts."""

    def __init__(
        self,
        fn: Callable[[Request], Answer],
        cors: Cors,
        client: Callable[[Request], str | None],
        *,
        name: str,
        methods: tuple[str, ...] = ("POST",),
    ) -> None:
        super().__init__(fn, name=name, methods=methods, veto=_no_texts(name))
        self._cors = cors
        self._client = client

    def _finish(self, request: Request, response: Response, refused: Deny | None, state: State) -> None:
        try:
            self._cors.mark(request, response)
            if state.client is None:
                state.client = self._client(request) or ""
        except RequestError:  # its headers cannot be read: that is what was decided
            pass

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
