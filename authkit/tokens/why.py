"""Why a token was refused, in words: which check it was, the likely cause, and what to do. For people, never for clients.

What a refused token says of itself anybody may have written. It is looked at here to guess what somebody did by mistake, after
the decision, and decides nothing.
"""

from __future__ import annotations

from ..decision import _set, _Value
from . import base64url
from .strict_json import parse_object
from .verify import MAX_TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from .ring import KeyRing

    Told: TypeAlias = tuple[str, str, str]  # says, cause, mend

LONGEST = 120  # characters shown of anything that the token says
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
MILLISECONDS = 10**12  # a time of so many seconds is thousands of years away: in milliseconds it is now


class Parts(_Value):
    """What a token says of itself, not verified: `header` and `claims`, None where they cannot be read; never a signature."""

    __slots__ = ("header", "claims", "count")
    header: Mapping[str, Any] | None
    claims: Mapping[str, Any] | None
    count: int

    def __init__(self, token: str) -> None:
        parts = token.split(".") if len(token) <= MAX_TOKEN else []
        _set(self, "count", len(parts))
        _set(self, "header", _object(parts[0]) if parts else None)
        _set(self, "claims", _object(parts[1]) if len(parts) == 3 else None)


class Expected(_Value):
    """What the verifier goes by: its issuer, audience, `typ`, keys, leeway in seconds, and the time, epoch seconds."""

    __slots__ = ("issuer", "audience", "typ", "ring", "leeway", "now")
    issuer: str
    audience: str
    typ: str
    ring: KeyRing
    leeway: float
    now: float

    def __init__(
        self, *, issuer: str, audience: str, ring: KeyRing, now: float, typ: str = "at+jwt", leeway: float = 30
    ) -> None:
        for name, value in zip(self.__slots__, (issuer, audience, typ, ring, leeway, now), strict=True):
            _set(self, name, value)


class Why(_Value):
    """`check`: what refused, such as "audience"; `says`: what it found; `cause`: what is likely; `mend`: what to do."""

    __slots__ = ("reason", "check", "says", "cause", "mend")
    reason: str
    check: str
    says: str
    cause: str
    mend: str

    def __init__(self, reason: str, check: str, says: str, cause: str, mend: str) -> None:
        for name, value in zip(self.__slots__, (reason, check, says, cause, mend), strict=True):
            _set(self, name, value)


def why(reason: str, token: str, expected: Expected) -> Why:
    """What to say of a token that was refused for `reason` (of `InvalidToken`) where `expected` was."""
    parts = Parts(token)
    check, ask = _CHECKS.get(reason, ("token", _unknown))
    return Why(reason, check, *ask(token, parts, expected))


def shown(value: object) -> str:
    """A value of a token as JSON has it, not at any length."""
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _object(part: str) -> Mapping[str, Any] | None:
    try:
        return parse_object(base64url.decode(part))
    except ValueError:
        return None


def _malformed(token: str, parts: Parts, expected: Expected) -> Told:
    mend = "pass the access token alone, as it was issued: three parts with dots between them"
    if token[:7].lower() == "bearer ":
        return "it begins with Bearer", "the whole header value was passed instead of the token", mend
    if any(char.isspace() or char in "\"'" for char in token):
        return "it has spaces or quotes in it", "something was copied with it, or a line was broken", mend
    if parts.count == 5:
        return "it has five parts", "it is an encrypted token (JWE), which is not read here", "ask the issuer for signed ones"
    if parts.count != 3:
        return (
            f"it has {parts.count} parts, not three",
            "it is no JWT: a refresh token, a session id or an API key, or a token cut short",
            mend,
        )
    if "=" in token or "+" in token or "/" in token or "%" in token:
        return "it has characters that base64url has not", "something on its way encoded it once more", mend
    if parts.header is None or parts.claims is None:
        part = "header" if parts.header is None else "claims"
        return f"its {part} are not one JSON object", "it was cut short, or changed on its way", mend
    return "its three parts cannot be read", "it was cut short, or changed on its way", mend


def _too_large(token: str, parts: Parts, expected: Expected) -> Told:
    return (
        f"it is {len(token)} characters long, of at most {MAX_TOKEN}",
        "its issuer puts lists into it, groups or permissions say",
        "have the issuer put less into it",
    )


def _critical(token: str, parts: Parts, expected: Expected) -> Told:
    return (
        "its header wants an extension (crit, or b64) understood",
        "it was made for another protocol",
        "have the issuer leave it out: a verifier that does not know an extension has to refuse (RFC 7515 section 4.1.11)",
    )


