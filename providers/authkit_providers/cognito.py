"""Amazon Cognito: the tokens of a user pool, given to app clients that are named."""

from __future__ import annotations

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import (
    ConfigurationError,
    checked_flag,
    checked_text,
    checked_texts,
    keys_at,
    setting,
    settings_list,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Literal, Self

POOL = r"[a-z]{2,3}(?:-[a-z]+)+-\d_[A-Za-z0-9]+"


class Cognito(OIDCProvider):
    """Tokens of the user pool `pool_id` that were given to the app client `client_id`, or to one of several.

    `region`: need not be said, the pool's id begins with it; one that differs is refused. `token_use`: "access", or "id" where
    an API was built to get ID tokens: never both. An access token names its client in `client_id` and has no audience, but
    where it was asked for with a resource: `audience` is that resource, and then required. `updated_issuer`: the pool's issuer
    is of the type UPDATED ("https://issuer-cognito-idp..."). `roles`, `groups`: where they stand; ("cognito:groups",) for both
    has groups be roles. `tenant`: a claim. `settings`: of `OIDCProvider`.

    An attribute "custom:..." is written by the user, unless the app client's write permissions say otherwise.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        pool_id: str,
        *,
        client_id: str | Iterable[str],
        region: str | None = None,
        token_use: Literal["access", "id"] = "access",
        audience: str | None = None,
        updated_issuer: bool = False,
        roles: Iterable[str] = (),
        groups: Iterable[str] = ("cognito:groups",),
        tenant: str | None = None,
        **settings: Any,
    ) -> None:
        place = checked_text("Cognito: pool_id", pool_id, POOL, "like 'eu-west-1_AbCdEfGhI'").partition("_")[0]
        if region is not None and region != place:
            raise ConfigurationError("Cognito: region is not the one that pool_id begins with")
        if token_use not in ("access", "id"):
            raise ConfigurationError("Cognito: token_use is 'access' or 'id'")
        if audience is not None and (token_use == "id" or not isinstance(audience, str) or not audience):
            raise ConfigurationError("Cognito: audience is the resource of access tokens, as text")
        profile = TokenProfile(
            types=("", "JWT"),
            required={"token_use": token_use},
            audience="client_id" if token_use == "access" else "aud",
            scopes=("scope",),
            roles=roles,
            groups=groups,
            tenant=tenant,
            check=None if audience is None else _for(audience),
        )
        updated = checked_flag("Cognito: updated_issuer", updated_issuer)
        # The China partition has a suffix of its own.
        domain = "amazonaws.com.cn" if place.startswith("cn-") else "amazonaws.com"
        issuer = f"https://{'issuer-' if updated else ''}cognito-idp.{place}.{domain}/{pool_id}"
        super().__init__(
            issuer,
            audience=checked_texts("Cognito: client_id", client_id, r"[\w+]{1,128}", "an app client's id"),
            profile=profile,
            **keys_at(f"{issuer}/.well-known/jwks.json", settings),
        )

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_COGNITO_POOL_ID and AUTHKIT_COGNITO_CLIENT_ID (several: parted by commas); AUTHKIT_COGNITO_ROLES, and
        AUTHKIT_COGNITO_RESOURCE for `audience`.
        """
        pool_id, _ = setting(get, "AUTHKIT_COGNITO_POOL_ID"), setting(get, "AUTHKIT_COGNITO_CLIENT_ID")
        return cls(
            pool_id,
            client_id=settings_list(get, "AUTHKIT_COGNITO_CLIENT_ID"),
            audience=(get("AUTHKIT_COGNITO_RESOURCE") or "").strip() or None,
            roles=settings_list(get, "AUTHKIT_COGNITO_ROLES"),
        )


def _for(resource: str) -> Callable[[Mapping[str, Any]], bool]:
    def check(claims: Mapping[str, Any]) -> bool:
        aud = claims.get("aud")
        return aud == resource or (isinstance(aud, list) and resource in aud)

    return check
