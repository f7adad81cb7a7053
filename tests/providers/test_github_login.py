"""People logging in at a GitHub app, which is no OpenID Provider: the token is asked about (OID-14)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from authkit import ConfigurationError
from tests.oidc.login_parts import BACK, KEY, Browser

from .test_github import APP, SECRET, Api, provider_of, token
from .world import Asked, Told

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

TOKENS = "https://github.com/login/oauth/access_token"


@pytest.fixture
def api(web: World) -> Api:
    return Api(web)


def logs_in(api: Api, clock: Clock, given: dict[str, Any], **settings: Any) -> tuple[Browser, Any, list[Asked]]:
    """A browser that came back from GitHub, what it was answered, and what the token endpoint was asked."""
    asked: list[Asked] = []

    def says(sent: Asked) -> Told:
        asked.append(sent)
        form = dict(parse_qsl(sent.body.decode()))
        if form["client_secret"] != SECRET or form["client_id"] != APP or "code_verifier" not in form:
            return Told(200, {"error": "incorrect_client_credentials"})
        return Told(200, given)

    api.web.says(TOKENS, says)
    usual = {"redirect_uri": BACK, "session_key": KEY, "transport": api.web.transport, "clock": clock, "timeout": 30}
    browser = Browser(provider_of(api, clock).login(**{**usual, **settings}))
    url = urlsplit(browser.start())
    said = dict(parse_qsl(url.query))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://github.com/login/oauth/authorize"
    assert said["code_challenge_method"] == "S256"
    assert not {"nonce", "scope"} & said.keys() or "scopes" in settings
    return browser, browser.come_back(f"{BACK}?code=c&state={said['state']}"), asked


def test_who_logs_in_is_their_numeric_id_with_what_was_granted(api: Api, clock: Clock) -> None:
    given = {"access_token": api.given(token()), "token_type": "bearer", "scope": "read:user,repo"}
    browser, answer, asked = logs_in(api, clock, given, scopes=["read:user"])
    assert answer.status == 303
    said = json.loads(browser.get().body)
    assert said == {
        "subject": "1",
        "issuer": "https://github.com",
        "claims": {"login": "octocat"},
        "method": "session",
        "scopes": ["read:user"],
        "roles": [],
    }
    assert asked[0].headers["accept"] == "application/json"


def test_a_renamed_account_is_the_same_and_the_name_it_left_is_nobodys(api: Api, clock: Clock) -> None:
    given = {"access_token": api.given(token()), "token_type": "bearer"}
    api.users[1]["login"] = "renamed"
    browser, _, _ = logs_in(api, clock, given)
    assert browser.whoami() == "1"
    api.users[2] = {**api.users[1], "id": 2, "login": "octocat"}
    other, _, _ = logs_in(api, clock, {"access_token": api.given(token(2), user=2), "token_type": "bearer"})
    assert other.whoami() == "2"


def test_a_token_that_another_app_was_given_logs_nobody_in(api: Api, clock: Clock) -> None:
    stolen = api.given(token(7), app="Ov23liSomebodyElses0")
    browser, answer, _ = logs_in(api, clock, {"access_token": stolen, "token_type": "bearer"})
    assert answer.status == 401
    assert browser.whoami() == 303


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"error": "bad_verification_code"}, 400),
        ({"error": "incorrect_client_credentials"}, 503),
        ({"error": "redirect_uri_mismatch"}, 400),
        ({}, 503),
        ({"access_token": "ghp_" + "0" * 36, "token_type": "bearer"}, 401),
    ],
    ids=str,
)
def test_what_github_refuses_logs_nobody_in(api: Api, clock: Clock, given: dict[str, Any], status: int) -> None:
    browser, answer, _ = logs_in(api, clock, given)
    assert answer.status == status
    assert browser.whoami() == 303


def test_when_github_is_over_its_limits_the_login_is_503(api: Api, clock: Clock) -> None:
    api.limited = Told(429, {"message": "slow down"})
    browser, answer, _ = logs_in(api, clock, {"access_token": api.given(token()), "token_type": "bearer"})
    assert answer.status == 503
    assert browser.whoami() == 303


def test_userinfo_is_nothing_that_github_has(api: Api, clock: Clock) -> None:
    with pytest.raises(ConfigurationError, match="back-channel"):
        _ = provider_of(api, clock).login(redirect_uri=BACK, session_key=KEY).backchannel_logout
