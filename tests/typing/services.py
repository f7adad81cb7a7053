"""Tokens, accounts, secrets, webhooks and the testing kit as users type them: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

from authkit import Principal, Request, Response, Tokens, require_api_key, require_auth, webhooks
from authkit.accounts import Accounts, Cookies, DynamoUsers, MemoryUsers, PasswordHasher, SqliteUsers, User, open_users
from authkit.apikeys import ApiKey, ApiKeys, DynamoKeys, MemoryKeys, NewKey, SqliteKeys, StaticKeys, open_keys
from authkit.endpoint import Endpoint, endpoint
from authkit.secrets import Dotenv, Environment, Hardcoded, Secret, Secrets, SecretSource, SecretVersions
from authkit.stores import MemoryStore, Store
from authkit.testing import Clock, TokenMint, as_principal
from authkit.tokens import Grant, Key, KeyRing, TokenPair

keys = KeyRing(Key("k" * 32), previous=[Key(b"p" * 32)])
tokens = Tokens(keys, issuer="https://i.example", audience="https://a.example", store=MemoryStore())
secrets = Secrets(Hardcoded({"A": "b"}), Environment(), Dotenv(stage="production"), ttl=300, grace=86_400)
accounts = Accounts(MemoryUsers(), tokens, PasswordHasher())


def of_tokens() -> None:
    assert_type(tokens.issue("alice", scopes=["a"], roles={"b"}, claims={"org": "acme"}, ttl=60), str)
    assert_type(tokens.verify("t"), Principal)
    assert_type(tokens.jwks(), dict[str, Any])
    Tokens(secrets["JWT"], issuer="https://i.example", audience="https://a.example")
    Tokens(Secret.of("k" * 32), issuer="https://i.example", audience="https://a.example", access_ttl=60, clock=Clock())


def of_sessions() -> None:
    pair = tokens.issue_pair("alice", scopes=["a"], roles={"b"}, claims={"org": "acme"}, client="web", stamp="1")
    assert_type(pair, TokenPair)
    assert_type((pair.access_token, pair.refresh_token, pair.expires_in, pair.token_type), tuple[str, str, int, str])
    assert_type(tokens.refresh(pair.refresh_token, scopes=["a"], client="web"), TokenPair)
    tokens.revoke(pair.access_token)
    tokens.revoke_subject("alice")
    assert_type(tokens.store, Store | None)


def of_changes() -> None:
    cookies = Cookies(same_site="Strict")
    served = Accounts(MemoryUsers(), tokens, cookies=cookies, cors=["https://app.example"], prefix="/auth", on_event=heard)
    for changed in (served.set_password("alice", "p"), served.disable("alice"), served.enable("alice"), served.delete("alice")):
        assert_type(changed, User)
    for one in (served.login, served.verify, served.refresh, served.logout, served.jwks, served.password, served.app):
        assert_type(one, Endpoint)
    require_auth(tokens, cookie=cookies.access_name)
    Cookies(same_site="None")  # type: ignore[arg-type]


def heard(kind: str, user: User) -> None:
    assert_type(user.password_changed, float | None)


async def of_sessions_on_a_loop() -> None:
    async def held(grant: Grant) -> Grant | None:
        return grant.narrowed(scopes=["a"], roles=[]) if grant.subject == "alice" and grant.stamp else None

    assert_type(await tokens.aissue_pair("alice", scopes=["a"]), TokenPair)
    assert_type(await tokens.arefresh("t", scopes=["a"]), TokenPair)
    assert_type(await tokens.refreshing("t", held=held), TokenPair)
    await tokens.arevoke("t")
    await tokens.arevoke_subject("alice")


async def of_tokens_on_a_loop() -> None:
    assert_type(await tokens.averify("t"), Principal)
    assert_type(await tokens.aissue("alice", scopes=["a"], roles={"b"}, claims={"org": "acme"}, ttl=60), str)
    assert_type(await tokens.ajwks(), dict[str, Any])


class OwnTable:
    """The two methods that are needed."""

    def find(self, username: str) -> User | None:
        return None

    def add(self, user: User) -> bool:
        return user.disabled


def of_tables() -> None:
    for table in (SqliteUsers(Path("users.db")), DynamoUsers("users", region="eu-west-1"), open_users("sqlite:///users.db")):
        Accounts(table, tokens)
        assert_type(table.find("alice"), User | None)
        assert_type(table.list("alice", limit=10), list[User])
    Accounts(OwnTable(), tokens)
    Accounts({"alice": "hash"}, tokens)  # type: ignore[arg-type]
    assert_type(User("alice").changed(disabled=True), User)


def of_accounts() -> None:
    assert_type(accounts.register("alice", "correct horse", roles=["clerk"], scopes=["a"]), User)
    assert_type(accounts.authenticate("alice", "correct horse"), User)
    assert_type(accounts.login, Endpoint)
    assert_type(accounts.verify, Endpoint)
    for pepper in (secrets["PEPPER"], SecretVersions("p" * 32, pending="n" * 32), "p" * 32, b"p" * 32, None):
        assert_type(PasswordHasher(pepper=pepper).needs_rehash("$argon2id$"), bool)
    assert_type(accounts.login({}, None), Any)


async def of_accounts_on_a_loop() -> None:
    assert_type(await accounts.aregister("alice", "correct horse"), User)
    assert_type(await accounts.aauthenticate("alice", "correct horse"), User)


class Vault(SecretSource):
    def fetch(self, name: str) -> SecretVersions | str:
        return SecretVersions("now", previous="before", pending=None, previous_until=1_800_000_000)


def of_secrets() -> None:
    handle = Secrets(Vault())["A"]
    assert_type(handle, Secret)
    assert_type(handle.reveal(), str)
    assert_type(handle.versions(), SecretVersions)
    assert_type(handle.matches("x"), bool)
    assert_type(handle.versions().previous, str | bytes | None)
    secrets.refresh()


async def of_secrets_on_a_loop() -> None:
    assert_type(await secrets["A"].areveal(), str)
    assert_type(await secrets["A"].amatches(b"x"), bool)


def of_webhooks(headers: Mapping[str, str]) -> None:
    assert_type(webhooks.sign("stripe", secrets["A"], b"{}", timestamp=1_800_000_000), dict[str, str])
    event = webhooks.verify("github", "secret", headers, b"{}")
    assert_type(event, webhooks.WebhookEvent)
    assert_type(event.id, str | None)
    assert_type(event.body, bytes)
    assert_type(webhooks.schemes(), Mapping[str, webhooks.Scheme])


async def of_webhooks_on_a_loop(headers: Mapping[str, str]) -> None:
    assert_type(await webhooks.asign("github", secrets["A"], b"{}"), dict[str, str])
    assert_type(await webhooks.averify("github", secrets["A"], headers, b"{}"), webhooks.WebhookEvent)
    assert_type(await webhooks.Verifier("github", secrets["A"]).averify(headers, b"{}"), webhooks.WebhookEvent)


@endpoint(methods=("GET",))
async def status(request: Request) -> Response:
    return Response.json({"ok": True})


@endpoint
def bare(request: Request) -> Response:
    return Response(204)


@as_principal("alice", scopes=["a"])
def acts(path: Path) -> int:
    return 1


def of_endpoints() -> None:
    assert_type(status, Endpoint)
    assert_type(bare, Endpoint)


def of_the_testing_kit(path: Path) -> None:
    mint = TokenMint(clock=Clock(1.0))
    assert_type(mint.good("alice", scopes=["a"]), str)
    assert_type(mint.bad(), Mapping[str, str])
    assert_type(mint.tokens, Tokens)
    assert_type(acts(path), int)
    with as_principal("alice") as principal:
        assert_type(principal, Principal | None)


class Opaque:
    """A verifier of one's own."""

    issuer = None

    def verify(self, token: str) -> Principal:
        return Principal("somebody")


