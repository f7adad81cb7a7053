"""Microsoft Entra's tokens, as its access token and ID token claims references describe them (OID-07, OID-08, OID-09)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Entra
from authkit_providers.entra import PERSONAL

from authkit import ConfigurationError, InvalidToken, Request, chain, require_auth
from authkit.oidc import named
from authkit.tokens import Key

from ..oidc.issuer import rsa_pem, signed

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

HOME, PARTNER, FOREIGN = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abc")
API, CLIENT = "6e74172b-be56-4843-9ff4-e66a39bb12e3", "75dbe77f-10a3-4e59-85fd-8c127544f17c"
OID = "690222be-ff1a-4d56-abd1-7e4f7d38e474"
LOGIN = "https://login.microsoftonline.com"
EVERY = LOGIN + "/{tenantid}/v2.0"
work, consumers = Key(rsa_pem(), kid="jS1Xo1OWDj_52vbwGNgvQO2VzMc"), Key(rsa_pem(1), kid="yreX2PsLi-qkbR8QDOmB_ySxp8Q")


def published(*keys: tuple[Key, str | None]) -> dict[str, Any]:
    """A set as Microsoft publishes it: no alg, an x5t, and in version 2 whose each key is."""
    members = []
    for key, issuer in keys:
        public = {**(key.public_jwk() or {}), "x5t": key.kid, "x5c": ["MIID..."]}
        del public["alg"]
        members.append({**public, "issuer": issuer} if issuer else public)
    return {"keys": members}


class Tenants:
    """Entra, with its keys where they really are."""

    def __init__(self, web: World, clock: Clock) -> None:
        self.web, self.clock = web, clock
        both = published((work, EVERY), (consumers, f"{LOGIN}/{PERSONAL}/v2.0"))
        web.says(f"{LOGIN}/common/discovery/v2.0/keys", both)
        web.says(f"{LOGIN}/common/discovery/keys", published((work, None)))
        for tenant in (HOME, PERSONAL):
            web.says(f"{LOGIN}/{tenant}/discovery/v2.0/keys", both)
            web.says(f"{LOGIN}/{tenant}/discovery/keys", published((work, None)))

    def provider(self, tenant: str | None = HOME, **settings: Any) -> Entra:
        given = {"audience": API, "transport": self.web.transport, "clock": self.clock, "monotonic": self.clock, **settings}
        return Entra(tenant, **given)

    def v2(self, key: Key = work, header: dict[str, Any] | None = None, tenant: str = HOME, **changes: Any) -> str:
        """A user's token of version 2."""
        now = int(self.clock())
        claims = {
            "aud": API, "iss": f"{LOGIN}/{tenant}/v2.0", "iat": now, "nbf": now, "exp": now + 3900, "aio": "AXQAi/8IAAAA",
            "azp": CLIENT, "azpacr": "0", "name": "Abe Lincoln", "oid": OID, "preferred_username": "abeli@example.com",
            "rh": "I", "scp": "access_as_user", "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "tid": tenant,
            "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0", **changes,
        }  # fmt: skip
        members = {"typ": "JWT", "alg": "RS256", "kid": key.kid, **(header or {})}
        return signed(key, {name: value for name, value in claims.items() if value is not ...}, members)

    def v1(self, key: Key = work, tenant: str = HOME, **changes: Any) -> str:
        now = int(self.clock())
        claims = {
            "aud": "api://orders", "iss": f"https://sts.windows.net/{tenant}/", "iat": now, "nbf": now, "exp": now + 3900,
            "acr": "1", "amr": ["wia"], "appid": CLIENT, "appidacr": "0", "ipaddr": "222.222.222.22", "name": "abeli",
            "oid": OID, "scp": "user_impersonation", "sub": "l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA", "tid": tenant,
            "unique_name": "abeli@example.com", "uti": "FVsGxYXI30-TuikuuUoFAA", "ver": "1.0", **changes,
        }  # fmt: skip
        members = {"typ": "JWT", "alg": "RS256", "x5t": key.kid, "kid": key.kid}
        return signed(key, {name: value for name, value in claims.items() if value is not ...}, members)


