"""Firebase Authentication and Identity Platform: the ID tokens of a project, which are what its APIs get."""

from __future__ import annotations

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import checked_flag, checked_text, checked_texts, keys_at, setting, settings_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

KEYS = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"


class Firebase(OIDCProvider):
    """ID tokens of the Firebase project `project_id`.

    These are ID tokens on purpose: Firebase has no access tokens, and its clients send their ID token to every API of the
    project, whose id is both audience and end of the issuer. Session cookies and custom tokens have other issuers and are
    refused.

    `tenants`: ids of Identity Platform tenants, of which a token has to name one; none: a token that names a tenant is refused,
    for a user's id is unique in a tenant only. `anonymous`: accept who signed in anonymously, which whoever has the app can.
    `roles`, `groups`: custom claims, which only the Admin SDK writes. `settings`: of `OIDCProvider`. Not checked: whether the
    user was disabled since, or their tokens revoked; they end within an hour.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        project_id: str,
        *,
        tenants: str | Iterable[str] = (),
        anonymous: bool = False,
        roles: Iterable[str] = ("roles",),
        groups: Iterable[str] = ("groups",),
        **settings: Any,
    ) -> None:
        shape = "a project's id, like 'example-1a2b3' (its number is not it)"
        checked_text("Firebase: project_id", project_id, r"(?!\d+\Z)[a-z0-9][a-z0-9.:-]{2,62}[a-z0-9]", shape)
        required: dict[str | tuple[str, ...], Any] = {}
        forbidden = ["events"]
        if tenants:
            required["firebase.tenant"] = checked_texts("Firebase: tenants", tenants, r"[\w-]+", "a tenant's id")
        else:
            forbidden.append("firebase.tenant")
        checked_flag("Firebase: anonymous", anonymous)
        profile = TokenProfile(
            types=("JWT",),
            required=required,
            forbidden=forbidden,
            scopes=(),
            roles=roles,
            groups=groups,
            tenant="firebase.tenant",
            check=lambda claims: _signed_in(claims, anonymous),
        )
        issuer = f"https://securetoken.google.com/{project_id}"
        super().__init__(issuer, audience=project_id, profile=profile, **keys_at(KEYS, settings))

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_FIREBASE_PROJECT_ID; AUTHKIT_FIREBASE_TENANTS, AUTHKIT_FIREBASE_ROLES."""
        return cls(
            setting(get, "AUTHKIT_FIREBASE_PROJECT_ID"),
            tenants=settings_list(get, "AUTHKIT_FIREBASE_TENANTS"),
            roles=settings_list(get, "AUTHKIT_FIREBASE_ROLES") or ("roles",),
        )


def _signed_in(claims: Mapping[str, Any], anonymous: bool) -> bool:
    """Somebody did, in a way that is named, before the token was issued."""
    told = claims["firebase"]["sign_in_provider"]
    if type(told) is not str or not told or (told == "anonymous" and not anonymous):
        return False
    at, issued = claims["auth_time"], claims["iat"]
    return type(at) in (int, float) and 0 < at <= issued and len(claims["sub"]) <= 128