class ByKey:
    """A credential that is more than a bearer string."""

    async def authenticate(self, request: Request) -> Principal | None:
        return None


require_auth(tokens, Opaque(), ByKey())

api_keys = ApiKeys(MemoryKeys(), prefix="acme", clock=Clock())
service_keys = ApiKeys.of({"service-a": secrets["A"], "service-b": [secrets["B"]]}, scopes=["a"], roles={"service-b": ["r"]})
require_auth(tokens, api_keys, service_keys.at("x-service-key"))


def of_api_keys() -> None:
    made = api_keys.new("robot", name="nightly", scopes=["a"], roles={"b"}, ttl=60)
    assert_type(made, NewKey)
    assert_type((made.reveal(), made.id, made.record), tuple[str, str, ApiKey])
    assert_type(api_keys.verify("k"), Principal)
    assert_type(api_keys.list("robot"), list[ApiKey])
    assert_type(api_keys.rotate(made.id, grace=60), NewKey)
    assert_type(api_keys.revoke_subject("robot"), int)
    assert_type(service_keys, StaticKeys)
    for table in (SqliteKeys("keys.db"), DynamoKeys("keys"), open_keys("memory:")):
        ApiKeys(table, track_use=False)
    for guarded in (require_api_key(api_keys)(acts), require_api_key(service_keys, header="x-key", optional=True)(acts)):
        assert_type(guarded(Path()), int)
    require_api_key(Opaque())


class Forgetful:
    def verify(self, token: str) -> bool:
        return True


class Silent(SecretSource):  # a source without fetch
    pass


def refused(request: Request) -> None:
    require_auth(Forgetful())  # type: ignore[call-overload]
    require_api_key(MemoryKeys())  # type: ignore[arg-type]
    ApiKeys.of({"service-a": "literal"})  # type: ignore[dict-item]
    ApiKeys(None)  # type: ignore[arg-type]
    tokens.issue(7)  # type: ignore[arg-type]
    tokens.verify(b"t")  # type: ignore[arg-type]
    tokens.issue_pair("alice", ttl=5)  # type: ignore[call-arg]
    tokens.refresh(5)  # type: ignore[arg-type]
    tokens.verify("t", algorithms=["none"])  # type: ignore[call-arg]
    Tokens("k" * 32)  # type: ignore[call-arg]
    Key("k" * 32, "HS256", "kid", "more")  # type: ignore[call-arg]
    accounts.register("alice")  # type: ignore[call-arg]
    accounts.authenticate(request)  # type: ignore[call-arg, arg-type]
    secrets["A"] = "b"  # type: ignore[index]
    _ = secrets["A"].reveal().fetch  # type: ignore[attr-defined]
    Silent()  # type: ignore[abstract]
    webhooks.verify("stripe", "secret", {})  # type: ignore[call-arg]
    webhooks.sign("stripe", "secret", "body")  # type: ignore[arg-type]
