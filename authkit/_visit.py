"""One request at one door: whose state it shares, what the chain adds to the response, and the audit event at its end."""

from __future__ import annotations

from . import _audit, _refusal
from ._state import State
from .decision import ALLOW, Allow, Deny
from .errors import ConfigurationError
from .http import Request, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._chain import Chain
    from .decision import Decision
    from .hosts._host import Host

# Fields of which a response may have several: two limits tell about both.
_REPEATABLE = ("set-cookie", "vary", "www-authenticate", "ratelimit", "ratelimit-policy")


class Visit:
    """One request at one door: which state it shares, and what the chain wants of the response."""

    # Class attributes are the defaults, as in `State`.
    headers: list[tuple[str, str]] | None = None
    outer_headers: list[tuple[str, str]] | None = None
    closing: list[Callable[[], None]] | None = None
    held = False
    whole = False
    postponed = False
    hooked = False

    def __init__(self, chain: Chain, host: Host, request: Request) -> None:
        self.chain = chain
        self.host = host
        self.request = request
        state = host.find_state(request)
        if state is None or state.ended:  # ended: the same request object, called once more; that is another request
            state = State()
            self.outermost = True
        else:
            self.outermost = False
            self.outer_headers, state.headers = state.headers, None
            if state.body is not None and request._body is None:
                request._body = state.body
        self.state = state
        request.state = state
        host.keep_state(request, state)
        if chain.listeners:
            state.listeners += tuple(one for one in chain.listeners if one not in state.listeners)
        if chain.hash_key is not None:
            state.hash_key = chain.hash_key
        self.heard = self.outermost and _audit.is_heard(state)  # an allowed request, that is; a refusal always is

    def judged(self) -> None:
        """Take over what this chain adds to the response: hosts let several chains at one response, innermost first."""
        state = self.state
        if state.headers is not None or self.outer_headers is not None:
            self.headers, state.headers = state.headers, self.outer_headers

    @property
    def wanted(self) -> bool:  # asked when the handler is done: a chain further in may have brought a listener
        return self.heard or bool(self.chain.hooks or self.headers or (self.outermost and self.state.listeners))

    def apply(self, response: Response) -> None:
        self.hooked = True
        for hook in self.chain.hooks:
            hook(self.request, response)
        if self.headers is None:
            self.state.status = response.status
        else:
            self._add_headers(response)

    def _add_headers(self, response: Response, said: Mapping[str, str] | None = None) -> None:
        for name, value in self.headers or ():
            if name.lower() in _REPEATABLE:
                response.headers.add(name, value)
            elif not said or name not in said:  # what the refusal itself says stands
                response.headers[name] = value
        self.state.status = response.status

    def refusal(self, decision: Decision) -> Response:
        """The response for a refusal: rendered, hooked, with what the earlier guards add to every response."""
        state, deny = self.state, _denial(decision)
        self.judged()
        state.outcome = "unavailable" if deny.status == 503 else "deny"
        standard = _refusal.response(deny)
        response = standard
        if self.chain.render is not None:
            try:
                response = self.chain.render(self.request, Response(standard.status, standard.headers.items(), standard.body))
                response.status = standard.status  # the look may change, the decision and what carries it may not
                for name in standard.headers.names():
                    if name != "content-type":
                        response.headers._map[name] = standard.headers.get_all(name)
            except Exception as error:
                _audit.warn("render raised %s; the standard refusal was sent", type(error).__name__)
                response = standard
        self._hook(response, "on a refusal")
        self._add_headers(response, deny.headers)
        state.status = response.status = deny.status  # hooks set headers
        return response

    def failed(self) -> None:
        """The handler raised: hooks run without a response, and the exception goes on."""
        self.state.outcome = "error"
        if not self.hooked:  # they have seen the response, and one of them perhaps raised, or it had begun
            self._hook(None, "after the handler had raised")

    def _hook(self, response: Response | None, when: str) -> None:
        """Run the hooks where nothing that they raise may change the outcome."""
        self.hooked = True
        for hook in self.chain.hooks:
            try:
                hook(self.request, response)
            except Exception as error:
                _audit.warn("a response hook raised %s %s", type(error).__name__, when)

    def postpone(self) -> None:
        """The response is still to come: `end` waits until the host calls `finished`."""
        self.postponed = True

    def finished(self) -> None:
        """The response that was waited for is there, or will never be."""
        self.postponed = False
        self.end()

    @property
    def holding(self) -> bool:
        return self.closing is not None

    def hold(self, *, whole: bool = False) -> Callable[[], None]:
        self.held, self.whole = True, whole
        return self._close

    async def settle(self) -> None:
        """The handler has returned, and what it returned is the whole response: what shall be known before it leaves."""
        if self.held and not self.whole:
            return
        for close in self.closing or ():
            settle = getattr(close, "settle", None)
            if settle is not None:
                await settle()

    def _close(self) -> None:
        """The response is finished: guards let go of what they held for it. Once."""
        closing, self.closing = self.closing, None
        for close in closing or ():
            try:
                close()
            except Exception as error:
                _audit.warn("a guard could not let go of what it held: %s", type(error).__name__)

    def end(self) -> None:
        state = self.state
        if state.closing is not None:
            self.closing, state.closing = [*(self.closing or ()), *state.closing], None
        if self.closing is not None and not self.held:
            self._close()
        if self.outermost and not self.postponed and not state.ended:
            state.ended = True
            if self.heard or state.outcome != "allow" or state.shadow is not None or state.listeners:
                _audit.write(state, self.request)


def _denial(decision: Decision) -> Deny:
    """What is not `ALLOW`, seen to be a refusal."""
    if not isinstance(decision, Deny):
        raise TypeError("a chain ended without a decision")
    return decision


async def decide(chain: Chain, request: Request) -> Decision:
    """The decision about a request with no host, and its audit event. Raises: `ConfigurationError` if a handler is needed."""
    if chain.needs_handler:
        raise ConfigurationError("a guard of this chain looks at the response, or holds something until it is finished")
    state, around = State(), request.state
    inside = None if around is None or around.ended else around  # asked from inside a handler, which goes on with what it had
    if inside is not None:
        state.proofs = inside.proofs
    request.state = state
    state.listeners = chain.listeners
    state.hash_key = chain.hash_key
    try:
        decision = await chain.judge(request, state)
        if decision is not ALLOW:
            deny = _denial(decision)
            state.outcome, state.status = ("unavailable" if deny.status == 503 else "deny"), deny.status
            return deny
        state.outcome = "allow"
        if state.principal is None and not state.headers and not state.dropped and state.values is None:
            return ALLOW
        return Allow(state.principal, headers=dict(state.headers or ()), drop_headers=state.dropped, values=state.values)
    finally:
        state.ended = True  # a handler that is called with this request afterwards decides for itself
        if inside is not None:
            request.state, inside.proofs = inside, state.proofs
        _audit.write(state, request)
