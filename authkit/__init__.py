"""authkit: guards in front of any handler, the same decision on every host. Each name is loaded on first use."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._chain import chain as chain
    from ._compose import any_of as any_of
    from ._compose import guard as guard
    from ._compose import public as public
    from ._guard import Guard as Guard
    from ._state import current_principal as current_principal
    from .decision import Allow as Allow
    from .decision import Challenge as Challenge
    from .decision import Deny as Deny
    from .decision import Principal as Principal
    from .errors import AuthkitError as AuthkitError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import InvalidCredentials as InvalidCredentials
    from .errors import InvalidSignature as InvalidSignature
    from .errors import InvalidToken as InvalidToken
    from .errors import SecretNotFound as SecretNotFound
    from .errors import Unavailable as Unavailable
    from .guards.access import require as require
    from .guards.access import require_roles as require_roles
    from .guards.access import require_scopes as require_scopes
    from .guards.address import allow_ips as allow_ips
    from .guards.address import deny_ips as deny_ips
    from .guards.api_key import require_api_key as require_api_key
    from .guards.bearer import require_auth as require_auth
    from .guards.rate import rate_limit as rate_limit
    from .guards.signature import require_signature as require_signature
    from .guards.webhook import verify_webhook as verify_webhook
    from .http import Headers as Headers
    from .http import Request as Request
    from .http import Response as Response
    from .tokens import Tokens as Tokens

__version__ = "0.1.0.dev0"

_PLACES = {
    "_compose": ("any_of", "guard", "public"),
    "_chain": ("chain",),
    "_guard": ("Guard",),
    "_state": ("current_principal",),
    "decision": ("Allow", "Challenge", "Deny", "Principal"),
    "errors": (
        "AuthkitError", "ConfigurationError", "InvalidCredentials", "InvalidSignature", "InvalidToken", "SecretNotFound",
        "Unavailable",
    ),
    "guards.access": ("require", "require_roles", "require_scopes"),
    "guards.address": ("allow_ips", "deny_ips"),
    "guards.api_key": ("require_api_key",),
    "guards.bearer": ("require_auth",),
    "guards.rate": ("rate_limit",),
    "guards.signature": ("require_signature",),
    "guards.webhook": ("verify_webhook",),
    "http": ("Headers", "Request", "Response"),
    "tokens": ("Tokens",),
}  # fmt: skip
_MODULES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "Allow",
    "AuthkitError",
    "Challenge",
    "ConfigurationError",
    "Deny",
    "Guard",
    "Headers",
    "InvalidCredentials",
    "InvalidSignature",
    "InvalidToken",
    "Principal",
    "Request",
    "Response",
    "SecretNotFound",
    "Tokens",
    "Unavailable",
    "allow_ips",
    "any_of",
    "chain",
    "current_principal",
    "deny_ips",
    "guard",
    "public",
    "rate_limit",
    "require",
    "require_api_key",
    "require_auth",
    "require_roles",
    "require_scopes",
    "require_signature",
    "verify_webhook",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'authkit' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"authkit.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
