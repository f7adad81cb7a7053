"""`Recorded`: an endpoint of ours, open on purpose, of whose every request the audit is told once, and which nobody stores."""

from __future__ import annotations

from . import _refusal
from ._audit import write
from ._compose import public
from ._state import State
from .decision import Deny
from .endpoint import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .endpoint import Answer
    from .http import Request, Response

BODY_LIMIT = 65_536  # bytes; a name and a password of 4096 bytes, every character escaped; a token that somebody posts
ON_PURPOSE = public(reason="an endpoint of authkit's, which judges for itself what it is sent")


class Recorded(Endpoint):
    """`fn` gives a `Response`, or a `Deny` whose `reason` goes to the audit alone. Guards around it share the one event."""

    csrf_exempt = True  # each judges by itself where a request comes from: by `Origin`, by `state`, by a signed token

    def __init__(
        self,
        fn: Callable[[Request], Answer],
        *,
        name: str,
        methods: tuple[str, ...],
        veto: Callable[[tuple[Any, ...]], None] | None = None,
    ) -> None:
        super().__init__(fn, methods=methods, body_limit=BODY_LIMIT, veto=veto)
        self.__name__ = self.__qualname__ = name
        ON_PURPOSE(self)

    async def answer(self, request: Request) -> Response:
        around: State | None = request.state
        own = around is None or around.ended
        state = request.state = State() if around is None or around.ended else around
        try:
            decided = await self.decide(request)
            refused = decided if isinstance(decided, Deny) else None
            response = _refusal.response(decided) if isinstance(decided, Deny) else decided
            response.headers.setdefault("cache-control", "no-store")
            self._finish(request, response, refused, state)
            state.guard = self.__name__
            state.status = response.status
            if refused is not None:
                state.outcome = "unavailable" if refused.status == 503 else "deny"
                state.reason = refused.reason
            elif own:
                state.outcome = "allow"
            return response
        finally:
            if own:
                state.ended = True
                write(state, request)

    def _finish(self, request: Request, response: Response, refused: Deny | None, state: State) -> None:
        """What all of a kind add to an answer, a refusal's too."""
        raise NotImplementedError
