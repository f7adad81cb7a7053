"""Supabase: the access tokens of a project's users."""

from __future__ import annotations

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import (
    checked_base,
    checked_flag,
    checked_profile,
    checked_texts,
    keys_at,
    secret_key,
    setting,
    settings_list,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self


class Supabase(OIDCProvider):
    """Access tokens of the users of the project at `url`, "https://abcdefgh.supabase.co" say.

    `jwt_secret`: the legacy secret (HS256), for projects that have no signing keys yet, best as a `Secret`: then nothing is
    fetched, and whoever has it can sign tokens. `database_roles`: what `role` may say. The keys of the project (anon,
    service_role) are tokens too, of another issuer and nobody's, and are refused. `anonymous`: accept who signed in
    anonymously, which everybody can. `clients`: OAuth clients of the project (`client_id`) whose tokens are accepted: they
    stand for a user in the hands of a third party, and are refused unless that party is named. `roles`, `groups`: places in
    `app_metadata`, which users cannot write; nothing from `user_metadata`, which they can, is taken for one. `settings`: of
    `OIDCProvider`.

    A token does not say whether its e-mail address was verified, so an identity has none but `unverified_email`.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        url: str,
        *,
        jwt_secret: Any = None,
        audience: str | Iterable[str] = "authenticated",
        database_roles: str | Iterable[str] = ("authenticated",),
        anonymous: bool = False,
        clients: str | Iterable[str] = (),
        roles: Iterable[str] = ("app_metadata.roles",),
        groups: Iterable[str] = ("app_metadata.groups",),
        **settings: Any,
    ) -> None:
        jwt_secret = None if jwt_secret is None else secret_key(jwt_secret)  # what is raised may be shown with its locals
        issuer = checked_base("Supabase: url", url).removesuffix("/auth/v1") + "/auth/v1"
        named = frozenset(checked_texts("Supabase: clients", clients, r"[\w-]+", "an OAuth client's id") if clients else ())
        checked_flag("Supabase: anonymous", anonymous)
        profile = TokenProfile(
            types=("JWT",),
            required={"role": checked_texts("Supabase: database_roles", database_roles, r"\w+", "a name of a database role")},
            forbidden=TokenProfile.OTHER_KINDS,
            scopes=(),
            roles=roles,
            groups=groups,
            email_verified=None,
            name=None,
            check=lambda claims: _of_a_user(claims, anonymous, named),
        )
        if jwt_secret is not None:
            settings["keys"] = jwt_secret
        where = keys_at(f"{issuer}/.well-known/jwks.json", settings)
        checked_profile("Supabase", profile, "user_metadata")
        super().__init__(issuer, audience=audience, profile=profile, **where)

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_SUPABASE_URL; AUTHKIT_SUPABASE_JWT_SECRET, AUTHKIT_SUPABASE_CLIENTS."""
        return cls(
            setting(get, "AUTHKIT_SUPABASE_URL"),
            jwt_secret=get("AUTHKIT_SUPABASE_JWT_SECRET"),
            clients=settings_list(get, "AUTHKIT_SUPABASE_CLIENTS"),
        )


def _of_a_user(claims: Mapping[str, Any], anonymous: bool, clients: frozenset[str]) -> bool:
    """Of somebody who is known, in a session of their own, or with a client that is ours."""
    if not (claims.get("is_anonymous", False) is False or anonymous) or type(claims.get("session_id")) is not str:
        return False
    return "client_id" not in claims or claims["client_id"] in clients
