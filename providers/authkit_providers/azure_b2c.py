"""Azure AD B2C: access tokens that the user flows or custom policies issue which are named."""

from __future__ import annotations

from authkit.oidc import Discovery, OIDCProvider, TokenProfile
from authkit.oidc.for_providers import (
    ConfigurationError,
    checked_host,
    checked_text,
    checked_texts,
    keys_at,
    setting,
    settings_list,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

_GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
# A nonce is not among them: the access tokens in Microsoft's own examples have one.
_NO_ACCESS_TOKENS = ("at_hash", "c_hash", "s_hash", "events")


class AzureB2C(OIDCProvider):
    """Access tokens for `audience`, the API's application (client) id, that one of `policy` issued.

    `tenant`: the name before ".onmicrosoft.com"; `tenant_id`: its directory (tenant) id; `policy`: the names of the user flows
    or custom policies whose users may come in, as "B2C_1_signupsignin1". The keys are those of the first. `domain`: a custom
    domain, by default "{tenant}.b2clogin.com". Two settings of the policy: `issuer_names_policy`, where its issuer (iss) claim
    is the one with /tfp/; `policy_claim`, "tfp", or "acr" where that is the claim representing policy ID. `roles`, `groups`:
    places of a custom policy's, if there are any.

    What tells an access token from an ID token is its `scp`: one without a scope of the API is refused. E-mail addresses stand
    in `principal.claims["emails"]`, and nothing says that they are verified. `settings`: of `OIDCProvider`.
    Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        tenant: str,
        *,
        tenant_id: str,
        policy: str | Iterable[str],
        audience: str | Iterable[str],
        domain: str | None = None,
        issuer_names_policy: bool = False,
        policy_claim: str = "tfp",
        roles: Iterable[str | tuple[str, ...]] = (),
        groups: Iterable[str | tuple[str, ...]] = (),
        **settings: Any,
    ) -> None:
        name = checked_text(
            "AzureB2C: tenant", tenant, r"[A-Za-z0-9-]{1,63}", "the tenant's name alone: what stands before .onmicrosoft.com"
        )
        guid = checked_text("AzureB2C: tenant_id", tenant_id, _GUID, "a directory (tenant) id, a GUID").lower()
        policies = checked_texts(
            "AzureB2C: policy", policy, r"[Bb]2[Cc]_1[Aa]?_[A-Za-z0-9_.-]{1,64}", "a name like 'B2C_1_signupsignin1'"
        )
        if policy_claim not in ("tfp", "acr"):
            raise ConfigurationError("AzureB2C: policy_claim is 'tfp' or 'acr'")
        host = f"{name.lower()}.b2clogin.com" if domain is None else checked_host("AzureB2C: domain", domain)
        self._policies = frozenset(one.lower() for one in policies)
        self._policy_claim = policy_claim
        issuers = [f"https://{host}/{guid}/v2.0/"]
        if issuer_names_policy:  # in lower case, whatever the portal shows
            issuers = [
                f"https://{host}/tfp/{guid}/{one}/v2.0/" for one in dict.fromkeys((*map(str.lower, policies), *policies))
            ]
        self._one_policy_of = {issuer: issuer.split("/")[-3].lower() for issuer in issuers} if issuer_names_policy else {}
        where = keys_at(f"https://{host}/{name}.onmicrosoft.com/{policies[0]}/discovery/v2.0/keys", settings)
        super().__init__(
            issuers[0],
            issuers=issuers[1:],
            audience=tuple(
                one.lower()
                for one in checked_texts("AzureB2C: audience", audience, _GUID, "an application (client) id, a GUID")
            ),
            profile=TokenProfile(
                types=("JWT",),
                required={"ver": "1.0"},
                forbidden=_NO_ACCESS_TOKENS,
                scopes=("scp",),
                roles=roles,
                groups=groups,
                check=self._is_access_token,
                tenant="tid",
            ),
            **where,
        )
        self.login_profile = TokenProfile(
            types=("JWT",), roles=roles, groups=groups, tenant="tid", check=self._is_of_a_policy_of_ours
        )
        usual = {name: settings[name] for name in ("timeout", "transport", "clock", "monotonic") if name in settings}
        place = f"https://{host}/{name}.onmicrosoft.com/{policies[0]}/v2.0/.well-known/openid-configuration"
        self._discovery = Discovery(issuers[0], place, **usual)

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_AZURE_B2C_TENANT, AUTHKIT_AZURE_B2C_TENANT_ID, AUTHKIT_AZURE_B2C_POLICY (or several, parted by
        commas) and AUTHKIT_AUDIENCE; AUTHKIT_AZURE_B2C_DOMAIN.
        """
        setting(get, "AUTHKIT_AZURE_B2C_POLICY")
        setting(get, "AUTHKIT_AUDIENCE")
        return cls(
            setting(get, "AUTHKIT_AZURE_B2C_TENANT"),
            tenant_id=setting(get, "AUTHKIT_AZURE_B2C_TENANT_ID"),
            policy=settings_list(get, "AUTHKIT_AZURE_B2C_POLICY"),
            audience=settings_list(get, "AUTHKIT_AUDIENCE"),
            domain=(get("AUTHKIT_AZURE_B2C_DOMAIN") or "").strip() or None,
        )

    def _is_of_a_policy_of_ours(self, claims: Mapping[str, Any]) -> bool:
        policy = claims.get(self._policy_claim)
        if type(policy) is not str or policy.lower() not in self._policies:
            return False
        if self._one_policy_of and self._one_policy_of[claims["iss"]] != policy.lower():
            return False
        # What everybody's subject is where the policy has an old setting.
        return not claims["sub"].lower().startswith("not supported")

    def _is_access_token(self, claims: Mapping[str, Any]) -> bool:
        scopes, client = claims.get("scp"), claims.get("azp")
        if not self._is_of_a_policy_of_ours(claims):
            return False
        return type(scopes) is str and bool(scopes) and type(client) is str and bool(client)
