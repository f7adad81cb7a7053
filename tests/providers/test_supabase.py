"""Supabase: access tokens of users as its reference shows them, under either kind of key, and what is none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Supabase

from authkit import ConfigurationError
from authkit.secrets import Secret
from authkit.tokens import Key
from tests.oidc.issuer import signed

from .signer import Signer, reason
from .world import locals_of

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

URL = "https://abcdefghijklmnopqrst.supabase.co"
ISSUER = f"{URL}/auth/v1"
USER = "123e4567-e89b-12d3-a456-426614174000"
SECRET = "the secret of one project alone: 7e21c0"
ACCESS = {
    "aud": "authenticated",
    "sub": USER,
    "role": "authenticated",
    "aal": "aal1",
    "amr": [{"method": "password", "timestamp": 1735815600}],
    "session_id": "b3d0",
    "email": "alice@example.com",
    "phone": "",
    "is_anonymous": False,
    "app_metadata": {"provider": "email", "providers": ["email"], "roles": ["admin"]},
    "user_metadata": {"email_verified": True, "roles": ["owner"]},
}
APP = "9a8b7c6d-5e4f-3a2b-1c0d-9e8f7a6b5c4d"
SERVICE = {"iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": "service_role"}


@pytest.fixture
def supabase(clock: Clock) -> Signer:
    return Signer(ISSUER, clock)


@pytest.fixture
def provider(supabase: Signer) -> Supabase:
    return Supabase(URL, **supabase.known)


def test_an_access_token_of_a_user_has_the_roles_that_users_cannot_write(supabase: Signer, provider: Supabase) -> None:
    who = provider.verify(supabase.token(ACCESS))
    assert (who.subject, who.issuer, who.roles, who.scopes) == (USER, ISSUER, {"admin"}, frozenset())
    assert who.claims["aal"] == "aal1"


def test_its_keys_are_where_the_project_publishes_them(supabase: Signer, web: World) -> None:
    provider = Supabase(URL, **supabase.published(web))
    assert provider.verify(supabase.token(ACCESS)).subject == USER
    assert web.asked == [f"{ISSUER}/.well-known/jwks.json"]


def test_an_address_is_never_a_verified_one(supabase: Signer, provider: Supabase) -> None:
    """What says so stands in `user_metadata`, which users write."""
    identity = provider.identity(provider.verify(supabase.token(ACCESS, email_verified=True)))
    assert (identity.email, identity.unverified_email) == (None, "alice@example.com")


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({**ACCESS, **SERVICE}, "token_issuer"),
        ({**ACCESS, "role": "service_role"}, "token_type"),
        ({**ACCESS, "role": "anon"}, "token_type"),
        ({**ACCESS, "role": ...}, "token_type"),
        ({**ACCESS, "role": ["authenticated"]}, "token_type"),
        ({**ACCESS, "sub": ...}, "token_claims"),
        ({**ACCESS, "sub": ""}, "token_claims"),
        ({**ACCESS, "aud": "anon"}, "token_audience"),
        ({**ACCESS, "aud": APP}, "token_audience"),
        ({**ACCESS, "is_anonymous": True}, "token_rule"),
        ({**ACCESS, "is_anonymous": "false"}, "token_rule"),
        ({**ACCESS, "session_id": ...}, "token_rule"),
        ({**ACCESS, "client_id": APP}, "token_rule"),
        ({**ACCESS, "client_id": None}, "token_rule"),
        ({**ACCESS, "nonce": "n", "aud": APP}, "token_type"),  # an ID token of its OAuth server
        ({**ACCESS, "at_hash": "a"}, "token_type"),
        ({**ACCESS, "events": {}}, "token_type"),
        ({**ACCESS, "iss": "https://other.supabase.co/auth/v1"}, "token_issuer"),
        ({**ACCESS, "iss": URL}, "token_issuer"),
        ({**ACCESS, "iss": f"{ISSUER}/"}, "token_issuer"),
    ],
)
def test_whatever_is_no_access_token_of_a_user_in_a_session_is_refused(
    supabase: Signer, provider: Supabase, claims: dict[str, Any], why: str
) -> None:
    assert reason(provider, supabase.token(claims)) == why


@pytest.mark.parametrize("header", [{}, {"typ": "at+jwt"}, {"typ": "logout+jwt"}])
def test_another_type_in_the_header_is_refused(supabase: Signer, provider: Supabase, header: dict[str, str]) -> None:
    assert reason(provider, supabase.token(ACCESS, header)) == "token_type"


def test_a_refresh_token_and_a_secret_key_are_opaque(supabase: Signer, web: World) -> None:
    provider = Supabase(URL, **supabase.published(web))
    for token in ("v1.qPq3xk0Rk2", "sb_secret_abc", "sb_publishable_abc"):
        assert reason(provider, token) == "token_malformed"
    assert web.asked == []


def test_anonymous_users_and_third_parties_are_let_in_only_by_name(supabase: Signer) -> None:
    provider = Supabase(URL, anonymous=True, clients=[APP], **supabase.known)
    assert provider.verify(supabase.token(ACCESS, is_anonymous=True)).subject == USER
    assert provider.verify(supabase.token(ACCESS, client_id=APP)).claims["client_id"] == APP
    assert reason(provider, supabase.token(ACCESS, client_id="other")) == "token_rule"


def test_roles_and_groups_are_arrays(supabase: Signer, provider: Supabase) -> None:
    for said in ("admin", {"admin": True}, ["admin", 7]):
        who = provider.verify(supabase.token(ACCESS, app_metadata={"roles": said, "groups": said}))
        assert (who.roles, provider.identity(who).groups) == (frozenset(), frozenset())
    who = provider.verify(supabase.token(ACCESS, app_metadata={"groups": ["staff"]}))
    assert provider.identity(who).groups == {"staff"}


class TestTheLegacySecret:
    def test_verifies_what_it_signed_and_nothing_is_fetched(self, supabase: Signer, clock: Clock) -> None:
        provider = Supabase(URL, jwt_secret=Secret.of(SECRET), clock=clock)
        supabase.key = Key(SECRET)
        assert provider.verify(supabase.token(ACCESS)).subject == USER
        assert reason(provider, supabase.token({**ACCESS, **SERVICE})) == "token_issuer"
        assert SECRET not in repr(provider)
        supabase.key = Key(SECRET[::-1])
        assert reason(provider, supabase.token(ACCESS)) == "token_signature"

    def test_may_stand_in_a_setting_and_is_shown_nowhere(self, supabase: Signer) -> None:
        settings = {"AUTHKIT_SUPABASE_URL": URL, "AUTHKIT_SUPABASE_JWT_SECRET": SECRET, "AUTHKIT_SUPABASE_CLIENTS": f"{APP},b"}
        provider = Supabase.from_settings(settings.get)
        supabase.key, supabase.clock = Key(SECRET), time.time
        assert provider.verify(supabase.token(ACCESS, client_id=APP)).subject == USER
        assert SECRET not in repr(vars(provider))

    def test_lets_no_token_choose_how_it_is_verified(self, supabase: Signer, clock: Clock) -> None:
        """A public key is no secret: what is signed with its bytes is refused, and so is RS256 under the secret."""
        public = supabase.jwks["keys"][0]["n"]
        forged = signed(Key(public), {**ACCESS, "iss": ISSUER, "exp": int(clock()) + 60}, {"alg": "HS256", "typ": "JWT"})
        assert reason(Supabase(URL, **supabase.known), forged) == "token_key"
        assert reason(Supabase(URL, jwt_secret=SECRET, clock=clock), supabase.token(ACCESS)) == "token_key"

    def test_that_is_too_short_is_refused(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Supabase(URL, jwt_secret="short")
        assert "short'" not in str(caught.value)


@pytest.mark.parametrize("url", ["abcdefghijklmnopqrst", "http://abc.supabase.co", f"{URL}?a=b", "", None])
def test_a_project_is_an_https_url(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="Supabase: url"):
        Supabase(url)


@pytest.mark.parametrize("url", [URL, f"{URL}/", ISSUER, f"{ISSUER}/"])
def test_the_issuer_is_the_projects_auth_service(url: str) -> None:
    assert Supabase(url).issuer == ISSUER


@pytest.mark.parametrize(
    "settings", [{"clients": [""]}, {"database_roles": []}, {"database_roles": "a b"}, {"anonymous": "no"}]
)
def test_a_wrong_literal_is_refused_by_the_name_of_its_setting(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        Supabase(URL, **settings)


@pytest.mark.parametrize(
    "wrong", [{"url": "nowhere"}, {"anonymous": "false"}, {"clients": [""]}, {"leeway": -1}, {"roles": "a"}]
)
def test_a_secret_that_is_told_in_code_shows_in_no_traceback(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Supabase(**{"url": URL, "jwt_secret": SECRET, **wrong})
    assert SECRET not in locals_of(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        Supabase(URL, jwt_secret=SECRET[:20])
    assert SECRET[:20] not in locals_of(caught.value)


@pytest.mark.parametrize("yours", ["", "your-"])
def test_the_secret_that_is_in_everybodys_compose_file_is_refused(yours: str) -> None:
    with pytest.raises(ConfigurationError, match="sample"):
        Supabase(URL, jwt_secret=f"{yours}super-secret-jwt-token-with-at-least-32-characters-long")


@pytest.mark.parametrize("places", [{"roles": ["user_metadata.roles"]}, {"groups": [("user_metadata", "groups")]}])
def test_no_role_is_taken_from_what_users_write_themselves(places: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="users write themselves"):
        Supabase(URL, **places)
