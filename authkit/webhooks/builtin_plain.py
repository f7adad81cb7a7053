"""Ways to sign that belong to nobody: for senders of your own, and those who speak of a "sha256 verifier" and no more.

Take one over with another header: `schemes()["sha256-hex"].but(name="mine", signature="X-My-Signature")`.
"""

from __future__ import annotations

from .entry import entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADER = "RW-Webhook-Signature"
_TIMED: dict[str, Any] = {
    "signature": HEADER,
    "separator": ",",
    "prefix": "v1=",
    "timestamp_item": "t=",
    "signed": "{timestamp}.{body}",
}

PLAIN = (
    entry("secret-key", signature=HEADER, algorithm="token", encoding="text", verified=True),
    entry("sha1-hex", signature=HEADER, prefix="sha1=", hash="sha1", verified=True),
    entry("sha256-hex", signature=HEADER, prefix="sha256=", verified=True),
    # the secret is in base64 too
    entry("sha1-base64", signature=HEADER, hash="sha1", key="base64", encoding="base64", verified=True),
    entry("sha256-base64", signature=HEADER, key="base64", encoding="base64", verified=True),
    entry("timestamped", **_TIMED, verified=True),
    entry("timestamped-ms", **_TIMED, unit="ms", verified=True),
    # the body is not in it: whoever has one token can send it with anything until it ends
    entry("jwt", signature=HEADER, signed="", algorithm="jws", jws=("HS256", "HS384", "HS512"), verified=True),
)
