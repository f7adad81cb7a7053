"""What makes a token one that is accepted is required of it: gone, or of another kind, it is refused, one claim at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Auth0, Clerk, Cognito, Firebase, Google, Keycloak, Okta, Supabase

from . import test_auth0, test_clerk, test_cognito, test_firebase, test_google, test_keycloak, test_okta, test_supabase
from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.oidc import OIDCProvider
    from authkit.testing import Clock

JUNK: list[Any] = [
    None,
    "",
    " ",
    "x",
    0,
    1,
    -1,
    1.5,
    True,
    False,
    [],
    [None],
    [[]],
    {},
    {"a": {}},
    ["x"] * 50,
    "\x00",
    "a" * 300,
]

# The provider, its issuer, a good token's claims, and which of them it cannot be without.
ROWS: dict[str, tuple[Any, str, dict[str, Any], tuple[str, ...]]] = {
    "auth0": (
        lambda known: Auth0("example.eu.auth0.com", audience=test_auth0.API, organizations="org_acme", **known),
        test_auth0.ISSUER,
        {**test_auth0.ACCESS, "org_id": "org_acme"},
        ("iss", "aud", "exp", "org_id"),
    ),
    "okta": (
        lambda known: Okta("example.okta.com", audience=test_okta.API, **known),
        test_okta.ISSUER,
        test_okta.ACCESS,
        ("iss", "aud", "exp"),
    ),
    "cognito": (
        lambda known: Cognito(test_cognito.POOL, client_id=test_cognito.CLIENT, **known),
        test_cognito.ISSUER,
        test_cognito.ACCESS,
        ("iss", "client_id", "token_use", "exp"),
    ),
    "firebase": (
        lambda known: Firebase(test_firebase.PROJECT, **known),
        test_firebase.ISSUER,
        test_firebase.ID,
        ("iss", "aud", "exp", "firebase"),
    ),
    "google": (
        lambda known: Google(test_google.CLIENT, hosted_domain="example.com", **known),
        test_google.ISSUER,
        {**test_google.ID, "hd": "example.com"},
        ("iss", "aud", "exp", "hd"),
    ),
    "keycloak": (
        lambda known: Keycloak(test_keycloak.REALM, audience="orders", **known),
        test_keycloak.REALM,
        test_keycloak.ACCESS,
        ("iss", "aud", "exp", "typ"),
    ),
    "supabase": (
        lambda known: Supabase(test_supabase.URL, **known),
        test_supabase.ISSUER,
        test_supabase.ACCESS,
        ("iss", "aud", "exp", "role"),
    ),
    "clerk": (
        lambda known: Clerk(test_clerk.FRONTEND, authorized_parties=test_clerk.APP, **known),
        test_clerk.FRONTEND,
        test_clerk.SESSION,
        ("iss", "azp", "exp"),
    ),
}


@pytest.fixture(params=sorted(ROWS))
def row(request: pytest.FixtureRequest, clock: Clock) -> tuple[OIDCProvider, Signer, dict[str, Any], tuple[str, ...]]:
    made, issuer, claims, marks = ROWS[request.param]
    signer = Signer(issuer, clock)
    return made(signer.known), signer, claims, marks


def test_without_one_of_them_no_token_is_accepted(
    row: tuple[OIDCProvider, Signer, dict[str, Any], tuple[str, ...]],
) -> None:
    provider, signer, claims, marks = row
    provider.verify(signer.token(claims))
    for mark in marks:
        assert reason(provider, signer.token(claims, **{mark: ...})).startswith("token_")


def test_with_another_in_its_place_no_token_is_accepted(
    row: tuple[OIDCProvider, Signer, dict[str, Any], tuple[str, ...]],
) -> None:
    provider, signer, claims, marks = row
    for mark in marks:
        for junk in JUNK:
            assert reason(provider, signer.token(claims, **{mark: junk})).startswith("token_")


def test_whatever_stands_anywhere_is_refused_or_gives_no_role(
    row: tuple[OIDCProvider, Signer, dict[str, Any], tuple[str, ...]],
) -> None:
    """Nothing that is signed raises anything but `InvalidToken`, and junk is nobody's role."""
    from authkit import InvalidToken

    provider, signer, claims, _ = row
    places = [*claims, "roles", "groups", "o", "app_metadata", "realm_access", "resource_access", "cnf", "scope", "scp"]
    refused = 0
    for place in dict.fromkeys(places):
        for junk in JUNK:
            try:
                who = provider.verify(signer.token(claims, **{place: junk}))
            except InvalidToken:
                refused += 1
                continue
            assert type(who.subject) is str
            assert who.roles <= {"x", "staff", "offline_access", "admin"}
            provider.identity(who)
    assert refused > len(JUNK)
