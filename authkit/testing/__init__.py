"""What users' own tests import: a clock to move, tokens good and bad, every host's calls, a principal, open routes found."""

from __future__ import annotations

from ._acting import as_principal
from ._bad_tokens import BAD_TOKENS
from ._calls import asgi_scope, wsgi_environ
from ._clock import Clock
from ._events import LambdaContext, lambda_event
from ._mint import TokenMint
from ._routes import OpenRoute, open_routes
from ._webhooks import WebhookSender

__all__ = [
    "BAD_TOKENS",
    "Clock",
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
