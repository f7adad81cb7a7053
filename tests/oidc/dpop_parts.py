"""A verifier of our own, a key, and proofs as good or bad as a test wants them."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from authkit import Request, Response, require_auth
from authkit.oidc import DPoP, DPoPKey
from authkit.stores import MemoryStore
from authkit.testing import Clock
from authkit.tokens import Key, Tokens, base64url
from tests.oidc.issuer import ec_key

if TYPE_CHECKING:
    from authkit.stores import Store

API = "https://api.example.com"
OURS = "0123456789abcdefghijklmnopqrstuv-k"


class Scene:
    """An API with bound tokens, and a client of it. `dpop`: what guards it; `token`: bound to the client's key."""

    def __init__(self, clock: Clock | None = None, store: Store | None = None, **settings: Any) -> None:
        self.clock = clock or Clock()
        self.tokens = Tokens(OURS, issuer="us", audience=API, clock=self.clock, monotonic=self.clock, access_ttl=86_400)
        self.pair: Key = ec_key()
        self.key = DPoPKey(self.pair, clock=self.clock)
        self.token = self.bound(jkt=self.key.thumbprint)
        self.store = store if store is not None else MemoryStore(clock=self.clock, wall=self.clock)
        given = {"url": API, "replay": self.store, "clock": self.clock, **settings}
        self.dpop = DPoP(self.tokens, **given)
        self.handler = require_auth(self.dpop)(_handler)

    def bound(self, **cnf: Any) -> str:
        return self.tokens.issue("alice", claims={"cnf": cnf})

    def ask(
        self, proof: str | list[str] | None = None, *, method: str = "GET", path: str = "/orders", token: str | None = None,
        authorization: str | None = None, headers: list[tuple[str, str]] | None = None,
    ) -> Response:  # fmt: skip
        """A request; with no `proof`, one that is right."""
        token = self.token if token is None else token
        if proof is None:
            proof = self.key.proof(method, API + path, token)
        lines = [("dpop", line) for line in ([proof] if isinstance(proof, str) else proof)]
        sent = [("authorization", authorization or f"DPoP {token}"), *lines, *(headers or [])]
        return self.handler(Request.build(method, path, sent))

    def forged(self, header: dict[str, Any] | None = None, signature: str | None = None, **claims: Any) -> str:
        """A proof with these members changed; `...` leaves one out."""
        public = {name: value for name, value in self.key.public_jwk().items() if name in ("kty", "crv", "x", "y")}
        top = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public, **(header or {})}
        ath = base64url.encode(sha256(self.token.encode()).digest()).decode()
        now = int(self.clock())
        body = {
            "jti": f"{now}-{id(claims)}-{len(claims)}",
            "htm": "GET",
            "htu": API + "/orders",
            "iat": now,
            "ath": ath,
            **claims,
        }
        parts = [{name: value for name, value in part.items() if value is not ...} for part in (top, body)]
        data = b".".join(base64url.encode(json.dumps(part).encode()) for part in parts)
        made = base64url.encode(self.pair.sign(data)).decode() if signature is None else signature
        return f"{data.decode()}.{made}"


def _handler(request: Request) -> Response:
    principal = request.principal
    return Response(200, {}, f"{principal.subject} by {principal.method}")


def error(answer: Response) -> str:
    """What the challenge says is wrong."""
    _, _, rest = answer.headers.get("www-authenticate", "").partition('error="')
    return rest.partition('"')[0]