def _type(token: str, parts: Parts, expected: Expected) -> Told:
    typ = (parts.header or {}).get("typ")
    says = f"typ is {shown(typ)}, not {shown(expected.typ)}" if typ is not None else f"it has no typ, {shown(expected.typ)} say"
    if _foreign(parts, expected):
        return says, _other_issuer(parts, expected), "verify it with a verifier for its issuer"
    if {"nonce", "at_hash", "c_hash"} & set(parts.claims or ()):
        return says, "it is an ID token, which is for the client that logged somebody in", "send the access token instead"
    return (
        says,
        "it is another kind of token, or was made by hand or another library",
        "issue it with Tokens.issue, or send the access token (RFC 9068 section 2.1)",
    )


def _key(token: str, parts: Parts, expected: Expected) -> Told:
    header = parts.header or {}
    alg, kid = header.get("alg"), header.get("kid")
    ring = expected.ring
    keys = (ring.current, *ring.previous)
    if type(alg) is str and alg.lower() == "none":
        return (
            "alg is none: it is not signed",
            "somebody tries whether that is let through",
            "refuse it; nothing is to be mended",
        )
    if kid is not None and kid in [key.kid for key in ring.pending]:
        return (
            f"kid {shown(kid)} is the pending key's",
            "whoever issued it rotated before this verifier did",
            "promote the key here: authkit keys rotate",
        )
    if kid is not None and kid in [key.kid for key in keys]:
        ours = next(key.alg for key in keys if key.kid == kid)
        return (
            f"alg is {shown(alg)}, and the key {shown(kid)} is one for {ours}",
            "its header was changed, or made by another library with other settings",
            f"have it signed with {ours}: a key has one algorithm, and the token does not choose it",
        )
    if _foreign(parts, expected):
        return (
            f"kid {shown(kid)} with alg {shown(alg)} is none of ours",
            _other_issuer(parts, expected),
            ("verify it with a verifier for its issuer, or send the token of this one"),
        )
    if alg not in [key.alg for key in keys]:
        algs = " or ".join(dict.fromkeys(key.alg for key in keys))
        return (
            f"alg is {shown(alg)}, and the keys here are for {algs}",
            ("the issuer signs with a key of another kind than this verifier has"),
            "give both the same key, or its public half",
        )
    return (
        f"kid {shown(kid)} is none of {', '.join(key.kid for key in keys)}",
        "the key was rotated and retired, or it is another environment's (staging, say)",
        "log in again; if that does not help, compare authkit keys list here and where it was issued",
    )


def _signature(token: str, parts: Parts, expected: Expected) -> Told:
    if not _LETTERS.issuperset(token):  # the last part is not read before its signature is judged
        return _malformed(token, parts, expected)
    says = "the signature does not hold under the key that its header names"
    if _foreign(parts, expected):
        return says, _other_issuer(parts, expected), "verify it with a verifier for its issuer"
    if expected.ring.current.algorithm.kty == "oct":
        return (
            says,
            (
                "it was signed with another secret (a trailing newline, another environment, base64 that one side decodes), or "
                "changed afterwards"
            ),
            "compare the secret of both sides: authkit secrets verify NAME --value-from FILE",
        )
    return (
        says,
        "it was changed after it was signed, or cut short, or signed with another key of the same kid",
        "log in again, and pass the token as it came",
    )


def _issuer(token: str, parts: Parts, expected: Expected) -> Told:
    found = (parts.claims or {}).get("iss")
    says = f"iss is {shown(found)}, not {shown(expected.issuer)}"
    cause = "it was signed with our key by a service that calls itself something else"
    if type(found) is str:
        if found.rstrip("/") == expected.issuer.rstrip("/"):
            cause = "they differ in a slash at the end, and have to be the same to the letter"
        elif found.casefold() == expected.issuer.casefold():
            cause = "they differ in capital letters, and have to be the same to the letter"
        elif found.partition("://")[2] == expected.issuer.partition("://")[2] != "":
            cause = "they differ in http and https, and have to be the same to the letter"
    return says, cause, "set issuer (AUTHKIT_ISSUER) to the same text on both sides"


def _audience(token: str, parts: Parts, expected: Expected) -> Told:
    found = (parts.claims or {}).get("aud")
    says = f"aud is {shown(found)}, not {shown(expected.audience)}" if found is not None else "it has no aud"
    cause = "it was issued for another service"
    texts = [one for one in (found if isinstance(found, list) else [found]) if type(one) is str]
    if any(one.rstrip("/") == expected.audience.rstrip("/") for one in texts):
        cause = "they differ in a slash at the end, and have to be the same to the letter"
    elif found == expected.issuer:
        cause = "it was issued for its issuer itself, and this verifier is for another service"
    return says, cause, "set audience (AUTHKIT_AUDIENCE) to the same text on both sides, or ask for a token for this service"


