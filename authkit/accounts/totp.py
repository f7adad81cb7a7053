"""Codes of authenticator apps: HOTP (RFC 4226) over the time (RFC 6238), as pure functions. The clock is the caller's."""

from __future__ import annotations

from _operator import _compare_digest as compare_digest  # what `hmac` gives, which is slow to load

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD = 30  # seconds in a step: RFC 6238 section 5.2, and what every app has
WINDOW = 1  # steps that a clock may differ, and a code may travel: RFC 6238 section 5.2 recommends at most one
KEY_BYTES = {"SHA1": 20, "SHA256": 32, "SHA512": 64}  # as long as the hash: RFC 6238 section 3, R6 of RFC 4226
DIGITS = (6, 7, 8)
_LONGEST = 16  # characters of a code as it was typed, spaces included


def code_at(key: bytes, step: int, *, digits: int = 6, algorithm: str = "SHA1") -> str:
    """The code of this step, or HOTP counter: RFC 4226 section 5.3."""
    import hmac

    digest = hmac.digest(key, step.to_bytes(8), algorithm)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}}"


def step_at(now: float) -> int:
    """The step of that moment, in epoch seconds."""
    return int(now // PERIOD)


def matching(
    key: bytes,
    code: str,
    now: float,
    *,
    last: int = -1,
    digits: int = 6,
    algorithm: str = "SHA1",
    window: int = WINDOW,
) -> int | None:
    """The step after `last` whose code this is, at most `window` steps from now; None if there is none.

    A code is good once (RFC 6238 section 5.2): whoever admits it keeps the step as the next `last`, in one atomic step. The
    time taken does not tell which step it was, or how much of a code is right.
    """
    presented = typed(code, digits)
    here = step_at(now)
    found = None
    for step in range(max(0, here - window), here + window + 1):
        right = compare_digest(code_at(key, step, digits=digits, algorithm=algorithm), presented or "")
        if right and step > last:
            found = step
    return found


def typed(code: str, digits: int = 6) -> str | None:
    """A code as it was typed, without the spaces that apps show; None if it cannot be one: ASCII digits only."""
    if len(code) > _LONGEST:
        return None
    code = code.replace(" ", "")
    return code if len(code) == digits and code.isascii() and code.isdigit() else None


def new_key(random: Callable[[int], bytes], algorithm: str = "SHA1") -> bytes:
    """A key as long as the hash, so that it is as strong."""
    return random(KEY_BYTES[algorithm])


def as_text(key: bytes) -> str:
    """A key as people type it into an app: base32 without padding."""
    from base64 import b32encode

    return b32encode(key).decode().rstrip("=")


def uri(key: bytes, *, issuer: str, account: str, digits: int = 6, algorithm: str = "SHA1") -> str:
    """What a QR code for authenticator apps holds: the key URI format of Google Authenticator. It holds the key.

    What is the default of the format is left out: the shorter, the easier to scan.
    """
    from urllib.parse import quote

    label = f"{quote(issuer, safe='')}:{quote(account, safe='@')}"
    more = "" if algorithm == "SHA1" else f"&algorithm={algorithm}"
    more += "" if digits == 6 else f"&digits={digits}"
    return f"otpauth://totp/{label}?secret={as_text(key)}&issuer={quote(issuer, safe='')}{more}"


def settled(issuer: object, digits: object, algorithm: object) -> None:
    """Judge the settings of codes. Raises: `ConfigurationError`."""
    if type(issuer) is not str or not issuer.strip() or ":" in issuer or not issuer.isprintable() or len(issuer) > 64:
        raise ConfigurationError("issuer is the name that apps show: 1 to 64 characters, and no colon")
    if type(digits) is not int or digits not in DIGITS:
        raise ConfigurationError("digits is 6, 7 or 8")
    if type(algorithm) is not str or algorithm not in KEY_BYTES:
        raise ConfigurationError("algorithm is SHA1, which every app knows, SHA256 or SHA512")
