"""Keycloak: the tokens of a realm as it writes them, and what is no access token for this client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Keycloak

from authkit import ConfigurationError
from tests.oidc.issuer import issuer

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

REALM = "https://id.example.com/realms/main"
USER = "f7b3c4d5-0a1b-4c2d-8e3f-a9b8c7d6e5f4"
COMMON = {"jti": "j", "sub": USER, "azp": "web", "sid": "s", "acr": "1"}
ACCESS = {
    **COMMON,
    "typ": "Bearer",
    "aud": ["orders", "account"],
    "realm_access": {"roles": ["offline_access", "staff"]},
    "resource_access": {"orders": {"roles": ["orders-admin"]}, "account": {"roles": ["manage-account"]}},
    "scope": "openid profile email",
    "email": "alice@example.com",
    "email_verified": True,
    "name": "Alice",
}
ID = {**COMMON, "typ": "ID", "aud": "web", "nonce": "n", "at_hash": "a", "email": "alice@example.com"}
REFRESH = {**COMMON, "typ": "Refresh", "aud": REALM, "scope": "openid"}
LOGOUT = {"typ": "Logout", "aud": "web", "sub": USER, "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}


@pytest.fixture
def keycloak(clock: Clock) -> Signer:
    return Signer(REALM, clock)


@pytest.fixture
def provider(keycloak: Signer) -> Keycloak:
    return Keycloak(REALM, audience="orders", **keycloak.known)


@pytest.mark.parametrize("typ", ["JWT", "at+jwt"])
def test_an_access_token_is_accepted_with_the_roles_of_the_realm_alone(keycloak: Signer, provider: Keycloak, typ: str) -> None:
    who = provider.verify(keycloak.token(ACCESS, {"typ": typ}))
    assert (who.subject, who.issuer) == (USER, REALM)
    assert who.roles == {"offline_access", "staff"}
    assert who.scopes == {"openid", "profile", "email"}


def test_its_keys_are_found_below_the_realm(clock: Clock) -> None:
    with issuer("/auth/realms/main", clock) as op:
        provider = Keycloak(op.url, audience="orders", clock=clock, monotonic=clock, timeout=30)
        token = op.token({"typ": "JWT", "alg": "ES256", "kid": "one"}, **{**ACCESS, "aud": "orders"})
        assert provider.verify(token).issuer == op.url
        assert (op.asked("/.well-known/openid-configuration"), op.asked("/jwks")) == (1, 1)


@pytest.mark.parametrize("claims", [ID, REFRESH, {**REFRESH, "typ": "Offline"}, LOGOUT, {**ID, "typ": "Serialized-ID"}])
def test_every_other_kind_of_token_is_refused_even_if_it_is_made_out_to_this_client(
    keycloak: Signer, provider: Keycloak, claims: dict[str, Any]
) -> None:
    assert reason(provider, keycloak.token(claims)) == "token_type"
    assert reason(provider, keycloak.token({**claims, "aud": "orders"})) == "token_type"


@pytest.mark.parametrize(
    ("claims", "header", "why"),
    [
        ({**ACCESS, "typ": ...}, {"typ": "JWT"}, "token_type"),
        ({**ACCESS, "typ": "bearer"}, {"typ": "JWT"}, "token_type"),
        ({**ACCESS, "typ": ["Bearer"]}, {"typ": "JWT"}, "token_type"),
        (ACCESS, {"typ": "logout+jwt"}, "token_type"),
        (ACCESS, {}, "token_type"),
        ({**ACCESS, "aud": "account"}, {"typ": "JWT"}, "token_audience"),
        ({**ACCESS, "aud": ..., "azp": "orders"}, {"typ": "JWT"}, "token_audience"),
        ({**ACCESS, "iss": "https://id.example.com/realms/other"}, {"typ": "JWT"}, "token_issuer"),
        ({**ACCESS, "iss": f"{REALM}/"}, {"typ": "JWT"}, "token_issuer"),
        ({**ACCESS, "iss": "https://id.example.com/auth/realms/main"}, {"typ": "JWT"}, "token_issuer"),
        ({**ACCESS, "sub": ...}, {"typ": "JWT"}, "token_claims"),
        ({**ACCESS, "typ": "DPoP"}, {"typ": "JWT"}, "token_rule"),
        ({**ACCESS, "typ": "DPoP", "cnf": {"jkt": "t"}}, {"typ": "JWT"}, "token_bound"),
    ],
)
def test_whatever_is_no_access_token_for_this_client_is_refused(
    keycloak: Signer, provider: Keycloak, claims: dict[str, Any], header: dict[str, str], why: str
) -> None:
    assert reason(provider, keycloak.token(claims, header)) == why


class TestRoles:
    def test_of_a_client_count_for_the_one_that_is_named(self, keycloak: Signer) -> None:
        provider = Keycloak(REALM, audience="orders", client="orders", **keycloak.known)
        assert provider.verify(keycloak.token(ACCESS)).roles == {"offline_access", "staff", "orders-admin"}

    def test_of_a_client_whose_name_holds_dots_are_its_own(self, keycloak: Signer) -> None:
        provider = Keycloak(REALM, audience="orders", client="api.orders", **keycloak.known)
        access = {"api.orders": {"roles": ["a"]}, "api": {"orders": {"roles": ["b"]}}}
        assert provider.verify(keycloak.token({**ACCESS, "resource_access": access, "realm_access": ...})).roles == {"a"}

    def test_in_a_claim_of_a_literal_name_are_none(self, keycloak: Signer, provider: Keycloak) -> None:
        claims = {**ACCESS, "realm_access": ..., "realm_access.roles": ["admin"], "roles": ["admin"]}
        assert provider.verify(keycloak.token(claims)).roles == frozenset()

    @pytest.mark.parametrize("said", ["admin", {"admin": True}, [["admin"]], ["admin", 7], 7])
    def test_that_are_no_array_of_text_are_none(self, keycloak: Signer, provider: Keycloak, said: Any) -> None:
        who = provider.verify(keycloak.token({**ACCESS, "realm_access": {"roles": said}, "groups": said}))
        assert (who.roles, provider.identity(who).groups) == (frozenset(), frozenset())


def test_groups_have_their_path_and_are_no_roles(keycloak: Signer, provider: Keycloak) -> None:
    who = provider.verify(keycloak.token(ACCESS, groups=["/staff/admins"]))
    assert provider.identity(who).groups == {"/staff/admins"}
    assert "/staff/admins" not in who.roles


def test_a_tenant_is_the_claim_that_is_named(keycloak: Signer) -> None:
    provider = Keycloak(REALM, audience="orders", tenant="tenant", **keycloak.known)
    assert provider.identity(provider.verify(keycloak.token(ACCESS, tenant="acme"))).tenant == "acme"
    assert provider.identity(provider.verify(keycloak.token(ACCESS, tenant=["acme"]))).tenant is None


@pytest.mark.parametrize("mark", [False, ..., "yes", None])
def test_an_address_that_is_not_verified_is_none(keycloak: Signer, provider: Keycloak, mark: Any) -> None:
    identity = provider.identity(provider.verify(keycloak.token({**ACCESS, "email_verified": mark})))
    assert (identity.email, identity.unverified_email) == (None, "alice@example.com")


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example.com",
        "https://id.example.com/realms/",
        "http://id.example.com/realms/main",
        "id.example.com/realms/main",
        f"{REALM}/protocol/openid-connect",
        f"{REALM}?a=b",
        None,
    ],
)
def test_a_realm_is_an_https_url_that_ends_in_its_name(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="Keycloak: realm_url"):
        Keycloak(url, audience="orders")


def test_a_slash_at_the_end_of_the_realm_is_dropped() -> None:
    assert Keycloak(f"{REALM}/", audience="orders").issuer == REALM


def test_an_audience_that_the_tokens_of_every_client_name_is_refused() -> None:
    for audience in ("account", ["orders", "account"], iter(["account"])):
        with pytest.raises(ConfigurationError, match="every client"):
            Keycloak(REALM, audience=audience)
