"""Netlify Identity (GoTrue): the access tokens of a site's users, signed with the site's secret."""

from __future__ import annotations

from authkit.oidc import TokenProfile
from authkit.oidc.for_providers import SharedSecret, checked_base, checked_profile, secret_key, setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self


class NetlifyIdentity(SharedSecret):
    """Access tokens of the users of the site at `site`, "https://example.netlify.app" say; `secret` is its Identity instance's
    JWT secret, text or a `Secret`, of 32 bytes at least. Whoever has it can sign tokens of every user.

    A token names no issuer, and an audience only where GoTrue was set up with one (`audience`): the secret says both, so it is
    one site's alone. The roles are those of `app_metadata`, which the site's owners write; `user_metadata` is the user's own.
    Nothing says that the address in a token was confirmed. What a function finds in `context.clientContext.user` is proof of
    nothing: whoever can invoke the function writes it, and `netlify dev` decodes it without looking at the signature.
    `settings`: of `OIDCProvider`. Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        site: str,
        secret: Any,
        *,
        audience: str | None = None,
        roles: Iterable[str | tuple[str, ...]] = ("app_metadata.roles",),
        **settings: Any,
    ) -> None:
        held = secret_key(secret)
        del secret  # what is raised below may be shown with its locals
        issuer = checked_base("NetlifyIdentity: site", site).removesuffix("/.netlify/identity") + "/.netlify/identity"
        profile = TokenProfile(
            types=("JWT",),
            forbidden=TokenProfile.OTHER_KINDS,
            scopes=(),
            roles=roles,
            email_verified=None,
            name="user_metadata.full_name",
            check=_is_a_users,
        )
        checked_profile("NetlifyIdentity", profile, "user_metadata")
        super().__init__(issuer, held, audience=issuer if audience is None else audience, profile=profile, **settings)

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_NETLIFY_SITE and AUTHKIT_NETLIFY_JWT_SECRET."""
        site = setting(get, "AUTHKIT_NETLIFY_SITE")
        return cls(site, secret_key(setting(get, "AUTHKIT_NETLIFY_JWT_SECRET")))


def _is_a_users(claims: Mapping[str, Any]) -> bool:
    """The token by which a function administers the site has the subject "0", and no application's metadata."""
    return isinstance(claims.get("app_metadata"), dict) and claims["sub"] != "0"
