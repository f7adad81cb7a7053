"""Why a provider's token was refused: what of `authkit.tokens.why` fits, and what is particular to tokens of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..oidc.profile import at, short_type
from ..tokens.why import Expected, Parts, Why, shown, why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    Told: TypeAlias = tuple[str, str, str]  # says, cause, mend

_AS_OURS = (
    "token_too_large", "token_critical", "token_claims", "token_expired", "token_issued_in_future", "token_not_yet_valid",
)  # fmt: skip
_ID_TOKEN = {"nonce", "at_hash", "c_hash"}
_KINDS = {"ID": "ID", "id": "ID", "Refresh": "refresh", "Offline": "refresh"}  # by Keycloak's typ, and Cognito's token_use


def why_refused(reason: str, token: str, provider: Any, now: float) -> Why:
    """What to say of a token that `provider` refused for `reason`. `now`: epoch seconds."""
    parts = Parts(token)
    if reason == "token_claims" and (nobody := _nobody(parts, provider)) is not None:
        return Why(reason, "claims", *nobody)
    if reason in _AS_OURS or (reason == "token_malformed" and parts.count in (3, 5)):
        return why(reason, token, Expected(issuer="", audience="", ring=None, now=now))  # type: ignore[arg-type]
    check, ask = _CHECKS.get(reason, ("token", _unknown))
    return Why(reason, check, *ask(parts, provider))


def _nobody(parts: Parts, provider: Any) -> Told | None:
    """Of a token without a subject, where that is another claim than `sub`."""
    claims, places = parts.claims or {}, getattr(getattr(provider, "profile", None), "subject", (("sub",),))
    if places == (("sub",),) or any(type(found := at(claims, place)) is str and found for place in places):
        return None
    told = " or ".join(map(".".join, places))
    return f"it has no {told}, which is whose it is", "it is of another kind, or the issuer leaves it out", _compare(provider)


def _malformed(parts: Parts, provider: Any) -> Told:
    return (
        "it is no JWT: three parts with dots between them",
        "it is an opaque access token, which only its issuer can read; many give a JWT only to who asks for an audience",
        "ask for a token with the API's audience (or resource), or verify it with authkit.oidc.Introspection",
    )


def _type(parts: Parts, provider: Any) -> Told:
    claims = parts.claims or {}
    says, by_header = _mark(parts, provider)
    if _ID_TOKEN & set(claims) or "ID" in _kinds(claims):
        return says, "it is an ID token, which is for the client that logged somebody in", "send the access token instead"
    if "refresh" in _kinds(claims):
        return says, "it is a refresh token, which is for its issuer alone", "send the access token instead"
    if "events" in claims:
        return says, "it is a logout token, which is for a client's logout endpoint", "send the access token instead"
    typ = (parts.header or {}).get("typ")
    if by_header and _is_plain(provider) and (typ is None or (isinstance(typ, str) and typ.upper() == "JWT")):
        return (
            says,
            "the issuer marks its access tokens by no typ of their own, or this is another kind of token",
            "if it is the access token: --token-type JWT (AUTHKIT_OIDC_TOKEN_TYPE), or the class of that provider (--provider)",
        )
    if by_header:
        return says, "it is another kind of token", "send the access token"
    return says, "it is another kind of token, or another tenant's or version's than was named", _compare(provider)


def _mark(parts: Parts, provider: Any) -> tuple[str, bool]:
    """Which of the marks of an access token it lacks, and whether that is the header's typ."""
    profile, claims = getattr(provider, "profile", None), parts.claims or {}
    if profile is None:
        return "it has not the form of the tokens that are looked at here", True
    typ = (parts.header or {}).get("typ")
    if ("" if typ is None else short_type(typ) if isinstance(typ, str) and typ else None) not in profile.types:
        wanted = " or ".join(name or "none" for name in profile.types)
        return f"typ is {shown(typ)}, and of an access token it is {wanted}", True
    for place, values in profile.required:
        found = at(claims, place)
        if found not in values:
            wanted = " or ".join(map(shown, values[:3])) + (" and so on" if len(values) > 3 else "")
            return f"{'.'.join(place)} is {shown(found)}, and has to be {wanted}", False
    for place in profile.forbidden:
        if at(claims, place) is not None:
            return f"it has {'.'.join(place)}, which is for other kinds of token", False
    return "one of the marks of an access token is missing", False


def _kinds(claims: Mapping[str, Any]) -> set[str]:
    return {_KINDS[said] for said in (claims.get("typ"), claims.get("token_use")) if isinstance(said, str) and said in _KINDS}


def _key(parts: Parts, provider: Any) -> Told:
    header = parts.header or {}
    alg, kid = header.get("alg"), header.get("kid")
    if type(alg) is str and alg.lower() == "none":
        return (
            "alg is none: it is not signed",
            "somebody tries whether that is let through",
            "refuse it; nothing is to be mended",
        )
    says = f"kid {shown(kid)} with alg {shown(alg)} is none of the issuer's keys"
    if _foreign(parts, provider):
        return says, _other(parts), "verify it with a verifier for its issuer"
    if type(alg) is str and alg.startswith("HS"):
        return (
            says,
            "it is signed with a secret, and the issuer's keys are public ones",
            "have the issuer sign with RS256, ES256 or EdDSA, or give the secret as keys=",
        )
    return (
        says,
        "the key was rotated away, or it is another tenant's or environment's",
        "log in again; compare with authkit oidc keys",
    )