@pytest.fixture
def entra(web: World, clock: Clock) -> Tenants:
    return Tenants(web, clock)


def reason(provider: Entra, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(token)
    return caught.value.reason


class TestATokenOfOneTenant:
    def test_is_its_users_by_object_id(self, entra: Tenants) -> None:
        """OID-09: `sub` differs from application to application, and names and addresses are anybody's."""
        provider = entra.provider()
        who = provider.verify(entra.v2(roles=["Orders.Admin"], groups=["g1", "g2"]))
        assert (who.subject, who.issuer) == (OID, f"{LOGIN}/{HOME}/v2.0")
        assert (who.scopes, who.roles) == ({"access_as_user"}, {"Orders.Admin"})
        identity = provider.identity(who)
        assert (identity.tenant, identity.groups, identity.name) == (HOME, {"g1", "g2"}, "Abe Lincoln")
        assert entra.web.asked == [f"{LOGIN}/{HOME}/discovery/v2.0/keys"]

    def test_of_version_1_has_an_issuer_and_keys_of_its_own(self, entra: Tenants) -> None:
        provider = entra.provider(version=1, audience=["api://orders", API])
        for audience in ("api://orders", API):
            who = provider.verify(entra.v1(aud=audience))
            assert (who.subject, who.issuer, who.scopes) == (OID, f"https://sts.windows.net/{HOME}/", {"user_impersonation"})
        assert entra.web.asked == [f"{LOGIN}/{HOME}/discovery/keys"]

    def test_of_the_other_version_is_refused(self, entra: Tenants) -> None:
        one, two = entra.provider(version=1, audience=["api://orders", API]), entra.provider()
        assert reason(two, entra.v1(aud=API)) == "token_issuer"
        assert reason(one, entra.v2()) == "token_issuer"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"ver": "1.0"}, "token_type"),
            ({"ver": ...}, "token_type"),
            ({"ver": 2.0}, "token_type"),
            ({"azp": ..., "appid": CLIENT}, "token_rule"),
            ({"iss": f"https://sts.windows.net/{HOME}/", "ver": "2.0"}, "token_issuer"),
            ({"iss": f"{LOGIN}/{HOME}/"}, "token_issuer"),
            ({"iss": f"{LOGIN}/{HOME}/v2.0/"}, "token_issuer"),
        ],
    )
    def test_that_mixes_the_versions_is_refused(self, entra: Tenants, changes: dict[str, Any], expected: str) -> None:
        assert reason(entra.provider(), entra.v2(**changes)) == expected

    def test_both_versions_are_two_verifiers(self, entra: Tenants) -> None:
        guard = chain(require_auth(entra.provider(), entra.provider(version=1, audience="api://orders"), clock=entra.clock))
        for token in (entra.v1(), entra.v2()):
            decision = guard.decide(Request.build(headers={"authorization": f"Bearer {token}"}))
            assert type(decision).__name__ != "Deny"

    @pytest.mark.parametrize("tid", [..., None, "", PARTNER, HOME.upper(), [HOME], 7])
    def test_whose_tenant_is_not_its_issuers_is_refused(self, entra: Tenants, tid: Any) -> None:
        assert reason(entra.provider(), entra.v2(tid=tid)) in ("token_rule", "token_issuer")
        one = entra.provider(version=1, audience="api://orders")  # whose keys do not say whose they are
        assert reason(one, entra.v1(tid=tid)) == "token_rule"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"oid": ...}, "token_claims"),
            ({"oid": ""}, "token_claims"),
            ({"exp": 1}, "token_expired"),
            ({"exp": ...}, "token_claims"),
            ({"aud": CLIENT}, "token_audience"),
            ({"aud": "api://" + API}, "token_audience"),
            ({"aud": [CLIENT]}, "token_audience"),
            ({"cnf": {"kid": "x"}}, "token_bound"),
            ({"azp": 7}, "token_rule"),
            ({"azp": ""}, "token_rule"),
        ],
    )
    def test_each_claim_alone_is_fatal(self, entra: Tenants, changes: dict[str, Any], expected: str) -> None:
        assert reason(entra.provider(), entra.v2(**changes)) == expected

    def test_an_unknown_or_a_foreign_key_is_refused(self, entra: Tenants) -> None:
        other = Key(rsa_pem(2), kid="other")
        assert reason(entra.provider(), entra.v2(other)) == "token_key"
        assert reason(entra.provider(), entra.v2(Key(rsa_pem(2), kid=work.kid))) == "token_signature"


