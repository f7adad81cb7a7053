"""GitHub's answers to "check a token", as its REST API's reference shows them (OID-14)."""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import GitHub

from authkit import ConfigurationError, InvalidToken, Principal, Request, Tokens, Unavailable, chain, require_auth
from authkit.oidc import named
from authkit.secrets import Environment, Secrets

from .world import Asked, Told, locals_of, until

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

APP, SECRET = "Ov23liAbCdEfGhIjKlMn", "0123456789abcdef0123456789abcdef01234567"
URL = f"https://api.github.com/applications/{APP}/token"


class Api:
    """GitHub, as strict as it is: its tokens, by which app they were given to."""

    def __init__(self, web: World) -> None:
        self.web = web
        self.secrets = {APP: SECRET}
        self.users = {1: {"login": "octocat", "id": 1, "node_id": "MDQ6VXNlcjE=", "type": "User", "site_admin": False}}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.limited: Told | None = None
        for app in (APP, "Ov23liSomebodyElses0"):
            web.says(f"https://api.github.com/applications/{app}/token", lambda asked, app=app: self.check(app, asked))

    def given(self, token: str, *, app: str = APP, user: int = 1, **more: Any) -> str:
        self.tokens[token] = {"app": app, "user": user, **more}
        return token

    def check(self, app: str, asked: Asked) -> Told:
        if self.limited is not None:
            return self.limited
        expected = "Basic " + base64.b64encode(f"{app}:{self.secrets.get(app)}".encode()).decode()
        if asked.method != "POST" or asked.headers.get("authorization") != expected:
            return Told(401, {"message": "Bad credentials"})
        if asked.headers["content-type"] != "application/json" or asked.headers["accept"] != "application/vnd.github+json":
            return Told(415, {"message": "Unsupported Media Type"})
        body = json.loads(asked.body)
        if list(body) != ["access_token"]:
            return Told(422, {"message": "Validation Failed"})
        found = self.tokens.get(body["access_token"])
        if found is None or found["app"] != app:
            return Told(404, {"message": "Not Found"})
        answer = {
            "id": 1, "url": "https://api.github.com/authorizations/1", "scopes": ["read:user"], "token": body["access_token"],
            "token_last_eight": body["access_token"][-8:], "hashed_token": "25f94a2a5c7fbaf499c665bc73d67c1c87e496da",
            "app": {"url": "http://my-github-app.com", "name": "my github app", "client_id": app}, "note": "optional note",
            "note_url": "http://optional/note/url", "updated_at": "2011-09-06T20:39:23Z", "created_at": "2011-09-06T17:26:27Z",
            "fingerprint": "jklmnop12345678", "user": self.users[found["user"]], "expires_at": None,
        }  # fmt: skip
        return Told(body={**answer, **{name: value for name, value in found.items() if name not in ("app", "user")}})


def token(number: int = 0, kind: str = "gho_") -> str:
    return f"{kind}{number:036d}"


@pytest.fixture
def api(web: World) -> Api:
    return Api(web)


def provider_of(api: Api, clock: Clock, **settings: Any) -> GitHub:
    given = {"transport": api.web.transport, "clock": clock, "monotonic": clock, "timeout": 30, **settings}
    return GitHub(APP, given.pop("client_secret", SECRET), **given)


@pytest.fixture
def provider(api: Api, clock: Clock) -> GitHub:
    return provider_of(api, clock)


