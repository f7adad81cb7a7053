"""Ways to sign that belong to nobody: for senders of your own, and those who speak of a "sha256 verifier" and no more.

Take one over with another header: `schemes()["sha256-hex"].but(name="mine", signature="X-My-Signature")`.
"""

from __future__ import annotations

from .scheme import Scheme

HEADER = "RW-Webhook-Signature"

PLAIN = (
    Scheme("secret-key", signature=HEADER, algorithm="token", encoding="text", verified=True),
    Scheme("sha1-hex", signature=HEADER, prefix="sha1=", hash="sha1", verified=True),
    Scheme("sha256-hex", signature=HEADER, prefix="sha256=", verified=True),
    Scheme("sha1-base64", signature=HEADER, hash="sha1", encoding="base64", verified=True),
    Scheme("sha256-base64", signature=HEADER, encoding="base64", verified=True),
    Scheme(
        "timestamped",
        signature=HEADER,
        separator=",",
        prefix="v1=",
        timestamp_item="t=",
        signed="{timestamp}.{body}",
        verified=True,
    ),
    # the body is not in it: whoever has one token can send it with anything until it ends
    Scheme("jwt", signature=HEADER, signed="", algorithm="jws", jws=("HS256", "HS384", "HS512"), verified=True),
)
