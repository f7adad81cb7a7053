"""Keycloak: the access tokens of a realm, made out to one client of it."""

from __future__ import annotations

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import ConfigurationError, checked_base, checked_text, setting, settings_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self


class Keycloak(OIDCProvider):
    """Access tokens of the realm at `realm_url` for `audience`, the client that the API is in Keycloak.

    `realm_url`: "https://id.example.com/realms/main"; before version 17, and where it is set up so, ".../auth/realms/main". It
    is the issuer, without a slash at its end. An access token names an API in its audience only where the client that asks has
    an audience mapper, or a role of that API; "account", which every client's names, is refused here. `client`: its roles of
    this client (`resource_access`) count too, beside the realm's; another client's never do. `groups`, `roles`: claims of
    mappers; `roles` are put together with the realm's. `tenant`: a claim. `settings`: of `OIDCProvider`.

    Every token says in `typ` what it is: access tokens "Bearer", or "DPoP" where they are bound to a key; ID, refresh, offline
    and logout tokens say so too, under the same keys, and are refused.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        realm_url: str,
        *,
        audience: str | Iterable[str],
        client: str | None = None,
        roles: Iterable[str] = (),
        groups: Iterable[str] = ("groups",),
        tenant: str | None = None,
        **settings: Any,
    ) -> None:
        issuer = checked_base("Keycloak: realm_url", realm_url)
        *_, realms, realm = issuer.split("/")
        if realms != "realms" or not realm:
            raise ConfigurationError("Keycloak: realm_url ends in /realms/ and the realm's name")
        places: list[str | tuple[str, ...]] = [("realm_access", "roles"), *([roles] if isinstance(roles, str) else roles)]
        if client is not None:
            places.append(("resource_access", checked_text("Keycloak: client", client, r"\S+", "a client's id"), "roles"))
        profile = TokenProfile(
            types=("JWT", "at+jwt"),
            required={"typ": ("Bearer", "DPoP")},
            scopes=("scope",),
            roles=places,
            groups=groups,
            tenant=tenant,
            check=_is_bound_if_it_says_so,
        )
        super().__init__(issuer, audience=audience, profile=profile, **settings)
        self.login_profile = TokenProfile(types=("JWT",), required={"typ": "ID"}, roles=places, groups=groups, tenant=tenant)
        if "account" in self.audiences:
            raise ConfigurationError("Keycloak: audience is the API's own client: 'account' is in the tokens of every client")

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_KEYCLOAK_REALM_URL and AUTHKIT_AUDIENCE (several: parted by commas); AUTHKIT_KEYCLOAK_CLIENT,
        AUTHKIT_KEYCLOAK_GROUPS.
        """
        setting(get, "AUTHKIT_AUDIENCE")
        return cls(
            setting(get, "AUTHKIT_KEYCLOAK_REALM_URL"),
            audience=settings_list(get, "AUTHKIT_AUDIENCE"),
            client=(get("AUTHKIT_KEYCLOAK_CLIENT") or "").strip() or None,
            groups=settings_list(get, "AUTHKIT_KEYCLOAK_GROUPS") or ("groups",),
        )


def _is_bound_if_it_says_so(claims: Mapping[str, Any]) -> bool:
    return claims["typ"] == "Bearer" or "cnf" in claims
