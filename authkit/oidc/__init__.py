"""Tokens of others: an issuer's metadata and keys, and the verification of what it signs. Loaded on first use."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .allowed import Allowed as Allowed
    from .asking import Asking as Asking
    from .asking_json import AskingJSON as AskingJSON
    from .asking_json import hidden as hidden
    from .by_name import named as named
    from .by_name import named_class as named_class
    from .calling_json import Called as Called
    from .calling_json import CallingJSON as CallingJSON
    from .client_certificate import ClientCertificate as ClientCertificate
    from .client_credentials import ClientCredentials as ClientCredentials
    from .discovery import Discovery as Discovery
    from .dpop import DPoP as DPoP
    from .dpop_key import DPoPKey as DPoPKey
    from .gateway import ApiGateway as ApiGateway
    from .given import AuthkitError as AuthkitError
    from .given import ConfigurationError as ConfigurationError
    from .given import Deny as Deny
    from .given import InvalidToken as InvalidToken
    from .given import Principal as Principal
    from .given import Unavailable as Unavailable
    from .given import checked_base as checked_base
    from .given import checked_flag as checked_flag
    from .given import checked_host as checked_host
    from .given import checked_text as checked_text
    from .given import checked_texts as checked_texts
    from .given import checked_url as checked_url
    from .given import keys_at as keys_at
    from .given import setting as setting
    from .given import settings_list as settings_list
    from .identity import Identity as Identity
    from .in_header import TokenInHeader as TokenInHeader
    from .introspection import Introspection as Introspection
    from .jwks import JWKS as JWKS
    from .key_by_id import KeysById as KeysById
    from .keyset import KeySet as KeySet
    from .login import Login as Login
    from .metadata import ProtectedResource as ProtectedResource
    from .mtls import MutualTLS as MutualTLS
    from .padded import PaddedToken as PaddedToken
    from .profile import TokenProfile as TokenProfile
    from .provider import OIDCProvider as OIDCProvider
    from .shared_secret import SharedSecret as SharedSecret
    from .shared_secret import secret_key as secret_key
    from .token_endpoint import GrantRefused as GrantRefused
    from .token_endpoint import TokenEndpoint as TokenEndpoint
    from .token_endpoint import TokenResponse as TokenResponse
    from .token_exchange import ExchangedToken as ExchangedToken
    from .token_exchange import OnBehalfOf as OnBehalfOf
    from .token_exchange import TokenExchange as TokenExchange

_PLACES = {
    "ClientCertificate": "client_certificate",
    "ClientCredentials": "client_credentials",
    "TokenExchange": "token_exchange",
    "OnBehalfOf": "token_exchange",
    "ExchangedToken": "token_exchange",
    "MutualTLS": "mtls",
    "DPoPKey": "dpop_key",
    "DPoP": "dpop",
    "Introspection": "introspection",
    "ApiGateway": "gateway",
    "Asking": "asking",
    "Discovery": "discovery",
    "Identity": "identity",
    "JWKS": "jwks",
    "KeySet": "keyset",
    "OIDCProvider": "provider",
    "ProtectedResource": "metadata",
    "TokenProfile": "profile",
    "Login": "login",
    "GrantRefused": "token_endpoint",
    "TokenEndpoint": "token_endpoint",
    "TokenResponse": "token_endpoint",
    "named": "by_name",
    "named_class": "by_name",
    # for whoever writes a provider
    "Allowed": "allowed",
    "AskingJSON": "asking_json",
    "AuthkitError": "given",
    "Called": "calling_json",
    "CallingJSON": "calling_json",
    "KeysById": "key_by_id",
    "PaddedToken": "padded",
    "SharedSecret": "shared_secret",
    "hidden": "asking_json",
    "secret_key": "shared_secret",
    "TokenInHeader": "in_header",
    "ConfigurationError": "given",
    "Deny": "given",
    "InvalidToken": "given",
    "Principal": "given",
    "Unavailable": "given",
    "checked_base": "given",
    "checked_flag": "given",
    "checked_host": "given",
    "checked_text": "given",
    "checked_texts": "given",
    "checked_url": "given",
    "keys_at": "given",
    "setting": "given",
    "settings_list": "given",
}

__all__ = [
    "ClientCertificate",
    "ClientCredentials",
    "TokenExchange",
    "OnBehalfOf",
    "ExchangedToken",
    "MutualTLS",
    "DPoPKey",
    "DPoP",
    "Introspection",
    "ApiGateway",
    "Asking",
    "Discovery",
    "Identity",
    "JWKS",
    "KeySet",
    "OIDCProvider",
    "ProtectedResource",
    "TokenProfile",
    "Login",
    "GrantRefused",
    "TokenEndpoint",
    "TokenResponse",
    "named",
    "named_class",
    "Allowed",
    "AskingJSON",
    "AuthkitError",
    "Called",
    "CallingJSON",
    "KeysById",
    "PaddedToken",
    "SharedSecret",
    "hidden",
    "secret_key",
    "TokenInHeader",
    "ConfigurationError",
    "Deny",
    "InvalidToken",
    "Principal",
    "Unavailable",
    "checked_base",
    "checked_flag",
    "checked_host",
    "checked_text",
    "checked_texts",
    "checked_url",
    "keys_at",
    "setting",
    "settings_list",
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
