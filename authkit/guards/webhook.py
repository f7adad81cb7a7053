"""Did the provider really send this, and is it handled already? `verify_webhook`: a signature over the raw body, and claims."""

from __future__ import annotations

from .._guard import Guard
from .._run import blocking
from ..decision import Allow, Deny
from ..errors import ConfigurationError, InvalidSignature, SecretNotFound
from ..webhooks import Scheme, Verifier
from ..webhooks.early import early
from ..webhooks.keys import Sealed
from ..webhooks.ordinary import MAX_ORDINARY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal

    from .._state import State
    from ..decision import Decision
    from ..http import Request, Response
    from ..stores import Store
    from ..webhooks import WebhookEvent
    from ..webhooks.replay import Replay
    from ._webhook_claim import Claims
    from ._webhook_handshake import Answers

BACK_IN = 10  # seconds after which a sender may ask again about an event that is being handled


class VerifyWebhook(Guard):
    """Made by `verify_webhook`."""

    name = "verify_webhook"
    needs_body = True
    loads_body = True  # of a delivery whose headers may be right
    fills = ("webhook",)

    def __init__(
        self,
        verifier: Verifier,
        url: str | Callable[[Request], str] | None,
        max_body: int,
        claims: Claims | None,
        answers: Answers | None,
    ) -> None:
        self._verifier = verifier
        self._url = url
        self.body_limit = max_body
        self._claims = claims
        self._answers = answers
        self._bare = b"" if answers is not None and answers.bare else None  # a refusal without a body
        self._asked_for = None  # whoever answers X's question, here or at another endpoint, signs what a stranger sends
        if verifier.scheme.handshake is not None:
            from ..webhooks.handshakes import handshake_of

            self._asked_for = handshake_of(verifier.scheme.handshake)
        self._target = url is None and verifier.scheme.needs == "target"
        # nothing has to be asked of anybody but the verifier, and a store in this process
        asks_nobody = answers is None and self._asked_for is None and not self._target and not callable(url)
        asks_nobody = asks_nobody and (claims is None or claims.in_process)
        self._at_once_limit = max_body if asks_nobody else -1  # bytes of body
        self._early = early(verifier, reads_url=not callable(url))
        if answers is not None and not answers.signed and answers.reads_body:  # it may be no delivery
            self._early = None
        if claims is not None:
            self._keep = claims.keep_of(verifier.keep)
            self.needs_handler = True  # done, or not: that is for its response to say
            self.after = self._answered

    async def warm(self) -> None:
        try:
            await self._verifier.load()
        except SecretNotFound:
            if self._answers is None or not self._answers.captures:
                raise

    def _passes(self, request: Request, state: State) -> bool:
        body, at_hand = request._body, None
        if body is None:
            at_hand = request._body_at_hand
            if at_hand is None or self._at_once_limit < MAX_ORDINARY:
                return False
        elif len(body) > self._at_once_limit:
            return False
        if request.answered:
            return False
        url: Any = self._url  # no callable: that asks somebody
        event = self._verifier.at_once(request.headers, body, None, url, request.method, at_hand)
        if event is None:
            return False
        if self._claims is not None:
            kept = self._claims.at_once(event.replay_key, self._keep, state)
            if kept is None:
                return False
            state.closing = [kept]
            state.kept = {id(self): kept}
        if body is None:
            body = request._body = event.body
        state.body = body
        state.values = {"webhook": event}
        return True

    async def check(self, request: Request) -> Decision:
        if request.answered:
            raise ConfigurationError(
                "verify_webhook guards a background function: its sender was told 202 before anything was verified. "
                "Verify in an ordinary function, and hand on what is verified"
            )
        answers = self._answers
        unsigned = None if answers is None or answers.signed else answers
        if unsigned is not None and not unsigned.reads_body and (answer := await unsigned.before(request)) is not None:
            return answer
        try:
            if request._body is None and self._early is not None:
                self._early(request.headers, self._url_at_hand(request), request.method)
            await request.load_body(self.body_limit)
            if unsigned is not None and unsigned.reads_body and (answer := await unsigned.before(request)) is not None:
                return answer
            url = _target(request) if self._target else self._url(request) if callable(self._url) else self._url
            event = await self._verifier.verifying(request.headers, request.body, url=url, method=request.method)
        except InvalidSignature as error:
            return Deny(401, "invalid_signature", reason=error.reason, respond=self._bare)
        if self._asked_for is not None and self._asked_for.might_have_signed(event.body):
            return Deny(401, "invalid_signature", reason="signed_as_handshake", respond=self._bare)
        if answers is not None and unsigned is None and (answer := await answers.after(request, event)) is not None:
            return answer
        if self._claims is None:
            return Allow(values={"webhook": event})
        return await self._claim(request, event, self._claims)

    def _url_at_hand(self, request: Request) -> str:
        """What can be said of the URL without asking the application, which may want the body for it."""
        return _target(request) if self._target else self._url if isinstance(self._url, str) else ""

    async def _claim(self, request: Request, event: WebhookEvent, claims: Claims) -> Decision:
        """Go on with an event that nobody has handled, or is handling, and is ours from here to the end of its response."""
        state = request.state
        kept = claims.claim(event.replay_key, self._keep, request)
        try:
            standing = await blocking(kept.begin) if kept.blocks else kept.begin()
        except BaseException:  # cancelled, or no answer: the claim may have been made all the same
            kept.give_up()
            raise
        if standing != "new":
            kept.forget()
            if standing == "done":
                return Deny(200, "already_handled", respond=b"")
            return Deny(409, "in_progress", respond=b"", headers={"retry-after": str(BACK_IN)})
        if kept.blocks:
            kept.hold()
            state.settles = True
        state.closing = [*(state.closing or ()), kept]
        state.kept = {**(state.kept or {}), id(self): kept}
        return Allow(values={"webhook": event})

    def _answered(self, request: Request, response: Response | None) -> None:
        all_kept = request.state.kept
        if all_kept is not None and (kept := all_kept.pop(id(self), None)) is not None:  # no cycle for the collector
            kept.answered = response is not None and response.status < 400


