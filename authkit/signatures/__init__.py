"""Signed requests: HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530), and the HMAC that gateways use."""

from __future__ import annotations

from .digest import content_digest
from .keys import SignatureKey
from .signed import Signed
from .signing import Signer, asign, sign
from .verifier import SignatureVerifier, averify, verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .gateway import HmacRequests as HmacRequests
    from .holder import SharedSecret as SharedSecret
    from .httpx_auth import SignatureAuth as SignatureAuth
    from .sigv4 import SigV4Auth as SigV4Auth
    from .sigv4_origin import sign_origin as sign_origin

# Loaded on first use: webhooks and httpx come with them.
_PLACES = {
    "HmacRequests": "gateway",
    "SharedSecret": "holder",
    "SigV4Auth": "sigv4",
    "SignatureAuth": "httpx_auth",
    "sign_origin": "sigv4_origin",
}

__all__ = [
    "HmacRequests",
    "SharedSecret",
    "SigV4Auth",
    "SignatureAuth",
    "SignatureKey",
    "SignatureVerifier",
    "Signed",
    "Signer",
    "asign",
    "averify",
    "content_digest",
    "sign",
    "sign_origin",
    "verify",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
