"""A guard over a whole WSGI app, whatever it is made of. Run it: gunicorn examples.wsgi_middleware:app"""

from __future__ import annotations

from typing import Any

from authkit import Tokens, chain, current_principal, require_auth
from authkit.secrets import Environment, Secrets

secrets = Secrets(Environment())
tokens = Tokens(secrets["JWT_SECRET"], issuer="https://login.example.com", audience="https://api.example.com")


def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    principal = current_principal()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"Hello, {principal.subject if principal else 'whoever you are'}.".encode()]


app = chain(require_auth(tokens)).except_for("/health")(inner)
