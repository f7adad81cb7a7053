"""Why a provider's token was refused: what of `authkit.tokens.why` fits, and what is particular to tokens of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..tokens.why import Expected, Parts, Why, shown, why

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Told: TypeAlias = tuple[str, str, str]  # says, cause, mend

_AS_OURS = (
    "token_too_large", "token_critical", "token_claims", "token_expired", "token_issued_in_future", "token_not_yet_valid",
)  # fmt: skip
_ID_TOKEN = {"nonce", "at_hash", "c_hash"}


def why_refused(reason: str, token: str, provider: Any, now: float) -> Why:
    """What to say of a token that `provider` refused for `reason`. `now`: epoch seconds."""
    parts = Parts(token)
    if reason in _AS_OURS or (reason == "token_malformed" and parts.count in (3, 5)):
        return why(reason, token, Expected(issuer="", audience="", ring=None, now=now))  # type: ignore[arg-type]
    check, ask = _CHECKS.get(reason, ("token", _unknown))
    return Why(reason, check, *ask(parts, provider))


def _malformed(parts: Parts, provider: Any) -> Told:
    return (
        "it is no JWT: three parts with dots between them",
        "it is an opaque access token, which only its issuer can read; many give a JWT only to who asks for an audience",
        "ask for a token with the API's audience (or resource), or verify it with authkit.oidc.Introspection",
    )


def _type(parts: Parts, provider: Any) -> Told:
    header, claims = parts.header or {}, parts.claims or {}
    types = getattr(getattr(provider, "profile", None), "types", ())
    wanted = " or ".join(name or "none" for name in types) or "that of an access token"
    says = f"typ is {shown(header.get('typ'))}, and of an access token it is {wanted}"
    if _ID_TOKEN & set(claims):
        return says, "it is an ID token, which is for the client that logged somebody in", "send the access token instead"
    if "events" in claims:
        return says, "it is a logout token, which is for a client's logout endpoint", "send the access token instead"
    typ = header.get("typ")
    if typ is None or (isinstance(typ, str) and typ.upper() == "JWT"):
        return (
            says,
            "the issuer marks its access tokens by no typ of their own, or this is another kind of token",
            "if it is the access token: --token-type JWT (AUTHKIT_OIDC_TOKEN_TYPE), or the class of that provider (--provider)",
        )
    return says, "it is another kind of token, or one of its marks is missing", "send the access token"


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
    cause = difference(provider.issuer, found) if type(found) is str else "it does not say who issued it"
    return says, cause, "set the issuer (AUTHKIT_OIDC_ISSUER) as its tokens write it, or send the token of this one"


def _audience(parts: Parts, provider: Any) -> Told:
    claims = parts.claims or {}
    found = claims.get("aud")
    wanted = sorted(getattr(provider, "audiences", ()))
    says = f"aud is {shown(found)}, not {' or '.join(map(shown, wanted))}" if found is not None else "it has no aud"
    texts = [one for one in (found if isinstance(found, list) else [found]) if type(one) is str]
    mend = "ask for a token with the API's audience (or resource), or set the audience (AUTHKIT_AUDIENCE) to that text"
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
    name = type(provider).__name__
    return (
        "a rule of this provider's own does not hold",
        "another tenant, client or kind of token than was named",
        f"compare authkit token inspect with what {name} was told",
    )


def _unknown(parts: Parts, provider: Any) -> Told:
    return "the verifier refused it", "a check of its own", "look it up in docs/results.md"


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
}
