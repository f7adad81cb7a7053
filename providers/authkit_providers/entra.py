"""Microsoft Entra ID (Azure AD): access tokens of one tenant, or of those that are named."""

from __future__ import annotations

from authkit.oidc import OIDCProvider, TokenProfile
from authkit.oidc.for_providers import ConfigurationError, checked_text, checked_texts, keys_at, setting, settings_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

    from authkit.oidc.for_providers import Principal

GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the tenant that all personal Microsoft accounts are in
# The hosts of each cloud: where its metadata and version 2 issuers are, and its version 1 issuers.
CLOUDS = {
    "public": ("https://login.microsoftonline.com", "https://sts.windows.net"),
    "usgov": ("https://login.microsoftonline.us", "https://sts.windows.net"),
    "china": ("https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn"),
}
# Microsoft Graph and the directory before it. Their tokens are theirs: nobody else can, or should, verify them.
_GRAPH = (
    "00000003-0000-0000-c000-000000000000",
    "00000002-0000-0000-c000-000000000000",
    "//graph.microsoft.",
    "//graph.windows.",
)
_CLIENT = {1: "appid", 2: "azp"}  # access tokens name the client that they were issued to, and ID tokens do not


class Entra(OIDCProvider):
    """Access tokens for `audience`, issued by `tenant`, or by any of `tenants`: directory (tenant) ids, all named.

    `version` is what the API's registration says as `requestedAccessTokenVersion`: 2, whose audience is the API's application
    (client) id; or 1, which it is where it says null, whose audience may also be each of its Application ID URIs. Tokens of the
    other version are refused; two of these in one `require_auth` take both. `clients`: application ids of the clients that may
    call, by default every one that Entra lets. `cloud`: "public", "usgov" or "china".

    The subject is `oid`, which is unique in its tenant, that is in its issuer; `identity` has the tenant. A token of a user has
    scopes, one of an application itself has none, only roles; one with neither is refused, which Entra gives to every
    application of the tenant. An e-mail address counts as verified where `xms_edov` says so, and never says who somebody is.
    `settings`: of `OIDCProvider`. Raises: `ConfigurationError`, also if nobody is named.
    """

    def __init__(
        self,
        tenant: str | None = None,
        *,
        audience: str | Iterable[str],
        tenants: Iterable[str] | None = None,
        version: int = 2,
        clients: Iterable[str] | None = None,
        cloud: str = "public",
        **settings: Any,
    ) -> None:
        if version not in (1, 2) or isinstance(version, bool):
            raise ConfigurationError(
                "Entra: version is 2 or 1: requestedAccessTokenVersion in the API's manifest, where null is 1"
            )
        if cloud not in CLOUDS:
            raise ConfigurationError(f"Entra: cloud is one of {', '.join(CLOUDS)}")
        if (tenant is None) == (tenants is None):
            raise ConfigurationError(
                "Entra: tenant, or tenants: the ids of those whose users may come in; there is no way to say all"
            )
        named = (
            (_tenant("Entra: tenant", tenant),)
            if tenants is None
            else tuple(_tenant("Entra: tenants", one) for one in _listed(tenants))
        )
        login, sts = CLOUDS[cloud]
        self._issuer_of = {one: f"{login}/{one}/v2.0" if version == 2 else f"{sts}/{one}/" for one in named}
        self._client = _CLIENT[version]
        self._clients = None if clients is None else _ids("Entra: clients", clients)
        path = "/v2.0" if version == 2 else ""
        # The metadata of all tenants at once names a template, which is no issuer. Each of the keys says whose it is.
        where = keys_at(f"{login}/{named[0] if tenants is None else 'common'}/discovery{path}/keys", settings)
        first, *further = self._issuer_of.values()
        super().__init__(
            first,
            issuers=further,
            audience=_audiences(audience, version),
            profile=TokenProfile(
                types=("JWT",),
                required={"ver": f"{version}.0"},
                forbidden=TokenProfile.OTHER_KINDS,
                subject="oid",
                scopes=("scp",),
                roles=("roles",),
                check=self._is_access_token,
                groups=("groups",),
                tenant="tid",
                email_verified="xms_edov",
            ),
            **where,
        )
        self.endpoint_origins = (
            login,
            *(("https://graph.microsoft.com",) if cloud == "public" else ()),
        )  # version 1 names the former elsewhere
        self.login_profile = TokenProfile(
            types=("JWT",),
            subject="oid",  # with the scope profile
            roles=("roles",),
            groups=("groups",),
            tenant="tid",
            check=lambda claims: claims["iss"] == self._issuer_of.get(claims["tid"]),
        )

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_ENTRA_TENANT (an id, or several parted by commas) and AUTHKIT_AUDIENCE; AUTHKIT_ENTRA_VERSION,
        AUTHKIT_ENTRA_CLOUD.
        """
        setting(get, "AUTHKIT_ENTRA_TENANT")
        setting(get, "AUTHKIT_AUDIENCE")
        tenants = settings_list(get, "AUTHKIT_ENTRA_TENANT")
        version = (get("AUTHKIT_ENTRA_VERSION") or "2").strip()
        return cls(
            tenants[0] if len(tenants) == 1 else None,
            tenants=tenants if len(tenants) != 1 else None,
            audience=settings_list(get, "AUTHKIT_AUDIENCE"),
            version=int(checked_text("AUTHKIT_ENTRA_VERSION", version, "[12]", "2 or 1")),
            cloud=(get("AUTHKIT_ENTRA_CLOUD") or "public").strip(),
        )

    def groups_elsewhere(self, principal: Principal) -> bool:
        """Whether somebody is in more groups than the token holds: `identity` has none of them then, and Graph has all."""
        claims = principal.claims
        names = claims.get("_claim_names")
        return claims.get("hasgroups") is not None or (isinstance(names, dict) and "groups" in names)

    def _is_access_token(self, claims: Mapping[str, Any]) -> bool:
        tenant, client = claims.get("tid"), claims.get(self._client)
        if type(tenant) is not str or claims["iss"] != self._issuer_of.get(tenant):
            return False
        if type(client) is not str or not client or (self._clients is not None and client not in self._clients):
            return False
        scopes, roles, kind = claims.get("scp"), claims.get("roles"), claims.get("idtyp")
        if scopes is None:  # an application that acts for nobody
            return kind in (None, "app") and isinstance(roles, list) and bool(roles)
        return type(scopes) is str and bool(scopes) and kind in (None, "user")


def _listed(values: object) -> tuple[Any, ...]:
    if not isinstance(values, (list, tuple, set, frozenset)) or not values:
        raise ConfigurationError("Entra: tenants is a list of directory (tenant) ids, and at least one")
    return tuple(values)


def _tenant(name: str, value: object) -> str:
    shape = "a directory (tenant) id, a GUID; neither a domain's name nor 'common', 'organizations' or 'consumers'"
    return checked_text(name, value, GUID, shape).lower()


def _ids(name: str, values: object) -> frozenset[str]:
    return frozenset(one.lower() for one in checked_texts(name, values, GUID, "an application (client) id, a GUID"))


def _audiences(audience: object, version: int) -> tuple[str, ...]:
    if version == 2:
        shape = "the API's application (client) id, a GUID, in tokens of version 2"
        found = tuple(one.lower() for one in checked_texts("Entra: audience", audience, GUID, shape))
    else:
        found = checked_texts(
            "Entra: audience", audience, r"[!-~]+", "the API's Application ID URI, or its application (client) id"
        )
    if any(mark in one.lower() for one in found for mark in _GRAPH):
        raise ConfigurationError("Entra: audience is your API's: tokens for Microsoft Graph are verified by nobody else")
    return found