def _signature(parts: Parts, provider: Any) -> Told:
    says = "the signature does not hold under the key that its header names"
    if _foreign(parts, provider):
        return says, _other(parts), "verify it with a verifier for its issuer"
    if "nonce" in (parts.header or {}):
        return (
            says,
            "its header has a nonce: it is Microsoft's own token for Graph, which nobody else can verify",
            "ask for a token with a scope of your API",
        )
    return (
        says,
        "it was changed after it was signed, or cut short, or the issuer has another key under that kid",
        "log in again, and pass the token as it came",
    )


def _issuer(parts: Parts, provider: Any) -> Told:
    from ._oidc_findings import difference

    found = (parts.claims or {}).get("iss")
    says = f"iss is {shown(found)}, not {shown(provider.issuer)}"
    cause = "it does not say who issued it"
    if type(found) is str:
        cause = difference(provider.issuer, found, "another issuer issued it")
        if "sts.windows.net" in found and "login.microsoftonline" in provider.issuer:
            cause = "it is of version 1: requestedAccessTokenVersion in the API's manifest is null or 1"
    mend = "set the issuer (AUTHKIT_OIDC_ISSUER) as its tokens write it, or send the token of this one"
    return says, cause, mend if _is_plain(provider) else _compare(provider)


def _audience(parts: Parts, provider: Any) -> Told:
    claims = parts.claims or {}
    place = getattr(getattr(provider, "profile", None), "audience", ("aud",))
    name, found = ".".join(place), at(claims, place)
    wanted = sorted(getattr(provider, "audiences", ()))
    says = f"{name} is {shown(found)}, not {' or '.join(map(shown, wanted))}" if found is not None else f"it has no {name}"
    if place != ("aud",):
        return says, "it was given to another application than was named", f"name that one too, if it is yours: {name}"
    texts = [one for one in (found if isinstance(found, list) else [found]) if type(one) is str]
    mend = (
        "ask for a token with the API's audience (or resource), or set AUTHKIT_AUDIENCE to that text, if it is this API's own"
    )
    if "account" in texts and "/realms/" in provider.issuer:
        mend = "add an Audience mapper for this API: Keycloak writes 'account' into the tokens of every client"
    if any(one.rstrip("/") == other.rstrip("/") for one in texts for other in wanted):
        return says, "they differ in a slash at the end, and have to be the same to the letter", mend
    clients = {claims.get(name) for name in ("azp", "client_id", "appid")}
    if any(one in clients for one in texts):
        return says, "it is made out to the client itself, as ID tokens are: the client asked for no API", mend
    if found is None and clients & set(wanted):
        return (
            says,
            "this issuer writes the client (client_id or azp) and no aud",
            "use the class of that provider (--provider), or a TokenProfile with audience='client_id'",
        )
    return says, "it was issued for another API", mend


def _bound(parts: Parts, provider: Any) -> Told:
    return (
        "it is bound to a key or a certificate (cnf)",
        "the client asked for a DPoP or mTLS token, and sends it as a bearer token",
        "verify it with authkit.oidc.DPoP or MutualTLS",
    )


def _rule(parts: Parts, provider: Any) -> Told:
    cause = "another tenant, client or kind of token than was named"
    return "a rule of this provider's own does not hold", cause, _compare(provider)


def _inactive(parts: Parts, provider: Any) -> Told:
    return (
        "who was asked about it does not know it, or not for us",
        "it has ended or was revoked, or another application was given it",
        "log in again, at the application that was named here",
    )


def _signer(parts: Parts, provider: Any) -> Told:
    found = (parts.header or {}).get("signer")
    return f"signer is {shown(found)}", "another load balancer signed it", "name that one too, if it is yours"


def _unsupported(parts: Parts, provider: Any) -> Told:
    return "its form is one that is not asked about", "another kind of token", "send the access token as it was issued"


def _unknown(parts: Parts, provider: Any) -> Told:
    return "the verifier refused it", "a check of its own", _compare(provider)


def _is_plain(provider: Any) -> bool:
    from ..oidc import OIDCProvider

    return type(provider) is OIDCProvider


def _compare(provider: Any) -> str:
    return f"compare authkit token inspect with what {type(provider).__name__} was told"


def _foreign(parts: Parts, provider: Any) -> bool:
    found = (parts.claims or {}).get("iss")
    return type(found) is str and found not in getattr(provider, "issuers", (provider.issuer,))


def _other(parts: Parts) -> str:
    return f"it is another issuer's: it says that {shown((parts.claims or {}).get('iss'))} issued it"


_CHECKS: dict[str, tuple[str, Callable[[Parts, Any], Told]]] = {
    "token_malformed": ("form", _malformed),
    "token_type": ("token kind", _type),
    "token_key": ("key", _key),
    "token_signature": ("signature", _signature),
    "token_issuer": ("issuer", _issuer),
    "token_audience": ("audience", _audience),
    "token_bound": ("proof", _bound),
    "token_rule": ("provider's rule", _rule),
    "token_inactive": ("question", _inactive),
    "token_unsupported": ("form", _unsupported),
    "token_signer": ("load balancer", _signer),
}
