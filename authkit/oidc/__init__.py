"""Tokens of others: an issuer's metadata and keys, and the verification of what it signs. Loaded on first use."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .discovery import Discovery as Discovery
    from .jwks import JWKS as JWKS
    from .keyset import KeySet as KeySet
    from .profile import TokenProfile as TokenProfile
    from .provider import OIDCProvider as OIDCProvider

_PLACES = {"Discovery": "discovery", "JWKS": "jwks", "KeySet": "keyset", "OIDCProvider": "provider", "TokenProfile": "profile"}

__all__ = ["JWKS", "Discovery", "KeySet", "OIDCProvider", "TokenProfile"]


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
