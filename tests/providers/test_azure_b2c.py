"""Azure AD B2C's tokens, as its overview of tokens and its page on client credentials describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import AzureB2C

from authkit import ConfigurationError
from authkit.oidc import named

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

TENANT_ID, API = "775527ff-9a37-4307-8b3d-cc311f58d925", "90c0fe63-bcf2-44d5-8fb7-b8bbc0b29dc6"
HOST = "https://contoso.b2clogin.com"
ISSUER = f"{HOST}/{TENANT_ID}/v2.0/"
KEYS = f"{HOST}/contoso.onmicrosoft.com/B2C_1_signupsignin1/discovery/v2.0/keys"
ALICE = "1558f87f-452b-4757-bcd1-883000000000"
ACCESS = {
    "aud": API, "oid": ALICE, "sub": ALICE, "name": "David", "tfp": "B2C_1_signupsignin1", "nonce": "anyRandomValue",
    "scp": "read write", "azp": "38307aee-303c-4fff-8087-d8d200000000", "ver": "1.0", "emails": ["david@example.com"],
}  # fmt: skip
MACHINE = {"aud": API, "sub": "33333333-0000-0000-0000-000000000000", "azp": "33333333-0000-0000-0000-000000000000",
           "scp": "app.read app.write", "tfp": "B2C_1_signupsignin1", "ver": "1.0"}  # fmt: skip


@pytest.fixture
def b2c(clock: Clock) -> Signer:
    return Signer(ISSUER, clock, jwks_uri=KEYS)


def provider_of(b2c: Signer, web: World | None = None, **settings: Any) -> AzureB2C:
    given = {"tenant": "contoso", "tenant_id": TENANT_ID, "policy": "B2C_1_signupsignin1", "audience": API}
    return AzureB2C(**{**given, **(b2c.known if web is None else b2c.published(web)), **settings})


@pytest.fixture
def provider(b2c: Signer) -> AzureB2C:
    return provider_of(b2c)


def test_an_access_token_is_accepted_and_may_hold_a_nonce(b2c: Signer, web: World) -> None:
    """As Microsoft's example does: so what tells it from an ID token is its scope."""
    provider = provider_of(b2c, web)
    who = provider.verify(b2c.token(ACCESS))
    assert (who.subject, who.issuer, who.scopes) == (ALICE, ISSUER, {"read", "write"})
    identity = provider.identity(who)
    assert (identity.email, identity.unverified_email) == (None, None)  # `emails` may be anybody's
    assert web.asked == [KEYS]


def test_an_application_itself_is_accepted(b2c: Signer, provider: AzureB2C) -> None:
    assert provider.verify(b2c.token(MACHINE)).scopes == {"app.read", "app.write"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"scp": ..., "azp": ...}, "token_rule"),  # an ID token
        ({"scp": ...}, "token_rule"),
        ({"scp": ""}, "token_rule"),
        ({"azp": ...}, "token_rule"),
        ({"at_hash": "SGCPtt01wxwfgnYZy2VJtQ"}, "token_type"),
        ({"c_hash": "SGCPtt01wxwfgnYZy2VJtQ"}, "token_type"),
        ({"ver": "2.0"}, "token_type"),
        ({"aud": "another"}, "token_audience"),
        ({"tfp": ...}, "token_rule"),
        ({"tfp": "B2C_1_passwordreset"}, "token_rule"),
        ({"tfp": ..., "acr": "b2c_1_signupsignin1"}, "token_rule"),  # not the claim that says so here
        ({"tfp": ["B2C_1_signupsignin1"]}, "token_rule"),
        ({"sub": "Not supported currently. Use oid claim."}, "token_rule"),  # the same for everybody
        ({"sub": ...}, "token_claims"),
        ({"exp": 1}, "token_expired"),
        ({"iss": f"{HOST}/{TENANT_ID}/v2.0"}, "token_issuer"),
        ({"iss": f"{HOST}/{ALICE}/v2.0/"}, "token_issuer"),
        ({"iss": f"{HOST}/tfp/{TENANT_ID}/b2c_1_signupsignin1/v2.0/"}, "token_issuer"),
        ({"iss": f"https://login.microsoftonline.com/{TENANT_ID}/v2.0/"}, "token_issuer"),
    ],
)
def test_each_of_these_is_refused(b2c: Signer, provider: AzureB2C, changes: dict[str, Any], why: str) -> None:
    assert reason(provider, b2c.token(ACCESS, **changes)) == why


