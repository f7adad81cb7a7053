"""Auth0's Management API: whose account a purchase is put on, made once, entitled as often as one likes."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers.auth0 import AccountRefused, Auth0User, Management
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from authkit import ConfigurationError, Unavailable
from authkit.secrets import Secret
from tests.servers.auth0_management import Auth0Server, auth0

if TYPE_CHECKING:
    from collections.abc import Iterator

ALICE = "alice@example.com"


@pytest.fixture
def tenant() -> Iterator[Auth0Server]:
    with auth0() as server:
        yield server


def management(tenant: Auth0Server, **settings: Any) -> Management:
    settings = {"timeout": 20, "patience": 60, **settings}
    return Management(tenant.domain, tenant.client_id, tenant.client_secret, url=tenant.url, **settings)


def pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class TestWhoseAccount:
    def test_nobody_is_found_where_nobody_is(self, tenant: Auth0Server) -> None:
        assert management(tenant).find_by_email(ALICE) is None

    def test_a_verified_address_is_found_in_whatever_case_it_is_written(self, tenant: Auth0Server) -> None:
        alice = tenant.sign_up("Alice@Example.com", verified=True)
        user = management(tenant).find_by_email(" ALICE@example.COM ")
        assert user is not None
        assert (user.id, user.email, user.email_verified, user.blocked, user.created) == (alice, ALICE, True, False, False)

    def test_who_registered_with_an_address_and_never_showed_that_it_is_theirs_gets_nothing(self, tenant: Auth0Server) -> None:
        mallory = tenant.sign_up(ALICE)
        buyer = tenant.role("buyer")
        for ask in (
            lambda: management(tenant).find_by_email(ALICE),
            lambda: management(tenant).create(ALICE),
            lambda: management(tenant).ensure(ALICE, [buyer]),
        ):
            with pytest.raises(AccountRefused) as caught:
                ask()
            assert caught.value.reason == "email_unverified"
            assert ALICE not in str(caught.value)
        assert tenant.roles_of(mallory) == set()
        tenant.users[mallory]["email_verified"] = True  # they have shown it
        assert management(tenant).ensure(ALICE, [buyer]).id == mallory
        assert tenant.roles_of(mallory) == {"buyer"}

    def test_an_account_that_we_made_is_found_before_it_is_verified(self, tenant: Auth0Server) -> None:
        made = management(tenant).create(ALICE)
        found = management(tenant).find_by_email(ALICE)
        assert found is not None
        assert (found.id, found.email_verified, found.created) == (made.id, False, False)

    def test_an_account_that_was_made_for_another_address_is_not(self, tenant: Auth0Server) -> None:
        """Whoever may change their address in an app has not shown that the new one is theirs."""
        made = management(tenant).create("mallory@example.com")
        tenant.users[made.id]["email"] = ALICE
        with pytest.raises(AccountRefused, match="email_unverified"):
            management(tenant).find_by_email(ALICE)

    def test_what_people_write_about_themselves_is_no_mark(self, tenant: Auth0Server) -> None:
        tenant.sign_up(ALICE, user_metadata={"authkit_made_for": ALICE}, name=ALICE)
        with pytest.raises(AccountRefused, match="email_unverified"):
            management(tenant).find_by_email(ALICE)

    @pytest.mark.parametrize("mark", [True, 1, "", [ALICE], {"email": ALICE}, "Alice@Example.com", None])
    def test_a_mark_says_the_very_address(self, tenant: Auth0Server, mark: object) -> None:
        tenant.sign_up(ALICE, app_metadata={"authkit_made_for": mark})
        with pytest.raises(AccountRefused, match="email_unverified"):
            management(tenant).find_by_email(ALICE)

    def test_accounts_of_other_connections_are_none_here(self, tenant: Auth0Server) -> None:
        tenant.sign_up(ALICE, connection="google-oauth2", verified=True)
        assert management(tenant).find_by_email(ALICE) is None
        made = management(tenant).ensure(ALICE)
        assert (made.created, made.id[:6]) == (True, "auth0|")
        social = management(tenant, connection="google-oauth2").find_by_email(ALICE)
        assert social is not None
        assert social.id.startswith("google-oauth2|")

    def test_an_identity_that_was_linked_later_does_not_lend_its_connection(self, tenant: Auth0Server) -> None:
        google = tenant.sign_up(ALICE, connection="google-oauth2", verified=True)
        linked = {"connection": "Username-Password-Authentication", "provider": "auth0", "user_id": "1", "isSocial": False}
        tenant.users[google]["identities"] = [linked, *tenant.users[google]["identities"]]
        assert management(tenant).find_by_email(ALICE) is None

    def test_two_accounts_that_are_entitled_are_one_too_many(self, tenant: Auth0Server) -> None:
        first, second = tenant.sign_up("a@example.com", verified=True), tenant.sign_up("b@example.com", verified=True)
        for user in (first, second):
            tenant.users[user]["email"] = ALICE
        with pytest.raises(AccountRefused, match="several_accounts"):
            management(tenant).ensure(ALICE)

    @pytest.mark.parametrize(
        "email",
        ["", "alice", "@example.com", "a@b", "a b@example.com", "a@example.com,b@example.com", "a@example.com\nb",
         "a@@example.com", "a@exa\u212aple.com", "alic\u00e9@example.com", "a" * 65 + "@example.com", "a@" + "x" * 250 + ".com",
         "a@example.com\x00", '"a"@example.com', "<a@example.com>", None, 7, b"a@example.com"],
    )  # fmt: skip
    def test_what_is_no_plain_address_is_not_asked_about(self, tenant: Auth0Server, email: Any) -> None:
        with pytest.raises(AccountRefused, match="email_malformed"):
            management(tenant).ensure(email)
        assert tenant.asked == []


class TestMaking:
    def test_an_account_is_made_unverified_and_its_address_asked_to_be_verified(self, tenant: Auth0Server) -> None:
        user = management(tenant).create("Alice@Example.com", name="  Alice \u00c5. ")
        kept = tenant.users[user.id]
        assert (kept["email"], kept["email_verified"], kept["name"]) == (ALICE, False, "Alice \u00c5.")
        assert kept["app_metadata"] == {"authkit_made_for": ALICE}
        assert tenant.mail == [ALICE]
        assert repr(user) == f"<Auth0User {user.id}>"
        with pytest.raises(AttributeError):
            user.email_verified = True

    def test_each_password_is_another_and_as_strong_as_any_policy_wants(self, tenant: Auth0Server) -> None:
        people = management(tenant)
        passwords = {tenant.passwords[people.create(f"p{number}@example.com").id] for number in range(20)}
        assert len(passwords) == 20
        assert all(re.fullmatch(r"(?:[a-z][A-Z]\d[!@#$%^&*]){10}", password) for password in passwords)

    @pytest.mark.parametrize(
        ("name", "kept"), [("A\x00li\u202ece \ud800", "Alice"), ("\x00", ALICE), ("\u00c5" * 400, "\u00c5" * 300)]
    )
    def test_a_name_loses_nobody_an_account(self, tenant: Auth0Server, name: str, kept: str) -> None:
        """What the buyer has typed: of it goes on what can be read."""
        assert management(tenant).create(ALICE, name=name).created
        [user] = tenant.users.values()
        assert user.get("name") == kept

    def test_who_was_quicker_has_made_it(self, tenant: Auth0Server) -> None:
        other = management(tenant)
        made: list[Auth0User] = []
        tenant.before["POST /users"] = lambda: tenant.before.clear() or made.append(other.create(ALICE))
        user = management(tenant).ensure(ALICE, [tenant.role("buyer")])
        assert (user.id, user.created) == (made[0].id, False)
        assert len(tenant.users) == 1
        assert tenant.roles_of(user.id) == {"buyer"}

    def test_who_was_quicker_and_is_not_entitled_gets_nothing(self, tenant: Auth0Server) -> None:
        tenant.before["POST /users"] = lambda: tenant.before.clear() or tenant.sign_up(ALICE)
        with pytest.raises(AccountRefused, match="email_unverified"):
            management(tenant).ensure(ALICE, [tenant.role("buyer")])
        assert tenant.members == set()

    def test_an_address_that_auth0_neither_finds_nor_makes_is_told(self, tenant: Auth0Server) -> None:
        """A custom database that knows it, say."""
        tenant.fail("POST /users", 409)
        with pytest.raises(AccountRefused, match="account_conflict"):
            management(tenant).ensure(ALICE)

    def test_a_connection_that_there_is_not_is_a_wrong_configuration(self, tenant: Auth0Server) -> None:
        with pytest.raises(ConfigurationError, match="connection"):
            management(tenant, connection="No-Such-Database").ensure(ALICE)

    def test_what_auth0_does_not_take_is_told_with_its_word_for_it(self, tenant: Auth0Server) -> None:
        body = b'{"statusCode": 400, "message": "canary", "errorCode": "invalid_body"}'
        tenant.fail("POST /users", 400, body=body)
        with pytest.raises(Unavailable, match="400 invalid_body") as caught:
            management(tenant).ensure(ALICE)
        assert "canary" not in str(caught.value)

    def test_many_at_once_make_one(self, tenant: Auth0Server) -> None:
        people, buyer = management(tenant), tenant.role("buyer")
        users: list[Auth0User] = []
        threads = [threading.Thread(target=lambda: users.append(people.ensure(ALICE, [buyer]))) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(users) == 12
        assert len({user.id for user in users}) == len(tenant.users) == 1
        assert sum(user.created for user in users) == 1
        assert tenant.named("POST /oauth/token") == 1
        assert tenant.roles_of(users[0].id) == {"buyer"}


class TestRoles:
    def test_roles_are_given_by_id_or_name_as_often_as_one_likes(self, tenant: Auth0Server) -> None:
        people, alice = management(tenant), tenant.sign_up(ALICE, verified=True)
        early = tenant.role("early bird")
        tenant.role("buyer")
        for _ in range(2):
            people.assign_roles(alice, [early, "buyer"])
        assert tenant.roles_of(alice) == {"early bird", "buyer"}
        assert tenant.named("GET /roles") == 1  # what a name means is remembered

    def test_one_role_may_stand_alone(self, tenant: Auth0Server) -> None:
        tenant.role("buyer")
        assert tenant.roles_of(management(tenant).ensure(ALICE, "buyer").id) == {"buyer"}

    def test_a_name_means_the_role_that_has_exactly_this_name(self, tenant: Auth0Server) -> None:
        for name in ("Buyer", "buyer of all", "BUYER", *(f"buyer {number}" for number in range(120))):
            tenant.role(name)
        tenant.role("buyer")
        alice = tenant.sign_up(ALICE, verified=True)
        management(tenant).assign_roles(alice, ["buyer"])
        assert tenant.roles_of(alice) == {"buyer"}
        assert tenant.named("GET /roles") == 2  # pages

    def test_a_role_that_there_is_not_is_told_before_an_account_is_made(self, tenant: Auth0Server) -> None:
        tenant.role("buyer of all")
        with pytest.raises(ConfigurationError, match="roles"):
            management(tenant).ensure(ALICE, ["buyer"])
        assert tenant.users == {}

    def test_roles_are_taken_back(self, tenant: Auth0Server) -> None:
        tenant.granted.add("delete:role_members")
        people = management(tenant, scopes=[*Management.SCOPES, "delete:role_members"])
        user = people.ensure(ALICE, [tenant.role("buyer"), tenant.role("other")])
        for _ in range(2):
            people.remove_roles(user.id, ["buyer"])
        assert tenant.roles_of(user.id) == {"other"}

    def test_the_bar_in_an_id_is_encoded(self, tenant: Auth0Server) -> None:
        user = tenant.sign_up(ALICE, verified=True)
        assert "|" in user
        management(tenant).assign_roles(user, [tenant.role("buyer")])  # the server takes no other
        assert tenant.roles_of(user) == {"buyer"}

    @pytest.mark.parametrize(
        "user_id", ["", ".", "..", "..|", "auth0", "|1", "auth0|1/../2", "a|b c", "a|" + "x" * 256, "a|\ud800", None]
    )
    def test_what_is_no_id_is_not_sent(self, tenant: Auth0Server, user_id: Any) -> None:
        with pytest.raises(ConfigurationError, match="user_id"):
            management(tenant).assign_roles(user_id, ["rol_0123456789abcdef"])
        assert tenant.asked == []

    @pytest.mark.parametrize("roles", [[""], ["a\nb"], [7], ["x" * 129], ["\ud800"]])
    def test_what_is_no_role_is_not_sent(self, tenant: Auth0Server, roles: Any) -> None:
        with pytest.raises(ConfigurationError, match="roles"):
            management(tenant).assign_roles("auth0|1", roles)
        assert tenant.asked == []


class TestAsync:
    async def test_each_method_has_its_twin(self, tenant: Auth0Server) -> None:
        tenant.granted.add("delete:role_members")
        people = management(tenant, scopes=[*Management.SCOPES, "delete:role_members"])
        buyer = tenant.role("buyer")
        users = await asyncio.gather(*(people.aensure(ALICE, [buyer], name="Alice") for _ in range(4)))
        assert len({user.id for user in users}) == 1
        found = await people.afind_by_email(ALICE)
        assert found is not None
        await people.aremove_roles(found.id, [buyer])
        assert tenant.roles_of(found.id) == set()
        await people.aassign_roles(found.id, ["buyer"])
        assert tenant.roles_of(found.id) == {"buyer"}
        assert (await people.acreate("bob@example.com")).created


class TestLeastScope:
    def test_what_is_needed_is_asked_for_so_that_what_is_missing_shows_at_once(self, tenant: Auth0Server) -> None:
        """It does not narrow the token: Auth0 puts all that has been granted into it."""
        management(tenant).ensure(ALICE, [tenant.role("buyer")])
        [asked] = [said for what, said in tenant.bodies if what == "POST /oauth/token"]
        assert asked["scope"].split() == list(Management.SCOPES)
        assert set(Management.SCOPES) == {"read:users", "create:users", "read:roles", "create:role_members"}

    @pytest.mark.parametrize("scope", Management.SCOPES)
    def test_a_scope_that_was_not_granted_is_named(self, tenant: Auth0Server, scope: str) -> None:
        tenant.granted.remove(scope)
        with pytest.raises(ConfigurationError, match=scope):
            management(tenant).ensure(ALICE, [tenant.role("buyer")])
        assert tenant.users == {}

    @pytest.mark.parametrize("scope", Management.SCOPES)
    def test_a_scope_that_neither_was_asked_for_is_named(self, tenant: Auth0Server, scope: str) -> None:
        tenant.granted.remove(scope)
        people = management(tenant, scopes=[name for name in Management.SCOPES if name != scope])
        with pytest.raises(ConfigurationError, match=f"needs the scope {scope}"):
            people.ensure(ALICE, [tenant.role("buyer") and "buyer"])

    def test_what_is_wrong_here_is_not_said_to_be_a_grant_that_is_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(ConfigurationError, match="SSL_CERT_FILE") as raised:
            Management("acme.eu.auth0.com", "id", "secret").find_by_email(ALICE)
        assert "uthorise" not in str(raised.value)

    def test_an_application_of_another_tenant_is_told(self, tenant: Auth0Server) -> None:
        people = Management("other.eu.auth0.com", tenant.client_id, tenant.client_secret, url=tenant.url)
        with pytest.raises(ConfigurationError, match=r"access_denied\. Authorise the application"):
            people.ensure(ALICE)


class TestSettings:
    @pytest.mark.parametrize(
        ("setting", "value"),
        [("domain", "https://acme.eu.auth0.com"), ("domain", "acme"), ("domain", ""), ("url", "http://acme.eu.auth0.com"),
         ("url", "acme.eu.auth0.com"), ("connection", ""), ("connection", "a b"), ("scopes", ["everything"]), ("scopes", []),
         ("timeout", 0), ("patience", float("nan"))],
    )  # fmt: skip
    def test_a_wrong_literal_is_refused_and_named(self, setting: str, value: Any) -> None:
        given: dict[str, Any] = {"domain": "acme.eu.auth0.com", "client_id": "id", "client_secret": "canary", setting: value}
        with pytest.raises(ConfigurationError, match=setting) as caught:
            Management(**given)
        assert "canary" not in str(caught.value)

    def test_something_shows_who_asks(self) -> None:
        with pytest.raises(ConfigurationError):
            Management("acme.eu.auth0.com", "id")

    def test_a_secret_that_has_been_rotated_is_read_again(self, tenant: Auth0Server) -> None:
        from authkit.secrets import Secrets, SecretSource

        kept = {"AUTH0": "the old one, which Auth0 does not know any more"}

        class Shelf(SecretSource):
            def fetch(self, name: str) -> str:
                return kept[name]

        secrets = Secrets(Shelf(), cooldown=0)
        assert secrets["AUTH0"].reveal() != tenant.client_secret
        kept["AUTH0"] = tenant.client_secret
        people = Management(tenant.domain, tenant.client_id, secrets["AUTH0"], url=tenant.url, timeout=20, patience=60)
        assert people.ensure(ALICE).created

    def test_a_key_shows_who_asks_as_well(self, tenant: Auth0Server) -> None:
        ours, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        tenant.key = ours.public_key()
        settings: dict[str, Any] = {"url": tenant.url, "timeout": 20, "patience": 60}
        assert Management(tenant.domain, tenant.client_id, key=pem(ours), **settings).ensure(ALICE).created
        with pytest.raises(Unavailable):
            Management(tenant.domain, tenant.client_id, key=pem(other), **settings).find_by_email(ALICE)

    @pytest.mark.parametrize(
        "key", ["canary", b"canary", {"kty": "EC", "crv": "P-256", "d": "canary", "x": "x", "y": "y"}], ids=type
    )
    def test_a_key_that_is_none_is_refused_when_it_is_built_and_not_shown(self, key: Any) -> None:
        for settings in ({}, {"connection": "%"}):
            with pytest.raises(ConfigurationError) as raised:
                Management("acme.eu.auth0.com", "id", key=key, **settings)
            frames = [frame.f_locals for frame, _ in traceback.walk_tb(raised.value.__traceback__)][1:]
            shown = [name for one in frames for name, value in one.items() if name != "self" and "canary" in repr(value)]
            assert shown == []

    def test_a_secret_is_in_no_repr(self, tenant: Auth0Server) -> None:
        people = Management(tenant.domain, tenant.client_id, Secret.of(tenant.client_secret), url=tenant.url)
        people.ensure(ALICE)
        told = (
            repr(people)
            + repr(vars(people))
            + str([repr(vars(value)) for value in vars(people).values() if hasattr(value, "__dict__")])
        )
        for value in (tenant.client_secret, *tenant.tokens):
            assert value not in told


def test_who_only_verifies_tokens_loads_nothing_of_this() -> None:
    program = "import sys, authkit_providers.auth0 as a; assert 'httpx' not in sys.modules; a.Management; import httpx"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
