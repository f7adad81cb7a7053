"""What is wrong with what an issuer says: its name, addresses and algorithms, its clock, how long its answers may be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ._ages import span
from ._doctor_clock import LEEWAY, MEND
from ._finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from ._oidc_asked import Asked

UNASKED = ("no_jwks_uri", "issuer_mismatch", "endpoint_insecure")  # with which, as errors, its keys are not asked for
LONGEST = 200  # characters shown of another issuer
AHEAD = 300  # seconds: what no verifier's leeway makes good
ENDPOINTS = (
    "jwks_uri", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "introspection_endpoint",
    "revocation_endpoint", "end_session_endpoint", "device_authorization_endpoint", "pushed_authorization_request_endpoint",
    "registration_endpoint",
)  # fmt: skip
_SIGNING = "id_token_signing_alg_values_supported"


def of_metadata(issuer: str, found: Asked) -> Iterator[Finding]:
    """Of the metadata of `issuer`, as it was meant."""
    yield from _name(issuer, found.said.get("issuer"))
    yield from _addresses(issuer, found.said)
    yield from _algorithms(issuer, found.said)
    yield from of_clock(issuer, found.skew)


def of_clock(subject: str, skew: float | None) -> Iterator[Finding]:
    if skew is not None and abs(skew) > LEEWAY:
        severity = "error" if abs(skew) > AHEAD else "warning"
        direction = "ahead of" if skew > 0 else "behind"
        yield Finding(severity, "clock_skew", "clock", f"the clock is {span(abs(skew))} {direction} that of {subject}", MEND)


def of_lifetime(subject: str, headers: Mapping[str, str], ttl: float = 600.0) -> Iterator[Finding]:
    """Of the keys' `Cache-Control`, where it is outside of what is honoured here."""
    from ..oidc._held import BOUNDS

    told = max_age(headers)
    least, most = BOUNDS[0] * ttl, BOUNDS[1] * ttl
    if told is not None and not least <= told <= most:
        bound = least if told < least else most
        yield Finding("note", "keys_lifetime", subject,
                      f"its keys may be kept for {span(told)}, it says: here they are kept for {span(bound)}",
                      "nothing, unless it rotates its keys without overlap")  # fmt: skip


def max_age(headers: Mapping[str, str]) -> int | None:
    """Seconds for which its answer may be kept; 0 if it is not to be; None where nothing is said."""
    for part in headers.get("cache-control", "").lower().split(","):
        name, _, value = part.strip().partition("=")
        if name in ("no-store", "no-cache"):
            return 0
        if name == "max-age" and value.strip('"').isascii() and value.strip('"').isdigit():
            return int(value.strip('"')[:9])
    return None


def _name(issuer: str, says: object) -> Iterator[Finding]:
    if says == issuer:
        return
    if not isinstance(says, str):
        yield Finding("error", "issuer_mismatch", issuer, "its metadata does not say whose it is",
                      "this is no OpenID Provider: look at the address")  # fmt: skip
        return
    yield Finding("error", "issuer_mismatch", issuer, f"its metadata is of {says[:LONGEST]!r}: {difference(issuer, says)}",
                  _mend_name(says))  # fmt: skip


def difference(issuer: str, says: str, otherwise: str = "that is another issuer, to which this address only leads") -> str:
    if says.rstrip("/") == issuer.rstrip("/"):
        return "they differ in a slash at the end, and have to be the same to the letter"
    if "{" in says:
        return "that is a template for many tenants, and a token names one of them"
    if says.casefold() == issuer.casefold():
        return "they differ in capital letters, and have to be the same to the letter"
    if says.partition("://")[2] == issuer.partition("://")[2]:
        return "they differ in http and https: a proxy in front of the issuer does not tell it how it was asked"
    one, other = (text.partition("://")[2].partition("/") for text in (issuer, says))
    if one[2] == other[2]:
        return "they differ in the host: a custom domain, or a name that is only known inside"
    if one[0] == other[0]:
        return "they differ in the path: another tenant or realm, or an address that only leads there"
    return otherwise


def _mend_name(says: str) -> str:
    if "{" in says:
        return "name the tenants: authkit_providers has a class that fills the template in"
    return "write the issuer as its tokens have it in iss (authkit token inspect shows it)"


def _addresses(issuer: str, said: Mapping[str, Any]) -> Iterator[Finding]:
    from .._fetch import checked_url

    if said.get("jwks_uri") is None:
        yield Finding("error", "no_jwks_uri", issuer, "its metadata does not say where its keys are",
                      "pass jwks_uri= yourself, if it has keys: OAuth alone (GitHub, say) has none")  # fmt: skip
    for name in ENDPOINTS:
        found = said.get(name)
        if found is None:
            continue
        try:
            url = checked_url(name, found)
        except ConfigurationError:
            url = ""
        if not url or (issuer.startswith("https:") and not url.startswith("https:")):
            severity = "error" if name == "jwks_uri" else "warning"
            mend = "mend it at the issuer: the proxy in front of it has to say that it was asked with https"
            yield Finding(severity, "endpoint_insecure", issuer, f"its {name} is not asked: it is no https URL", mend)


def _algorithms(issuer: str, said: Mapping[str, Any]) -> Iterator[Finding]:
    algorithms = names(said.get(_SIGNING))
    if not algorithms:
        return
    usable = [name for name in algorithms if is_usable(name)]
    if not usable:
        told = f"it signs with {', '.join(algorithms)}, and with published keys none of that is verified"
        mend = "have it sign with RS256, ES256 or EdDSA; HS256 is for keys= with a secret that both sides have"
        yield Finding("error", "no_algorithm", issuer, told, mend)


def is_usable(alg: str) -> bool:
    """Whether tokens of that algorithm are verified with a public key here."""
    from ..oidc.keyset import SAME
    from ..tokens.algorithms import ALGORITHMS

    alg = SAME.get(alg, alg)
    return alg in ALGORITHMS and ALGORITHMS[alg].kty != "oct"


def names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
