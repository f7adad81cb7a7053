"""Google: ID tokens as its documentation shows them, for clients of ours, and what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Google

from authkit import ConfigurationError

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

ISSUER = "https://accounts.google.com"
KEYS = "https://www.googleapis.com/oauth2/v3/certs"
CLIENT = "1008719970978-hb24n2dstb40o45d4feuo2ukqmcc6381.apps.googleusercontent.com"
ANDROID = "1008719970978-android.apps.googleusercontent.com"
ID = {
    "azp": CLIENT,
    "aud": CLIENT,
    "sub": "110169484474386276334",
    "email": "alice@gmail.com",
    "email_verified": True,
    "name": "Alice",
    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
    "nonce": "n-0S6_WzA2Mj",
}
# What a service account of anybody is given for whatever audience it asks for.
ROBOT = {"aud": CLIENT, "azp": "113774264463038321964", "sub": "113774264463038321964", "email_verified": True}


@pytest.fixture
def google(clock: Clock) -> Signer:
    return Signer(ISSUER, clock, jwks_uri=KEYS)


@pytest.fixture
def provider(google: Signer) -> Google:
    return Google(CLIENT, **google.known)


@pytest.mark.parametrize("iss", [ISSUER, "accounts.google.com"])
def test_an_id_token_for_our_client_is_accepted_and_its_issuer_is_one_in_either_spelling(
    google: Signer, provider: Google, iss: str
) -> None:
    who = provider.verify(google.token(ID, iss=iss))
    assert (who.subject, who.issuer, who.scopes, who.roles) == (ID["sub"], ISSUER, frozenset(), frozenset())
    assert provider.identity(who).key == (ISSUER, ID["sub"])
    assert provider.identity(who).email == "alice@gmail.com"


def test_its_keys_are_found_by_discovery(google: Signer, web: World) -> None:
    provider = Google(CLIENT, **google.published(web))
    assert provider.verify(google.token(ID)).issuer == ISSUER
    assert web.asked == [f"{ISSUER}/.well-known/openid-configuration", KEYS]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({**ID, "aud": "1-other.apps.googleusercontent.com"}, "token_audience"),
        ({**ID, "aud": "https://api.example.com"}, "token_audience"),
        ({**ID, "aud": ...}, "token_audience"),
        ({**ID, "azp": "1-other.apps.googleusercontent.com"}, "token_rule"),
        ({**ID, "azp": ANDROID}, "token_rule"),
        ({**ID, "azp": ""}, "token_rule"),
        ({**ID, "azp": [CLIENT]}, "token_rule"),
        (ROBOT, "token_rule"),
        ({**ID, "iss": "http://accounts.google.com"}, "token_issuer"),
        ({**ID, "iss": "accounts.google.com/"}, "token_issuer"),
        ({**ID, "iss": "https://securetoken.google.com/example"}, "token_issuer"),
        ({**ID, "sub": ...}, "token_claims"),
        ({**ID, "events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}}, "token_type"),
    ],
)
def test_whatever_is_no_id_token_given_to_us_is_refused(
    google: Signer, provider: Google, claims: dict[str, Any], why: str
) -> None:
    assert reason(provider, google.token(claims)) == why


def test_access_and_refresh_tokens_are_opaque(google: Signer, web: World) -> None:
    provider = Google(CLIENT, **google.published(web))
    for token in ("ya29.a0AfH6SMBx", "1//0gFzJqZ-L9IrQ"):
        assert reason(provider, token) == "token_malformed"
    assert web.asked == []


@pytest.mark.parametrize("typ", ["at+jwt", "secevent+jwt", "logout+jwt"])
def test_another_type_in_the_header_is_refused(google: Signer, provider: Google, typ: str) -> None:
    assert reason(provider, google.token(ID, {"typ": typ})) == "token_type"


def test_another_client_of_ours_and_a_service_account_may_be_given_it_by_name(google: Signer) -> None:
    provider = Google(CLIENT, parties=[ANDROID, "113774264463038321964"], **google.known)
    assert provider.verify(google.token(ID, azp=ANDROID)).subject == ID["sub"]
    assert provider.verify(google.token(ROBOT)).subject == ROBOT["sub"]
    assert provider.verify(google.token({**ID, "azp": ...})).subject == ID["sub"]
    named = Google(CLIENT, parties="reader@example.iam.gserviceaccount.com", **google.known)
    assert named.verify(google.token(ROBOT, azp="reader@example.iam.gserviceaccount.com")).subject == ROBOT["sub"]
    assert reason(provider, google.token(ID, azp="113774264463038321965")) == "token_rule"


class TestAHostedDomain:
    def test_is_the_tenant_and_one_of_those_that_are_named(self, google: Signer) -> None:
        provider = Google(CLIENT, hosted_domain=["example.com", "Example.ORG"], **google.known)
        who = provider.verify(google.token(ID, hd="example.org"))
        assert provider.identity(who).tenant == "example.org"

    @pytest.mark.parametrize("hd", [..., "evil.example", "example.com.evil.example", ["example.com"], "", True])
    def test_of_somebody_else_is_refused_whatever_their_address_is(self, google: Signer, hd: Any) -> None:
        """A Google account can be made for any address: `alice@example.com` is not of the Workspace domain."""
        provider = Google(CLIENT, hosted_domain="example.com", **google.known)
        assert reason(provider, google.token(ID, hd=hd)) == "token_type"


@pytest.mark.parametrize(
    ("mark", "email"), [(True, "alice@gmail.com"), ("true", "alice@gmail.com"), (False, None), (..., None), ("yes", None)]
)
def test_an_address_counts_once_it_is_verified(google: Signer, provider: Google, mark: Any, email: str | None) -> None:
    assert provider.identity(provider.verify(google.token(ID, email_verified=mark))).email == email


@pytest.mark.parametrize(
    "client", ["https://api.example.com", "api.example.com", "1-a.apps.googleusercontent.com.evil.example", "", []]
)
def test_an_audience_is_a_clients_id_and_nothing_else(client: Any) -> None:
    with pytest.raises(ConfigurationError, match="Google: client_id"):
        Google(client)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"hosted_domain": "https://example.com"}, "hosted_domain"),
        ({"hosted_domain": [""]}, "hosted_domain"),
        ({"hosted_domain": 7}, "hosted_domain"),
        ({"parties": "alice"}, "parties"),
        ({"parties": "alice@example.com"}, "parties"),
    ],
)
def test_a_wrong_literal_is_refused_by_the_name_of_its_setting(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Google: {named}"):
        Google(CLIENT, **settings)


@pytest.mark.parametrize(
    ("address", "hosted", "theirs"),
    [
        ("alice@gmail.com", ..., True),
        ("Alice@GMail.com", ..., True),
        ("alice@example.com", "example.com", True),
        ("alice@example.com", ..., False),
        ("alice@example.com", "", False),
        ("alice@notgmail.com", ..., False),
        ("alice@gmail.com.evil.example", ..., False),
    ],
)
def test_an_address_that_google_does_not_host_is_not_theirs_though_it_was_verified_once(
    google: Signer, provider: Google, address: str, hosted: Any, theirs: bool
) -> None:
    who = provider.identity(provider.verify(google.token(ID, email=address, hd=hosted)))
    assert (who.email == address, who.email_verified, who.unverified_email) == (theirs, theirs, address)
    assert who.key == (ISSUER, ID["sub"])
