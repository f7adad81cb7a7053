"""An API Gateway Lambda authorizer: the gateway asks it once, and calls the functions behind it only if it allows.

Its answer may be cached for the whole stage, so what it asks must not depend on the route: it asks who is calling, and for one
scope. What depends on the route is asked by a guard on the function itself.
"""

from __future__ import annotations

from authkit import Tokens, chain, require_auth, require_scopes
from authkit.secrets import Environment, Secrets

secrets = Secrets(Environment())
tokens = Tokens(secrets["JWT_SECRET"], issuer="https://login.example.com", audience="https://api.example.com")

handler = chain(require_auth(tokens), require_scopes("api")).authorizer()
