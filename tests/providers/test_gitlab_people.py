"""Access tokens of people at GitLab, as its OAuth page describes what /oauth/token/info answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import GitLab

from authkit import ConfigurationError, InvalidToken, Unavailable

from .world import Asked, Told

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

URL, APP = "https://gitlab.example.com", "1cb242f495280beb4291e64bee2a17f330902e499882fe8e1e2aa875519cab33"
TOKEN, OTHER = "a" * 64, "b" * 64
INFO: dict[str, Any] = {
    "resource_owner_id": 1, "scope": ["read_user"], "expires_in": 7200, "application": {"uid": APP}, "created_at": 1575890427,
    "scopes": ["read_user"], "expires_in_seconds": 7200,
}  # fmt: skip


class Instance:
    def __init__(self, web: World, clock: Clock) -> None:
        self.web, self.clock, self.tokens = web, clock, {TOKEN: INFO}
        web.says(f"{URL}/oauth/token/info", self.info)

    def info(self, asked: Asked) -> Told:
        found = self.tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer "))
        if asked.method != "GET" or found is None:
            return Told(401, {"error": "invalid_token", "error_description": "The access token is invalid"})
        return Told(body=found)


@pytest.fixture
def gitlab(web: World, clock: Clock) -> Instance:
    return Instance(web, clock)


@pytest.fixture
def people(gitlab: Instance, web: World, clock: Clock) -> Any:
    return GitLab.people(APP, url=URL, transport=web.transport, clock=clock, monotonic=clock, timeout=30)


def reason(people: Any, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        people.verify(token)
    reason: str = caught.value.reason
    return reason


def test_somebody_who_logged_in_is_their_id(people: Any, clock: Clock) -> None:
    who = people.verify(TOKEN)
    assert (who.subject, who.issuer, who.scopes) == ("1", URL, {"read_user"})
    assert who.claims["exp"] == int(clock()) + 7200
    assert TOKEN not in repr(dict(who.claims))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"application": {"uid": "another application's"}}, "token_audience"),
        ({"application": {"uid": None}}, "token_audience"),  # a personal access token
        ({"application": None}, "token_audience"),
        ({"resource_owner_id": None}, "token_claims"),  # an application that acts for nobody
        ({"resource_owner_id": "1"}, "token_claims"),
        ({"resource_owner_id": True}, "token_claims"),
        ({"scope": "read_user"}, "token_claims"),
        ({"scope": [7]}, "token_claims"),
        ({"expires_in": 0}, "token_expired"),
        ({"expires_in": "7200"}, "token_expired"),
    ],
)
def test_each_alone_is_fatal(gitlab: Instance, people: Any, changes: dict[str, Any], why: str) -> None:
    gitlab.tokens[TOKEN] = {**INFO, **changes}
    assert reason(people, TOKEN) == why


def test_one_that_never_ends_is_asked_about_again_all_the_same(gitlab: Instance, people: Any, clock: Clock) -> None:
    gitlab.tokens[TOKEN] = {**INFO, "expires_in": None}
    assert people.verify(TOKEN).subject == "1"
    del gitlab.tokens[TOKEN]
    clock.advance(61)
    assert reason(people, TOKEN) == "token_inactive"


@pytest.mark.parametrize("foreign", ["glpat-" + "a" * 20, "glcbt-64_" + "a" * 20, "gloas-" + "a" * 64])
def test_other_kinds_of_tokens_are_not_even_asked_about(people: Any, web: World, foreign: str) -> None:
    assert reason(people, foreign) == "token_type"
    assert web.asked == []


@pytest.mark.parametrize(
    "told", [Told(429, headers={"Retry-After": "60"}), Told(403), Told(502), Told(404), Told(body=b"<html>")]
)
def test_what_decides_nothing_is_unavailable(people: Any, web: World, told: Told) -> None:
    web.says(f"{URL}/oauth/token/info", told)
    with pytest.raises(Unavailable):
        people.verify(OTHER)


@pytest.mark.parametrize("wrong", [{"client_id": ""}, {"client_id": None}, {"url": "http://gitlab.example.com"}])
def test_what_is_wrong_is_told_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"GitLab: {next(iter(wrong))}"):
        GitLab.people(**{"client_id": APP, **wrong})
