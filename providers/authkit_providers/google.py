"""Google: the ID tokens of people who signed in to an application of ours."""

from __future__ import annotations

from authkit.oidc import Identity, OIDCProvider, TokenProfile
from authkit.oidc.for_providers import checked_host, checked_texts, setting, settings_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

    from authkit.oidc.for_providers import Principal

ISSUER = "https://accounts.google.com"
CLIENT = r"[\w-]+\.apps\.googleusercontent\.com"
ROBOT = r"\d{10,30}|[\w.-]+@[\w.-]+\.gserviceaccount\.com"


class Google(OIDCProvider):
    """ID tokens of Google for `client_id`, an OAuth client of ours, or several of them.

    These are ID tokens on purpose: Google's access tokens are opaque and made for Google's APIs, so the ID token is what an
    application sends to its own. A client id is the only audience that is accepted, and the token has to be given to (`azp`)
    one of them or of `parties`: a service account of anybody can have a token made out to any audience that it likes, and names
    itself there. `parties`: the ids of the Android and iOS clients that ask for tokens made out to the web client, or of
    service accounts.

    `hosted_domain`: the Google Workspace domains of which one has to be in `hd`; none: everybody who has a Google account is
    let in. `settings`: of `OIDCProvider`. Google writes no roles, groups or scopes. The issuer has two spellings and is one,
    whichever a token has.

    An identity has an `email` only where Google hosts it, at gmail.com or in a Workspace (`hd`): any other was verified once,
    and may be somebody else's since.

    Raises: `ConfigurationError`.
    """

    endpoint_origins = ("https://oauth2.googleapis.com", "https://openidconnect.googleapis.com")

    def __init__(
        self,
        client_id: str | Iterable[str],
        *,
        hosted_domain: str | Iterable[str] = (),
        parties: str | Iterable[str] = (),
        **settings: Any,
    ) -> None:
        clients = checked_texts("Google: client_id", client_id, CLIENT, "like '1234-abcd.apps.googleusercontent.com'")
        known = frozenset(clients)
        if parties:
            shape = "an OAuth client's id, or a service account's unique id or address"
            known |= frozenset(checked_texts("Google: parties", parties, rf"{CLIENT}|{ROBOT}", shape))
        required: dict[str | tuple[str, ...], Any] = {}
        if hosted_domain:
            domains = checked_texts("Google: hosted_domain", hosted_domain, r"\S+", "a domain, like 'example.com'")
            required["hd"] = tuple(checked_host("Google: hosted_domain", domain) for domain in domains)
        profile = TokenProfile(
            types=("", "JWT"),
            required=required,
            forbidden=("events",),
            scopes=(),
            roles=(),
            tenant="hd",
            check=lambda claims: _given_to(claims, known),
        )
        issuers = {"accounts.google.com": ISSUER}
        super().__init__(ISSUER, audience=clients, issuers=issuers, profile=profile, **settings)
        self.login_profile = profile

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_GOOGLE_CLIENT_ID (several: parted by commas); AUTHKIT_GOOGLE_HOSTED_DOMAIN, AUTHKIT_GOOGLE_PARTIES."""
        setting(get, "AUTHKIT_GOOGLE_CLIENT_ID")
        return cls(
            settings_list(get, "AUTHKIT_GOOGLE_CLIENT_ID"),
            hosted_domain=settings_list(get, "AUTHKIT_GOOGLE_HOSTED_DOMAIN"),
            parties=settings_list(get, "AUTHKIT_GOOGLE_PARTIES"),
        )

    def identity(self, principal: Principal) -> Identity:
        found = super().identity(principal)
        if found.email is None or found.tenant is not None or found.email.lower().endswith("@gmail.com"):
            return found
        return Identity(
            found.issuer, found.subject, tenant=found.tenant, groups=found.groups, unverified_email=found.email, name=found.name
        )


def _given_to(claims: Mapping[str, Any], known: frozenset[str]) -> bool:
    """ "If an azp Claim is present, the Client SHOULD verify" it (OpenID Connect Core section 3.1.3.7)."""
    return "azp" not in claims or claims["azp"] in known
