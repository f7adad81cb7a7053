"""Clerk: the session tokens of an instance, asked for by origins that are named."""

from __future__ import annotations

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import (
    ConfigurationError,
    checked_base,
    checked_flag,
    checked_profile,
    checked_texts,
    keys_at,
    setting,
    settings_list,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

ORIGIN = r"(?:https?|[a-z][a-z0-9+.-]*)://[^\s/]+"


class Clerk(OIDCProvider):
    """Session tokens of the instance with the Frontend API `frontend_api`, for applications at `authorized_parties`.

    A session token has no audience. What it says of whom it is for is `azp`, the origin of the page that asked for it: one of
    `authorized_parties`, "https://app.example.com" say. `insecure_without_party`: accept tokens that name no origin too, as
    native apps have them, and pages of which browsers do not tell it. A session that is pending (`sts`) is refused, and so are
    the tokens of templates, machines and OAuth applications, which have no session.

    The role in the active organization (`o.rol`, "admin" say) is the principal's, the organization (`o.id`) its tenant; version
    1 of the tokens has neither there. `roles`, `groups`: claims that the session token was customized with; `unsafe_metadata`
    is the user's own. Somebody who impersonates the user stands in `claims["act"]`. `settings`: of `OIDCProvider`.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        frontend_api: str,
        *,
        authorized_parties: str | Iterable[str],
        insecure_without_party: bool = False,
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        **settings: Any,
    ) -> None:
        issuer = checked_base("Clerk: frontend_api", frontend_api)
        if issuer.count("/") != 2:
            raise ConfigurationError("Clerk: frontend_api is a URL without a path, like 'https://clerk.example.com'")
        shape = "an origin, like 'https://app.example.com', with no slash at its end"
        parties = checked_texts("Clerk: authorized_parties", authorized_parties, ORIGIN, shape)
        without = checked_flag("Clerk: insecure_without_party", insecure_without_party)
        profile = TokenProfile(
            types=("JWT",),
            forbidden=TokenProfile.OTHER_KINDS,
            audience="iss" if without else "azp",
            scopes=(),
            roles=roles,
            role="o.rol",
            groups=groups,
            tenant="o.id",
            check=lambda claims: _in_session(claims) and ("azp" not in claims or claims["azp"] in parties),
        )
        where = keys_at(f"{issuer}/.well-known/jwks.json", settings)
        checked_profile("Clerk", profile, "unsafe_metadata")
        super().__init__(issuer, audience=issuer if without else parties, profile=profile, **where)

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_CLERK_FRONTEND_API and AUTHKIT_CLERK_AUTHORIZED_PARTIES (parted by commas)."""
        frontend_api, _ = setting(get, "AUTHKIT_CLERK_FRONTEND_API"), setting(get, "AUTHKIT_CLERK_AUTHORIZED_PARTIES")
        return cls(frontend_api, authorized_parties=settings_list(get, "AUTHKIT_CLERK_AUTHORIZED_PARTIES"))


def _in_session(claims: Mapping[str, Any]) -> bool:
    """Of a person, in a session that has all that it needs."""
    sid = claims.get("sid")
    return claims["sub"].startswith("user_") and type(sid) is str and sid != "" and claims.get("sts", "active") == "active"
