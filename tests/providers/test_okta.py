"""Okta: access tokens of a custom authorization server, as its reference shows them, and what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Okta

from authkit import ConfigurationError

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

ISSUER = "https://example.okta.com/oauth2/default"
API = "api://default"
CLIENT = "0oabskvc6442nkvQO0h7"
USER = "00ujmkLgagxeRrAg20g3"
ACCESS = {
    "ver": 1,
    "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
    "aud": API,
    "cid": CLIENT,
    "uid": USER,
    "sub": "alice@example.com",
    "scp": ["openid", "orders:read"],
}
MACHINE = {"ver": 1, "jti": "AT.1", "aud": API, "cid": CLIENT, "sub": CLIENT, "scp": ["orders:read"]}
ID = {
    "ver": 1,
    "jti": "ID.AT0CFb1xCeNOOOOwJVd_2YbKHeTNFNoCKmgKC6eR1nc",
    "aud": CLIENT,
    "sub": USER,
    "idp": "00ok1u7AsAkrwdZL3z0g3",
    "amr": ["pwd"],
    "email": "alice@example.com",
    "email_verified": True,
}
TYPES: list[dict[str, str]] = [{}, {"typ": "JWT"}]


@pytest.fixture
def okta(clock: Clock) -> Signer:
    return Signer(ISSUER, clock, jwks_uri=f"{ISSUER}/v1/keys")


@pytest.fixture
def provider(okta: Signer) -> Okta:
    return Okta("example.okta.com", audience=API, **okta.known)


@pytest.mark.parametrize("header", TYPES)
def test_an_access_token_is_of_the_users_id_and_not_of_the_name_they_log_in_with(
    okta: Signer, provider: Okta, header: dict[str, str]
) -> None:
    who = provider.verify(okta.token(ACCESS, header))
    assert (who.subject, who.issuer, who.scopes) == (USER, ISSUER, {"openid", "orders:read"})
    assert provider.verify(okta.token({**ACCESS, "sub": "alice.married@example.com"}, header)).subject == USER


def test_a_client_of_its_own_is_known_by_its_id(okta: Signer, provider: Okta) -> None:
    assert provider.verify(okta.token(MACHINE, {})).subject == CLIENT


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        (ID, "token_audience"),
        ({**ID, "aud": API}, "token_rule"),
        ({**ID, "aud": API, "nonce": "n-0S6_WzA2Mj"}, "token_type"),
        ({**ID, "at_hash": "fPlsvVszI29LU2UhDyJ9vg"}, "token_type"),
        ({**ACCESS, "events": {}}, "token_type"),
        ({**ACCESS, "uid": ...}, "token_rule"),  # of a user whose id is not told: `sub` is a name that anybody may have next
        ({**ACCESS, "uid": None}, "token_rule"),
        ({**MACHINE, "sub": "0oaOther"}, "token_rule"),
        ({**ACCESS, "uid": 7}, "token_claims"),
        ({**ACCESS, "cid": ...}, "token_rule"),
        ({**ACCESS, "cid": ""}, "token_rule"),
        ({**ACCESS, "aud": "https://example.okta.com"}, "token_audience"),
        ({**ACCESS, "aud": "api://other"}, "token_audience"),
        ({**ACCESS, "iss": "https://example.okta.com"}, "token_issuer"),
        ({**ACCESS, "iss": "https://example.okta.com/oauth2/ausOther"}, "token_issuer"),
        ({**ACCESS, "iss": f"{ISSUER}/"}, "token_issuer"),
        ({**ACCESS, "scp": 7}, "token_claims"),
    ],
)
def test_whatever_is_no_access_token_for_this_api_is_refused(
    okta: Signer, provider: Okta, claims: dict[str, Any], why: str
) -> None:
    assert reason(provider, okta.token(claims, {})) == why


@pytest.mark.parametrize("typ", ["application/okta-internal-at+jwt", "logout+jwt", "refresh"])
def test_a_token_of_the_orgs_own_server_is_refused_by_its_type(okta: Signer, provider: Okta, typ: str) -> None:
    assert reason(provider, okta.token(ACCESS, {"typ": typ})) == "token_type"


def test_a_refresh_token_is_opaque_and_refused_before_anybody_is_asked(okta: Signer, web: World) -> None:
    provider = Okta("example.okta.com", audience=API, **okta.published(web))
    assert reason(provider, "a9VpZDRCeFh3Nkk2VdYa") == "token_malformed"
    assert web.asked == []


def test_an_id_token_is_refused_even_by_an_api_that_takes_the_clients_id_for_its_audience(okta: Signer) -> None:
    confused = Okta("example.okta.com", audience=CLIENT, **okta.known)
    assert reason(confused, okta.token(ID, {})) == "token_rule"
    assert reason(confused, okta.token({**ID, "cid": CLIENT, "uid": USER}, {})) == "token_rule"


def test_groups_are_in_their_claim_and_are_roles_only_by_name(okta: Signer, provider: Okta) -> None:
    token = okta.token(ACCESS, groups=["Everyone", "admins"])
    who = provider.verify(token)
    assert (who.roles, provider.identity(who).groups) == (frozenset(), {"Everyone", "admins"})
    assert Okta("example.okta.com", audience=API, roles=["groups"], **okta.known).verify(token).roles == {"Everyone", "admins"}
    said = provider.verify(okta.token(ACCESS, groups="admins", roles="admin"))
    assert (said.roles, provider.identity(said).groups) == (frozenset(), frozenset())


def test_a_server_of_another_id_and_a_domain_of_ones_own(web: World, clock: Clock) -> None:
    issuer = "https://login.example.com/oauth2/aus9s3ami4MrjnVCa0h7"
    signer = Signer(issuer, clock, jwks_uri=f"{issuer}/v1/keys")
    provider = Okta("login.example.com", audience=API, server="aus9s3ami4MrjnVCa0h7", **signer.published(web))
    assert provider.verify(signer.token(ACCESS)).issuer == issuer
    assert web.asked == [f"{issuer}/.well-known/openid-configuration", f"{issuer}/v1/keys"]


@pytest.mark.parametrize("server", ["", None, "v1", "default/", "../default", "a b", 7])
def test_the_orgs_own_server_cannot_be_named(server: Any) -> None:
    """Its access tokens are for Okta alone."""
    with pytest.raises(ConfigurationError, match="Okta: server"):
        Okta("example.okta.com", audience=API, server=server)


@pytest.mark.parametrize("domain", ["https://example.okta.com", "example-admin.okta.com", "example.okta.com/oauth2/default"])
def test_a_domain_is_where_people_log_in(domain: str) -> None:
    with pytest.raises(ConfigurationError, match="Okta: domain"):
        Okta(domain, audience=API)
