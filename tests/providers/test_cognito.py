"""Cognito: tokens as its documentation shows them, and what is none for these app clients (OID-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Cognito

from authkit import ConfigurationError

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

POOL = "eu-west-1_AbCdEfGhI"
ISSUER = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"
CLIENT = "1example23456789"
USER = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
COMMON = {"sub": USER, "cognito:groups": ["admins", "staff"], "auth_time": 1, "origin_jti": "o", "event_id": "e"}
ACCESS = {
    **COMMON,
    "token_use": "access",
    "client_id": CLIENT,
    "username": "alice",
    "version": 2,
    "scope": "openid orders/read",
    "jti": "j",
}
MACHINE = {"sub": CLIENT, "token_use": "access", "client_id": CLIENT, "scope": "orders/read", "version": 2, "jti": "j"}
ID = {
    **COMMON,
    "token_use": "id",
    "aud": CLIENT,
    "cognito:username": "alice",
    "email": "alice@example.com",
    "email_verified": True,
    "at_hash": "a",
    "nonce": "n",
    "custom:tenant": "acme",
}


@pytest.fixture
def cognito(clock: Clock) -> Signer:
    return Signer(ISSUER, clock)


@pytest.fixture
def provider(cognito: Signer) -> Cognito:
    return Cognito(POOL, client_id=CLIENT, **cognito.known)


def test_an_access_token_of_the_app_client_is_accepted(cognito: Signer, provider: Cognito) -> None:
    who = provider.verify(cognito.token(ACCESS, {}))
    assert (who.subject, who.issuer, who.scopes, who.roles) == (USER, ISSUER, {"openid", "orders/read"}, frozenset())
    assert provider.identity(who).groups == {"admins", "staff"}


def test_its_keys_are_where_the_pool_publishes_them(cognito: Signer, web: World) -> None:
    provider = Cognito(POOL, client_id=CLIENT, **cognito.published(web))
    assert provider.verify(cognito.token(ACCESS, {})).subject == USER
    assert web.asked == [f"{ISSUER}/.well-known/jwks.json"]


def test_a_token_of_a_machine_is_accepted(cognito: Signer, provider: Cognito) -> None:
    assert provider.verify(cognito.token(MACHINE, {})).subject == CLIENT


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        (ID, "token_type"),
        ({**ID, "client_id": CLIENT}, "token_type"),
        ({**ACCESS, "token_use": ...}, "token_type"),
        ({**ACCESS, "token_use": "refresh"}, "token_type"),
        ({**ACCESS, "token_use": ["access"]}, "token_type"),
        ({**ACCESS, "token_use": "id"}, "token_type"),
        ({**ACCESS, "client_id": "2example23456789"}, "token_audience"),
        ({**ACCESS, "client_id": ..., "aud": CLIENT}, "token_audience"),
        ({**ACCESS, "iss": ISSUER.replace("AbC", "XyZ")}, "token_issuer"),
        ({**ACCESS, "iss": ISSUER.replace("eu-west-1.", "eu-west-2.")}, "token_issuer"),
        ({**ACCESS, "iss": ISSUER.replace("cognito-idp", "issuer-cognito-idp")}, "token_issuer"),
        ({**ACCESS, "iss": f"{ISSUER}/"}, "token_issuer"),
        ({**ACCESS, "sub": ...}, "token_claims"),
    ],
)
def test_an_id_token_another_clients_and_another_pools_are_refused(
    cognito: Signer, provider: Cognito, claims: dict[str, Any], why: str
) -> None:
    assert reason(provider, cognito.token(claims, {})) == why


def test_a_refresh_token_is_encrypted_and_refused_before_anybody_is_asked(cognito: Signer, web: World) -> None:
    provider = Cognito(POOL, client_id=CLIENT, **cognito.published(web))
    assert reason(provider, "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ.k.i.c.t") == "token_malformed"
    assert web.asked == []


def test_another_type_in_the_header_is_refused(cognito: Signer, provider: Cognito) -> None:
    assert reason(provider, cognito.token(ACCESS, {"typ": "logout+jwt"})) == "token_type"


class TestIdTokens:
    def test_are_what_an_api_gets_that_says_so_and_then_nothing_else(self, cognito: Signer) -> None:
        provider = Cognito(POOL, client_id=CLIENT, token_use="id", tenant="custom:tenant", **cognito.known)
        identity = provider.identity(provider.verify(cognito.token(ID, {})))
        assert (identity.key, identity.tenant, identity.email) == ((ISSUER, USER), "acme", "alice@example.com")
        assert reason(provider, cognito.token(ACCESS, {})) == "token_type"
        assert reason(provider, cognito.token({**ACCESS, "aud": CLIENT}, {})) == "token_type"
        assert reason(provider, cognito.token({**ID, "aud": "2example23456789"}, {})) == "token_audience"
        assert reason(provider, cognito.token({**ID, "aud": ..., "client_id": CLIENT}, {})) == "token_audience"

    @pytest.mark.parametrize(
        ("mark", "email"),
        [
            (True, "alice@example.com"),
            ("true", "alice@example.com"),
            (False, None),
            ("false", None),
            ("True", None),
            (1, None),
            (..., None),
        ],
    )
    def test_an_address_counts_once_it_is_verified_in_either_spelling(
        self, cognito: Signer, mark: Any, email: str | None
    ) -> None:
        provider = Cognito(POOL, client_id=CLIENT, token_use="id", **cognito.known)
        assert provider.identity(provider.verify(cognito.token({**ID, "email_verified": mark}, {}))).email == email


def test_one_of_several_app_clients_is_enough(cognito: Signer) -> None:
    provider = Cognito(POOL, client_id=["other", CLIENT], **cognito.known)
    assert provider.verify(cognito.token(ACCESS, {})).subject == USER


def test_a_resource_is_required_once_it_is_named(cognito: Signer) -> None:
    provider = Cognito(POOL, client_id=CLIENT, audience="https://api.example.com", **cognito.known)
    for aud in ("https://api.example.com", ["https://api.example.com"]):
        assert provider.verify(cognito.token({**ACCESS, "aud": aud}, {})).subject == USER
    for aud in (..., "https://other.example.com", [], CLIENT):
        assert reason(provider, cognito.token({**ACCESS, "aud": aud}, {})) == "token_rule"


def test_groups_are_roles_only_by_name_and_only_as_an_array(cognito: Signer) -> None:
    provider = Cognito(POOL, client_id=CLIENT, roles=["cognito:groups"], **cognito.known)
    assert provider.verify(cognito.token(ACCESS, {})).roles == {"admins", "staff"}
    for said in ("admins", ["admins", 7], {"admins": True}):
        who = provider.verify(cognito.token({**ACCESS, "cognito:groups": said}, {}))
        assert (who.roles, provider.identity(who).groups) == (frozenset(), frozenset())


def test_the_updated_issuer_is_another_one(clock: Clock) -> None:
    signer = Signer(ISSUER.replace("cognito-idp", "issuer-cognito-idp"), clock)
    provider = Cognito(POOL, client_id=CLIENT, updated_issuer=True, **signer.known)
    assert provider.verify(signer.token(ACCESS, {})).issuer == signer.issuer
    assert reason(provider, signer.token(ACCESS, {}, iss=ISSUER)) == "token_issuer"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"pool_id": "AbCdEfGhI"}, "pool_id"),
        ({"pool_id": "eu-west-1_"}, "pool_id"),
        ({"pool_id": "eu-west-1_a/../b"}, "pool_id"),
        ({"pool_id": ISSUER}, "pool_id"),
        ({"region": "eu-west-2"}, "region"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": []}, "client_id"),
        ({"client_id": None}, "client_id"),
        ({"token_use": "both"}, "token_use"),
        ({"updated_issuer": "false"}, "updated_issuer"),
        ({"audience": ""}, "audience"),
        ({"audience": "https://api.example.com", "token_use": "id"}, "audience"),
    ],
)
def test_a_wrong_literal_is_refused_by_the_name_of_its_setting(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Cognito: {named}"):
        Cognito(**{"pool_id": POOL, "client_id": CLIENT, **settings})


def test_the_region_may_be_said_if_it_is_the_pools() -> None:
    assert Cognito(POOL, client_id=CLIENT, region="eu-west-1").issuer == ISSUER
