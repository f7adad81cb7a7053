"""Logins as users type them: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type

from authkit import Principal, Request, require_auth
from authkit.endpoint import Endpoint
from authkit.oidc import DPoPKey, Login, OIDCProvider, TokenEndpoint, TokenResponse
from authkit.secrets import Secret
from authkit.stores import MemoryStore

provider = OIDCProvider("https://i.example", audience="https://a.example")
login = provider.login(
    client_id="web", client_secret=Secret.of("s"), redirect_uri="https://s.example/callback", session_key="k"
)
same = Login(provider, client_id="web", redirect_uri="https://s.example/callback", session_key="k", store=MemoryStore())


def of_endpoints() -> None:
    assert_type(login, Login)
    assert_type(login.start, Endpoint)
    assert_type(login.callback, Endpoint)
    assert_type(login.logout, Endpoint)
    assert_type(login.backchannel_logout, Endpoint)
    assert_type(login.app, Endpoint)
    assert_type(login.start_with(max_age=300, acr_values=["gold"], prompt="login"), Endpoint)
    Login(provider, client_id="web", session_key="k")  # type: ignore[call-arg]
    login.start_with(state="mine")  # type: ignore[call-arg]


@require_auth(login.session)
def page(request: Request, principal: Principal) -> str:
    assert_type(login.access_token(request), str | None)
    assert_type(login.userinfo("token", principal.subject), Mapping[str, Any])
    return principal.subject


@require_auth(login.session, same.session, provider, optional=True)
async def either(request: Request) -> str | None:
    return await login.aaccess_token(request)


def of_token_endpoints() -> None:
    endpoint = TokenEndpoint(provider, "web", "s", method="client_secret_post", dpop=DPoPKey())
    assert_type(endpoint.post("client_credentials", scope="a", resource=["https://a", "https://b"]), TokenResponse)
    assert_type(endpoint.client_id, str)
