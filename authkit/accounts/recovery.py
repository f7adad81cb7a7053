"""Recovery codes: what somebody without their phone logs in with, each of them once.

A code has 120 random bits, so that a fast hash keeps it (ASVS 5.0, 6.5.2: from 112 on); the hash is keyed all the same.
"""

from __future__ import annotations

from _operator import _compare_digest as compare_digest  # what `hmac` gives, which is slow to load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COUNT = 10
_BYTES = 15  # 120 bits: 24 characters
_LENGTH = 24
_GROUP = 6
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: nothing that is read as something else
_READ_AS = str.maketrans("ilo", "110")
_LONGEST = 64  # characters as they were typed


def new(random: Callable[[int], bytes], count: int = COUNT) -> list[str]:
    """Codes to be shown once: four groups of six characters."""
    return [_written(random(_BYTES)) for _ in range(count)]


def typed(code: str) -> str | None:
    """A code as it was typed, in its one form: case, dashes and spaces do not matter. None if it cannot be one."""
    if len(code) > _LONGEST or not code.isascii():
        return None
    code = code.replace("-", "").replace(" ", "").lower().translate(_READ_AS)
    return code if len(code) == _LENGTH and all(char in _ALPHABET for char in code) else None


def digest(code: str, key: bytes) -> str:
    """What is kept of a code in its one form: HMAC-SHA-256 under the key of its set, 128 bits of it, in base64url."""
    import hmac

    from ..tokens import base64url

    return base64url.encode(hmac.digest(key, code.encode(), "sha256")[:16]).decode()


def without(code: str, digests: Sequence[str], key: bytes) -> list[str] | None:
    """The digests that are left when this code is used; None if it is none of them, or used already.

    Every digest is compared: time does not tell which it was. Whoever admits the code keeps what is left, in one atomic step.
    """
    form = typed(code)
    mine = digest(form or "", key)
    left = [one for one in digests if not compare_digest(one, mine)]
    return left if form is not None and len(left) < len(digests) else None


def _written(raw: bytes) -> str:
    number = int.from_bytes(raw)
    text = "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
    return "-".join(text[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))
