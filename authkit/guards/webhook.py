"""Did the provider really send this? `verify_webhook`: a signature over the raw body, before anything parses it."""

from __future__ import annotations

from .._guard import Guard
from ..decision import Allow, Deny
from ..errors import ConfigurationError, InvalidSignature
from ..webhooks import Scheme, Verifier
from ..webhooks.keys import Sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..decision import Decision
    from ..http import Request


class VerifyWebhook(Guard):
    """Made by `verify_webhook`."""

    name = "verify_webhook"
    needs_body = True
    fills = ("webhook",)

    def __init__(self, verifier: Verifier, url: str | Callable[[Request], str] | None, max_body: int) -> None:
        self._verifier = verifier
        self._url = url
        self.body_limit = max_body

    async def warm(self) -> None:
        await self._verifier.load()

    async def check(self, request: Request) -> Decision:
        url = self._url(request) if callable(self._url) else self._url
        try:
            event = await self._verifier.verifying(request.headers, request.body, url=url, method=request.method)
        except InvalidSignature as error:
            return Deny(401, "invalid_signature", reason=error.reason)
        return Allow(values={"webhook": event})


def verify_webhook(
    scheme: str | Scheme,
    *,
    secret: Any,
    tolerance: float | None = None,
    replay: None = None,
    url: str | Callable[[Request], str] | None = None,
    max_body: int | None = None,
    handshake: None = None,
) -> Guard:
    """The delivery is signed with the secret that we share with its sender, and lately.

    The handler's parameter `webhook` is filled with the `WebhookEvent`; the body is handed on as it was received.

    `secret`: a `Secret` or literal, or several. `tolerance`: seconds a signed time may differ from ours, both ways; None: the
    scheme's own. `url`: for schemes that sign it, as the provider has it: text, or made from the request; never take it from a
    Host or forwarded header. `max_body`: bytes; None: the scheme's own. Refused: 401, the body not parsed, the handler not
    entered.

    Not checked yet: whether the same delivery was handled before. Until `replay` is there, the handler looks at `webhook.id`.

    Raises: `ConfigurationError` for an unknown scheme, a secret that is missing or empty, or an option that is not there yet.
    """
    sealed = Sealed(secret)
    del secret  # what is raised below may be shown with its locals
    if replay is not None or handshake is not None:
        raise ConfigurationError("verify_webhook: replay and handshake are not there yet in this version")
    if max_body is not None and (type(max_body) is not int or max_body < 1):
        raise ConfigurationError("verify_webhook: max_body is a positive number of bytes")
    verifier = Verifier(scheme, sealed, tolerance=tolerance)
    return VerifyWebhook(verifier, url, verifier.scheme.max_body if max_body is None else max_body)
