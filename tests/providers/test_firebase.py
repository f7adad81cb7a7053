"""Firebase: ID tokens as its documentation shows them, which are what APIs get, and what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Firebase

from authkit import ConfigurationError

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

PROJECT = "example-1a2b3"
ISSUER = f"https://securetoken.google.com/{PROJECT}"
KEYS = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
NOW = 1_800_000_000  # of the clock
ID = {
    "aud": PROJECT,
    "auth_time": NOW - 4000,
    "user_id": "6Xd0pQ",
    "sub": "6Xd0pQ",
    "name": "Alice",
    "email": "alice@example.com",
    "email_verified": True,
    "firebase": {"identities": {"email": ["alice@example.com"]}, "sign_in_provider": "password"},
}
ANONYMOUS = {**ID, "email": ..., "email_verified": ..., "firebase": {"identities": {}, "sign_in_provider": "anonymous"}}


def of_tenant(tenant: Any) -> dict[str, Any]:
    return {**ID, "firebase": {"identities": {}, "sign_in_provider": "google.com", "tenant": tenant}}


@pytest.fixture
def firebase(clock: Clock) -> Signer:
    return Signer(ISSUER, clock, jwks_uri=KEYS)


@pytest.fixture
def provider(firebase: Signer) -> Firebase:
    return Firebase(PROJECT, **firebase.known)


def test_an_id_token_of_the_project_is_what_its_apis_get(firebase: Signer, provider: Firebase) -> None:
    who = provider.verify(firebase.token(ID, roles=["admin"], scope="everything"))
    assert (who.subject, who.issuer, who.roles, who.scopes) == ("6Xd0pQ", ISSUER, {"admin"}, frozenset())
    identity = provider.identity(who)
    assert (identity.key, identity.tenant, identity.email, identity.name) == (
        (ISSUER, "6Xd0pQ"),
        None,
        "alice@example.com",
        "Alice",
    )


def test_its_keys_are_those_of_the_secure_token_service(firebase: Signer, web: World) -> None:
    provider = Firebase(PROJECT, **firebase.published(web))
    assert provider.verify(firebase.token(ID)).subject == "6Xd0pQ"
    assert web.asked == [KEYS]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({**ID, "aud": "other-1a2b3"}, "token_audience"),
        ({**ID, "aud": "123456789012"}, "token_audience"),
        ({**ID, "iss": "https://securetoken.google.com/other-1a2b3"}, "token_issuer"),
        ({**ID, "iss": f"https://session.firebase.google.com/{PROJECT}"}, "token_issuer"),  # a session cookie
        ({**ID, "iss": "firebase-adminsdk@example-1a2b3.iam.gserviceaccount.com"}, "token_issuer"),  # a custom token
        ({**ID, "iss": "https://accounts.google.com"}, "token_issuer"),
        ({**ID, "firebase": ...}, "token_rule"),
        ({**ID, "firebase": {}}, "token_rule"),
        ({**ID, "firebase": "password"}, "token_rule"),
        ({**ID, "firebase": {"sign_in_provider": ""}}, "token_rule"),
        ({**ID, "firebase": {"sign_in_provider": ["password"]}}, "token_rule"),
        ({**ID, "auth_time": ...}, "token_rule"),
        ({**ID, "auth_time": "1"}, "token_rule"),
        ({**ID, "auth_time": True}, "token_rule"),
        ({**ID, "auth_time": 0}, "token_rule"),
        ({**ID, "auth_time": NOW + 1}, "token_rule"),  # signed in after it was issued
        ({**ID, "iat": ...}, "token_rule"),
        ({**ID, "sub": ""}, "token_claims"),
        ({**ID, "sub": "u" * 129}, "token_rule"),
        ({**ID, "events": {}}, "token_type"),
        (ANONYMOUS, "token_rule"),
        (of_tenant("acme-x1"), "token_type"),
    ],
)
def test_whatever_is_no_id_token_of_somebody_in_this_project_is_refused(
    firebase: Signer, provider: Firebase, claims: dict[str, Any], why: str
) -> None:
    assert reason(provider, firebase.token(claims)) == why


@pytest.mark.parametrize("header", [{}, {"typ": "at+jwt"}, {"typ": "logout+jwt"}])
def test_another_type_in_the_header_is_refused(firebase: Signer, provider: Firebase, header: dict[str, str]) -> None:
    assert reason(provider, firebase.token(ID, header)) == "token_type"


def test_a_refresh_token_is_opaque(provider: Firebase) -> None:
    assert reason(provider, "AMf-vBxT2n4Gt") == "token_malformed"


def test_who_signed_in_anonymously_is_let_in_only_by_name(firebase: Signer) -> None:
    assert Firebase(PROJECT, anonymous=True, **firebase.known).verify(firebase.token(ANONYMOUS)).subject == "6Xd0pQ"


def test_a_tenant_is_one_of_those_that_are_named(firebase: Signer) -> None:
    provider = Firebase(PROJECT, tenants=["acme-x1", "beta-y2"], **firebase.known)
    who = provider.verify(firebase.token(of_tenant("beta-y2")))
    assert provider.identity(who).tenant == "beta-y2"
    for claims in (of_tenant("evil-z3"), of_tenant(["beta-y2"]), of_tenant(...) | {"firebase": {"sign_in_provider": "x"}}, ID):
        assert reason(provider, firebase.token(claims)) == "token_type"


def test_custom_claims_are_roles_only_as_an_array(firebase: Signer, provider: Firebase) -> None:
    who = provider.verify(firebase.token(ID, roles="admin", groups="staff", admin=True))
    assert (who.roles, provider.identity(who).groups) == (frozenset(), frozenset())
    who = provider.verify(firebase.token(ID, groups=["staff"]))
    assert provider.identity(who).groups == {"staff"}


@pytest.mark.parametrize("mark", [False, "false", ..., 1, None])
def test_an_address_that_is_not_verified_is_none(firebase: Signer, provider: Firebase, mark: Any) -> None:
    identity = provider.identity(provider.verify(firebase.token(ID, email_verified=mark)))
    assert (identity.email, identity.unverified_email) == (None, "alice@example.com")


@pytest.mark.parametrize("project", ["", "123456789012", ISSUER, "Example", "a/b", None])
def test_a_project_is_named_by_its_id(project: Any) -> None:
    with pytest.raises(ConfigurationError, match="Firebase: project_id"):
        Firebase(project)


@pytest.mark.parametrize("anonymous", ["false", 1, None])
def test_a_switch_is_true_or_false(anonymous: Any) -> None:
    with pytest.raises(ConfigurationError, match="Firebase: anonymous"):
        Firebase(PROJECT, anonymous=anonymous)


@pytest.mark.parametrize("tenants", [["a b"], [""], 7])
def test_a_wrong_tenant_is_refused(tenants: Any) -> None:
    with pytest.raises(ConfigurationError, match="Firebase: tenants"):
        Firebase(PROJECT, tenants=tenants)
