"""Bad tokens of an OpenID Provider: real ones of another kind, of somebody else, for somebody else, or bound to a key."""

from __future__ import annotations

from ..tokens import base64url
from ._catalogue import Catalogue, as_json, without
from ._forged import segment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._catalogue import Make
    from ._forged import Forger
    from ._issuer import FakeIssuer

BAD_OIDC = Catalogue()
BAD_OIDC_TOKENS: Mapping[str, str] = BAD_OIDC.about  # name -> what is wrong with the token, as an access token
_DIGEST = base64url.encode(b"d" * 32).decode()
_EVENTS: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


def _add(name: str, about: str, make: Any) -> None:
    BAD_OIDC.add(name, about, make)


def _kind(name: str, about: str, typ: str | None, **claims: Any) -> None:
    """Signed by the issuer, for something else than an API."""

    def make(of: FakeIssuer) -> str:
        header = {**of.header(), "typ": typ} if typ is not None else without(of.header(), "typ")
        return of.forge(header, of.claims(**claims))

    _add(name, about, make)


# Other kinds

_add("oidc_id_token", "the ID token that a client got at a login", lambda of: of.id_token())
_kind("oidc_id_token_for_api", "an ID token whose audience is the API", "JWT", nonce="n-1")
_kind("oidc_id_token_at_hash", "an ID token without a nonce, made out to the API", "JWT", at_hash="MTIzNDU2Nzg5MDEyMzQ1Ng")
_add("oidc_logout_token", "a logout token", lambda of: of.logout_token())
_kind("oidc_logout_token_older", "a logout token with typ JWT, made out to the API", "JWT", events=_EVENTS)
_kind("oidc_refresh_token", "a refresh token that is a JWT", "rt+jwt", scope="offline_access")
for _name, _typ in (
    ("dpop_proof", "dpop+jwt"), ("secevent", "secevent+jwt"), ("client_assertion", "client-authentication+jwt"),
    ("request_object", "oauth-authz-req+jwt"), ("introspection", "token-introspection+jwt"),
):  # fmt: skip
    _kind(f"oidc_{_name}", f"typ is {_typ}", _typ)

# Of somebody else


def _of_another(**kept: bool) -> Make:
    """Good tokens of another issuer. `iss`: it calls itself ours; `kid`: its key is called as ours is."""

    def make(of: Forger) -> str:
        key = of.other_key()
        header = {**of.header(), "kid": of.key.kid if kept.get("kid") else key.kid}
        iss = {} if kept.get("iss") else {"iss": "https://other.example"}
        return of.forge(header, {**of.claims(), **iss}, key)

    return make


_add("other_issuer", "of another issuer, with its key", _of_another())
_add("other_issuer_same_kid", "of another issuer, whose key is called as ours is", _of_another(kid=True))
_add(
    "other_issuer_as_ours",
    "signed with another issuer's key, under that key's kid, in our issuer's name",
    _of_another(iss=True),
)
for _name, _about, _change in (
    ("issuer_other_port", "at another port", lambda url: url + "1"),
    ("issuer_other_path", "at a path below", lambda url: url.removesuffix("/") + "/tenant"),
    ("issuer_slash_changed", "with a slash more or less", lambda url: url[:-1] if url.endswith("/") else url + "/"),
    ("issuer_other_scheme", "with https for http", lambda url: url.replace("http:", "https:", 1)),
    ("issuer_host_dot", "with a dot behind the host", lambda url: url.replace("127.0.0.1", "127.0.0.1.", 1)),
    ("issuer_localhost", "under another name of the host", lambda url: url.replace("127.0.0.1", "localhost", 1)),
    ("issuer_space", "with a space behind it", lambda url: url + " "),
    ("issuer_query", "with a query", lambda url: url + "?"),
):
    BAD_OIDC.claims(_name, f"iss: ours {_about}", lambda claims, now, c=_change: {**claims, "iss": c(claims["iss"])})  # type: ignore[misc]

# For somebody else

_add("audience_client", "aud: the client's id", lambda of: of.token(aud=of.client_id))
_add("audience_issuer", "aud: the issuer itself, as for its userinfo endpoint", lambda of: of.token(aud=of.url))
_add("audience_in_azp", "ours as azp, and aud somebody else's", lambda of: of.token(aud="other", azp=of.audience))
_add(
    "audience_in_client_id",
    "ours as client_id, and no aud",
    lambda of: of.token(aud=..., client_id=of.audience),
)
_add(
    "audience_in_resource",
    "ours as resource, and aud somebody else's",
    lambda of: of.token(aud="o", resource=of.audience),
)
_add("audience_slash", "aud: ours with a slash more", lambda of: of.token(aud=of.audience + "/"))

# Bound to a key, which a bearer token is not (RFC 7800)

_add("bound_dpop", "bound to a DPoP key (RFC 9449)", lambda of: of.token(cnf={"jkt": _DIGEST}))
_add(
    "bound_mtls",
    "bound to a certificate (RFC 8705)",
    lambda of: of.token(cnf={"x5t#S256": _DIGEST}),
)
_add("bound_unknown", "bound to something that nobody knows", lambda of: of.token(cnf={"kid": "x"}))
_add("bound_empty", "bound to nothing that is named", lambda of: of.token(cnf={}))

# With what everybody knows of the key as an HMAC secret


def _with_secret(alg: str, secret_of: Any) -> Make:
    def make(of: Forger) -> str:
        import hmac

        signed = f"{segment({**of.header(), 'alg': alg})}.{segment(of.claims())}"
        mac = hmac.digest(secret_of(of), signed.encode(), {"HS256": "sha256", "HS512": "sha512"}[alg])
        return f"{signed}.{base64url.encode(mac).decode()}"

    return make


def _der(of: FakeIssuer) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw: bytes = of.key._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return raw


for _alg in ("HS256", "HS512"):
    _add(f"{_alg.lower()}_with_jwk", f"{_alg}, with the published JWK as the secret",
         _with_secret(_alg, lambda of: as_json(of.key.public_jwk()).encode()))  # fmt: skip
    _add(f"{_alg.lower()}_with_der", f"{_alg}, with the DER of the public key as the secret", _with_secret(_alg, _der))
_add("hs256_with_kid", "HS256, with the kid as the secret", _with_secret("HS256", lambda of: of.key.kid.encode()))
_add("hs256_empty", "HS256, with an empty secret", _with_secret("HS256", lambda of: b""))
