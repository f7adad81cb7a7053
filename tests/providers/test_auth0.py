"""Auth0: access tokens in both of its profiles, as its documentation shows them, and what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Auth0

from authkit import ConfigurationError

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

ISSUER = "https://example.eu.auth0.com/"
API = "https://api.example.com"
CLIENT = "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja"
ALICE = {"sub": "auth0|6553da60a54af58e29493993"}
ACCESS = {**ALICE, "aud": [API, f"{ISSUER}userinfo"], "azp": CLIENT, "scope": "openid profile read:patients"}
RFC9068 = {**ALICE, "aud": API, "client_id": CLIENT, "scope": "read:patients", "jti": "73WakrfVbNJBaAmhQtEeDv"}
MACHINE = {"sub": f"{CLIENT}@clients", "aud": API, "azp": CLIENT, "scope": "read:patients", "gty": "client-credentials"}
ID = {**ALICE, "aud": CLIENT, "nonce": "n-0S6_WzA2Mj", "sid": "s", "email": "alice@example.com", "email_verified": True}


@pytest.fixture
def auth0(clock: Clock) -> Signer:
    return Signer(ISSUER, clock)


@pytest.fixture
def provider(auth0: Signer) -> Auth0:
    return Auth0("example.eu.auth0.com", audience=API, **auth0.known)


def test_an_access_token_of_its_own_profile_is_accepted(auth0: Signer, provider: Auth0) -> None:
    who = provider.verify(auth0.token(ACCESS, permissions=["read:patients", "delete:patients"]))
    assert (who.subject, who.issuer) == (ALICE["sub"], ISSUER)
    assert who.scopes == {"openid", "profile", "read:patients"}  # and not what alice may do beyond that
    assert who.roles == frozenset()


def test_its_keys_are_found_under_the_issuer_with_the_slash(auth0: Signer, web: World) -> None:
    provider = Auth0("Example.EU.auth0.com", audience=API, **auth0.published(web))
    assert provider.verify(auth0.token(ACCESS)).issuer == ISSUER
    assert web.asked == [f"{ISSUER}.well-known/openid-configuration", f"{ISSUER}.well-known/jwks.json"]


def test_an_access_token_of_the_rfc_9068_profile_is_accepted(auth0: Signer, provider: Auth0) -> None:
    assert provider.verify(auth0.token(RFC9068, {"typ": "at+jwt"})).scopes == {"read:patients"}


def test_a_token_of_a_machine_is_accepted(auth0: Signer, provider: Auth0) -> None:
    assert provider.verify(auth0.token(MACHINE)).subject == f"{CLIENT}@clients"


@pytest.mark.parametrize(
    ("claims", "header", "why"),
    [
        (ID, {"typ": "JWT"}, "token_type"),
        ({**ID, "nonce": ...}, {"typ": "JWT"}, "token_audience"),
        ({**ID, "nonce": ..., "aud": API}, {"typ": "JWT"}, "token_rule"),
        ({**ACCESS, "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {"typ": "logout+jwt"}, "token_type"),
        ({**ACCESS, "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {"typ": "JWT"}, "token_type"),
        (ACCESS, {}, "token_type"),
        (ACCESS, {"typ": "refresh+jwt"}, "token_type"),
        ({**ACCESS, "azp": ...}, {"typ": "JWT"}, "token_rule"),
        ({**ACCESS, "azp": 7}, {"typ": "JWT"}, "token_rule"),
        ({**ACCESS, "aud": f"{ISSUER}userinfo"}, {"typ": "JWT"}, "token_audience"),
        ({**ACCESS, "aud": "https://other.example.com"}, {"typ": "JWT"}, "token_audience"),
        ({**ACCESS, "iss": ISSUER[:-1]}, {"typ": "JWT"}, "token_issuer"),
        ({**ACCESS, "iss": "https://other.eu.auth0.com/"}, {"typ": "JWT"}, "token_issuer"),
    ],
)
def test_whatever_is_no_access_token_for_this_api_is_refused(
    auth0: Signer, provider: Auth0, claims: dict[str, Any], header: dict[str, str], why: str
) -> None:
    assert reason(provider, auth0.token(claims, header)) == why


def test_an_opaque_or_encrypted_token_is_refused_before_anybody_is_asked(auth0: Signer, web: World) -> None:
    """What Auth0 gives to whoever names no audience; and a refresh token."""
    provider = Auth0("example.eu.auth0.com", audience=API, **auth0.published(web))
    for token in ("v1.MRrtbVZzWqRYxTOtHQ0PKg", "eyJhbGciOiJkaXIifQ..a.b.c", "8xLOxBtZp8"):
        assert reason(provider, token) == "token_malformed"
    assert web.asked == []


def test_an_id_token_is_refused_even_by_an_api_that_takes_the_clients_id_for_its_audience(auth0: Signer) -> None:
    confused = Auth0("example.eu.auth0.com", audience=CLIENT, **auth0.known)
    assert reason(confused, auth0.token({**ID, "nonce": ...})) == "token_rule"
    assert reason(confused, auth0.token({**ID, "nonce": ..., "azp": CLIENT})) == "token_rule"


def test_roles_are_where_an_action_put_them_and_only_as_an_array(auth0: Signer) -> None:
    provider = Auth0(
        "example.eu.auth0.com", audience=API, roles=["https://example.com/roles"], groups=["groups"], **auth0.known
    )
    roles: dict[str, Any] = {"https://example.com/roles": ["admin"], "roles": ["owner"]}
    who = provider.verify(auth0.token({**ACCESS, **roles, "groups": ["staff"]}))
    assert who.roles == {"admin"}
    assert provider.identity(who).groups == {"staff"}
    who = provider.verify(auth0.token({**ACCESS, "https://example.com/roles": "admin", "groups": "staff"}))
    assert (who.roles, provider.identity(who).groups) == (frozenset(), frozenset())


def test_an_organization_is_a_tenant_and_required_where_it_is_named(auth0: Signer) -> None:
    provider = Auth0("example.eu.auth0.com", audience=API, organizations=["org_acme", "org_beta"], **auth0.known)
    who = provider.verify(auth0.token(ACCESS, org_id="org_beta"))
    assert provider.identity(who).tenant == "org_beta"
    assert reason(provider, auth0.token(ACCESS, org_id="org_evil")) == "token_type"
    assert reason(provider, auth0.token(ACCESS)) == "token_type"


def test_an_address_counts_once_it_is_verified(auth0: Signer, provider: Auth0) -> None:
    address = {"email": "alice@example.com"}
    for claims, verified in ((address, None), ({**address, "email_verified": True}, "alice@example.com")):
        who = provider.identity(provider.verify(auth0.token({**ACCESS, **claims})))
        assert (who.email, who.unverified_email) == (verified, "alice@example.com")


def test_a_key_of_another_tenant_signs_nothing(provider: Auth0, clock: Clock) -> None:
    other = Signer("https://other.eu.auth0.com/", clock, number=1)
    assert reason(provider, other.token(ACCESS, iss=ISSUER)) == "token_signature"


@pytest.mark.parametrize(
    "domain", ["https://example.eu.auth0.com", "example.eu.auth0.com/", "localhost", "", 7, "a b.auth0.com"]
)
def test_a_domain_is_the_name_of_a_host(domain: Any) -> None:
    with pytest.raises(ConfigurationError, match="Auth0: domain") as caught:
        Auth0(domain, audience=API)
    assert not str(domain) or str(domain) not in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"organizations": "acme"}, {"roles": [""]}, {"groups": 7}, {"audience": ""}, {"audience": []}]
)
def test_a_wrong_literal_is_refused_by_the_name_of_its_setting(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        Auth0("example.eu.auth0.com", **{"audience": API, **settings})


@pytest.mark.parametrize(
    "audience",
    [f"{ISSUER}userinfo", [API, f"{ISSUER}userinfo"], f"{ISSUER}api/v2/", "https://login.example.com/userinfo"],
)
def test_an_audience_that_the_tokens_of_every_api_name_is_refused(audience: Any) -> None:
    with pytest.raises(ConfigurationError, match="your API's"):
        Auth0("login.example.com", audience=audience)
