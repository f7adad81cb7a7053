"""Answers the handshake of a scheme, for `verify_webhook`: what needs no application at once, the rest by asking it."""

from __future__ import annotations

import os

from .._lock import ProcessLock
from .._run import blocking
from ..decision import Deny
from ..errors import ConfigurationError, InvalidSignature
from ..secrets.secret import Secret
from ..secrets.versions import Masked, is_blank
from ..webhooks.handshakes import handshake_of
from ..webhooks.sent import Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..http import Request, Response
    from ..webhooks import Verifier, WebhookEvent
    from ..webhooks.handshakes import Handshake


class Token(Masked):
    """The text that we and the sender have agreed on, out of sight. `secret` is None for what is none."""

    __slots__ = ("secret",)
    secret: Secret | None

    def __init__(self, value: object) -> None:
        if isinstance(value, Secret):
            self.secret = value
        else:
            self.secret = None if not isinstance(value, (str, bytes)) or is_blank(value) else Secret.of(value)


class Answers:
    """The answers to one scheme's handshake. `ask`: the application's part of it; `token`: what the sender must say."""

    __slots__ = ("_handshake", "_verifier", "_ask", "_token", "_lock", "_capturer")

    def __init__(self, handshake: Handshake, verifier: Verifier, ask: Callable[..., Any] | None, token: Secret | None) -> None:
        self._handshake = handshake
        self._verifier = verifier
        self._ask = ask
        self._token = token
        self._lock = ProcessLock()
        self._capturer: int | None = None  # the process that asks just now

    @property
    def signed(self) -> bool:
        return self._handshake.signed

    @property
    def reads_body(self) -> bool:
        return self._handshake.reads_body

    @property
    def bare(self) -> bool:
        return self._handshake.bare

    @property
    def captures(self) -> bool:
        return self._handshake.asks == "secret"

    async def before(self, request: Request) -> Deny | None:
        """The answer to a request that is not signed; None: it is for the verifier to judge."""
        handshake = self._handshake
        value = self._asked(request)
        if value is None:
            return None
        if handshake.token is not None:
            assert self._token is not None
            said = handshake.says(_sent(request))
            if not await blocking(self._token.matches, said):
                return Deny(403, "forbidden", reason="handshake_token")
        if handshake.asks:
            return await self._capturing(value)
        if not handshake.keyed:
            return self._answer(handshake.reply(value))
        keys = await self._verifier.load()
        return self._answer(handshake.reply(value, keys[0][0]))

    async def _capturing(self, value: str) -> Deny | None:
        """Offer the application a secret, one at a time: two that come together would both find that there is none."""
        mine = os.getpid()
        with self._lock:
            taken, self._capturer = self._capturer == mine, mine
        if taken:
            return Deny(409, "in_progress", reason="handshake_in_progress", headers={"retry-after": "1"})
        try:
            if await self._verifier.has_secret():
                return None  # what is not signed with it is refused
            return await self._asking(value, value)
        finally:
            self._capturer = None

    async def after(self, request: Request, event: WebhookEvent) -> Deny | None:
        """The answer to a request whose signature holds; None: it is an event."""
        handshake = self._handshake
        if not handshake.may_be(event.body):
            return None
        value = self._asked(request)
        if value is None:
            return None
        if handshake.asks:
            return await self._asking(event, value)
        keys = await self._verifier.load() if handshake.keyed else None
        return self._answer(handshake.reply(value, None if keys is None else keys[0][0]))

    def _asked(self, request: Request) -> str | None:
        if request.method != self._handshake.method:
            return None
        try:
            return self._handshake.asked(_sent(request))
        except InvalidSignature:  # what cannot be read is no handshake
            return None

    async def _asking(self, what: object, value: str) -> Deny:
        assert self._ask is not None
        agreed = await blocking(self._ask, what)
        if hasattr(agreed, "__await__"):
            agreed = await agreed
        if agreed is not True:
            return Deny(403, "forbidden", reason="handshake_not_agreed")
        return self._answer(self._handshake.reply(value))

    def _answer(self, response: Response) -> Deny:
        reason = f"handshake_{self._handshake.name}"
        return Deny(response.status, "handshake", reason=reason, headers=dict(response.headers.items()), respond=response.body)


def _sent(request: Request) -> Sent:
    from urllib.parse import urlencode

    return Sent(request.headers, request._body or b"", "?" + urlencode(request.query), request.method)


def answers(verifier: Verifier, wanted: object, token: Token | None) -> Answers | None:
    """The answers that are to be given; None: to no handshake. Raises: `ConfigurationError`."""
    scheme = verifier.scheme
    handshake = handshake_of(getattr(scheme, "handshake", None))
    if wanted is not None and wanted is not False and not callable(wanted):
        raise ConfigurationError("verify_webhook: handshake is a callable, False for no answers, or None for the scheme's own")
    if token is not None and (handshake is None or handshake.token is None):
        raise ConfigurationError(f"verify_webhook: verify_token is no option of webhook scheme {scheme.name}")
    if token is not None and token.secret is None:
        raise ConfigurationError("verify_webhook: verify_token is empty, blank, or not text")
    if callable(wanted) and (handshake is None or not handshake.asks):
        raise ConfigurationError(
            f"verify_webhook: the handshake of webhook scheme {scheme.name} asks nothing of the application"
        )
    if handshake is None or wanted is False:
        return None
    if handshake.keyed and not scheme.plain:
        raise ConfigurationError(
            f"verify_webhook: the handshake {handshake.name} is answered with an HMAC, which webhook scheme {scheme.name} has "
            "no key for: pass handshake=False"
        )
    if (handshake.asks and wanted is None) or (handshake.token is not None and token is None):
        return None
    return Answers(handshake, verifier, wanted if callable(wanted) else None, None if token is None else token.secret)
