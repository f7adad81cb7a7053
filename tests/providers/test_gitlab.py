"""GitLab's ID tokens of CI/CD jobs, as its page on OpenID Connect by ID tokens describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import GitLab

from authkit import ConfigurationError
from authkit.oidc import named

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

ISSUER = "https://gitlab.example.com"
API = "https://api.example.com"
JOB = {
    "namespace_id": "72", "namespace_path": "my-group", "project_id": "20", "project_path": "my-group/my-project",
    "user_id": "1", "user_login": "sample-user", "user_email": "sample-user@example.com", "pipeline_id": "574",
    "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main",
    "ref_protected": "true", "environment": "production", "environment_protected": "false", "deployment_tier": "testing",
    "runner_id": 1, "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
    "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "aud": API,
    "sub": "project_path:my-group/my-project:ref_type:branch:ref:main",
}  # fmt: skip
LOGIN = {"sub": "1", "aud": API, "auth_time": 1, "sub_legacy": "x", "name": "Sample", "email": "a@example.com",
         "email_verified": True, "groups_direct": ["my-group"]}  # fmt: skip


@pytest.fixture
def gitlab(clock: Clock) -> Signer:
    return Signer(ISSUER, clock, jwks_uri=f"{ISSUER}/oauth/discovery/keys")


def provider_of(gitlab: Signer, web: World | None = None, **settings: Any) -> GitLab:
    listed = {} if "groups" in settings else {"projects": [20]}
    keys = gitlab.known if web is None else gitlab.published(web)
    return GitLab(API, **{"url": ISSUER, **listed, **keys, **settings})


def test_a_job_is_its_projects_by_id(gitlab: Signer, web: World) -> None:
    provider = provider_of(gitlab, web)
    who = provider.verify(gitlab.token(JOB))
    assert (who.subject, who.issuer) == ("20", ISSUER)
    identity = provider.identity(who)
    assert (identity.tenant, identity.name, identity.email) == ("72", "my-group/my-project", None)
    assert identity.unverified_email is None  # the address of whoever pushed is not the job's
    assert web.asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/oauth/discovery/keys"]


@pytest.mark.parametrize("changes", [{"project_id": "21"}, {"project_id": "200"}, {"job_id": ...}, {"pipeline_source": ...}])
def test_another_project_of_the_same_path_is_refused(gitlab: Signer, changes: dict[str, Any]) -> None:
    assert reason(provider_of(gitlab), gitlab.token(JOB, **changes)) == "token_rule"


def test_a_group_is_its_own_projects(gitlab: Signer) -> None:
    provider = provider_of(gitlab, groups=["72"])
    assert provider.verify(gitlab.token(JOB, project_id="21")).subject == "21"
    assert reason(provider, gitlab.token(JOB, namespace_id="73")) == "token_rule"
    assert reason(provider, gitlab.token(JOB, namespace_id=...)) == "token_rule"
    assert reason(provider, gitlab.token(JOB, namespace_id="73", namespace_path="72")) == "token_rule"


@pytest.mark.parametrize(
    "changes",
    [
        {"pipeline_source": "merge_request_event"},  # before 18.2.2: from a fork, and yet all says the project
        {"pipeline_source": "merge_request_event", "project_id": "99", "project_path": "mallory/my-project"},
        {"pipeline_source": "external_pull_request_event"},
        {"pipeline_source": "parent_pipeline"},  # of one that came from a fork, before there was a job_project_id
        {"pipeline_source": "parent_pipeline", "job_project_id": "99"},
        {"job_project_id": "99"},
        {"job_project_id": None},
    ],
)
def test_a_pipeline_of_a_merge_request_is_refused(gitlab: Signer, changes: dict[str, Any]) -> None:
    assert reason(provider_of(gitlab), gitlab.token(JOB, **changes)) == "token_rule"


def test_a_child_of_a_pipeline_of_the_project_is_not_one(gitlab: Signer) -> None:
    assert provider_of(gitlab).verify(gitlab.token(JOB, pipeline_source="parent_pipeline", job_project_id="20")).subject == "20"


def test_unless_it_was_asked_for(gitlab: Signer) -> None:
    provider = provider_of(gitlab, merge_requests=True)
    assert provider.verify(gitlab.token(JOB, pipeline_source="merge_request_event", job_project_id="20")).subject == "20"
    assert reason(provider, gitlab.token(JOB, pipeline_source="merge_request_event", project_id="99")) == "token_rule"


@pytest.mark.parametrize(
    ("settings", "changes", "good"),
    [
        ({"refs": ["refs/heads/main"]}, {}, True),
        ({"refs": ["refs/heads/main"]}, {"ref_path": "refs/tags/main"}, False),  # a tag that is called like the branch
        ({"refs": ["refs/heads/main"]}, {"ref_path": ...}, False),
        ({"refs": ["refs/tags/v*"]}, {"ref_path": "refs/tags/v1"}, True),
        ({"protected": True}, {}, True),
        ({"protected": True}, {"ref_protected": 1}, False),
        ({"protected": True}, {"ref_protected": "false"}, False),
        ({"protected": True}, {"ref_protected": ...}, False),
        ({"environments": ["production"]}, {}, True),
        ({"environments": ["production"]}, {"environment": ...}, False),
        ({"environments": ["review/*"]}, {"environment": "review/42"}, True),
    ],
)
def test_every_condition_holds(gitlab: Signer, settings: dict[str, Any], changes: dict[str, Any], good: bool) -> None:
    provider, token = provider_of(gitlab, **settings), gitlab.token(JOB, **changes)
    if good:
        assert provider.verify(token).subject == "20"
    else:
        assert reason(provider, token) == "token_rule"


def test_somebody_who_logged_in_by_gitlab_is_no_job(gitlab: Signer) -> None:
    """Their ID token has the same issuer, keys and typ."""
    provider = provider_of(gitlab)
    assert reason(provider, gitlab.token(LOGIN)) == "token_claims"
    assert reason(provider, gitlab.token(LOGIN, project_id="20", namespace_id="72")) == "token_rule"
    assert reason(provider, gitlab.token(JOB, nonce="n")) == "token_type"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://gitlab.com"}, "token_issuer"),
        ({"iss": ISSUER + "/"}, "token_issuer"),
        ({"aud": ISSUER}, "token_audience"),
        ({"aud": "https://vault.example.com"}, "token_audience"),
        ({"project_id": 20}, "token_claims"),
        ({"exp": 1}, "token_expired"),
    ],
)
def test_each_claim_alone_is_fatal(gitlab: Signer, changes: dict[str, Any], why: str) -> None:
    assert reason(provider_of(gitlab), gitlab.token(JOB, **changes)) == why


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("projects", []), ("projects", None), ("projects", "20"), ("projects", 20), ("projects", ["my-group/my-project"]),
        ("projects", [0]), ("projects", [True]), ("groups", []), ("groups", ["my-group"]), ("refs", ["main"]), ("refs", []),
        ("environments", []), ("environments", ["*"]), ("protected", 1), ("merge_requests", "no"), ("url", "http://gitlab.com"),
        ("url", "gitlab.com"),
    ],
)  # fmt: skip
def test_whoever_names_nobody_or_everybody_is_told_at_once(setting: str, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"(GitLab: )?{setting}"):
        GitLab(API, **{"projects": [1], setting: wrong})


def test_settings_name_the_projects() -> None:
    settings = {"AUTHKIT_AUDIENCE": API, "AUTHKIT_GITLAB_PROJECTS": "20, 21"}
    assert GitLab.from_settings(settings.get).issuer == "https://gitlab.com"
    assert GitLab.from_settings({**settings, "AUTHKIT_GITLAB_URL": ISSUER + "/"}.get).issuer == ISSUER
    for name in settings:
        with pytest.raises(ConfigurationError, match=name):
            GitLab.from_settings({**settings, name: " "}.get)
    assert isinstance(named("gitlab", audience=API, projects=[1]), GitLab)
