"""What users' own tests import: a clock to move, tokens good and bad, an issuer to ask, every host's calls, open routes found.

Each name is loaded on first use: pytest loads this package at its start, for the plugin (`authkit.testing.pytest_plugin`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._acting import as_principal as as_principal
    from ._bad_oidc import BAD_OIDC_TOKENS as BAD_OIDC_TOKENS
    from ._bad_tokens import BAD_TOKENS as BAD_TOKENS
    from ._calls import asgi_scope as asgi_scope
    from ._calls import wsgi_environ as wsgi_environ
    from ._clock import Clock as Clock
    from ._events import LambdaContext as LambdaContext
    from ._events import lambda_event as lambda_event
    from ._issuer import FakeIssuer as FakeIssuer
    from ._mint import TokenMint as TokenMint
    from ._routes import OpenRoute as OpenRoute
    from ._routes import open_routes as open_routes
    from ._webhooks import WebhookSender as WebhookSender

_PLACES = {
    "BAD_OIDC_TOKENS": "_bad_oidc", "BAD_TOKENS": "_bad_tokens", "Clock": "_clock", "FakeIssuer": "_issuer",
    "LambdaContext": "_events", "OpenRoute": "_routes", "TokenMint": "_mint", "WebhookSender": "_webhooks",
    "as_principal": "_acting", "asgi_scope": "_calls", "lambda_event": "_events", "open_routes": "_routes",
    "wsgi_environ": "_calls",
}  # fmt: skip

__all__ = [
    "BAD_OIDC_TOKENS",
    "BAD_TOKENS",
    "Clock",
    "FakeIssuer",
    "LambdaContext",
    "OpenRoute",
    "TokenMint",
    "WebhookSender",
    "as_principal",
    "asgi_scope",
    "lambda_event",
    "open_routes",
    "wsgi_environ",
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