class TestOtherKindsOfTokens:
    def test_an_id_token_is_refused_also_where_client_and_api_are_one_registration(self, entra: Tenants) -> None:
        """Its audience is then the API's, its typ is the same, and it has the roles of the user."""
        provider = entra.provider()
        plain = {"azp": ..., "scp": ..., "azpacr": ..., "roles": ["Orders.Admin"]}
        assert reason(provider, entra.v2(**plain)) == "token_rule"
        assert reason(provider, entra.v2(nonce="678910", **plain)) == "token_type"
        for mark in ("nonce", "at_hash", "c_hash"):
            assert reason(provider, entra.v2(**{mark: "x"})) == "token_type"

    @pytest.mark.parametrize("aud", ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"])
    def test_a_token_for_graph_is_refused(self, entra: Tenants, aud: str) -> None:
        """What Graph gets is signed over a header whose nonce is hashed, so that nobody else can verify it."""
        provider = entra.provider()
        token = entra.v2(aud=aud, header={"nonce": "the hash of what the header says"})
        _, payload, signature = token.split(".")
        shown = signed(work, {}, {"typ": "JWT", "alg": "RS256", "kid": work.kid, "nonce": "as the header says"}).split(".")[0]
        assert reason(provider, f"{shown}.{payload}.{signature}") == "token_signature"
        assert reason(provider, token) == "token_audience"
        for version in (1, 2):
            with pytest.raises(ConfigurationError, match="Entra: audience"):
                entra.provider(version=version, audience=aud)

    def test_an_application_itself_has_roles_and_no_scopes(self, entra: Tenants) -> None:
        provider = entra.provider()
        app = {"scp": ..., "name": ..., "preferred_username": ..., "roles": ["Orders.Read.All"]}
        for kind in ("app", ...):
            who = provider.verify(entra.v2(idtyp=kind, **app))
            assert (who.subject, who.scopes, who.roles) == (OID, frozenset(), {"Orders.Read.All"})

    @pytest.mark.parametrize(
        "changes",
        [
            {"scp": ..., "roles": ...},  # any application of the tenant gets such a one
            {"scp": ..., "roles": []},
            {"scp": ..., "roles": "Orders.Read.All"},
            {"scp": ..., "roles": ["Orders.Read.All"], "idtyp": "user"},
            {"scp": "", "roles": ["Orders.Read.All"]},
            {"idtyp": "app", "roles": ["Orders.Read.All"]},
            {"idtyp": "device"},
            {"idtyp": None, "scp": ["access_as_user"]},
        ],
    )
    def test_one_of_nobody_in_particular_is_refused(self, entra: Tenants, changes: dict[str, Any]) -> None:
        assert reason(entra.provider(), entra.v2(**changes)) in ("token_rule", "token_claims")

    def test_clients_may_be_named(self, entra: Tenants) -> None:
        provider = entra.provider(clients=[CLIENT.upper()])
        assert provider.verify(entra.v2()).subject == OID
        assert reason(provider, entra.v2(azp=API)) == "token_rule"


class TestSeveralTenants:
    """OID-08."""

    def test_of_those_that_are_named_each_keeps_its_own_users(self, entra: Tenants) -> None:
        provider = entra.provider(None, tenants=[HOME, PARTNER.upper()])
        here, there = provider.verify(entra.v2()), provider.verify(entra.v2(tenant=PARTNER))
        assert (here.subject, there.subject) == (OID, OID)
        assert provider.identity(here).key != provider.identity(there).key
        assert provider.identity(there).tenant == PARTNER
        assert entra.web.asked == [f"{LOGIN}/common/discovery/v2.0/keys"]

    def test_another_tenant_is_refused_however_it_says_so(self, entra: Tenants) -> None:
        provider = entra.provider(None, tenants=[HOME, PARTNER])
        assert reason(provider, entra.v2(tenant=FOREIGN)) == "token_issuer"
        assert reason(provider, entra.v2(tenant=FOREIGN, iss=f"{LOGIN}/{HOME}/v2.0")) == "token_issuer"
        assert reason(provider, entra.v2(tid=FOREIGN)) == "token_issuer"
        assert reason(provider, entra.v2(tid=PARTNER)) == "token_issuer"
        assert reason(provider, entra.v2(iss=EVERY, tid="{tenantid}")) == "token_issuer"
        for name in ("common", "organizations"):
            assert reason(provider, entra.v2(iss=f"{LOGIN}/{name}/v2.0")) == "token_issuer"

    def test_in_version_1_too(self, entra: Tenants) -> None:
        provider = entra.provider(None, tenants=[HOME, PARTNER], version=1, audience="api://orders")
        assert provider.verify(entra.v1(tenant=PARTNER)).issuer == f"https://sts.windows.net/{PARTNER}/"
        assert reason(provider, entra.v1(tid=PARTNER)) == "token_rule"
        assert reason(provider, entra.v1(tenant=FOREIGN)) == "token_issuer"
        assert entra.web.asked == [f"{LOGIN}/common/discovery/keys"]

    def test_personal_accounts_are_a_tenant_that_has_to_be_named(self, entra: Tenants) -> None:
        provider = entra.provider(None, tenants=[HOME, PARTNER])
        assert reason(provider, entra.v2(consumers, tenant=PERSONAL)) == "token_issuer"
        both = entra.provider(None, tenants=[HOME, PERSONAL])
        assert both.identity(both.verify(entra.v2(consumers, tenant=PERSONAL))).tenant == PERSONAL

    def test_a_key_of_personal_accounts_signs_for_no_company(self, entra: Tenants) -> None:
        """Storm-0558: such a key was stolen, and tokens of companies were made with it."""
        for provider in (entra.provider(None, tenants=[HOME, PERSONAL]), entra.provider()):
            assert reason(provider, entra.v2(consumers)) == "token_issuer"

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"tenant": HOME, "tenants": [PARTNER]},
            {"tenants": []},
            {"tenants": HOME},
            {"tenants": None, "tenant": ""},
            {"tenant": "common"},
            {"tenant": "organizations"},
            {"tenant": "consumers"},
            {"tenant": "contoso.onmicrosoft.com"},
            {"tenant": "*"},
            {"tenants": [HOME, "common"]},
            {"tenant": HOME + "/"},
            {"tenant": HOME, "version": 3},
            {"tenant": HOME, "version": "2"},
            {"tenant": HOME, "version": True},
            {"tenant": HOME, "cloud": "germany"},
            {"tenant": HOME, "audience": "api://orders"},
            {"tenant": HOME, "audience": []},
            {"tenant": HOME, "clients": []},
            {"tenant": HOME, "clients": ["my app"]},
        ],
    )
    def test_who_names_nobody_or_everybody_is_told_at_once(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="Entra: ") as caught:
            Entra(**{"audience": API, **settings})
        assert HOME not in str(caught.value)


