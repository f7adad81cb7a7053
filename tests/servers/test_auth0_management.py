"""The played Auth0 is strict: what Auth0's reference does not know it refuses, and in Auth0's words."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers.auth0_management import Auth0Server, auth0

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW = {"connection": "Username-Password-Authentication", "email": "a@example.com", "password": "aA1!aA1!aA1!"}


class Clock:
    now = 1_795_286_400.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def tenant() -> Iterator[Auth0Server]:
    with auth0(Clock()) as server:
        yield server


@pytest.fixture
def http(tenant: Auth0Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=tenant.url, trust_env=False, timeout=30) as client:
        yield client


def token(tenant: Auth0Server, http: httpx.Client, **form: str) -> httpx.Response:
    asked = {
        "grant_type": "client_credentials",
        "client_id": tenant.client_id,
        "client_secret": tenant.client_secret,
        "audience": f"https://{tenant.domain}/api/v2/",
        **form,
    }
    return http.post("/oauth/token", data=asked)


def bearer(tenant: Auth0Server, http: httpx.Client) -> dict[str, str]:
    return {"authorization": "Bearer " + token(tenant, http).json()["access_token"]}


def told(answer: httpx.Response) -> tuple[int, str]:
    said = answer.json()
    assert set(said) == {"statusCode", "error", "message", "errorCode"}
    assert said["statusCode"] == answer.status_code
    return answer.status_code, said["errorCode"]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "another"}, 401, "access_denied"),
        ({"client_id": "another"}, 401, "access_denied"),
        ({"audience": "https://acme.eu.auth0.com/api/v2"}, 403, "access_denied"),
        ({"scope": "delete:users"}, 403, "access_denied"),
        ({"grant_type": "password"}, 403, "unauthorized_client"),
    ],
)
def test_a_grant_that_is_not_ours_is_refused(
    tenant: Auth0Server, http: httpx.Client, form: dict[str, str], status: int, error: str
) -> None:
    answer = token(tenant, http, **form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_token_is_good_for_its_time_its_api_and_its_scopes(tenant: Auth0Server, http: httpx.Client) -> None:
    good = bearer(tenant, http)

    def ask(**headers: str) -> httpx.Response:
        return http.get("/api/v2/users-by-email", params={"email": "a@example.com"}, headers=headers)

    assert ask(**good).json() == []
    assert told(ask()) == (401, "missing_authentication")
    assert told(ask(authorization="Bearer x")) == (401, "invalid_token")
    assert told(ask(authorization=good["authorization"].replace("Bearer", "Basic"))) == (401, "invalid_token")
    text = good["authorization"].removeprefix("Bearer ")
    tenant.tokens[text] = tenant.tokens[text]._replace(audience="https://api.example.com")
    assert told(ask(**good)) == (401, "invalid_token")
    asked = token(tenant, http, scope="read:roles").json()  # it does not narrow what has been granted
    assert ask(authorization=f"Bearer {asked['access_token']}").json() == []
    tenant.granted.remove("read:users")
    assert told(ask(**bearer(tenant, http))) == (403, "insufficient_scope")
    tenant.granted.add("read:users")
    fresh = bearer(tenant, http)
    tenant.clock.now += 86_401  # type: ignore[attr-defined]
    assert told(ask(**fresh)) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"plan": "gold"}, 400, "invalid_body"),
        ({"email_verified": "false"}, 400, "invalid_body"),
        ({"email": "a"}, 400, "invalid_body"),
        ({"password": "short"}, 400, "invalid_body"),
        ({"password": "aaaA1!aA1!aA1!"}, 400, "invalid_body"),
        ({"connection": "another"}, 400, "inexistent_connection"),
        ({"email": "KNOWN@example.com"}, 409, "auth0_idp_error"),
    ],
    ids=lambda given: repr(given),
)
def test_a_user_that_is_none_is_not_made(
    tenant: Auth0Server, http: httpx.Client, change: dict[str, Any], status: int, code: str
) -> None:
    tenant.sign_up("known@example.com")
    answer = http.post("/api/v2/users", json={**NEW, **change}, headers=bearer(tenant, http))
    assert told(answer) == (status, code)
    assert len(tenant.users) == 1


def test_a_form_is_no_json(tenant: Auth0Server, http: httpx.Client) -> None:
    assert http.post("/api/v2/users", data=NEW, headers=bearer(tenant, http)).status_code == 415


def test_addresses_are_kept_in_lower_case_and_found_as_they_are_kept(tenant: Auth0Server, http: httpx.Client) -> None:
    made = http.post("/api/v2/users", json={**NEW, "email": "A@Example.com"}, headers=bearer(tenant, http)).json()
    assert (made["email"], made["email_verified"], tenant.mail) == ("a@example.com", False, ["a@example.com"])

    def find(**query: str) -> httpx.Response:
        return http.get("/api/v2/users-by-email", params=query, headers=bearer(tenant, http))

    assert find(email="A@Example.com").json() == []
    assert find(email="a@example.com", fields="user_id,email").json() == [
        {"user_id": made["user_id"], "email": "a@example.com"}
    ]
    for query in ({}, {"email": "a@example.com", "page": "0"}, {"email": "a@example.com", "fields": "password"}):
        assert told(find(**query)) == (400, "invalid_query_string")


def test_roles_are_filtered_by_parts_of_names_and_come_in_pages(tenant: Auth0Server, http: httpx.Client) -> None:
    for number in range(120):
        tenant.role(f"Buyer {number}")
    headers = bearer(tenant, http)
    ask = {"name_filter": "buyer", "include_totals": "true", "per_page": "100", "page": "1"}
    page = http.get("/api/v2/roles", params=ask, headers=headers).json()
    assert (page["start"], page["limit"], page["total"], len(page["roles"])) == (100, 100, 120, 20)
    assert len(http.get("/api/v2/roles", headers=headers).json()) == 50
    assert told(http.get("/api/v2/roles", params={"per_page": "101"}, headers=headers)) == (400, "invalid_query_string")


def test_roles_go_to_who_is_there_and_the_bar_is_encoded(tenant: Auth0Server, http: httpx.Client) -> None:
    user, role, headers = tenant.sign_up("a@example.com"), tenant.role("buyer"), bearer(tenant, http)

    def give(user: str, *roles: str) -> httpx.Response:
        return http.post(f"/api/v2/users/{user}/roles", json={"roles": list(roles)}, headers=headers)

    encoded = user.replace("|", "%7C")
    plain = HTTPConnection("127.0.0.1", tenant.server_port, timeout=30)  # httpx encodes it, depending on its version
    sent = {**headers, "content-type": "application/json"}
    plain.request("POST", f"/api/v2/users/{user}/roles", json.dumps({"roles": [role]}), sent)
    assert json.load(plain.getresponse())["errorCode"] == "invalid_uri"
    plain.close()
    assert told(give(encoded)) == (400, "invalid_body")
    assert told(give(encoded, "rol_0000000000000000")) == (404, "inexistent_role")
    assert told(give("auth0%7C0", role)) == (404, "inexistent_user")
    assert [give(encoded, role).status_code for _ in range(2)] == [204, 204]
    assert tenant.roles_of(user) == {"buyer"}
    assert told(http.request("DELETE", f"/api/v2/users/{encoded}/roles", json={"roles": [role]}, headers=headers)) == (
        403,
        "insufficient_scope",
    )
    assert told(http.get("/api/v2/clients", headers=headers)) == (404, "not_found")
