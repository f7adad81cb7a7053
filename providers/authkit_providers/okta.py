"""Okta: the access tokens of a custom authorization server."""

from __future__ import annotations

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import ConfigurationError, checked_host, checked_text, setting, settings_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self


class Okta(OIDCProvider):
    """Access tokens of the custom authorization server `server` of the org at `domain`, for `audience`.

    `server`: its id, or "default", the one that Okta makes with the org. The org's own server, whose issuer is the bare domain,
    cannot be named: its access tokens are for Okta alone, who says that nobody else is to verify them. `audience`: as the
    server's settings have it, "api://default" say. `groups`, `roles`: the claims in which the server puts them. `settings`: of
    `OIDCProvider`.

    The subject is `uid`, the user's id, and not `sub`, which is by default the name that they log in with and may change. A
    client of its own (client credentials) has no `uid`: its `sub` is its id, `cid`. An ID token has no `cid`.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        domain: str,
        *,
        audience: str | Iterable[str],
        server: str = "default",
        groups: Iterable[str] = ("groups",),
        roles: Iterable[str] = ("roles",),
        **settings: Any,
    ) -> None:
        host = checked_host("Okta: domain", domain)
        if host.split(".")[0].endswith("-admin"):
            raise ConfigurationError("Okta: domain is the one at which people log in, without '-admin'")
        if checked_text("Okta: server", server, r"[A-Za-z0-9_-]+", "an authorization server's id, or 'default'") == "v1":
            raise ConfigurationError("Okta: server is a custom one: the tokens of the org's own are for Okta alone")
        profile = TokenProfile(
            types=("", "JWT", "at+jwt"),
            forbidden=TokenProfile.OTHER_KINDS,
            subject=["uid", "sub"],
            scopes=("scp",),
            roles=roles,
            groups=groups,
            check=_is_access_token,
        )
        super().__init__(f"https://{host}/oauth2/{server}", audience=audience, profile=profile, **settings)

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_OKTA_DOMAIN and AUTHKIT_AUDIENCE (several: parted by commas); AUTHKIT_OKTA_SERVER, AUTHKIT_OKTA_GROUPS,
        AUTHKIT_OKTA_ROLES.
        """
        setting(get, "AUTHKIT_AUDIENCE")
        return cls(
            setting(get, "AUTHKIT_OKTA_DOMAIN"),
            audience=settings_list(get, "AUTHKIT_AUDIENCE"),
            server=(get("AUTHKIT_OKTA_SERVER") or "default").strip(),
            groups=settings_list(get, "AUTHKIT_OKTA_GROUPS") or ("groups",),
            roles=settings_list(get, "AUTHKIT_OKTA_ROLES") or ("roles",),
        )


def _is_access_token(claims: Mapping[str, Any]) -> bool:
    """It was given to a client, is not for that client, and is of a user, unless the client is its own subject."""
    client, aud = claims.get("cid"), claims.get("aud")
    if type(client) is not str or not client or client in (aud if isinstance(aud, list) else [aud]):
        return False
    return claims.get("uid") is not None or claims.get("sub") == client