def test_a_policys_name_is_the_same_in_any_case(b2c: Signer, provider: AzureB2C) -> None:
    assert provider.verify(b2c.token(ACCESS, tfp="b2c_1_SignUpSignIn1")).subject == ALICE


def test_several_policies_may_be_named(b2c: Signer, web: World) -> None:
    provider = provider_of(b2c, web, policy=["B2C_1_signupsignin1", "B2C_1A_PHONE"])
    assert provider.verify(b2c.token(ACCESS, tfp="B2C_1A_PHONE")).subject == ALICE
    assert web.asked == [KEYS]


def test_an_issuer_that_names_its_policy_is_that_policys(b2c: Signer, web: World) -> None:
    provider = provider_of(b2c, web, policy=["B2C_1_signupsignin1", "B2C_1_admin"], issuer_names_policy=True)
    one, other = (f"{HOST}/tfp/{TENANT_ID}/{policy}/v2.0/" for policy in ("b2c_1_signupsignin1", "b2c_1_admin"))
    assert provider.verify(b2c.token(ACCESS, iss=one)).issuer == one
    assert provider.verify(b2c.token(ACCESS, iss=other, tfp="B2C_1_admin")).issuer == other
    assert reason(provider, b2c.token(ACCESS, iss=other)) == "token_rule"
    assert reason(provider, b2c.token(ACCESS)) == "token_issuer"


def test_an_older_policy_says_its_name_in_acr(b2c: Signer, web: World) -> None:
    provider = provider_of(b2c, web, policy_claim="acr")
    assert provider.verify(b2c.token(ACCESS, tfp=..., acr="b2c_1_signupsignin1")).subject == ALICE
    assert reason(provider, b2c.token(ACCESS)) == "token_rule"


def test_a_custom_domain_is_another_issuer(web: World, clock: Clock) -> None:
    keys = "https://login.contoso.example/contoso.onmicrosoft.com/B2C_1_signupsignin1/discovery/v2.0/keys"
    signer = Signer(f"https://login.contoso.example/{TENANT_ID}/v2.0/", clock, jwks_uri=keys)
    provider = provider_of(signer, web, domain="login.contoso.example", roles=["extension_roles"], groups=["groups"])
    who = provider.verify(signer.token(ACCESS, extension_roles=["admin"], groups=["g"]))
    assert (who.roles, provider.identity(who).groups) == ({"admin"}, {"g"})
    assert web.asked == [keys]


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": "contoso.onmicrosoft.com"}, {"tenant": ""}, {"tenant": "../x"}, {"tenant_id": "contoso"},
        {"tenant_id": None},
        {"policy": []}, {"policy": "signupsignin1"}, {"policy": "B2C_1_x/../y"}, {"policy": ["B2C_1_x", 7]},
        {"audience": "https://contoso.onmicrosoft.com/api"}, {"audience": ()}, {"domain": "https://login.contoso.example"},
        {"policy_claim": "sub"},
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_once(b2c: Signer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"AzureB2C: {next(iter(wrong))}"):
        provider_of(b2c, **wrong)


def test_settings_name_all_that_it_takes() -> None:
    settings = {
        "AUTHKIT_AZURE_B2C_TENANT": "contoso", "AUTHKIT_AZURE_B2C_TENANT_ID": TENANT_ID, "AUTHKIT_AUDIENCE": API,
        "AUTHKIT_AZURE_B2C_POLICY": "B2C_1_signupsignin1, B2C_1A_PHONE",
    }  # fmt: skip
    assert AzureB2C.from_settings(settings.get).issuer == ISSUER
    assert AzureB2C.from_settings({**settings, "AUTHKIT_AZURE_B2C_DOMAIN": "id.example.com"}.get).issuer.startswith(
        "https://id."
    )
    for name in settings:
        with pytest.raises(ConfigurationError, match=name):
            AzureB2C.from_settings({**settings, name: ""}.get)
    built = named("azure_b2c", tenant="contoso", tenant_id=TENANT_ID, policy="B2C_1_x", audience=API)
    assert isinstance(built, AzureB2C)