def _claims(token: str, parts: Parts, expected: Expected) -> Told:
    claims = parts.claims or {}
    mend = "have the issuer write it as RFC 7519 and RFC 9068 say"
    if type(claims.get("sub")) is not str or not claims["sub"]:
        return f"sub is {shown(claims.get('sub'))}, not text", "the issuer writes a number, or leaves it out", mend
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name)
        if name not in claims:
            if name == "exp":
                return "it has no exp", "it was issued to be valid for ever, which is not accepted", mend
        elif not isinstance(value, (int, float)) or isinstance(value, bool):
            return f"{name} is {shown(value)}, not a number", "the issuer writes the time as text", mend
        elif value >= MILLISECONDS:
            return f"{name} is {shown(value)}", "the issuer counts in milliseconds, and a JWT in seconds", mend
    return "scope, scp, jti or a time is not of its kind", "the issuer writes a list where text belongs, or both differ", mend


def _expired(token: str, parts: Parts, expected: Expected) -> Told:
    claims = parts.claims or {}
    late = _seconds(expected.now, claims.get("exp"))
    says = f"exp was {late} s ago" if late is not None else "exp is over"
    life = _seconds(claims.get("exp"), claims.get("iat"))
    cause = "it is kept and used for longer than it is valid"
    if late is not None and late <= 300:
        cause = "its time was over" if life is None else f"its time of {life} s was over, or this machine's clock is ahead"
    return says, cause, "use the refresh token, or log in again; authkit doctor compares the clock"


def _future(name: str) -> Callable[[str, Parts, Expected], Told]:
    def ask(token: str, parts: Parts, expected: Expected) -> Told:
        early = _seconds((parts.claims or {}).get(name), expected.now)
        says = f"{name} is {early} s ahead, of at most {expected.leeway:g}" if early is not None else f"{name} lies ahead"
        return (
            says,
            "this machine's clock is behind the issuer's, or the issuer's is ahead",
            ("set both clocks by NTP; authkit doctor compares them"),
        )

    return ask


def _said(says: str, cause: str, mend: str) -> Callable[[str, Parts, Expected], Told]:
    return lambda token, parts, expected: (says, cause, mend)


def _unknown(token: str, parts: Parts, expected: Expected) -> Told:
    return "the verifier refused it", "a check of its own", "look it up in docs/results.md"


def _foreign(parts: Parts, expected: Expected) -> bool:
    found = (parts.claims or {}).get("iss")
    return type(found) is str and found != expected.issuer


def _other_issuer(parts: Parts, expected: Expected) -> str:
    return f"it is another issuer's: it says that {shown((parts.claims or {}).get('iss'))} issued it"


def _seconds(later: object, earlier: object) -> int | None:
    numbers = [one for one in (later, earlier) if isinstance(one, (int, float)) and not isinstance(one, bool)]
    return int(numbers[0] - numbers[1]) if len(numbers) == 2 else None


_CHECKS: dict[str, tuple[str, Callable[[str, Parts, Expected], Told]]] = {
    "token_malformed": ("form", _malformed),
    "token_too_large": ("form", _too_large),
    "token_critical": ("form", _critical),
    "token_type": ("token kind", _type),
    "token_key": ("key", _key),
    "token_signature": ("signature", _signature),
    "token_issuer": ("issuer", _issuer),
    "token_audience": ("audience", _audience),
    "token_claims": ("claims", _claims),
    "token_expired": ("time", _expired),
    "token_issued_in_future": ("clock", _future("iat")),
    "token_not_yet_valid": ("clock", _future("nbf")),
    "token_bound": ("proof", _said(
        "it is bound to a key (cnf), and was sent as a bearer token", "its client sends no proof that it has the key",
        "send it with its proof, and verify it with DPoP or MutualTLS")),
    "token_revoked": ("revocation", _said(
        "the store says that it was revoked", "its user logged out, was disabled, or changed the password", "log in again")),
    "store_reset": ("revocation", _said(
        "it was issued before the store was created or adopted, or without this store",
        "the store lost its data, was taken into use since, or is another one than the issuer's",
        "log in again; if that does not help, give both the same AUTHKIT_STORE")),
}  # fmt: skip
REASONS = tuple(_CHECKS)  # those that are explained here
