"""Why a delivery was refused: which check it was, the likely cause, and what to do. For people, never for clients.

Causes are found by undoing mistakes one by one until the signature holds, with the secret that we have; what holds is certain.
Nothing that is returned holds a secret, a signature, or anything of the delivery but header names, lengths and times.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from ..decision import _set, _Value
from ..errors import InvalidSignature
from . import guess_body, guess_looks, guess_scheme, guess_secret, guess_time, guess_url
from .algorithms import derived
from .builtin import resolved
from .guess import Case, Guess, Tries
from .keys import Sealed
from .scheme import checked_tolerance
from .verifier import Verifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..http import Headers
    from ..secrets import SecretVersions
    from .guess import Values
    from .keys import AnySecret
    from .scheme import Scheme
    from .verifier import AnyHeaders


class Why(_Value):
    """`reason`: the stable one of `InvalidSignature`. `check`: what refused. `says`: what it found. `cause`: what is likely.
    `mend`: what to do. `proven`: with that cause undone the signature holds. `tried`: how many guesses of each sort."""

    __slots__ = ("reason", "check", "says", "cause", "mend", "proven", "tried")
    reason: str
    check: str
    says: str
    cause: str
    mend: str
    proven: bool
    tried: Mapping[str, int]

    def __init__(
        self, reason: str, check: str, says: str, cause: str, mend: str, proven: bool, tried: Mapping[str, int]
    ) -> None:  # fmt: skip
        for name, value in zip(self.__slots__, (reason, check, says, cause, mend, proven, dict(tried)), strict=True):
            _set(self, name, value)


def why(
    scheme: str | Scheme,
    secret: AnySecret | Sealed | None,
    headers: AnyHeaders,
    body: bytes,
    *,
    url: str | None = None,
    method: str = "POST",
    now: float | None = None,
    tolerance: float | None = None,
    received: float | None = None,
    stages: Iterable[str] = (),
    others: Mapping[str, SecretVersions] | None = None,
    fetch: Callable[[str], Any] | None = None,
    **options: Any,
) -> Why | None:
    """Why `webhooks.verify` refuses the delivery; None if it does not.

    `now` and `received` (when it came, where that is known): epoch seconds. `stages`: stages of a gateway that it passed.
    `others`: secrets by name that the sender may have used instead. The work is bounded: some thousand signatures, 256 MiB.

    Raises: `ConfigurationError` as `Verifier` does, but not for a secret of which the scheme makes no key: that is explained;
    `SecretNotFound`, `SecretUnavailable`, `Unavailable` where a key cannot be had.
    """
    now = time.time() if now is None else now
    expired = _expired(secret, now)
    hidden = Sealed(secret)
    del secret
    found = resolved(scheme)
    hidden.check(found)
    values = _values(hidden)
    case = Case(
        scheme=found, values=values, expired=expired, headers=_as_headers(headers), body=body, url=url, method=method, now=now,
        tolerance=found.tolerance if tolerance is None else checked_tolerance(tolerance), options=options, fetch=fetch,
        received=received, stages=tuple(stages), others=tuple((name, _named(one)) for name, one in (others or {}).items()),
    )  # fmt: skip
    reason = _refused(case, hidden)
    if reason is None:
        return None
    tries = Tries()
    check, ask = CHECKS.get(reason, ("delivery", _malformed))
    return ask(case, reason, check, tries)


def _refused(case: Case, hidden: Sealed) -> str | None:
    if not case.scheme.keyless and not all(_makes_key(case.scheme, value) for name, value in case.values if name == "current"):
        return "secret_unfit"
    fetch = {"fetch": case.fetch} if case.fetch is not None and case.scheme.keyless else {}
    try:
        Verifier(case.scheme, hidden, tolerance=case.tolerance, clock=lambda: case.now, **fetch, **case.options).verify(
            case.headers, case.body, case.now, case.url, case.method
        )
    except InvalidSignature as error:
        return error.reason
    return None


def _values(hidden: Sealed) -> Values:
    """What is accepted: behind functions, each with the name of its version."""
    if not hidden.secrets:
        return (("key", None),)
    return tuple(one for secret in hidden.secrets for one in _named(secret.versions()))


def _expired(secret: object, now: float) -> Values:
    """A previous value whose time is over, where somebody still has it. It raises nothing."""
    from ..secrets.versions import SecretVersions

    if not isinstance(secret, SecretVersions) or secret.previous_until is None or secret.previous_until > now:
        return ()
    return tuple(one for one in _named(secret) if one[0] == "previous")


def _named(versions: SecretVersions) -> Values:
    from ..secrets.versions import sealed

    return tuple((name, sealed(value)) for name, value in versions.named())


def _makes_key(scheme: Scheme, value: Any) -> bool:
    """It raises nothing: its frames hold the value."""
    return value is None or derived(scheme, value()) is not None


def _as_headers(headers: AnyHeaders) -> Headers:
    from ..http import Headers

    if isinstance(headers, Headers):
        return headers
    items = headers.items() if isinstance(headers, Mapping) else headers
    return Headers([(name, value) for name, value in items if isinstance(name, str) and isinstance(value, str)])


def _searched(case: Case, tries: Tries) -> Guess | None:
    """The first mistake that explains all, the likeliest and cheapest sorts first."""
    for sort, guesses in (
        ("headers", guess_scheme.carried(case)),
        ("secret", guess_secret.guesses(case)),
        ("schemes", guess_scheme.others(case)),
        ("body", guess_body.guesses(case)),
        ("url", guess_url.guesses(case)),
        ("declaration", guess_scheme.declared(case)),
    ):
        found = tries.first(sort, guesses)
        if found is not None:
            return found
    return None


def _mismatch(case: Case, reason: str, check: str, tries: Tries) -> Why:
    says = "the signature is not the one of this body" + (", URL" if case.scheme.needs else "") + " under our secret"
    if reason == "body_hash_mismatch":
        says = "the body is not the one whose hash was signed"
    found = _searched(case, tries)
    if found is not None:
        return Why(reason, check, says, found.cause, found.mend, True, tries.counts)
    cause, mend = guess_looks.unproven(case)
    return Why(reason, check, says, cause, mend, False, tries.counts)


def _missing(case: Case, reason: str, check: str, tries: Tries) -> Why:
    names = " or ".join(dict.fromkeys(place for place, _, _ in case.scheme.places))
    says = f"there is no {names}"
    found = tries.first("headers", guess_scheme.carried(case)) or tries.first("schemes", guess_scheme.others(case))
    if found is not None:
        return Why(reason, check, says, found.cause, found.mend, True, tries.counts)
    older = _older(case, tries)
    if older is not None:
        return Why(reason, check, says, *older, True, tries.counts)
    there = [
        scheme.name for scheme in guess_scheme.recognised(case.headers, case.body, case.url) if scheme.name != case.scheme.name
    ]
    if there:
        return Why(
            reason, check, says, f"it looks like a delivery of {' or '.join(there[:4])}, whose secret this is not",
            "verify it with that scheme, and the secret of that sender", False, tries.counts,
        )  # fmt: skip
    return Why(
        reason, check, says, "a proxy dropped it, the sender has no secret to sign with, or it is somebody else",
        "set the secret at the sender's, and have proxies hand its headers on", False, tries.counts,
    )  # fmt: skip


def _older(case: Case, tries: Tries) -> tuple[str, str] | None:
    """A header of an older hash beside the one that we read, as GitHub sends it."""
    for place, _, _ in case.scheme.places:
        short = place.removesuffix("-256")
        if short == place or short not in case.headers or not isinstance(case.scheme.prefix, str):
            continue
        scheme = case.scheme.but(
            signature=short, prefix=case.scheme.prefix.replace("sha256", "sha1"), hash="sha1", id=(), timestamp=()
        )
        guess = Guess(
            case.but(scheme=scheme), f"only {short} came, which has SHA-1 and is not read", "have the sender send " + place
        )
        if tries.first("headers", [guess]) is not None:
            return guess.cause, guess.mend
    return None


def _unfit(case: Case, reason: str, check: str, tries: Tries) -> Why:
    shape = {"base64": "base64", "hex": "hex digits"}.get(case.scheme.key, "a key of the right kind")
    says = f"the scheme {case.scheme.name} makes no key of our secret: it is not {shape}"
    found = tries.first("secret", guess_secret.guesses(case)) or tries.first("schemes", guess_scheme.others(case))
    if found is not None:
        return Why(reason, check, says, found.cause, found.mend, True, tries.counts)
    return Why(
        reason,
        check,
        says,
        "it was cut, quoted or decoded before it was stored, or is another sender's",
        guess_secret.SHOWN,
        False,
        tries.counts,
    )


def _repeated(case: Case, reason: str, check: str, tries: Tries) -> Why:
    found = tries.first("headers", guess_scheme.carried(case))
    says = "the signature is there more than once"
    if found is not None:
        return Why(reason, check, says, found.cause, found.mend, True, tries.counts)
    return Why(
        reason,
        check,
        says,
        "a proxy adds the header once more, or somebody tries two",
        "have only the sender set it",
        False,
        tries.counts,
    )


def _malformed(case: Case, reason: str, check: str, tries: Tries) -> Why:
    prefixes = case.scheme.prefix if isinstance(case.scheme.prefix, tuple) else (case.scheme.prefix,)
    says = "the signature is not written as the scheme has it" + (
        f": it begins with {' or '.join(prefixes)}" if prefixes[0] else ""
    )
    if reason != "signature_malformed":
        says = guess_looks.SAYS.get(reason, f"the delivery is not as the scheme has it ({reason})")
    found = _searched(case, tries)
    if found is not None:
        return Why(reason, check, says, found.cause, found.mend, True, tries.counts)
    cause, mend = guess_looks.CAUSES.get(
        reason, ("it was made for another version of the scheme, or changed on its way", guess_scheme.RENAMED)
    )
    return Why(reason, check, says, cause, mend, False, tries.counts)


def _time(case: Case, reason: str, check: str, tries: Tries) -> Why:
    holds = tries.version(case) is not None
    says, cause, mend = guess_time.outside(case, holds=holds)
    if not holds:
        found = _searched(case, tries)
        if found is not None:
            cause += "; and besides, " + found.cause
            mend += "; and " + found.mend
    return Why(reason, check, says, cause, mend, holds, tries.counts)


def _unreadable_time(case: Case, reason: str, check: str, tries: Tries) -> Why:
    return Why(reason, check, *guess_time.malformed(case), False, tries.counts)


CHECKS: dict[str, tuple[str, Callable[[Case, str, str, Tries], Why]]] = {
    "secret_unfit": ("secret", _unfit),
    "signature_missing": ("signature header", _missing),
    "signature_repeated": ("signature header", _repeated),
    "signature_malformed": ("signature header", _malformed),
    "signature_mismatch": ("signature", _mismatch),
    "body_hash_mismatch": ("body", _mismatch),
    "body_hash_missing": ("body", _malformed),
    "body_malformed": ("body", _malformed),
    "signed_as_handshake": ("body", _malformed),
    "timestamp_missing": ("time", _malformed),
    "timestamp_malformed": ("time", _unreadable_time),
    "timestamp_too_old": ("time", _time),
    "timestamp_in_future": ("time", _time),
    "id_missing": ("id", _malformed),
    "id_malformed": ("id", _malformed),
    "url_malformed": ("url", _malformed),
    "unexpected_value": ("expected values", _malformed),
    "field_missing": ("signed fields", _malformed),
    "field_malformed": ("signed fields", _malformed),
    "key_missing": ("key", _malformed),
    "key_refused": ("key", _malformed),
    "key_unknown": ("key", _malformed),
}
REASONS = tuple(CHECKS)  # those that are explained here
