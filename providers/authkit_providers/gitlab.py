"""GitLab: the ID tokens by which a CI/CD job says what it is of; and access tokens of people, which GitLab is asked about."""

from __future__ import annotations

import time

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import (
    Allowed,
    AskingJSON,
    ConfigurationError,
    InvalidToken,
    checked_base,
    checked_text,
    checked_texts,
    setting,
    settings_list,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

_MERGE_REQUESTS = ("merge_request_event", "external_pull_request_event")
_ID = r"[1-9][0-9]{0,18}"
_OF_NO_LOGIN = ("glpat-", "glptt-", "glcbt-", "gldt-", "glrt-", "gloas-")  # personal, of jobs, runners, deployments, secrets


class GitLab(OIDCProvider):
    """ID tokens of CI/CD jobs, for `audience`: what the job's `id_tokens` asks for. Make it the API's own URL.

    `projects`: the ids of the only projects whose jobs may come in; `groups`: the ids of namespaces, all of whose own projects
    may, but not those of subgroups. One of the two must be given; paths are none, for another may get them. Further conditions,
    all of which must hold: `refs` ("refs/heads/main", "refs/tags/v*"), `environments`, and `protected`: the ref is a protected
    one. `merge_requests`: also pipelines of merge requests, which may come from forks; before GitLab 18.2.2 their tokens are
    those of the project that they want to be merged into.

    `url`: of the instance, as its tokens say in `iss`. The subject is the project's id; `sub`, which each project may rewrite,
    decides nothing. ID tokens of people who log in by GitLab have the same issuer, and are refused. `settings`: of
    `OIDCProvider`. Raises: `ConfigurationError`, also if nobody is named.
    """

    def __init__(
        self,
        audience: str | Iterable[str],
        *,
        projects: Iterable[int | str] | None = None,
        groups: Iterable[int | str] | None = None,
        refs: Iterable[str] | None = None,
        environments: Iterable[str] | None = None,
        protected: bool = False,
        merge_requests: bool = False,
        url: str = "https://gitlab.com",
        **settings: Any,
    ) -> None:
        if projects is None and groups is None:
            raise ConfigurationError(
                "GitLab: projects or groups: the ids of those whose jobs may come in; there is no way to say all"
            )
        for name, value in (("protected", protected), ("merge_requests", merge_requests)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"GitLab: {name} is True or False")
        if refs is not None and not all(one.startswith("refs/") for one in ((refs,) if isinstance(refs, str) else refs)):
            raise ConfigurationError("GitLab: refs are full refs, like 'refs/heads/main' or 'refs/tags/v*'")
        self._projects = _ids("GitLab: projects", projects)
        self._groups = _ids("GitLab: groups", groups)
        self._refs = None if refs is None else Allowed("GitLab: refs", refs, "a full ref, like 'refs/heads/main'")
        self._environments = (
            None if environments is None else Allowed("GitLab: environments", environments, "an environment's name")
        )
        self._protected = protected
        self._merge_requests = merge_requests
        super().__init__(
            checked_base("GitLab: url", url),
            audience=audience,
            profile=TokenProfile(
                types=("JWT",),
                forbidden=TokenProfile.OTHER_KINDS,
                subject="project_id",
                scopes=(),
                roles=(),
                check=self._is_allowed,
                tenant="namespace_id",
                email=None,
                email_verified=None,
                name="project_path",
            ),
            **settings,
        )

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_AUDIENCE and AUTHKIT_GITLAB_PROJECTS (ids, parted by commas); AUTHKIT_GITLAB_URL, AUTHKIT_GITLAB_REFS,
        AUTHKIT_GITLAB_ENVIRONMENTS.
        """
        setting(get, "AUTHKIT_GITLAB_PROJECTS")
        setting(get, "AUTHKIT_AUDIENCE")
        return cls(
            settings_list(get, "AUTHKIT_AUDIENCE"),
            projects=settings_list(get, "AUTHKIT_GITLAB_PROJECTS"),
            refs=settings_list(get, "AUTHKIT_GITLAB_REFS") or None,
            environments=settings_list(get, "AUTHKIT_GITLAB_ENVIRONMENTS") or None,
            url=(get("AUTHKIT_GITLAB_URL") or "https://gitlab.com").strip(),
        )

    @staticmethod
    def people(client_id: str, *, url: str = "https://gitlab.com", **settings: Any) -> GitLabPeople:
        """A verifier of the opaque access tokens of people who logged in at the application `client_id` of the instance."""
        return GitLabPeople(client_id, url=url, **settings)

    def _is_allowed(self, claims: Mapping[str, Any]) -> bool:
        project, job, source = claims.get("project_id"), claims.get("job_id"), claims.get("pipeline_source")
        if type(project) is not str or type(job) is not str or type(source) is not str:
            return False
        if project not in self._projects and claims.get("namespace_id") not in self._groups:
            return False
        if not self._merge_requests and (source in _MERGE_REQUESTS or claims.get("job_project_id", project) != project):
            return False
        if not self._merge_requests and source == "parent_pipeline" and "job_project_id" not in claims:
            return False  # of a merge request from a fork, perhaps: an old GitLab does not say
        if self._protected and claims.get("ref_protected") != "true":
            return False
        if self._refs is not None and claims.get("ref_path") not in self._refs:
            return False
        return self._environments is None or claims.get("environment") in self._environments


class GitLabPeople(AskingJSON):
    """Access tokens of people who logged in at the application `client_id` of the instance at `url`, which is asked about each:
    one that another application was given is refused.

    The subject is the user's id. How long an answer is remembered, and how many are asked for: `settings`, of `Asking`.
    Raises: `ConfigurationError`.
    """

    def __init__(self, client_id: str, *, url: str = "https://gitlab.com", **settings: Any) -> None:
        base = checked_base("GitLab: url", url)
        self._app = checked_text("GitLab: client_id", client_id, r"[!-~]{1,256}", "the application's ID")
        self._info = f"{base}/oauth/token/info"
        self._wall: Callable[[], float] = settings.get("clock", time.time)
        super().__init__(principal_issuer=base, **{"name": "GitLab", **settings})

    def ask(self, token: str) -> Mapping[str, Any] | None:
        if token.startswith(_OF_NO_LOGIN):
            raise InvalidToken("token_type")
        status, headers, said = self.asked(self._info, bearer=token)
        if status == 401:
            return None
        if said is None:
            raise self.unavailable(status, headers)
        app, user, scopes, left = (said.get(name) for name in ("application", "resource_owner_id", "scope", "expires_in"))
        if not isinstance(app, dict) or app.get("uid") != self._app:
            raise InvalidToken("token_audience")
        if type(user) is not int or user <= 0 or not isinstance(scopes, list):  # None: an application's own
            raise InvalidToken("token_claims")
        claims: dict[str, Any] = {"sub": str(user), "client_id": self._app, "scp": scopes}
        if left is not None:
            if type(left) is not int or left <= 0:
                raise InvalidToken("token_expired")
            claims["exp"] = int(self._wall()) + left
        return claims


def _ids(name: str, values: Any) -> frozenset[str]:
    if values is None:
        return frozenset()
    shape = "a numeric id, which the project's or group's page shows"
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise ConfigurationError(f"{name} is a list, not empty, of numeric ids")
    return frozenset(checked_texts(name, [str(one) if type(one) is int else one for one in values], _ID, shape))
