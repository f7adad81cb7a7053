"""`DPoPKey`: the key of a client that shows, with each request, that it holds it (RFC 9449 section 4)."""

from __future__ import annotations

import os
import time
from hashlib import sha256

from ..errors import ConfigurationError
from ..secrets.versions import Masked
from ..tokens import Key, base64url
from ..tokens.issue import encoded
from ._proof import ALGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class DPoPKey(Masked):
    """Makes the proofs of one key pair.

    `key`: a private `Key`, PEM or JWK; None: a P-256 key that is made now and nobody else ever sees. Raises:
    `ConfigurationError` for a key that signs no proofs.
    """

    __slots__ = ("thumbprint", "_key", "_header", "_clock", "_random")
    thumbprint: str

    def __init__(
        self,
        key: Key | str | bytes | Mapping[str, Any] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        made, wrong = _taken(key)
        del key  # what is raised below may be shown with its locals
        if made is None:
            raise ConfigurationError(f"DPoPKey: {wrong}")
        found = made.public_jwk() or {}
        public: dict[str, Any] = {name: found[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in found}
        from ..tokens.jwk import thumbprint

        self.thumbprint = thumbprint(public)
        self._key = made
        self._header = base64url.encode(encoded({"typ": "dpop+jwt", "alg": made.alg, "jwk": public}))
        self._clock, self._random = clock, random

    def proof(self, method: str, url: str, token: str | None = None, nonce: str | None = None) -> str:
        """The value of the `DPoP` header for one request, and for no other: `method` to `url`, with the access `token` that
        goes with it (at a token endpoint there is none), and the newest `nonce` that the server has sent."""
        claims: dict[str, Any] = {
            "jti": base64url.encode(self._random(16)).decode(),
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": int(self._clock()),
        }
        if token is not None:
            claims["ath"] = base64url.encode(sha256(token.encode()).digest()).decode()
        if nonce is not None:
            claims["nonce"] = nonce
        data = self._header + b"." + base64url.encode(encoded(claims))
        return (data + b"." + base64url.encode(self._key.sign(data))).decode()

    def headers(self, method: str, url: str, token: str, nonce: str | None = None) -> dict[str, str]:
        """The two headers of a request with an access token that is bound to this key."""
        return {"authorization": f"DPoP {token}", "dpop": self.proof(method, url, token, nonce)}

    def public_jwk(self) -> dict[str, Any]:
        """The public half."""
        return self._key.public_jwk() or {}


def _taken(key: Any) -> tuple[Key | None, str]:
    """The key, or what is wrong with it. It raises nothing: its frame holds it."""
    try:
        if key is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric import ec

            form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            key = ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, form, plain)
        found = key if isinstance(key, Key) else Key(key)
    except ConfigurationError as error:
        return None, str(error)
    return (found, "") if found.can_sign and found.alg in ALGS else (None, f"a private key of {', '.join(ALGS)} makes proofs")