class TestWhatSomebodyIsCalled:
    def test_an_address_is_no_identity(self, entra: Tenants) -> None:
        """nOAuth: an administrator of another tenant writes any address into their own user."""
        provider = entra.provider(None, tenants=[HOME, PARTNER])
        victim = provider.identity(provider.verify(entra.v2(email="ceo@example.com")))
        attacker = provider.identity(provider.verify(entra.v2(tenant=PARTNER, email="ceo@example.com")))
        assert victim.key != attacker.key
        assert (attacker.email, attacker.unverified_email) == (None, "ceo@example.com")

    def test_renaming_somebody_changes_no_account(self, entra: Tenants) -> None:
        provider = entra.provider()
        before = provider.identity(provider.verify(entra.v2()))
        after = provider.identity(provider.verify(entra.v2(preferred_username="x@y.example", name="X", sub="another app's")))
        assert before.key == after.key

    @pytest.mark.parametrize(("mark", "verified"), [(True, True), (..., False), (False, False), ("1", False), (1, False)])
    def test_an_address_is_verified_where_its_domain_is(self, entra: Tenants, mark: Any, verified: bool) -> None:
        provider = entra.provider()
        found = provider.identity(provider.verify(entra.v2(email="abe@example.com", xms_edov=mark)))
        assert (found.email is not None) is verified

    def test_too_many_groups_are_none_and_said_to_be_elsewhere(self, entra: Tenants) -> None:
        provider = entra.provider()
        sources = {"src1": {"endpoint": "https://graph.windows.net/evil"}}
        for marks in ({"_claim_names": {"groups": "src1"}, "_claim_sources": sources}, {"hasgroups": True}):
            who = provider.verify(entra.v2(**marks))
            assert provider.groups_elsewhere(who)
            assert provider.identity(who).groups == frozenset()
        assert not provider.groups_elsewhere(provider.verify(entra.v2(groups=["g"])))
        assert len(entra.web.asked) == 1  # nobody follows an address that stands in a token


