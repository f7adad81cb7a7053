"""Clerk: session tokens, version 2, as its documentation shows them, and what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Clerk

from authkit import ConfigurationError

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

FRONTEND = "https://clerk.example.com"
APP = "https://app.example.com"
USER = "user_2NNEqL2nrIRdJ194ndJqAHwEfxC"
SESSION_HEADER = {"typ": "JWT", "cat": "cl_B7d4PD111AAA"}
SESSION = {
    "azp": APP,
    "fva": [7, -1],
    "jti": "1234567890",
    "sid": "sess_123",
    "sub": USER,
    "v": 2,
    "sts": "active",
    "pla": "u:free",
}
ORGANIZATION = {"id": "org_123", "slg": "acme", "rol": "admin", "per": "read,manage", "fpm": "3,2"}
# A JWT template's, a machine's, and an OAuth application's access token.
TEMPLATE = {"azp": APP, "aud": "hasura", "jti": "j", "sub": USER}
MACHINE = {"jti": "mt_1", "sub": "mch_2xKa9Bgv7NxMRDFyQw8LpZ3cTmU", "scopes": "mch_1"}
OAUTH = {"client_id": "c", "jti": "oat_1", "sub": USER, "scope": "openid email"}
ID = {"aud": "c", "sub": USER, "at_hash": "a", "nonce": "n", "email": "alice@example.com", "email_verified": True}


@pytest.fixture
def clerk(clock: Clock) -> Signer:
    return Signer(FRONTEND, clock)


@pytest.fixture
def provider(clerk: Signer) -> Clerk:
    return Clerk(FRONTEND, authorized_parties=[APP, "http://localhost:3000"], **clerk.known)


def test_a_session_token_of_our_application_is_accepted(clerk: Signer, provider: Clerk) -> None:
    who = provider.verify(clerk.token(SESSION, SESSION_HEADER))
    assert (who.subject, who.issuer, who.roles, who.scopes) == (USER, FRONTEND, frozenset(), frozenset())
    assert provider.identity(who).tenant is None


def test_the_active_organization_is_the_tenant_and_gives_the_role(clerk: Signer, provider: Clerk) -> None:
    who = provider.verify(clerk.token(SESSION, SESSION_HEADER, o=ORGANIZATION))
    assert (who.roles, provider.identity(who).tenant) == ({"admin"}, "org_123")
    who = provider.verify(clerk.token(SESSION, o={"id": ["org_123"], "rol": ["admin"]}))
    assert (who.roles, provider.identity(who).tenant) == (frozenset(), None)


def test_what_version_1_says_of_an_organization_is_no_role(clerk: Signer, provider: Clerk) -> None:
    claims = {**SESSION, "v": ..., "sts": ..., "org_id": "org_123", "org_role": "org:admin"}
    assert provider.verify(clerk.token(claims)).roles == frozenset()


def test_its_keys_are_at_the_frontend_api(clerk: Signer, web: World) -> None:
    provider = Clerk(FRONTEND, authorized_parties=APP, **clerk.published(web))
    assert provider.verify(clerk.token(SESSION)).subject == USER
    assert web.asked == [f"{FRONTEND}/.well-known/jwks.json"]


@pytest.mark.parametrize(
    ("claims", "header", "why"),
    [
        (TEMPLATE, {"typ": "JWT", "cat": "cl_B7d4PD222AAA"}, "token_rule"),
        (MACHINE, {"typ": "JWT", "cat": "cl_B7d4PD333AAA"}, "token_audience"),
        ({**MACHINE, "azp": APP, "sid": "s"}, SESSION_HEADER, "token_rule"),
        (OAUTH, {"typ": "at+jwt"}, "token_type"),
        (OAUTH, SESSION_HEADER, "token_audience"),
        (ID, SESSION_HEADER, "token_type"),
        ({**ID, "azp": APP, "at_hash": ..., "nonce": ...}, SESSION_HEADER, "token_rule"),
        ({**SESSION, "events": {}}, {"typ": "logout+jwt"}, "token_type"),
        (SESSION, {}, "token_type"),
        ({**SESSION, "azp": ...}, SESSION_HEADER, "token_audience"),
        ({**SESSION, "azp": "https://evil.example"}, SESSION_HEADER, "token_audience"),
        ({**SESSION, "azp": f"{APP}/"}, SESSION_HEADER, "token_audience"),
        ({**SESSION, "azp": ["https://evil.example"]}, SESSION_HEADER, "token_audience"),
        ({**SESSION, "azp": [APP]}, SESSION_HEADER, "token_rule"),
        ({**SESSION, "sts": "pending"}, SESSION_HEADER, "token_rule"),
        ({**SESSION, "sts": None}, SESSION_HEADER, "token_rule"),
        ({**SESSION, "sid": ...}, SESSION_HEADER, "token_rule"),
        ({**SESSION, "sid": ""}, SESSION_HEADER, "token_rule"),
        ({**SESSION, "sub": "alice"}, SESSION_HEADER, "token_rule"),
        ({**SESSION, "iss": "https://other.clerk.accounts.dev"}, SESSION_HEADER, "token_issuer"),
        ({**SESSION, "iss": f"{FRONTEND}/"}, SESSION_HEADER, "token_issuer"),
    ],
)
def test_whatever_is_no_session_of_a_person_in_our_application_is_refused(
    clerk: Signer, provider: Clerk, claims: dict[str, Any], header: dict[str, str], why: str
) -> None:
    assert reason(provider, clerk.token(claims, header)) == why


def test_keys_and_machine_tokens_that_are_opaque_are_refused_before_anybody_is_asked(clerk: Signer, web: World) -> None:
    provider = Clerk(FRONTEND, authorized_parties=APP, **clerk.published(web))
    for token in ("ak_3beecc9c60adb5f9b850e91a8ee1e992", "mt_8XOIucKvqHVr5tYP123456789abcdefghij", "oat_0ef5a7a33d87ed87"):
        assert reason(provider, token) == "token_malformed"
    assert web.asked == []


def test_a_token_that_names_no_origin_is_let_in_only_by_the_name_of_the_danger(clerk: Signer) -> None:
    provider = Clerk(FRONTEND, authorized_parties=["myapp://callback"], insecure_without_party=True, **clerk.known)
    assert provider.verify(clerk.token({**SESSION, "azp": ...})).subject == USER
    assert provider.verify(clerk.token({**SESSION, "azp": "myapp://callback"})).subject == USER
    assert reason(provider, clerk.token(SESSION)) == "token_rule"  # the origin of a page that is not ours
    assert reason(provider, clerk.token({**SESSION, "azp": None})) == "token_rule"
    assert reason(provider, clerk.token({**TEMPLATE, "azp": ...})) == "token_rule"


def test_claims_that_the_token_was_customized_with_are_roles_by_name(clerk: Signer) -> None:
    provider = Clerk(FRONTEND, authorized_parties=APP, roles=["metadata.roles"], groups=["metadata.groups"], **clerk.known)
    who = provider.verify(clerk.token(SESSION, metadata={"roles": ["editor"], "groups": ["staff"]}, o=ORGANIZATION))
    assert (who.roles, provider.identity(who).groups) == ({"editor", "admin"}, {"staff"})
    who = provider.verify(clerk.token(SESSION, metadata={"roles": "editor", "groups": "staff"}))
    assert (who.roles, provider.identity(who).groups) == (frozenset(), frozenset())


def test_who_impersonates_stands_in_the_claims(clerk: Signer, provider: Clerk) -> None:
    who = provider.verify(
        clerk.token(SESSION, act={"iss": "https://dashboard.clerk.com", "sid": "sess_456", "sub": "user_456"})
    )
    assert (who.subject, who.claims["act"]["sub"]) == (USER, "user_456")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"frontend_api": "clerk.example.com"}, "frontend_api"),
        ({"frontend_api": f"{FRONTEND}/v1"}, "frontend_api"),
        ({"frontend_api": "http://clerk.example.com"}, "frontend_api"),
        ({"authorized_parties": []}, "authorized_parties"),
        ({"authorized_parties": ()}, "authorized_parties"),
        ({"authorized_parties": f"{APP}/"}, "authorized_parties"),
        ({"authorized_parties": "app.example.com"}, "authorized_parties"),
        ({"authorized_parties": "*"}, "authorized_parties"),
        ({"insecure_without_party": "false"}, "insecure_without_party"),
    ],
)
def test_a_wrong_literal_is_refused_by_the_name_of_its_setting(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Clerk: {named}"):
        Clerk(**{"frontend_api": FRONTEND, "authorized_parties": APP, **settings})


@pytest.mark.parametrize("setting", ["roles", "groups"])
def test_no_role_is_taken_from_what_users_write_themselves(setting: str) -> None:
    settings: dict[str, Any] = {setting: ["unsafe_metadata.x"]}
    with pytest.raises(ConfigurationError, match="users write themselves"):
        Clerk("https://clerk.example.com", authorized_parties="https://app.example.com", **settings)
