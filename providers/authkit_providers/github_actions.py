"""GitHub Actions: the ID tokens by which a workflow run says which repository, branch and environment it is of."""

from __future__ import annotations

import re

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import Allowed, ConfigurationError, checked_host, checked_text, setting, settings_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

# What only those can cause who may write to the repository, or its own schedule. Anybody may open a pull request, or comment.
EVENTS = ("push", "release", "workflow_dispatch", "repository_dispatch", "schedule", "deployment", "merge_group")
_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_NAMED = re.compile(r"[\w.-]+@([1-9][0-9]{0,18})/(?:\*|[\w.-]+@([1-9][0-9]{0,18}))", re.ASCII)


class GitHubActions(OIDCProvider):
    """ID tokens of workflow runs, for `audience`: what the workflow asks its token for. Make it the API's own URL; the
    default, the owner's URL, is what tokens for anybody else have too.

    `repositories`: the only ones whose workflows may come in: their numeric ids, or as GitHub writes both ids,
    "octo-org@123456/octo-repo@456789", or "octo-org@123456/*" for all of one owner. Names alone are none: who gives one up, or
    is renamed, leaves it to somebody else. Further conditions, all of which must hold: `refs` ("refs/heads/main",
    "refs/tags/v*"), `environments`, `workflows` (`job_workflow_ref`), `events`, and `protected`: the ref is a protected one.
    `events` are by default those that nobody outside can cause; no pull request is among them.

    `host`: "github.com", "NAME.ghe.com", or a GitHub Enterprise Server's. `enterprise`: its slug, where the enterprise has an
    issuer of its own. The subject is the repository's id; `sub`, which each repository may rewrite, decides nothing.
    `settings`: of `OIDCProvider`. Raises: `ConfigurationError`, also if no repository is named.
    """

    def __init__(
        self,
        audience: str | Iterable[str],
        *,
        repositories: Iterable[int | str],
        refs: Iterable[str] | None = None,
        environments: Iterable[str] | None = None,
        workflows: Iterable[str] | None = None,
        events: Iterable[str] = EVENTS,
        protected: bool = False,
        host: str = "github.com",
        enterprise: str | None = None,
        **settings: Any,
    ) -> None:
        if not isinstance(protected, bool):
            raise ConfigurationError("GitHubActions: protected is True or False")
        self._repositories, self._owners = _named(repositories)
        wanted = {
            "ref": _allowed("refs", refs, "a full ref, like 'refs/heads/main' or 'refs/tags/v*'"),
            "environment": _allowed("environments", environments, "an environment's name"),
            "job_workflow_ref": _allowed(
                "workflows", workflows, "like 'octo-org/automation/.github/workflows/deploy.yml@refs/heads/main'"
            ),
            "event_name": Allowed("GitHubActions: events", events, "an event's name, like 'push'"),
        }
        if refs is not None and not all(one.startswith("refs/") for one in ((refs,) if isinstance(refs, str) else refs)):
            raise ConfigurationError("GitHubActions: refs are full refs, like 'refs/heads/main' or 'refs/tags/v*'")
        self._wanted = {claim: allowed for claim, allowed in wanted.items() if allowed is not None}
        self._protected = protected
        super().__init__(
            _issuer(host, enterprise),
            audience=audience,
            profile=TokenProfile(
                types=("JWT",),
                subject="repository_id",
                scopes=(),
                roles=(),
                check=self._is_allowed,
                tenant="repository_owner_id",
                email=None,
                email_verified=None,
                name="repository",
            ),
            **settings,
        )

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_AUDIENCE and AUTHKIT_GITHUB_REPOSITORIES (parted by commas); AUTHKIT_GITHUB_REFS,
        AUTHKIT_GITHUB_ENVIRONMENTS.
        """
        setting(get, "AUTHKIT_GITHUB_REPOSITORIES")
        setting(get, "AUTHKIT_AUDIENCE")
        return cls(
            settings_list(get, "AUTHKIT_AUDIENCE"),
            repositories=settings_list(get, "AUTHKIT_GITHUB_REPOSITORIES"),
            refs=settings_list(get, "AUTHKIT_GITHUB_REFS") or None,
            environments=settings_list(get, "AUTHKIT_GITHUB_ENVIRONMENTS") or None,
        )

    def _is_allowed(self, claims: Mapping[str, Any]) -> bool:
        repository, owner = claims.get("repository_id"), claims.get("repository_owner_id")
        if type(repository) is not str or type(owner) is not str:
            return False
        listed = repository in self._repositories and self._repositories[repository] in (None, owner)
        if not listed and owner not in self._owners:
            return False
        if self._protected and claims.get("ref_protected") != "true":
            return False
        return all(claims.get(claim) in allowed for claim, allowed in self._wanted.items())


def _allowed(name: str, values: object, shape: str) -> Allowed | None:
    return None if values is None else Allowed(f"GitHubActions: {name}", values, shape)


def _named(values: object) -> tuple[dict[str, str | None], frozenset[str]]:
    """Repositories by id, with the id of its owner where that was said; and owners, all of whose repositories are meant."""
    wrong = ConfigurationError(
        "GitHubActions: repositories is a list, not empty, of ids, or of 'owner@id/name@id': names may be somebody else's later"
    )
    if not isinstance(values, (list, tuple, set, frozenset)) or not values:
        raise wrong
    repositories: dict[str, str | None] = {}
    owners = set()
    for value in values:
        text = str(value) if type(value) is int else value
        if isinstance(text, str) and _ID.fullmatch(text):
            repositories[text] = None
        elif isinstance(text, str) and (found := _NAMED.fullmatch(text)):
            if found[2] is None:
                owners.add(found[1])
            else:
                repositories[found[2]] = found[1]
        else:
            raise wrong
    return repositories, frozenset(owners)


def _issuer(host: object, enterprise: object) -> str:
    name = checked_host("GitHubActions: host", host)
    if name == "github.com":
        base = "https://token.actions.githubusercontent.com"
    elif name.endswith(".ghe.com"):
        base = f"https://token.actions.{name}"
    else:
        base = f"https://{name}/_services/token"
    if enterprise is None:
        return base
    slug = checked_text("GitHubActions: enterprise", enterprise, r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "the slug of an enterprise")
    return f"{base}/{slug}"
