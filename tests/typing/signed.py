"""Signed requests keep the handler's type: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

from typing import Any, assert_type

import httpx

from authkit import Request, Tokens, chain, require_auth, require_signature
from authkit.signatures import (
    HmacRequests,
    SharedSecret,
    SignatureAuth,
    SignatureKey,
    SignatureVerifier,
    Signed,
    sign,
    verify,
)
from authkit.stores import MemoryStore

tokens = Tokens("a key of at least thirty-two bytes", issuer="https://i.example", audience="https://a.example")
keys = {"a": SignatureKey("a key of at least thirty-two bytes", "hmac-sha256", subject="alice", scopes=["a"])}
signed = require_signature(keys, authority="api.example", replay=MemoryStore())
whole = require_signature(SignatureVerifier(keys), url=lambda request: f"https://api.example{request.raw_path}")
hmac = require_signature(HmacRequests({"a": SharedSecret("a secret of which nobody sees a sign")}))
both = chain(require_auth(tokens, signed))


@signed
def handler(event: dict[str, Any], context: object) -> int:
    return 1


assert_type(handler({}, None), int)
assert_type(verify(keys, "GET", "https://api.example/", {}), Signed)
assert_type(sign("a key of at least thirty-two bytes", "GET", "https://api.example/", keyid="a"), dict[str, str])
client = httpx.Client(auth=SignatureAuth("a key of at least thirty-two bytes", keyid="a"))


def find(keyid: str) -> SignatureKey | None:
    return keys.get(keyid)


found = require_signature(SignatureVerifier(find), authority="api.example")


def wrong() -> None:
    SignatureVerifier(keys, tolerance="300")  # type: ignore[arg-type]
    require_signature(keys, authority=Request)  # type: ignore[arg-type]
    SignatureKey(1)  # type: ignore[arg-type]
