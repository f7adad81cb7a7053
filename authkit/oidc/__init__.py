"""Tokens of others: an issuer's metadata and keys, and the verification of what it signs. Loaded on first use.

What only who writes a provider needs is in `authkit.oidc.for_providers`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .asking import Asking as Asking
    from .by_name import named as named
    from .by_name import named_class as named_class
    from .client_certificate import ClientCertificate as ClientCertificate
    from .client_credentials import ClientCredentials as ClientCredentials
    from .discovery import Discovery as Discovery
    from .dpop import DPoP as DPoP
    from .dpop_key import DPoPKey as DPoPKey
    from .gateway import ApiGateway as ApiGateway
    from .identity import Identity as Identity
    from .in_header import TokenInHeader as TokenInHeader
    from .introspection import Introspection as Introspection
    from .jwks import JWKS as JWKS
    from .keyset import KeySet as KeySet
    from .login import Login as Login
    from .metadata import ProtectedResource as ProtectedResource
    from .mtls import MutualTLS as MutualTLS
    from .profile import TokenProfile as TokenProfile
    from .provider import OIDCProvider as OIDCProvider
    from .token_endpoint import GrantRefused as GrantRefused
    from .token_endpoint import TokenEndpoint as TokenEndpoint
    from .token_endpoint import TokenResponse as TokenResponse
    from .token_exchange import ExchangedToken as ExchangedToken
    from .token_exchange import OnBehalfOf as OnBehalfOf
    from .token_exchange import TokenExchange as TokenExchange

_PLACES = {
    "ApiGateway": "gateway",
    "Asking": "asking",
    "ClientCertificate": "client_certificate",
    "ClientCredentials": "client_credentials",
    "DPoP": "dpop",
    "DPoPKey": "dpop_key",
    "Discovery": "discovery",
    "ExchangedToken": "token_exchange",
    "GrantRefused": "token_endpoint",
    "Identity": "identity",
    "Introspection": "introspection",
    "JWKS": "jwks",
    "KeySet": "keyset",
    "Login": "login",
    "MutualTLS": "mtls",
    "OIDCProvider": "provider",
    "OnBehalfOf": "token_exchange",
    "ProtectedResource": "metadata",
    "TokenEndpoint": "token_endpoint",
    "TokenExchange": "token_exchange",
    "TokenInHeader": "in_header",
    "TokenProfile": "profile",
    "TokenResponse": "token_endpoint",
    "named": "by_name",
    "named_class": "by_name",
}

__all__ = [
    "ApiGateway",
    "Asking",
    "ClientCertificate",
    "ClientCredentials",
    "DPoP",
    "DPoPKey",
    "Discovery",
    "ExchangedToken",
    "GrantRefused",
    "Identity",
    "Introspection",
    "JWKS",
    "KeySet",
    "Login",
    "MutualTLS",
    "OIDCProvider",
    "OnBehalfOf",
    "ProtectedResource",
    "TokenEndpoint",
    "TokenExchange",
    "TokenInHeader",
    "TokenProfile",
    "TokenResponse",
    "named",
    "named_class",
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