def reason(provider: GitHub, given: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        provider.verify(given)
    return caught.value.reason


async def test_a_token_of_our_app_is_its_users_by_number(api: Api, provider: GitHub) -> None:
    given = api.given(token())
    who = provider.verify(given)
    assert (who.subject, who.issuer, who.scopes, who.roles) == ("1", "https://github.com", {"read:user"}, frozenset())
    assert provider.identity(who).name == "octocat"
    assert await provider.averify(given) is who
    assert api.web.asked == [URL]
    assert given not in repr(dict(who.claims)) + repr(who) + repr(provider)


def test_a_token_that_another_app_was_given_is_refused(api: Api, provider: GitHub) -> None:
    """Whoever runs that app holds it, and could be its user here."""
    assert reason(provider, api.given(token(), app="Ov23liSomebodyElses0")) == "token_inactive"
    api.given(token(1), app_said="x")
    api.tokens[token(1)]["app"] = APP
    api.web.says(URL, {"app": {"client_id": "Ov23liSomebodyElses0"}, "user": api.users[1], "scopes": []})
    assert reason(provider, token(1)) == "token_audience"


def test_who_is_renamed_stays_who_they_are_and_who_takes_the_name_is_somebody_else(
    api: Api, provider: GitHub, clock: Clock
) -> None:
    before = provider.identity(provider.verify(api.given(token())))
    api.users[1]["login"] = "hubot"
    api.users[2] = {"login": "octocat", "id": 2, "type": "User", "site_admin": False}
    clock.advance(61)
    after = provider.identity(provider.verify(token()))
    recycled = provider.identity(provider.verify(api.given(token(2), user=2)))
    assert before.key == after.key
    assert (before.name, after.name, recycled.name) == ("octocat", "hubot", "octocat")
    assert recycled.key != before.key


def test_a_token_that_was_revoked_is_refused_when_it_is_next_asked_about(api: Api, provider: GitHub, clock: Clock) -> None:
    provider.verify(api.given(token()))
    del api.tokens[token()]
    assert provider.verify(token()).subject == "1"
    clock.advance(61)
    assert reason(provider, token()) == "token_inactive"


@pytest.mark.parametrize(
    "foreign",
    [
        "ghp_" + "1" * 36, "github_pat_" + "1" * 82, "ghs_" + "1" * 36, "ghs_1_eyJhbGciOi.J9.x", "ghr_" + "1" * 76, "gho_",
        "g" * 40, "A" * 40, "../../user", "gho_" + "1" * 36 + "/../x", "eyJhbGciOiJFUzI1NiJ9.e30.x",
    ],
)  # fmt: skip
def test_other_kinds_of_tokens_are_not_even_asked_about(api: Api, provider: GitHub, foreign: str) -> None:
    api.given(foreign)
    assert reason(provider, foreign) in ("token_type", "token_malformed")
    assert api.web.asked == []


def test_a_token_of_a_github_app_ends_when_it_says_and_has_no_scopes(api: Api, provider: GitHub, clock: Clock) -> None:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(int(clock()) + 40, UTC).isoformat().replace("+00:00", "Z")
    given = api.given(token(kind="ghu_"), scopes=None, expires_at=at)
    who = provider.verify(given)
    assert (who.scopes, who.claims["exp"]) == (frozenset(), int(clock()) + 40)
    clock.advance(71)
    assert reason(provider, given) == "token_expired"


@pytest.mark.parametrize(
    "said",
    [
        {"user": None}, {"user": {"login": "octocat"}}, {"user": {"id": "1"}}, {"user": {"id": True}}, {"user": {"id": 0}},
        {"expires_at": "tomorrow"}, {"expires_at": 7}, {"expires_at": "2011-09-06T17:26:27"}, {"scopes": [7]}, {"scopes": [""]},
        {"app": None}, {"app": []},
    ],
)  # fmt: skip
def test_an_answer_that_names_nobody_is_nobody(api: Api, provider: GitHub, said: dict[str, Any]) -> None:
    good = {"app": {"client_id": APP}, "user": api.users[1], "scopes": []}
    api.web.says(URL, {**good, **said})
    assert reason(provider, token()) in ("token_claims", "token_audience")


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        (Told(403, {"message": "rate limit"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "RESET"}), 121),
        (Told(429, {"message": "rate limit"}, {"Retry-After": "60"}), 60),
        (Told(403, {"message": "secondary rate limit"}), 30),
        (Told(429, {"message": "x"}, {"Retry-After": "999999"}), 600),
        (Told(403, {"message": "x"}, {"Retry-After": "-1"}), 30),
        (Told(422, {"message": "Validation failed, or the endpoint has been spammed."}), 30),
        (Told(401, {"message": "Bad credentials"}), 30),
        (Told(500, {}), 30),
        (Told(302, {}, {"Location": "https://evil.example/"}), 1),
        (Told(200, b"<html>"), 1),
        (Told(200, b"[]"), 1),
    ],
)
def test_what_decides_nothing_is_unavailable(api: Api, provider: GitHub, clock: Clock, told: Told, wait: int) -> None:
    """Over a limit, or down: a good token is not called bad, and a bad one is not let in."""
    headers = {name: value.replace("RESET", str(int(clock()) + 120)) for name, value in told.headers.items()}
    api.given(token())
    api.limited = told._replace(headers=headers)
    with pytest.raises(Unavailable) as caught:
        provider.verify(token())
    assert caught.value.retry_after == wait
    assert SECRET not in str(caught.value)
    assert token() not in str(caught.value)
    assert api.web.asked == [URL]
    api.limited = None
    assert provider.verify(token()).subject == "1"


