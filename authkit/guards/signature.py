"""Who signed this request? `require_signature`: a signature over method, target and body, by a key that we know."""

from __future__ import annotations

from functools import partial

from .._guard import Guard
from ..decision import Deny, Principal, identified
from ..errors import ConfigurationError, InvalidSignature
from ..http import MAX_BODY
from ..signatures import SignatureVerifier
from ..signatures.digest import FIELD
from ..signatures.keybook import KeyBook
from ..signatures.message import Message, target_at, target_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..decision import Decision
    from ..http import Request
    from ..signatures import HmacRequests
    from ..signatures.message import Target


class RequireSignature(Guard):
    """Made by `require_signature`. It is a credential for `require_auth` too (`authenticate`)."""

    name = "require_signature"
    identifies = True
    needs_body = True
    loads_body = True  # of a request that is signed, as far as that can be told without it
    sent_in = ()

    def __init__(
        self,
        verifier: SignatureVerifier | HmacRequests,
        base: Target | None,
        url: Callable[[Request], str] | None,
        max_body: int,
    ) -> None:
        self._verifier = verifier
        self.signed_in = getattr(verifier, "signed_in", None)  # a header, for OpenAPI
        self._base = base
        self._url = url
        self.body_limit = max_body

    async def warm(self) -> None:
        await self._verifier.warm()

    async def check(self, request: Request) -> Decision:
        found = await self.authenticate(request)
        if found is None:
            return self._refused(request, "unauthorized", "no_credential", no_credential=True)
        return identified(found) if isinstance(found, Principal) else found

    async def authenticate(self, request: Request) -> Principal | Deny | None:
        """Who signed; None if the request does not claim to be signed."""
        if not self._verifier.was_sent(request.headers):
            return None
        try:
            message = Message(request.method, self._target(request), request.headers)
            return (await self._verifier.verifying(message, partial(request.load_body, self.body_limit))).principal
        except InvalidSignature as error:
            return self._refused(request, "invalid_signature", error.reason)

    def _target(self, request: Request) -> Target:
        if self._url is None:
            return target_at(self._base, request)
        try:
            return target_of(self._url(request))
        except ValueError:
            raise InvalidSignature("target_malformed") from None

    def _refused(self, request: Request, code: str, reason: str, *, no_credential: bool = False) -> Deny:
        asked = self._verifier.asks(_has_body(request))  # no scheme of `WWW-Authenticate` is registered for signed requests
        headers = None if asked is None else {"accept-signature": asked}
        return Deny(401, code, reason=reason, headers=headers, no_credential=no_credential)


def _has_body(request: Request) -> bool:
    """Whether there is a body, also where nobody has read it. HTTP/2 and Lambda need say nothing of its length."""
    if request._body is not None:
        return bool(request._body)
    headers = request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers or FIELD in headers


def require_signature(
    verifier: Any,
    *,
    authority: str | None = None,
    url: str | Callable[[Request], str] | None = None,
    max_body: int = MAX_BODY,
    **settings: Any,
) -> RequireSignature:
    """The request is signed with a key that we know: method, target and body, and lately. The principal is the key's owner.

    `verifier`: a `SignatureVerifier` (RFC 9421), an `HmacRequests` (the HMAC of gateways), or the keys of one by their ids;
    `settings` are then that one's: with `scheme=` of an `HmacRequests`, else of a `SignatureVerifier`. `authority`: the host
    name (and port) that clients send to, with https. `url`: instead, the URL at which the host's paths begin, or a function of
    the request that gives the whole URL, and is not shown the body. Neither is ever taken from a Host or forwarded header.
    `max_body`: bytes, else 413. The body is read once the signature holds; with `HmacRequests`, once the headers may be right.

    Refused: 401, the same bytes for every cause, with `Accept-Signature` for RFC 9421. Beside bearer tokens:
    `require_auth(tokens, require_signature(...))`.

    Raises: `ConfigurationError` for a setting that is wrong, or neither `authority` nor `url` where signatures cover it.
    """
    given = verifier if hasattr(verifier, "verifying") else None
    wrong = None
    if given is None:
        given, wrong = _made(verifier, settings)
    elif settings:
        wrong = "settings go to the verifier that was built"
    del verifier  # what is raised below may be shown with its locals
    if given is None or wrong is not None:
        raise ConfigurationError(f"require_signature: {wrong}")
    if type(max_body) is not int or max_body < 1:
        raise ConfigurationError("require_signature: max_body is a positive number of bytes")
    base = _base(authority, url)
    if base is None and not callable(url) and given.needs_authority:
        raise ConfigurationError("require_signature: authority= or url= says where clients send to; no header does")
    return RequireSignature(given, base, url if callable(url) else None, max_body)


def _made(keys: Any, settings: dict[str, Any]) -> tuple[SignatureVerifier | HmacRequests | None, str | None]:
    """The verifier, or what is wrong. It raises nothing about keys: its frame holds them."""
    try:
        if "scheme" in settings:
            from ..signatures import HmacRequests

            return HmacRequests(keys, **settings), None
        return SignatureVerifier(KeyBook(keys), **settings), None
    except ConfigurationError as error:
        return None, str(error)
    except TypeError:  # one that there is none of
        return None, f"not all of these are settings of a verifier, or of the right type: {', '.join(sorted(settings))}"


def _base(authority: str | None, url: object) -> Target | None:
    if authority is not None and url is not None:
        raise ConfigurationError("require_signature: authority or url, not both")
    if authority is None and (url is None or callable(url)):
        return None
    try:
        if authority is not None:
            base = target_of(f"https://{authority}")
            if base.path != "/" or base.query or "#" in authority:
                raise ValueError
        else:
            base = target_of(url)  # type: ignore[arg-type]  # what is no text is refused
            if base.query:
                raise ValueError
    except (TypeError, ValueError):
        setting = "authority is a host name, as 'api.example.com'" if authority is not None else "url is 'https://host/path'"
        raise ConfigurationError(f"require_signature: {setting}") from None
    return base
