"""Adapters, gateway and metadata as users write them; checked and never run."""

from __future__ import annotations

from typing import Any, assert_type

from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.authentication import AuthenticationBackend
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware

from authkit import Principal, Response, require_auth
from authkit.adapters.django import TokenBackend, UserMiddleware, username_of
from authkit.adapters.drf import GuardAuthentication
from authkit.adapters.flask_login import request_loader
from authkit.adapters.mcp import McpTokenVerifier
from authkit.adapters.starlette import GuardBackend
from authkit.oidc import ApiGateway, OIDCProvider, ProtectedResource

provider = OIDCProvider("https://issuer.example", audience="https://api.example.com/mcp")
metadata = ProtectedResource("https://api.example.com/mcp", provider, scopes=["a"], initial_scopes=["a"])


@require_auth(provider, resource=metadata)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return {}


assert_type(handler({}, None), dict[str, Any])
assert_type(metadata.path, str)


@require_auth(
    ApiGateway.jwt(issuer="https://issuer.example", audience=["a", "b"]),
    ApiGateway.cognito(pool="eu-west-1_Abc", client_id="c"),
    ApiGateway.iam(accounts=["111122223333"]),
    ApiGateway.custom(issuer="https://issuer.example"),
)
async def behind(event: dict[str, Any], context: object, principal: Principal | None = None) -> Response:
    return Response(200)


backend: AuthenticationBackend = GuardBackend(provider, realm="x")
middleware = Middleware(AuthenticationMiddleware, backend=backend, on_error=GuardBackend.on_error)
verifier: TokenVerifier = McpTokenVerifier(require_auth(provider))
loader = request_loader(provider, load=lambda principal: principal.subject)


async def verified() -> AccessToken | None:
    return await verifier.verify_token("x")


class Users(TokenBackend):
    guard = require_auth(provider)
    create_users = True

    def find_user(self, principal: Principal) -> object:
        return username_of(principal)


class Middle(UserMiddleware):
    backend = Users


class Tokens(GuardAuthentication):
    guard = provider
    users = Users