def test_a_secret_that_was_rotated_is_read_again(api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SECRET", SECRET)
    secret = Secrets(Environment(), clock=clock, monotonic=clock)["GITHUB_SECRET"]
    provider = provider_of(api, clock, client_secret=secret)
    provider.verify(api.given(token()))
    api.secrets[APP] = "f" * 40
    monkeypatch.setenv("GITHUB_SECRET", "f" * 40)
    clock.advance(61)
    assert provider.verify(api.given(token(1))).subject == "1"


def test_many_who_bring_one_token_ask_once(api: Api, provider: GitHub) -> None:
    api.given(token())
    api.web.delay = 0.2
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(provider.verify(token()).subject)) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(found) == 8)
    for thread in threads:
        thread.join()
    assert api.web.asked == [URL]


def test_beside_other_verifiers_it_gets_the_tokens_that_name_no_issuer(api: Api, provider: GitHub) -> None:
    tokens = Tokens("k" * 48, issuer="https://api.example.com", audience="https://api.example.com")
    guard = chain(require_auth(tokens, provider))

    def who(given: str) -> object:
        return getattr(guard.decide(Request.build(headers={"authorization": f"Bearer {given}"})), "principal", None)

    assert isinstance(who(tokens.issue("alice")), Principal)
    assert isinstance(who(api.given(token())), Principal)
    assert who(token(9)) is None


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("https://github.com/", URL),
        ("https://octocorp.ghe.com", f"https://api.octocorp.ghe.com/applications/{APP}/token"),
        ("https://github.example.com", f"https://github.example.com/api/v3/applications/{APP}/token"),
    ],
)
def test_an_enterprise_is_asked_at_its_own_address(api: Api, clock: Clock, server: str, url: str) -> None:
    api.web.says(url, lambda asked: api.check(APP, asked))
    provider = provider_of(api, clock, server=server)
    who = provider.verify(api.given(token()))
    assert who.issuer == server.rstrip("/")
    assert api.web.asked == [url]


@pytest.mark.parametrize(
    ("wrong", "named_setting"),
    [
        ({"client_id": ""}, "GitHub: client_id"),
        ({"client_id": "../x"}, "GitHub: client_id"),
        ({"client_id": None}, "GitHub: client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": " "}, "client_secret"),
        ({"client_secret": None}, "client_secret"),
        ({"server": "http://github.example.com"}, "GitHub: server"),
        ({"server": "github.com"}, "GitHub: server"),
    ],
)
def test_what_is_wrong_is_told_at_once(wrong: dict[str, Any], named_setting: str) -> None:
    with pytest.raises(ConfigurationError, match=named_setting) as caught:
        GitHub(**{"client_id": APP, "client_secret": SECRET, **wrong})
    assert SECRET not in locals_of(caught.value)


def test_settings_name_the_app() -> None:
    settings = {"AUTHKIT_GITHUB_CLIENT_ID": APP, "AUTHKIT_GITHUB_CLIENT_SECRET": SECRET}
    assert GitHub.from_settings(settings.get).principal_issuer == "https://github.com"
    for name in settings:
        with pytest.raises(ConfigurationError, match=name):
            GitHub.from_settings({**settings, name: ""}.get)
    assert isinstance(named("github", client_id=APP, client_secret=SECRET), GitHub)
