"""What a captured request is refused for: it is told what credential it carries, and that is judged as a service would."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ._exits import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..http import Request
    from ..webhooks import Scheme
    from ._capture import Captured, Unreadable
    from ._webhook import Keys

MAX_SCHEMES = 8  # some headers are shared by many senders
ADDED = "a proxy or library added one of its own"
NOTHING = "no credential that is known here: no bearer token, no API key, and no signature of a scheme"


class Asked(NamedTuple):
    """What a request is judged by. `keys`, `service`, `api_keys`: asked for only where a request needs them."""

    scheme: Scheme | None
    has_secret: bool
    keys: Callable[[Scheme | None], Keys]
    options: Mapping[str, Any]
    url: str | None
    now: float | None
    service: Callable[[], Any]  # a `Service`, or a provider's verifier
    api_keys: Callable[[], Any] | None


class Explained(NamedTuple):
    """`credential`: "webhook", "bearer token", "API key", "signature", or None. `matched`: the version of the secret."""

    form: str
    credential: str | None
    accepted: bool
    scheme: str | None = None
    matched: str | None = None
    reason: str | None = None
    check: str | None = None
    found: str | None = None
    likely: str | None = None
    mend: str | None = None
    proven: bool = False
    tried: Mapping[str, int] = {}
    judged_at: float | None = None
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return {**self._asdict(), "tried": dict(self.tried), "notes": list(self.notes)}


def explained(captured: Captured, asked: Asked) -> Explained:
    """Which check refuses the request, and why. Raises: `Wrong` where something is not named, and as stores do."""
    if asked.scheme is not None:
        return _of_webhook(captured, asked, [asked.scheme])
    from ..http import Request
    from ..webhooks.guess_scheme import recognised

    request = Request.build(captured.method, "/", captured.headers.items())
    found = [scheme for scheme in recognised(captured.headers, captured.body, captured.url) if not _in_authorization(scheme)]
    if found and (asked.has_secret or not _bears(request)):
        if not asked.has_secret and not found[0].keyless:
            names = ", ".join(scheme.name for scheme in found[:4])
            raise Wrong(f"this is signed as {names} sign: name its secret with --secret NAME, or --secret-from FILE")
        return _of_webhook(captured, asked, found)
    if asked.has_secret and "signature-input" in captured.headers:
        from ._explain_signed import of_signature

        return of_signature(captured, asked)
    if _bears(request):
        return _of_token(captured, request, asked)
    if request.field("x-api-key"):
        return _of_key(captured, request, asked)
    return _of_nothing(captured, asked)


def of_unreadable(event: Unreadable) -> Explained:
    """An event that no guard reads."""
    return Explained(
        "Lambda event", None, False, reason=event.reason, check="event", found=event.says,
        likely="it was changed between the platform and the handler, or written by hand", mend=event.mend,
    )  # fmt: skip


def _in_authorization(scheme: Scheme) -> bool:
    return all(place.lower() == "authorization" for place, _, _ in scheme.places)


def _bears(request: Request) -> bool:
    return any(line.strip()[:6].lower() == "bearer" for line in request.field("authorization"))


def _of_webhook(captured: Captured, asked: Asked, schemes: list[Scheme]) -> Explained:
    from ..webhooks import Verifier
    from ..webhooks.why import why

    fit = [scheme for scheme in schemes[:MAX_SCHEMES] if scheme is asked.scheme or set(scheme.options) <= set(asked.options)]
    if not fit:
        options = ", ".join(f"--option {name}=TEXT" for name in schemes[0].options)
        raise Wrong(f"this looks like a delivery of {schemes[0].name}: say {options}")
    now = asked.now if asked.now is not None else captured.received if captured.received is not None else time.time()
    scheme = fit[0] if len(fit) == 1 else _meant(captured, asked, fit, now)
    secret = asked.keys(scheme).secret
    url, options_ = _url(captured, asked, scheme), _options(asked, scheme)
    if scheme.needs and url is None:
        raise Wrong(f"the scheme {scheme.name} signs the URL: say with --url which one is registered with the sender")
    notes = list(captured.notes)
    if asked.now is None and captured.received is not None and scheme.timed:
        notes.append("judged as of when it was received, by the capture; --now says another time")
    if scheme.needs == "url" and asked.url is None:
        notes.append("no --url: the URL of the capture was taken, which need not be the one that the sender has")
    found = why(
        scheme, secret, captured.headers, captured.body, url=url, method=captured.method, now=now, received=captured.received,
        stages=captured.stages, others=asked.keys(scheme).others, **options_,
    )  # fmt: skip
    if found is None:
        event = Verifier(scheme, secret, **options_).verify(captured.headers, captured.body, now, url, captured.method)
        return Explained(captured.form, "webhook", True, scheme.name, str(event.version), judged_at=now, notes=tuple(notes))
    if len(fit) > 1:
        rest = ", ".join(other.name for other in fit if other is not scheme)
        notes.append(f"no --scheme: judged as {scheme.name}; by its headers it may also be of {rest}")
    return Explained(
        captured.form, "webhook", False, scheme.name, None, found.reason, found.check, found.says, found.cause, found.mend,
        found.proven, found.tried, now, tuple(notes),
    )  # fmt: skip


def _meant(captured: Captured, asked: Asked, schemes: list[Scheme], now: float) -> Scheme:
    """The first scheme under which the signature holds, whatever its time; else the likeliest."""
    from ..errors import ConfigurationError, InvalidSignature
    from ..webhooks import Verifier
    from ..webhooks.guess import EVER

    for scheme in schemes:
        if scheme.keyless is asked.has_secret:
            continue
        try:
            verifier = Verifier(scheme, asked.keys(scheme).secret, tolerance=EVER, **_options(asked, scheme))
            verifier.verify(captured.headers, captured.body, now, _url(captured, asked, scheme), captured.method)
        except (InvalidSignature, ConfigurationError):
            continue
        return scheme
    return schemes[0]


def _url(captured: Captured, asked: Asked, scheme: Scheme) -> str | None:
    return asked.url if asked.url is not None else captured.url if scheme.needs else None


def _options(asked: Asked, scheme: Scheme) -> dict[str, Any]:
    return {name: value for name, value in asked.options.items() if scheme is asked.scheme or name in scheme.options}


def _of_token(captured: Captured, request: Request, asked: Asked) -> Explained:
    from .._credential import from_header
    from ..secrets.versions import sealed
    from ._token import Service
    from .oidc_verify import judged as judged_by
    from .token_read import judged

    found = from_header(request)
    if not isinstance(found, str):
        two = getattr(found, "reason", None) == "two_credentials"
        return Explained(
            captured.form, "bearer token", False, reason="two_credentials" if two else "malformed_authorization",
            check="form", found="there are two credentials" if two else "Bearer is not followed by one space and one token",
            likely=ADDED if two else "the token is empty, quoted, or has a line break in it",
            mend="send one Authorization header: Bearer, one space, the token (RFC 6750 section 2.1)", notes=captured.notes,
        )  # fmt: skip
    service = asked.service()
    try:
        _, why = judged(service, sealed(found)) if isinstance(service, Service) else judged_by(service, sealed(found))
    finally:
        if isinstance(service, Service) and service.store is not None:
            service.store.close()
    if why is None:
        return Explained(captured.form, "bearer token", True, notes=captured.notes)
    return Explained(
        captured.form, "bearer token", False, reason=why.reason, check=why.check, found=why.says, likely=why.cause,
        mend=why.mend, judged_at=time.time(), notes=captured.notes,
    )  # fmt: skip


_OF_KEY = {
    "api_key_malformed": ("form", "its prefix, length or checksum is not a key's", "it was cut, or is another service's",
                          "copy it whole; --prefix says what the keys of this service begin with"),
    "api_key_unknown": ("key", "there is no such key", "it was deleted, or is another environment's", "make a new one"),
    "api_key_expired": ("time", "its time is over", "it was made with an end, or was rotated", "make a new one"),
    "api_key_disabled": ("revocation", "it was revoked", "somebody revoked it, or all keys of its subject", "make a new one"),
    "two_credentials": ("form", "there are two keys", ADDED, "send one key, in one header"),
}  # fmt: skip


def _of_key(captured: Captured, request: Request, asked: Asked) -> Explained:
    from .._run import run
    from ..apikeys.header import InHeader
    from ..decision import Deny

    if asked.api_keys is None:
        raise Wrong("this carries an API key: name the table of keys with --api-keys URL")
    found = run(InHeader(asked.api_keys()).authenticate(request))
    if not isinstance(found, Deny):
        return Explained(captured.form, "API key", found is not None, notes=captured.notes)
    check, says, cause, mend = _OF_KEY.get(found.reason, ("key", "it was refused", "a check of the table", "make a new one"))
    return Explained(
        captured.form, "API key", False, None, None, found.reason, check, says, cause, mend, notes=captured.notes
    )  # fmt: skip


def _of_nothing(captured: Captured, asked: Asked) -> Explained:
    names = list(captured.headers.names())
    moved = [name for name in names if name.endswith("authorization") and name != "authorization"]
    lines = captured.headers.get_all("authorization")
    if "signature-input" in captured.headers:
        likely = "it carries an HTTP message signature (RFC 9421), which is judged with the client's key"
        mend = "name that key, as the service has it: --secret NAME, or --secret-from FILE"
    elif moved:
        likely = f"a gateway or proxy renamed Authorization: it came as {moved[0]}"
        mend = "have it hand Authorization on under its own name"
    elif lines:
        likely = "Authorization has another scheme than Bearer, which counts as no credential"
        mend = "send Authorization: Bearer, one space, the token"
    elif asked.has_secret:
        likely = "the sender signs nothing, a proxy dropped its headers, or it signs in a way that is not built in"
        mend = "name the scheme with --scheme; set the secret at the sender's"
    else:
        likely = "the client sent none, or a proxy or redirect dropped Authorization"
        mend = "send Authorization: Bearer, one space, the token"
    return Explained(
        captured.form, None, False, reason="no_credential", check="credential", found=NOTHING, likely=likely, mend=mend,
        notes=captured.notes,
    )  # fmt: skip
