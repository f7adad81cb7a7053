"""Tokens byte by byte: exactly these two segments, with a signature that holds."""

from __future__ import annotations

from ..tokens import base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from ..tokens import Key

    class Forger(Protocol):
        """What the catalogues of bad tokens are made with: a `TokenMint` or a `FakeIssuer`."""

        alg: str
        key: Key

        def clock(self) -> float: ...
        def other_key(self) -> Key: ...
        def good(self, subject: str = "alice") -> str: ...
        def header(self) -> dict[str, Any]: ...
        def claims(self) -> dict[str, Any]: ...
        def forge(
            self, header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes, key: Key | None = None
        ) -> str: ...


def forged(header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes, key: Key) -> str:
    signed = f"{segment(header)}.{segment(claims)}"
    return f"{signed}.{base64url.encode(key.sign(signed.encode())).decode()}"


def segment(value: Mapping[str, Any] | bytes) -> str:
    """One segment. JSON is written with whatever is in it, NaN included: what it should hold is the verifier's business."""
    if not isinstance(value, bytes):
        import json

        value = json.dumps(dict(value), separators=(",", ":")).encode()
    return base64url.encode(value).decode()
