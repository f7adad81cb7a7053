"""`Content-Digest` (RFC 9530): a hash of the body in a header, so that a signature over headers covers the body too."""

from __future__ import annotations

from hmac import compare_digest

from ..errors import ConfigurationError, InvalidSignature
from .structured import Item, parse_dictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http import Headers

FIELD = "content-digest"
# Section 5: "active" ones. Those that are deprecated there (md5, sha, crc32c, ...) are not counted, as if they were not sent.
ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512"}


def content_digest(body: bytes, algorithm: str = "sha-256") -> str:
    """The value of `Content-Digest` for `body`, the bytes as they are sent. `algorithm`: "sha-256" or "sha-512".

    Raises: `ConfigurationError` for another algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"the digest of a body is one of {', '.join(ALGORITHMS)}")
    return f"{algorithm}={Item(_digest(algorithm, body))}"


def check_digest(headers: Headers, body: bytes) -> frozenset[str]:
    """Which digests of `Content-Digest` were compared with `body`: every one that we know has to be right, and there has to be
    one.

    Raises: `InvalidSignature` with `digest_missing`, `digest_malformed`, `digest_unknown` or `digest_mismatch`.
    """
    lines = headers.get_all(FIELD)
    if not lines:
        raise InvalidSignature("digest_missing")
    members = parse_dictionary(", ".join(lines), "digest_malformed")
    known = {name: member for name, member in members.items() if name in ALGORITHMS}
    if not known:
        raise InvalidSignature("digest_unknown")
    right = True
    for name, member in known.items():
        if not isinstance(member, Item) or not isinstance(member.value, bytes):
            raise InvalidSignature("digest_malformed")
        right &= compare_digest(member.value, _digest(name, body))
    if not right:
        raise InvalidSignature("digest_mismatch")
    return frozenset(known)


def _digest(algorithm: str, body: bytes) -> bytes:
    import hashlib

    return hashlib.new(ALGORITHMS[algorithm], body).digest()
