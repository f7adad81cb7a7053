"""Netlify Identity's tokens, as GoTrue signs them: HS256, with the site's secret, and neither issuer nor time of issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import NetlifyIdentity

from authkit import ConfigurationError, InvalidToken, Request, Tokens, chain, require_auth
from authkit.oidc import named
from authkit.secrets import Environment, Secrets
from authkit.tokens import Key

from ..oidc.issuer import rsa_pem, signed
from .signer import reason
from .world import locals_of

if TYPE_CHECKING:
    from authkit.testing import Clock

SITE, ISSUER = "https://example.netlify.app", "https://example.netlify.app/.netlify/identity"
SECRET, OTHER = "the secret of one site alone: 9f3c61", "the secret of another site: 51ab77cc"
ALICE = "775a5344-0c6d-4dc6-b112-d2d646e071ec"


def token(clock: Clock, secret: str = SECRET, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {
        "app_metadata": {"provider": "email", "roles": ["editor"]}, "email": "test@example.com", "exp": int(clock()) + 3600,
        "sub": ALICE, "user_metadata": {"full_name": "Test User", "roles": ["admin"]}, **changes,
    }  # fmt: skip
    members = {"alg": "HS256", "typ": "JWT"} if header is None else header
    return signed(Key(secret), {name: value for name, value in claims.items() if value is not ...}, members)


@pytest.fixture
def provider(clock: Clock) -> NetlifyIdentity:
    return NetlifyIdentity(SITE, SECRET, clock=clock)


@pytest.mark.parametrize("said", [{}, {"iss": "", "aud": ""}, {"iss": ISSUER}, {"aud": ISSUER}, {"iat": 1}, {"aud": []}])
def test_a_token_is_the_sites_users(clock: Clock, provider: NetlifyIdentity, said: dict[str, Any]) -> None:
    who = provider.verify(token(clock, **said))
    assert (who.subject, who.issuer, who.roles, who.scopes) == (ALICE, ISSUER, {"editor"}, frozenset())
    identity = provider.identity(who)
    assert (identity.key, identity.email, identity.unverified_email) == ((ISSUER, ALICE), None, "test@example.com")
    assert identity.name == "Test User"


def test_what_the_user_writes_gives_no_role(clock: Clock, provider: NetlifyIdentity) -> None:
    found = provider.verify(token(clock, app_metadata={"provider": "email"}, roles=["admin"]))
    assert found.roles == frozenset()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"secret": OTHER}, "token_signature"),
        ({"header": {"alg": "none", "typ": "JWT"}}, "token_key"),
        ({"header": {"alg": "HS512", "typ": "JWT"}}, "token_key"),
        ({"header": {"alg": "RS256", "typ": "JWT"}}, "token_key"),
        ({"header": {"alg": "HS256"}}, "token_type"),
        ({"iss": "https://mallory.netlify.app/.netlify/identity"}, "token_issuer"),
        ({"iss": SITE}, "token_issuer"),
        ({"iss": 7}, "token_issuer"),
        ({"aud": "another"}, "token_audience"),
        ({"aud": ["another"]}, "token_audience"),
        ({"aud": 0}, "token_audience"),
        ({"exp": ...}, "token_claims"),
        ({"exp": 1}, "token_expired"),
        ({"sub": ...}, "token_claims"),
        ({"sub": "0"}, "token_rule"),
        ({"sub": "0", "app_metadata": ..., "email": ..., "user_metadata": ...}, "token_rule"),  # what functions administer with
        ({"app_metadata": ...}, "token_rule"),
        ({"nonce": "x"}, "token_type"),
    ],
)
def test_each_alone_is_fatal(clock: Clock, provider: NetlifyIdentity, changes: dict[str, Any], why: str) -> None:
    assert reason(provider, token(clock, **changes)) == why


def test_an_audience_that_was_set_up_is_the_one(clock: Clock) -> None:
    provider = NetlifyIdentity(SITE, SECRET, audience="shop", clock=clock)
    assert provider.verify(token(clock, aud="shop")).subject == ALICE
    assert reason(provider, token(clock, aud=ISSUER)) == "token_audience"


def test_a_secret_that_is_rotated_signs_with_both_for_a_while(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETLIFY_SECRET", SECRET)
    secret = Secrets(Environment(), clock=clock, monotonic=clock)["NETLIFY_SECRET"]
    provider = NetlifyIdentity(SITE, secret, clock=clock)
    before = token(clock)
    provider.verify(before)
    monkeypatch.setenv("NETLIFY_SECRET", OTHER)
    monkeypatch.setenv("NETLIFY_SECRET__PREVIOUS", SECRET)
    clock.advance(61)
    assert provider.verify(token(clock, OTHER)).subject == ALICE  # at once: it is read again for a signature that does not hold
    assert provider.verify(before).subject == ALICE
    monkeypatch.delenv("NETLIFY_SECRET__PREVIOUS")
    clock.advance(301)
    assert reason(provider, before) == "token_signature"


async def test_beside_other_verifiers_it_gets_the_tokens_that_name_no_issuer(clock: Clock, provider: NetlifyIdentity) -> None:
    tokens = Tokens("k" * 48, issuer="https://api.example.com", audience="https://api.example.com")
    guard = chain(require_auth(tokens, provider))
    for given in (tokens.issue(ALICE), token(clock), token(clock, iss=ISSUER)):
        request = Request.build(headers={"authorization": f"Bearer {given}"})
        for decision in (guard.decide(request), await guard.adecide(request)):
            assert decision.principal.subject == ALICE  # type: ignore[union-attr]
    for bad in (token(clock, OTHER), token(clock, iss="https://mallory.example")):
        decision = guard.decide(Request.build(headers={"authorization": f"Bearer {bad}"}))
        assert decision.status == 401  # type: ignore[union-attr]
    with pytest.raises(ConfigurationError, match="issuer=None"):
        require_auth(provider, NetlifyIdentity("https://other.netlify.app", OTHER))


def test_what_the_platform_says_beside_it_is_no_proof(clock: Clock, provider: NetlifyIdentity) -> None:
    """`context.clientContext.user` is written by whoever invokes the function."""

    class Context:
        client_context = {"user": {"sub": ALICE, "app_metadata": {"roles": ["admin"]}}}

    @require_auth(provider)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"statusCode": 200, "body": ""}

    event = {
        "path": "/",
        "httpMethod": "GET",
        "headers": {},
        "queryStringParameters": {},
        "body": None,
        "isBase64Encoded": False,
    }
    assert handler(event, Context())["statusCode"] == 401
    given = {**event, "headers": {"authorization": f"Bearer {token(clock)}"}}
    assert handler(given, Context())["statusCode"] == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"site": "http://example.netlify.app"}, {"site": "example.netlify.app"}, {"secret": ""}, {"secret": None},
        {"secret": "a brief one"}, {"secret": 7}, {"secret": rsa_pem()}, {"secret": Key(rsa_pem())}, {"secret": {"keys": []}},
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        NetlifyIdentity(**{"site": SITE, "secret": SECRET, **wrong})
    assert "brief" not in str(caught.value)
    assert SECRET not in locals_of(caught.value)
    assert "PRIVATE" not in str(caught.value)


def test_settings_name_site_and_secret(clock: Clock) -> None:
    settings = {"AUTHKIT_NETLIFY_SITE": SITE + "/", "AUTHKIT_NETLIFY_JWT_SECRET": SECRET}
    assert NetlifyIdentity.from_settings(settings.get).issuers == {ISSUER}
    for name in settings:
        with pytest.raises(ConfigurationError, match=name):
            NetlifyIdentity.from_settings({**settings, name: ""}.get)
    with pytest.raises(ConfigurationError, match="NetlifyIdentity: site") as caught:
        NetlifyIdentity.from_settings({**settings, "AUTHKIT_NETLIFY_SITE": "x"}.__getitem__)
    assert SECRET not in locals_of(caught.value)
    assert isinstance(named("netlify-identity", site=SITE, secret=SECRET), NetlifyIdentity)
    with pytest.raises(InvalidToken):
        NetlifyIdentity.from_settings(settings.get).verify("x")


def test_no_role_is_taken_from_what_users_write_themselves() -> None:
    with pytest.raises(ConfigurationError, match="users write themselves"):
        NetlifyIdentity(SITE, SECRET, roles=["app_metadata.roles", "user_metadata.roles"])
