"""Auth0: the access tokens of a tenant, made out to one API."""

from __future__ import annotations

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import ConfigurationError, checked_host, checked_texts, setting, settings_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

    from ._auth0_people import AccountRefused as AccountRefused
    from ._auth0_people import Auth0User as Auth0User
    from .auth0_management import Management as Management

_PLACES = {"Management": "auth0_management", "AccountRefused": "_auth0_people", "Auth0User": "_auth0_people"}


def __getattr__(name: str) -> object:  # httpx is for who calls Auth0, not for who verifies its tokens
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__package__}.{place}"), name)
    globals()[name] = value
    return value


_ITS_OWN = (
    ".auth0.com/userinfo",
    ".auth0.com/api/v2/",
)  # which is in every token with the scope "openid"; and the Management API


class Auth0(OIDCProvider):
    """Access tokens of the tenant at `domain` for the API with the identifier `audience`.

    `domain`: as the console shows it, or the custom domain at which people log in: a token names the one where it was asked
    for. `organizations`: ids ("org_..."), of which a token has to name one; none: whatever it names. `roles`, `groups`: names
    of the claims that an Action adds, "https://example.com/roles" say; Auth0 writes none by itself. `settings`: of
    `OIDCProvider`.

    Both of Auth0's profiles are accepted: its own (`typ: JWT`, with `azp`) and RFC 9068's (`at+jwt`, with `client_id`). An ID
    token is made out to the very client that asked for it, which is refused even if `audience` is that client's id.
    `permissions` is what the person may do and not what the client was granted, so it is in the claims and not among the
    scopes.

    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        domain: str,
        *,
        audience: str | Iterable[str],
        organizations: str | Iterable[str] = (),
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        **settings: Any,
    ) -> None:
        required: dict[str | tuple[str, ...], Any] = {}
        if organizations:
            required["org_id"] = checked_texts("Auth0: organizations", organizations, r"org_\w+", "an id like 'org_...'")
        profile = TokenProfile(
            types=("JWT", "at+jwt"),
            required=required,
            forbidden=TokenProfile.OTHER_KINDS,
            scopes=("scope",),
            roles=_claims("roles", roles),
            groups=_claims("groups", groups),
            tenant="org_id",
            check=_is_access_token,
        )
        # "https://.../", with the slash: that is how Auth0 writes its name.
        super().__init__(f"https://{checked_host('Auth0: domain', domain)}/", audience=audience, profile=profile, **settings)
        self.login_profile = TokenProfile(
            types=("JWT",), required=required, roles=_claims("roles", roles), groups=_claims("groups", groups), tenant="org_id"
        )
        if any(one == f"{self.issuer}userinfo" or one.endswith(_ITS_OWN) for one in self.audiences):
            raise ConfigurationError(
                "Auth0: audience is your API's: those of Auth0's own APIs are in the tokens of every other"
            )

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_AUTH0_DOMAIN and AUTHKIT_AUDIENCE; AUTHKIT_AUTH0_ORGANIZATIONS, AUTHKIT_AUTH0_ROLES: all but the domain
        may be several, parted by commas.
        """
        setting(get, "AUTHKIT_AUDIENCE")
        return cls(
            setting(get, "AUTHKIT_AUTH0_DOMAIN"),
            audience=settings_list(get, "AUTHKIT_AUDIENCE"),
            organizations=settings_list(get, "AUTHKIT_AUTH0_ORGANIZATIONS"),
            roles=settings_list(get, "AUTHKIT_AUTH0_ROLES"),
        )


def _claims(name: str, claims: Iterable[str]) -> list[tuple[str, ...]]:
    """Auth0's claims are flat, whatever dots there are in their names."""
    found = (
        checked_texts(f"Auth0: {name}", claims, r"\S+", "the name of a claim, like 'https://example.com/roles'")
        if claims
        else ()
    )
    return [(claim,) for claim in found]


def _is_access_token(claims: Mapping[str, Any]) -> bool:
    """It says which client it was given to, and that client is not whom it is for."""
    client = claims.get("azp", claims.get("client_id"))
    aud = claims.get("aud")
    return type(client) is str and client not in (aud if isinstance(aud, list) else [aud])
