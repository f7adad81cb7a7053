"""Whether a value is fit to be a secret: not published, not short, and a key that signs if it says that it is one."""

from __future__ import annotations

import os
from math import log2
from typing import TYPE_CHECKING

from .._samples import is_sample
from ..errors import AuthkitError
from ..secrets.versions import sealed
from ._finding import Finding
from ._shape import is_key, key_pair, keys_of
from ._values import same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..secrets.versions import Sealed, SecretVersions

WEAK_BITS = 64  # within reach of somebody who rents machines
MODEST_BITS = 96
# (characters, how many there are); the smallest that holds all of a value is what it was drawn from, at most
_ALPHABETS = (
    ("0123456789", 10),
    ("0123456789abcdef", 16),
    ("0123456789ABCDEF", 16),
    ("abcdefghijklmnopqrstuvwxyz", 26),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 26),
    ("abcdefghijklmnopqrstuvwxyz0123456789", 36),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=", 64),
)
_TOKEN_KINDS = ("hmac", "rsa", "ec", "ed25519")


def judged(name: str, versions: SecretVersions, now: float, kind: str | None = None) -> list[Finding]:
    """What is wrong with a secret's values, and between them. `now`: epoch seconds."""
    found: list[Finding] = []
    values = {version: sealed(value) for version, value in versions.named()}
    for version, value in values.items():
        subject = name if version == "current" else f"{name} ({version})"
        found += [Finding(*grave, subject, says, _mend(name, version, grave[1])) for grave, says in _wrong(value, kind)]
    if _same(values, "current", "previous"):
        found.append(Finding("warning", "previous_is_current", name, "the previous value is the current one",
                             f"authkit secrets retire {name}"))  # fmt: skip
    if _same(values, "current", "pending"):
        found.append(Finding("warning", "pending_is_current", name, "the pending value is the current one",
                             f"authkit secrets discard {name}"))  # fmt: skip
    until = versions.previous_until
    if "previous" in values and until is None:
        found.append(Finding("note", "previous_without_end", name, "the previous value has no end of its own",
                             f"authkit secrets retire {name}, when nobody uses it any more"))  # fmt: skip
    if "previous" in values and until is not None and until <= now:
        found.append(Finding("warning", "previous_expired", name, "the previous value is kept, though its time is over",
                             f"authkit secrets retire {name}"))  # fmt: skip
    return found


def fit(value: Sealed, kind: str | None, *, weak_too: bool = True) -> str | None:
    """Why a new value is not fit to become current, or None. In words that hold nothing of it. `weak_too`: also a weak one."""
    found = (says for (severity, code), says in _wrong(value, kind) if severity == "error" and (weak_too or code != "weak"))
    return next(found, None)


def strength(value: Sealed) -> float:
    """At most so many bits would have to be guessed. It knows no dictionary: more bits are no proof of a good secret."""
    found = value()
    text = found if isinstance(found, str) else found.decode("latin-1")
    size = next((size for letters, size in _ALPHABETS if set(text) <= set(letters)), 95 if text.isascii() else 256)
    return _surprises(_unit(text)) * log2(min(size, max(2, len(set(text)) * 4)))


def _wrong(value: Sealed, kind: str | None) -> Iterator[tuple[tuple[str, str], str]]:
    """((severity, code), message)."""
    if is_sample(value()) or is_sample(_unit_of(value)):
        yield ("error", "sample"), "the value is a sample from documentation, which everybody knows"
        return
    no_key = _no_key(value, kind)
    if no_key is not None:
        yield ("error", "unusable_key"), no_key
    elif not is_key(value):
        bits = strength(value)
        if bits < WEAK_BITS:
            yield ("error", "weak"), f"the value has at most {int(bits)} bits: it can be guessed"
        elif bits < MODEST_BITS:
            yield ("warning", "modest"), f"the value has at most {int(bits)} bits: 128 and more are usual"


def _mend(name: str, version: str, code: str) -> str:
    if version == "previous":
        return f"authkit secrets retire {name} --force"
    if version == "pending":
        return f"authkit secrets discard {name}"
    return f"authkit secrets rotate {name}" + (f", then: authkit secrets retire {name} --force" if code == "sample" else "")


def _no_key(value: Sealed, kind: str | None) -> str | None:
    """Why the value is not the key that it says it is, or that `kind` wants; None if it is, or says nothing."""
    from ..tokens.base64url import encode

    if kind in _TOKEN_KINDS or is_key(value):
        try:
            key = keys_of(value)[0]
            probe = os.urandom(32)
            if key.can_sign and not key.verify(probe, encode(key.sign(probe)).decode()):
                return "the key does not verify what it signs"
        except AuthkitError as error:  # its words name the form, never the material
            return str(error)
        if kind in ("rsa", "ec", "ed25519"):
            pair = key_pair(value)
            if pair is None or pair.kind != kind or not key.can_sign:
                return f"the value is no private key of kind {kind}"
        elif kind == "hmac" and key.public_jwk() is not None:
            return "the value is a key pair, not a secret"
    elif kind == "webhook":
        return _no_webhook_key(value)
    return None


def _no_webhook_key(value: Sealed) -> str | None:
    from binascii import a2b_base64

    text = value()
    if not isinstance(text, str) or not text.startswith("whsec_"):
        return "the value is no webhook key: whsec_ and base64"
    try:
        return None if len(a2b_base64(text[6:], strict_mode=True)) >= 24 else "the webhook key is shorter than 24 bytes"
    except ValueError:
        return "the webhook key is no base64 behind its whsec_"


def _same(values: dict[str, Sealed], one: str, other: str) -> bool:
    return one in values and other in values and same(values[one], values[other])


def _unit_of(value: Sealed) -> str:
    found = value()
    return _unit(found if isinstance(found, str) else found.decode("latin-1"))


def _unit(text: str) -> str:
    """What `text` repeats from its beginning to its end: "abcabcab" is "abc" again and again."""
    for period in range(1, min(len(text) // 2, 256) + 1):
        if text[period:] == text[:-period]:
            return text[:period]
    return text


def _surprises(text: str) -> int:
    """How many characters do not carry on a run such as "aaa", "123" or "cba"."""
    steps = [ord(after) - ord(before) for before, after in zip(text, text[1:])]  # noqa: B905, RUF007
    return len(text) - sum(1 for step, last in zip(steps[1:], steps) if step == last and abs(step) <= 1)  # noqa: B905
