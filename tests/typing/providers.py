"""Providers as users type them: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from typing import assert_type

from authkit_providers import Auth0, Clerk, Cognito, Firebase, Google, Keycloak, Okta, Supabase

from authkit import Principal, Request, Response, require_auth, require_roles
from authkit.oidc import Identity
from authkit.secrets import Secret

auth0 = Auth0("example.eu.auth0.com", audience="https://api.example.com", organizations=["org_acme"], leeway=5)
firebase = Firebase("example-1a2b3", tenants=["acme"], anonymous=True)


@require_auth(auth0, firebase)
@require_roles("admin")
def handler(request: Request, principal: Principal) -> Response:
    assert_type(auth0.identity(principal), Identity)
    assert_type(auth0.identity(principal).key, tuple[str, str])
    assert_type(auth0.identity(principal).email, str | None)
    return Response(200, {}, b"")


def of_what_is_typed() -> None:
    assert_type(auth0.verify("t"), Principal)
    assert_type(handler(Request.build(), auth0.verify("t")), Response)
    assert_type(Okta.from_settings({"AUTHKIT_OKTA_DOMAIN": "example.okta.com"}.get), Okta)
    Cognito("eu-west-1_a", client_id=["a", "b"], token_use="id", roles=["cognito:groups"])
    Google(["1-a.apps.googleusercontent.com"], hosted_domain="example.com")
    Keycloak("https://id.example.com/realms/main", audience="orders", client="orders")
    Supabase("https://a.supabase.co", jwt_secret=Secret.of("s" * 32))
    Clerk("https://clerk.example.com", authorized_parties="https://app.example.com")
    Auth0("example.eu.auth0.com")  # type: ignore[call-arg]
    Cognito("eu-west-1_a", client_id="a", token_use="both")  # type: ignore[arg-type]
    Clerk("https://clerk.example.com")  # type: ignore[call-arg]
    Firebase(7)  # type: ignore[arg-type]
