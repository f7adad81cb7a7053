"""At a login too each provider's own rules hold: whose account may come in, who the subject is, and where its endpoints are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from authkit_providers import Auth0, AzureB2C, Cognito, Entra, Google, Keycloak, Okta

from tests.oidc.login_parts import BACK, KEY, Browser

from .signer import Signer
from .world import Asked, Told

if TYPE_CHECKING:
    from authkit.oidc import OIDCProvider
    from authkit.testing import Clock

    from .world import World

GOOGLE = "1008719970978-hb24n2dstb40o45d4feuo2ukqmcc6381.apps.googleusercontent.com"
HOME, PARTNER = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "ab")
WEB = "75dbe77f-10a3-4e59-85fd-8c127544f17c"
OID = "690222be-ff1a-4d56-abd1-7e4f7d38e474"


class Site:
    """People who log in at one provider, whose endpoints are where its metadata say, anywhere in the world."""

    def __init__(self, web: World, signer: Signer, provider: OIDCProvider, endpoints: dict[str, str], **settings: Any) -> None:
        self.web, self.signer, self.claims = web, signer, {}
        self.asked: list[Asked] = []
        where = f"{signer.issuer.rstrip('/')}/.well-known/openid-configuration"
        web.says(where, {**signer.metadata(), **endpoints})
        web.says(endpoints["token_endpoint"], self._tokens)
        usual = {"redirect_uri": BACK, "session_key": KEY, "transport": web.transport, "clock": signer.clock, "timeout": 30}
        self.login = provider.login(**{**usual, "client_secret": "of the client", **settings})
        self.browser = Browser(self.login)
        self._nonce = ""

    def _tokens(self, asked: Asked) -> Told:
        self.asked.append(asked)
        said = {"sub": "s-1", "aud": self.login.client_id, "nonce": self._nonce, **self.claims}
        return Told(200, {"access_token": "a", "token_type": "Bearer", "id_token": self.signer.token(said)})

    def logs_in(self, **claims: Any) -> int:
        self.claims = claims
        asked = dict(parse_qsl(urlsplit(self.browser.start()).query))
        self._nonce = asked["nonce"]
        return self.browser.come_back(f"{BACK}?{urlencode({'code': 'c', 'state': asked['state']})}").status

    def principal(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.browser.get().body)
        return found


def at_google(web: World, clock: Clock, **settings: Any) -> Site:
    signer = Signer("https://accounts.google.com", clock, jwks_uri="https://www.googleapis.com/oauth2/v3/certs")
    endpoints = {
        "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
        "token_endpoint": "https://oauth2.googleapis.com/token",
        "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
    }
    return Site(web, signer, Google(GOOGLE, **signer.published(web), **settings), endpoints, client_id=GOOGLE)


def at_entra(web: World, clock: Clock, **settings: Any) -> Site:
    issuer = f"https://login.microsoftonline.com/{HOME}"
    signer = Signer(f"{issuer}/v2.0", clock, jwks_uri=f"{issuer}/discovery/v2.0/keys")
    endpoints = {"authorization_endpoint": f"{issuer}/oauth2/v2.0/authorize", "token_endpoint": f"{issuer}/oauth2/v2.0/token"}
    provider = Entra(HOME, audience=WEB, **signer.published(web), **settings)
    return Site(web, signer, provider, endpoints, client_id=WEB)


def test_googles_endpoints_are_known_to_be_its_own_and_a_login_ends_in_either_spelling(web: World, clock: Clock) -> None:
    site = at_google(web, clock)
    for iss in ("https://accounts.google.com", "accounts.google.com"):
        assert site.logs_in(iss=iss, azp=GOOGLE) == 303
        assert site.principal()["issuer"] == "https://accounts.google.com"
    assert site.asked[0].url == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize("claims", [{}, {"hd": "evil.example"}, {"hd": ["example.com"]}, {"hd": None}], ids=str)
def test_who_is_of_no_domain_of_ours_does_not_log_in_at_google(web: World, clock: Clock, claims: dict[str, Any]) -> None:
    site = at_google(web, clock, hosted_domain="example.com")
    assert site.logs_in(azp=GOOGLE, **claims) == 401
    assert site.browser.whoami() == 303
    assert site.logs_in(azp=GOOGLE, hd="example.com") == 303


def test_at_entra_the_subject_is_the_one_that_access_tokens_have(web: World, clock: Clock) -> None:
    site = at_entra(web, clock)
    assert site.logs_in(oid=OID, tid=HOME, roles=["Admin"]) == 303
    assert (site.principal()["subject"], site.principal()["roles"]) == (OID, ["Admin"])


@pytest.mark.parametrize(
    "claims",
    [{"tid": HOME}, {"oid": OID}, {"oid": OID, "tid": PARTNER}, {"oid": "", "tid": HOME}, {"oid": OID, "tid": ["x"]}],
    ids=str,
)
def test_at_entra_without_its_own_tenant_and_object_nobody_logs_in(web: World, clock: Clock, claims: dict[str, Any]) -> None:
    assert at_entra(web, clock).logs_in(**claims) == 401


def test_cognitos_pages_are_at_a_domain_that_has_to_be_named(web: World, clock: Clock) -> None:
    issuer, pages = (
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI",
        "https://app.auth.eu-west-1.amazoncognito.com",
    )
    signer = Signer(issuer, clock)
    endpoints = {"authorization_endpoint": f"{pages}/oauth2/authorize", "token_endpoint": f"{pages}/oauth2/token"}
    client = "1example23456789"
    provider = Cognito("eu-west-1_AbCdEfGhI", client_id=client, roles=("cognito:groups",), **signer.published(web))
    unnamed = Site(web, signer, provider, endpoints, client_id=client)
    assert unnamed.browser.send(unnamed.login.app, "GET", "/login").status == 500
    site = Site(web, signer, provider, endpoints, client_id=client, endpoint_origins=[pages])
    groups = {"cognito:groups": ["admins"]}
    assert site.logs_in(token_use="id", **groups) == 303
    assert site.principal()["roles"] == ["admins"]
    assert site.logs_in(token_use="access", **groups) == 401


def test_at_okta_people_are_who_their_access_tokens_say_that_they_are(web: World, clock: Clock) -> None:
    issuer = "https://example.okta.com/oauth2/default"
    signer = Signer(issuer, clock)
    endpoints = {"authorization_endpoint": f"{issuer}/v1/authorize", "token_endpoint": f"{issuer}/v1/token"}
    provider = Okta("example.okta.com", audience="api://default", **signer.published(web))
    site = Site(web, signer, provider, endpoints, client_id="0oa1web")
    assert site.logs_in(sub="00u1person") == 303
    access = signer.token(
        {"aud": "api://default", "cid": "0oa1web", "uid": "00u1person", "sub": "alice@example.com", "scp": ["openid"], "ver": 1,
         "jti": "AT.1"}, {}
    )  # fmt: skip
    assert provider.verify(access).subject == site.principal()["subject"] == "00u1person"


def test_at_auth0_only_people_of_an_organization_that_was_named_log_in(web: World, clock: Clock) -> None:
    signer = Signer("https://example.eu.auth0.com/", clock)
    where = "https://example.eu.auth0.com"
    endpoints = {"authorization_endpoint": f"{where}/authorize", "token_endpoint": f"{where}/oauth/token"}
    roles = "https://example.com/roles"
    provider = Auth0(
        "example.eu.auth0.com", audience="https://api", organizations="org_ours", roles=[roles], **signer.published(web)
    )
    site = Site(web, signer, provider, endpoints, client_id="web")
    for claims in ({}, {"org_id": "org_theirs"}, {"org_id": ["org_ours"]}):
        assert site.logs_in(**claims) == 401
    assert site.logs_in(org_id="org_ours", **{roles: ["admin"]}) == 303
    assert site.principal()["roles"] == ["admin"]


def test_keycloaks_id_tokens_are_told_from_its_others(web: World, clock: Clock) -> None:
    issuer = "https://sso.example.com/realms/main"
    signer = Signer(issuer, clock)
    where = f"{issuer}/protocol/openid-connect"
    endpoints = {"authorization_endpoint": f"{where}/auth", "token_endpoint": f"{where}/token"}
    provider = Keycloak(issuer, audience="api", **signer.published(web))
    site = Site(web, signer, provider, endpoints, client_id="web")
    for typ in ("Bearer", "Refresh", "Logout", None):
        assert site.logs_in(typ=typ) == 401
    assert site.logs_in(typ="ID", realm_access={"roles": ["admin"]}) == 303
    assert site.principal()["roles"] == ["admin"]


def test_at_azure_b2c_a_login_is_by_a_policy_that_was_named_and_of_a_subject_that_is_one(web: World, clock: Clock) -> None:
    guid = "775527ff-9a37-4307-8b3d-cc311f58d925"
    pages = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_signin"
    signer = Signer(f"https://contoso.b2clogin.com/{guid}/v2.0/", clock, jwks_uri=f"{pages}/discovery/v2.0/keys")
    endpoints = {"authorization_endpoint": f"{pages}/oauth2/v2.0/authorize", "token_endpoint": f"{pages}/oauth2/v2.0/token"}
    provider = AzureB2C("contoso", tenant_id=guid, policy="b2c_1_signin", audience=WEB, **signer.published(web))
    site = Site(web, signer, provider, endpoints, client_id=WEB)
    web.says(f"{pages}/v2.0/.well-known/openid-configuration", {**signer.metadata(), **endpoints})
    nobody = {"tfp": "B2C_1_signin", "sub": "Not supported currently. Use oid claim."}
    for claims in ({}, {"tfp": "B2C_1_edit"}, {"tfp": ["B2C_1_signin"]}, nobody):
        assert site.logs_in(**claims) == 401
    assert site.logs_in(tfp="B2C_1_signin") == 303
    assert site.browser.whoami() == "s-1"