def _target(request: Request) -> str:
    """Path and query, for a scheme that reads them: a token in the URL, say. The host and its headers have no part in it."""
    if request.query_string or not request.query:
        query = request.query_string
    else:
        from urllib.parse import urlencode

        query = urlencode(request.query)
    path = request.raw_path or request.whole_path
    return f"{path}?{query}" if query else path


def verify_webhook(
    scheme: str | Scheme | Sequence[str | Scheme],
    *,
    secret: Any,
    tolerance: float | None = None,
    replay: Store | Replay | None = None,
    url: str | Callable[[Request], str] | None = None,
    max_body: int | None = None,
    handshake: Callable[..., Any] | Literal[False] | None = None,
    **options: Any,
) -> Guard:
    """The delivery is signed with the secret that we share with its sender, and lately; with `replay`, it is handled once.

    The handler's parameter `webhook` is filled with the `WebhookEvent`; the body is handed on as it was received. Refused: 401,
    the body not parsed, the handler not entered.

    `secret`: a `Secret` or literal, or several. `tolerance`: seconds a signed time may differ from ours, both ways; None: the
    scheme's own. `url`: for schemes that sign it, as the provider has it: text, or made from the request; never take it from a
    Host or forwarded header. `max_body`: bytes, and 413 above; None: the scheme's own. `options`: what the scheme asks for by
    name, and `verify_token` where its handshake does.

    `replay`: a store, or a `webhooks.Replay` that says more. An event whose handler has returned a status below 400 is done: it
    is answered with 200, and the handler not entered again. One that is being handled is 409; one that failed may be delivered
    again at once, one whose process was killed when its claim has run out. A store that does not answer is 503. None: not
    checked; the handler looks at `webhook.id` itself.

    Several schemes, for a sender that moves from one to the next: `verify_webhook(["gitlab-signed", "gitlab"], secret={...})`,
    the better one first, with a secret for each by name, or one for all. The first whose header was sent judges alone.

    `handshake`: what a sender asks to see whose endpoint this is. None: answered, where it needs nothing more than the secret
    and the options. A callable is asked where it does: with the secret that a sender hands over (Asana, Notion; only while
    there is none), or the `WebhookEvent` (SNS; its SubscribeURL is never fetched here); it agrees by returning True. False: no
    handshake is answered.

    Not checked: what happened to the event before it was signed, and whether events arrive in order, or at all.

    Raises: `ConfigurationError` for an unknown scheme or option, and a secret, option or `max_body` that is missing or wrong.
    """
    if not isinstance(scheme, (str, Scheme)):
        from functools import partial

        from ._webhook_several import Each, one_of

        each = Each(secret)
        del secret
        settings: dict[str, Any] = {
            "tolerance": tolerance,
            "replay": replay,
            "url": url,
            "max_body": max_body,
            "handshake": handshake,
        }
        given: Any = tuple(scheme) if isinstance(scheme, (list, tuple)) else (scheme,)
        return one_of(given, each, options, partial(verify_webhook, **settings))
    sealed = Sealed(secret)
    token = None
    if "verify_token" in options:
        from ._webhook_handshake import Token

        token = Token(options.pop("verify_token"))
    del secret  # what is raised below may be shown with its locals
    if max_body is not None and (type(max_body) is not int or max_body < 1):
        raise ConfigurationError("verify_webhook: max_body is a positive number of bytes")
    if url is not None and not isinstance(url, str) and not callable(url):
        raise ConfigurationError("verify_webhook: url is text, or a callable that makes it from the request")
    verifier = Verifier(scheme, sealed, tolerance=tolerance, **options)
    if url is None and verifier.scheme.needs == "url":
        raise verifier.scheme.no_url()
    if handshake is None and token is None and verifier.scheme.handshake is None:
        answering = None
    else:
        from ._webhook_handshake import answers

        answering = answers(verifier, handshake, token)
    claims = None
    if replay is not None:
        from ..webhooks.replay import Replay
        from ._webhook_claim import Claims

        claims = Claims(replay if isinstance(replay, Replay) else Replay(replay), verifier.scheme.name)
    return VerifyWebhook(verifier, url, verifier.scheme.max_body if max_body is None else max_body, claims, answering)