class TestTheOtherClouds:
    @pytest.mark.parametrize(
        ("cloud", "login", "sts"),
        [
            ("usgov", "https://login.microsoftonline.us", "https://sts.windows.net"),
            ("china", "https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn"),
        ],
    )
    def test_have_hosts_of_their_own(self, entra: Tenants, cloud: str, login: str, sts: str) -> None:
        entra.web.says(f"{login}/{HOME}/discovery/v2.0/keys", published((work, login + "/{tenantid}/v2.0")))
        provider = entra.provider(cloud=cloud)
        assert provider.verify(entra.v2(iss=f"{login}/{HOME}/v2.0")).issuer == f"{login}/{HOME}/v2.0"
        assert reason(provider, entra.v2()) == "token_issuer"
        assert entra.provider(cloud=cloud, version=1).issuer == f"{sts}/{HOME}/"


class TestSettings:
    def test_name_one_tenant_or_several(self) -> None:
        settings = {"AUTHKIT_ENTRA_TENANT": HOME, "AUTHKIT_AUDIENCE": API}
        assert Entra.from_settings(settings.get).issuers == {f"{LOGIN}/{HOME}/v2.0"}
        several = {**settings, "AUTHKIT_ENTRA_TENANT": f"{HOME}, {PARTNER}", "AUTHKIT_ENTRA_VERSION": "1"}
        assert Entra.from_settings(several.get).issuers == {f"https://sts.windows.net/{one}/" for one in (HOME, PARTNER)}
        assert named("entra", tenant=HOME, audience=API).issuer == f"{LOGIN}/{HOME}/v2.0"

    @pytest.mark.parametrize("missing", ["AUTHKIT_ENTRA_TENANT", "AUTHKIT_AUDIENCE"])
    def test_that_are_missing_are_named(self, missing: str) -> None:
        settings = {"AUTHKIT_ENTRA_TENANT": HOME, "AUTHKIT_AUDIENCE": API}
        del settings[missing]
        with pytest.raises(ConfigurationError, match=missing):
            Entra.from_settings(settings.get)

    def test_that_are_wrong_are_named(self) -> None:
        with pytest.raises(ConfigurationError, match="AUTHKIT_ENTRA_VERSION"):
            Entra.from_settings({"AUTHKIT_ENTRA_TENANT": HOME, "AUTHKIT_AUDIENCE": API, "AUTHKIT_ENTRA_VERSION": "v2"}.get)
