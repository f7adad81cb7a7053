"""GitHub: the access tokens of people, given to your own OAuth App or GitHub App, which GitHub is asked about."""

from __future__ import annotations

import re
from datetime import datetime

from authkit.oidc import Identity, Login
from authkit.oidc.for_providers import AskingJSON, InvalidToken, checked_base, checked_text, hidden, setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Self

    from authkit.oidc.for_providers import Principal

# Of an OAuth App, of a GitHub App, and of either before 2021. Others (personal, of an installation, refresh) are of nobody's
# login at an app, and not asked about.
_OURS = re.compile(r"gh[ou]_[A-Za-z0-9_.-]{16,512}|[0-9a-f]{40}", re.ASCII)
_HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
_SHOWN = ("login", "type", "site_admin")  # of the user: what is public, and changes


class GitHub(AskingJSON):
    """Access tokens of people who logged in at the app `client_id`. GitHub is no OpenID Provider: it is asked whether a token
    was given to this very app, since one that another app was given says who somebody is just as well.

    `client_secret`: the app's, text or a `Secret`. `server`: "https://github.com", "https://NAME.ghe.com", or that of a GitHub
    Enterprise Server. The subject is the user's numeric id: a login name can be changed, and be somebody else's the day after.
    A token of an OAuth App has its scopes; one of a GitHub App has none, for its permissions are the app's. `settings`, of
    `Asking`: how long an answer is remembered, and how many are asked for.

    GitHub answers 404 for every token that is not good here; when it is over its limits, nobody can be asked: `Unavailable`.
    Raises: `ConfigurationError`.
    """

    login_method = "client_secret_post"  # what GitHub's documentation shows

    def __init__(self, client_id: str, client_secret: Any, *, server: str = "https://github.com", **settings: Any) -> None:
        client_secret = hidden(client_secret)  # what is raised below may be shown with its locals
        base = checked_base("GitHub: server", server)
        app = checked_text("GitHub: client_id", client_id, r"[A-Za-z0-9._-]{1,128}", "the app's client ID")
        self._app = app
        self._url = f"{_api(base)}/applications/{app}/token"
        self._client_secret = client_secret
        self.login_endpoints = {
            "authorization_endpoint": f"{base}/login/oauth/authorize",
            "token_endpoint": f"{base}/login/oauth/access_token",
        }
        super().__init__(
            client_id=app,
            client_secret=client_secret,
            principal_issuer=base,
            **{"name": "GitHub", **settings},
        )

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_GITHUB_CLIENT_ID and AUTHKIT_GITHUB_CLIENT_SECRET; AUTHKIT_GITHUB_SERVER."""
        client_id, name = setting(get, "AUTHKIT_GITHUB_CLIENT_ID"), "AUTHKIT_GITHUB_CLIENT_SECRET"
        server = (get("AUTHKIT_GITHUB_SERVER") or "https://github.com").strip()
        return cls(client_id, hidden(setting(get, name)), server=server)

    def ask(self, token: str) -> Mapping[str, Any] | None:
        if _OURS.fullmatch(token) is None:
            raise InvalidToken("token_type")
        status, headers, said = self.asked(self._url, json={"access_token": token}, headers=_HEADERS)
        if status == 404:
            return None
        if said is None:
            raise self.unavailable(status, headers)
        app, user, scopes = said.get("app"), said.get("user"), said.get("scopes")
        if not isinstance(app, dict) or app.get("client_id") != self._app:
            raise InvalidToken("token_audience")
        if not isinstance(user, dict) or type(user.get("id")) is not int or user["id"] <= 0:
            raise InvalidToken("token_claims")
        claims: dict[str, Any] = {
            "sub": str(user["id"]),
            "client_id": self._app,
            "scp": scopes if isinstance(scopes, list) else [],
        }
        if said.get("expires_at") is not None:
            claims["exp"] = _epoch(said["expires_at"])
        return {**claims, **{name: user[name] for name in _SHOWN if isinstance(user.get(name), (str, bool))}}

    def login(self, **settings: Any) -> Login:
        """People logging in at the app: `GitHub(...).login(redirect_uri=..., session_key=...)`, as `authkit.oidc.Login` says,
        with the client that this is. There is no ID token: `identify` asks who logged in. Raises: `ConfigurationError`."""
        settings = {name: hidden(value) if name == "session_key" else value for name, value in settings.items()}
        ours = {"client_id": self._app, "client_secret": self._client_secret, "scopes": (), "claims": ("login",)}
        return Login(self, **{**ours, **settings})

    def identify(self, tokens: Mapping[str, Any]) -> Mapping[str, Any]:
        """Who the tokens of a login are for; it blocks. Raises: `InvalidToken` if they are another app's; `Unavailable`."""
        claims = self.ask(tokens["access_token"])
        if claims is None:
            raise InvalidToken("token_inactive")
        return claims

    def identity(self, principal: Principal) -> Identity:
        """Who `principal` is. `name` is their login now; GitHub tells no address here. Raises: `ValueError` for another's."""
        if principal.issuer is None or principal.issuer != self.principal_issuer:
            raise ValueError("the principal is of another issuer")
        login = principal.claims.get("login")
        return Identity(principal.issuer, principal.subject, name=login if isinstance(login, str) and login else None)


def _api(base: str) -> str:
    host = base.removeprefix("https://")
    if host == "github.com":
        return "https://api.github.com"
    return f"https://api.{host}" if host.endswith(".ghe.com") and "/" not in host else f"{base}/api/v3"


def _epoch(text: object) -> int:
    """The time that ISO 8601 text says, which has to say its zone. Raises: `InvalidToken`."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidToken("token_claims")
    return int(at.timestamp())
