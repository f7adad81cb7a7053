"""GitHub Actions' ID tokens, as GitHub's OpenID Connect reference describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import GitHubActions

from authkit import ConfigurationError
from authkit.oidc import named

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

ISSUER = "https://token.actions.githubusercontent.com"
API = "https://api.example.com"
REPOSITORY, OWNER = "456789", "123456"
PUSH = {
    "jti": "example-id", "sub": "repo:octo-org/octo-repo:ref:refs/heads/main", "aud": API, "ref": "refs/heads/main",
    "sha": "example-sha", "repository": "octo-org/octo-repo", "repository_owner": "octo-org", "actor_id": "12",
    "repository_visibility": "private", "repository_id": REPOSITORY, "repository_owner_id": OWNER, "run_id": "example-run-id",
    "run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted", "actor": "octocat", "workflow": "deploy",
    "head_ref": "", "base_ref": "", "event_name": "push", "ref_type": "branch", "ref_protected": "true",
    "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
}  # fmt: skip
PULL_REQUEST = {**PUSH, "sub": "repo:octo-org/octo-repo:pull_request", "event_name": "pull_request", "head_ref": "patch-1",
                "base_ref": "main", "ref": "refs/pull/7/merge", "ref_protected": "false"}  # fmt: skip


@pytest.fixture
def github(clock: Clock) -> Signer:
    return Signer(ISSUER, clock, jwks_uri=f"{ISSUER}/.well-known/jwks")


def provider_of(github: Signer, web: World | None = None, **settings: Any) -> GitHubActions:
    keys = github.known if web is None else github.published(web)
    return GitHubActions(API, **{"repositories": [int(REPOSITORY)], **keys, **settings})


def test_a_run_is_its_repositorys_by_id(github: Signer, web: World) -> None:
    provider = provider_of(github, web)
    who = provider.verify(github.token(PUSH))
    assert (who.subject, who.issuer, who.scopes, who.roles) == (REPOSITORY, ISSUER, frozenset(), frozenset())
    identity = provider.identity(who)
    assert (identity.tenant, identity.name, identity.email) == (OWNER, "octo-org/octo-repo", None)
    assert web.asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/.well-known/jwks"]


@pytest.mark.parametrize(
    "listed", [456789, "456789", "octo-org@123456/octo-repo@456789", "octo-org@123456/*", "renamed@123456/renamed@456789"]
)
def test_a_repository_is_listed_by_its_ids(github: Signer, listed: int | str) -> None:
    assert provider_of(github, repositories=[listed]).verify(github.token(PUSH)).subject == REPOSITORY


@pytest.mark.parametrize(
    "changes",
    [
        {"repository_id": "999"},  # a fork, or who took the name since: the names below are the same
        {
            "repository_id": "999",
            "repository": "mallory/octo-repo",
            "repository_owner": "mallory",
            "repository_owner_id": "666",
        },
        {"repository_id": "999", "sub": "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main"},
        {"repository_owner_id": ...},
        {"repository_owner_id": 123456},
        {"event_name": ...},
    ],
)
def test_another_repository_of_the_same_name_is_refused(github: Signer, changes: dict[str, Any]) -> None:
    assert reason(provider_of(github), github.token(PUSH, **changes)) == "token_rule"


@pytest.mark.parametrize("changes", [{"repository_id": ...}, {"repository_id": 456789}, {"repository_id": ""}])
def test_a_repository_without_an_id_is_nobody(github: Signer, changes: dict[str, Any]) -> None:
    assert reason(provider_of(github), github.token(PUSH, **changes)) == "token_claims"
    assert reason(provider_of(github), github.token(PUSH, repository_id="999", repository_owner_id="")) == "token_rule"


def test_a_listed_repository_that_has_another_owner_is_refused(github: Signer) -> None:
    """It was transferred: who listed both ids meant the two together."""
    both = provider_of(github, repositories=["octo-org@123456/octo-repo@456789"])
    assert reason(both, github.token(PUSH, repository_owner_id="666")) == "token_rule"
    owner = provider_of(github, repositories=["octo-org@123456/*"])
    assert owner.verify(github.token(PUSH, repository_id="5")).subject == "5"
    assert reason(owner, github.token(PUSH, repository_owner_id="666")) == "token_rule"


@pytest.mark.parametrize(
    "event",
    ["pull_request", "pull_request_target", "workflow_run", "issue_comment", "issues", "fork", "watch", "", None, ["push"]],
)
def test_what_anybody_can_cause_is_refused(github: Signer, event: Any) -> None:
    """A pull request from a fork, above all: its code is a stranger's, and its token says the repository that it is made to."""
    assert reason(provider_of(github), github.token(PULL_REQUEST, event_name=event)) == "token_rule"
    assert reason(provider_of(github), github.token(PUSH, event_name=event)) == "token_rule"


def test_unless_it_was_asked_for(github: Signer) -> None:
    provider = provider_of(github, events=["pull_request"])
    assert provider.verify(github.token(PULL_REQUEST)).subject == REPOSITORY
    assert reason(provider, github.token(PUSH)) == "token_rule"


