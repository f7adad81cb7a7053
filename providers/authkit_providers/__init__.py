"""One file per identity provider: what is peculiar to each, as settings of `authkit.oidc`. Each is loaded on first use."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .alb_oidc import AlbOidc as AlbOidc
    from .apple import Apple as Apple
    from .auth0 import Auth0 as Auth0
    from .azure_b2c import AzureB2C as AzureB2C
    from .clerk import Clerk as Clerk
    from .cognito import Cognito as Cognito
    from .entra import Entra as Entra
    from .firebase import Firebase as Firebase
    from .github import GitHub as GitHub
    from .github_actions import GitHubActions as GitHubActions
    from .gitlab import GitLab as GitLab
    from .google import Google as Google
    from .keycloak import Keycloak as Keycloak
    from .netlify_identity import NetlifyIdentity as NetlifyIdentity
    from .okta import Okta as Okta
    from .supabase import Supabase as Supabase

_PLACES = {
    "AlbOidc": "alb_oidc",
    "Apple": "apple",
    "Auth0": "auth0",
    "AzureB2C": "azure_b2c",
    "Clerk": "clerk",
    "Cognito": "cognito",
    "Entra": "entra",
    "Firebase": "firebase",
    "GitHub": "github",
    "GitHubActions": "github_actions",
    "GitLab": "gitlab",
    "Google": "google",
    "Keycloak": "keycloak",
    "NetlifyIdentity": "netlify_identity",
    "Okta": "okta",
    "Supabase": "supabase",
}

__all__ = [
    "AlbOidc",
    "Apple",
    "Auth0",
    "AzureB2C",
    "Clerk",
    "Cognito",
    "Entra",
    "Firebase",
    "GitHub",
    "GitHubActions",
    "GitLab",
    "Google",
    "Keycloak",
    "NetlifyIdentity",
    "Okta",
    "Supabase",
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
