"""Cognito against a server that plays it: a pool, its app clients and users, and the tokens that it really gives (OID-12)."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from authkit_providers import Cognito

from authkit import Principal, Request, Response, chain, require_auth, require_roles
from tests.servers.aws import REGION, client

from .signer import reason

PASSWORD = "Correct-horse-7"


class Tokens(NamedTuple):
    access: str
    id: str
    refresh: str


class Pool:
    """A user pool with one user in the group "admins", and as many app clients as are asked for."""

    def __init__(self, endpoint: str, name: str = "main") -> None:
        self.endpoint = endpoint
        self.aws = client("cognito-idp", endpoint)
        self.id: str = self.aws.create_user_pool(PoolName=name)["UserPool"]["Id"]
        attributes = [{"Name": "email", "Value": "alice@example.com"}]
        made = self.aws.admin_create_user(UserPoolId=self.id, Username="alice", UserAttributes=attributes)
        self.user = next(one["Value"] for one in made["User"]["Attributes"] if one["Name"] == "sub")
        self.aws.admin_set_user_password(UserPoolId=self.id, Username="alice", Password=PASSWORD, Permanent=True)
        self.aws.create_group(UserPoolId=self.id, GroupName="admins")
        self.aws.admin_add_user_to_group(UserPoolId=self.id, Username="alice", GroupName="admins")

    def app(self) -> str:
        flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        made = self.aws.create_user_pool_client(UserPoolId=self.id, ClientName="app", ExplicitAuthFlows=flows)
        return str(made["UserPoolClient"]["ClientId"])

    def log_in(self, app: str) -> Tokens:
        found: dict[str, Any] = self.aws.admin_initiate_auth(
            UserPoolId=self.id,
            ClientId=app,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "alice", "PASSWORD": PASSWORD},
        )["AuthenticationResult"]
        return Tokens(found["AccessToken"], found["IdToken"], found["RefreshToken"])

    def provider(self, app: str, **settings: Any) -> Cognito:
        keys = f"{self.endpoint}/{self.id}/.well-known/jwks.json"
        return Cognito(self.id, client_id=app, jwks_uri=keys, timeout=30, **settings)


@pytest.fixture
def pool(moto: str) -> Pool:
    return Pool(moto)


def test_the_pools_access_token_is_accepted_and_its_other_tokens_are_refused(pool: Pool) -> None:
    app = pool.app()
    provider, tokens = pool.provider(app), pool.log_in(app)
    who = provider.verify(tokens.access)
    assert (who.subject, who.issuer) == (pool.user, f"https://cognito-idp.{REGION}.amazonaws.com/{pool.id}")
    assert who.scopes == {"aws.cognito.signin.user.admin"}
    assert provider.identity(who).groups == {"admins"}
    assert reason(provider, tokens.id) == "token_type"
    assert reason(provider, tokens.refresh) == "token_malformed"


def test_a_token_that_another_app_client_of_the_pool_got_is_refused(pool: Pool) -> None:
    app, other = pool.app(), pool.app()
    theirs = pool.log_in(other)
    assert reason(pool.provider(app), theirs.access) == "token_audience"
    assert reason(pool.provider(app, token_use="id"), theirs.id) == "token_audience"
    assert pool.provider(other).verify(theirs.access).subject == pool.user


def test_a_token_of_another_pool_is_refused(pool: Pool, moto: str) -> None:
    """moto signs for every pool with one key: what tells them apart is the issuer alone."""
    app, other = pool.app(), Pool(moto, "other")
    assert reason(pool.provider(app), other.log_in(other.app()).access) == "token_issuer"


def test_an_api_that_gets_id_tokens_refuses_access_tokens(pool: Pool) -> None:
    app = pool.app()
    provider, tokens = pool.provider(app, token_use="id"), pool.log_in(app)
    assert provider.verify(tokens.id).subject == pool.user
    assert reason(provider, tokens.access) == "token_type"


def test_groups_decide_behind_a_guard_whether_the_handler_waits_or_not(pool: Pool) -> None:
    app = pool.app()
    api = chain(require_auth(pool.provider(app, roles=["cognito:groups"])), require_roles("admins"))
    tokens = pool.log_in(app)

    def guarded(request: Request, principal: Principal) -> Response:
        return Response(200, {}, principal.subject.encode())

    async def waiting(request: Request, principal: Principal) -> Response:
        return Response(200, {}, principal.subject.encode())

    for token, status in ((tokens.access, 200), (tokens.id, 401), (tokens.refresh, 401)):
        request = Request.build("GET", "/", {"authorization": f"Bearer {token}"})
        assert api(guarded)(request).status == status
        assert asyncio.run(api(waiting)(request)).status == status  # type: ignore[arg-type]