@pytest.mark.parametrize(
    ("settings", "changes", "good"),
    [
        ({"refs": ["refs/heads/main"]}, {}, True),
        ({"refs": ["refs/heads/main"]}, {"ref": "refs/heads/main2"}, False),
        ({"refs": ["refs/heads/main"]}, {"ref": "refs/tags/main"}, False),
        ({"refs": ["refs/heads/main"]}, {"ref": "main"}, False),
        ({"refs": ["refs/heads/main"]}, {"ref": ...}, False),
        ({"refs": ["refs/tags/v*"]}, {"ref": "refs/tags/v1.2"}, True),
        ({"refs": ["refs/tags/v*"]}, {"ref": "refs/heads/refs/tags/v1"}, False),
        ({"environments": ["production"]}, {"environment": "production"}, True),
        ({"environments": ["production"]}, {}, False),
        ({"environments": ["production"]}, {"environment": "Production"}, False),
        ({"environments": ["production"]}, {"sub": "repo:octo-org/octo-repo:environment:production"}, False),
        ({"workflows": ["octo-org/octo-automation/.github/workflows/oidc.yml@*"]}, {}, True),
        ({"workflows": ["octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v1"]}, {}, False),
        ({"protected": True}, {}, True),
        ({"protected": True}, {"ref_protected": "false"}, False),
        ({"protected": True}, {"ref_protected": ...}, False),
        ({"refs": ["refs/heads/main"], "environments": ["production"]}, {"environment": "production"}, True),
        ({"refs": ["refs/heads/main"], "environments": ["production"]}, {"environment": "test"}, False),
    ],
)
def test_every_condition_holds(github: Signer, settings: dict[str, Any], changes: dict[str, Any], good: bool) -> None:
    provider, token = provider_of(github, **settings), github.token(PUSH, **changes)
    if good:
        assert provider.verify(token).subject == REPOSITORY
    else:
        assert reason(provider, token) == "token_rule"


@pytest.mark.parametrize(
    "sub",
    [
        "repo:octo-org/octo-repo:environment:Production%3AV1",
        "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main",
        "repository_owner:monalisa:repository_visibility:private",
        "job_workflow_ref:octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
        "repo:mallory/evil:ref:refs/heads/main",
    ],
)
def test_a_subject_that_was_customised_changes_nothing(github: Signer, sub: str) -> None:
    assert provider_of(github).verify(github.token(PUSH, sub=sub)).subject == REPOSITORY


@pytest.mark.parametrize(
    ("settings", "issuer"),
    [
        ({"enterprise": "octocat-inc"}, f"{ISSUER}/octocat-inc"),
        ({"host": "octocorp.ghe.com"}, "https://token.actions.octocorp.ghe.com"),
        ({"host": "octocorp.ghe.com", "enterprise": "octocorp"}, "https://token.actions.octocorp.ghe.com/octocorp"),
        ({"host": "github.example.com"}, "https://github.example.com/_services/token"),
    ],
)
def test_an_enterprise_has_an_issuer_of_its_own(clock: Clock, settings: dict[str, Any], issuer: str) -> None:
    github = Signer(issuer, clock)
    provider = provider_of(github, **settings)
    assert provider.verify(github.token(PUSH)).issuer == issuer
    assert reason(provider, github.token(PUSH, iss=ISSUER)) == "token_issuer"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "https://github.com/octo-org"}, "token_audience"),  # the default: what somebody else may have been sent
        ({"aud": "sts.amazonaws.com"}, "token_audience"),
        ({"iss": f"{ISSUER}/evil-inc"}, "token_issuer"),
        ({"iss": f"{ISSUER}/"}, "token_issuer"),
        ({"exp": 1}, "token_expired"),
    ],
)
def test_a_token_for_somebody_else_is_refused(github: Signer, changes: dict[str, Any], why: str) -> None:
    assert reason(provider_of(github), github.token(PUSH, **changes)) == why


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("repositories", []), ("repositories", None), ("repositories", "octo-org/octo-repo"),
        ("repositories", ["octo-org/octo-repo"]),
        ("repositories", ["*"]), ("repositories", ["octo-org/*"]), ("repositories", ["octo-org@123456"]), ("repositories", [0]),
        ("repositories", [True]), ("repositories", [-1]), ("repositories", ["octo-org@x/*"]), ("repositories", 456789),
        ("refs", []), ("refs", ["main"]), ("refs", ["*"]), ("refs", ["refs/*/main"]), ("environments", []),
        ("environments", [""]), ("workflows", ["*"]), ("events", []), ("events", None), ("protected", "true"),
        ("host", "https://github.com"), ("enterprise", "a/b"), ("enterprise", ""),
    ],
)  # fmt: skip
def test_whoever_names_nobody_or_everybody_is_told_at_once(setting: str, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"GitHubActions: {setting}"):
        GitHubActions(API, **{"repositories": [1], setting: wrong})


def test_settings_name_the_repositories() -> None:
    settings = {"AUTHKIT_AUDIENCE": API, "AUTHKIT_GITHUB_REPOSITORIES": "456789, octo-org@123456/*"}
    assert GitHubActions.from_settings(settings.get).issuer == ISSUER
    for name in settings:
        with pytest.raises(ConfigurationError, match=name):
            GitHubActions.from_settings({**settings, name: ""}.get)
    assert isinstance(named("github_actions", audience=API, repositories=[1]), GitHubActions)
