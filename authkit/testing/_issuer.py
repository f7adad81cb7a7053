"""`FakeIssuer`: an OpenID Provider on loopback, as well or badly behaved as a test wants it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

from ._bad_oidc import BAD_OIDC
from ._catalogue import BAD
from ._faults import Fault
from ._forged import forged
from ._issuer_server import IssuerServer
from ._keys import made_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

    from ..oidc import OIDCProvider
    from ..tokens import Key

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/jwks"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
PLACES = {"discovery": DISCOVERY, "keys": KEYS}
_OF_TYPE_ONLY = ("id_token", "typ_missing")  # bad for a verifier that goes by `typ`


class FakeIssuer:
    """Discovery and keys over real HTTP, and the tokens that go with them. A context manager; or `start()` and `stop()`.

    `url`: the issuer, with `path` behind its port. `audience`: of its access tokens; `client_id`: of its ID tokens. `alg`:
    RS256, PS256, ES256, ES384, EdDSA and so on; `key` is what it signs with. `token_type`: the `typ` of its access tokens,
    "at+jwt" or "JWT". `clock`: seconds since the epoch, which its tokens and its `Date` go by. Any thread may use it while it
    answers.

    What it says can be changed at any time: `keys` (what it publishes, as JWKs), `says` (members of its metadata; None takes
    one away), `headers` (of all its answers), `pages` (more paths, each with a JSON document, or with a callable that is given
    method, headers (their names in lower case) and body, and returns status and document).
    """

    def __init__(
        self,
        path: str = "",
        *,
        audience: str = "https://api.example",
        client_id: str = "web",
        alg: str = "ES256",
        token_type: str = "at+jwt",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if path and (not path.startswith("/") or not path.isascii() or set(path) & set("?#\\ ")):
            raise ValueError("path is one of a URL: it begins with a slash, and has no query, fragment or space")
        if alg.startswith("HS"):
            raise ValueError(f"an issuer publishes its keys, and {alg} has none to publish: TokenMint signs with a secret")
        self._server = IssuerServer(self._said, lambda: self.clock())
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = self.base + path
        self.root = path.removesuffix("/")
        self.audience = audience
        self.client_id = client_id
        self.alg = alg
        self.token_type = token_type
        self.clock = clock
        self.key: Key = made_key(alg, kid="key-1")
        self.keys: list[Any] = [self.key.public_jwk()]
        self.says: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.pages: dict[str, Any] = {}
        self.counts: Counter[str] = Counter()  # requests by path
        self._made = 1
        self._faults: dict[str, Fault] = {}
        self._lock = threading.Lock()

    def start(self) -> Self:
        """Answer from now on. May be called again, as `with` does; not after `stop`: its port is somebody else's then."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Answer nobody any more: the port is closed, and every thread has ended."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Tokens

    def token(
        self, subject: str = "alice", *, scopes: Iterable[str] = (), ttl: int = 300, key: Key | None = None, **claims: Any
    ) -> str:
        """An access token. `claims` are added or replace its own; `...` takes one away.

        Raises: `TypeError` for scopes that are one string, and for a dict of claims: `token(org="acme", **{"a:b": 1})`.
        """
        if isinstance(scopes, str):
            raise TypeError("scopes is a list of names, not one string")
        if "claims" in claims:
            raise TypeError("claims are passed by their names: token(org='acme'), or token(**claims)")
        granted = {"scope": " ".join(scopes)} if scopes else {}
        now = int(self.clock())
        told = {"sub": subject, "exp": now + ttl, **granted, **claims}
        return self.forge(self.header(key), self.claims(**told), key)

    def id_token(self, subject: str = "alice", *, nonce: str | None = "n-1", ttl: int = 300, **claims: Any) -> str:
        """An ID token (OpenID Connect Core section 2), which no API accepts."""
        now = int(self.clock())
        said = {"sub": subject, "aud": self.client_id, "exp": now + ttl, "auth_time": now, "nonce": nonce, "client_id": ...}
        header = {**self.header(), "typ": "JWT"}
        return self.forge(header, self.claims(**{**said, **({} if nonce else {"nonce": ...}), **claims}))

    def logout_token(self, subject: str = "alice", **claims: Any) -> str:
        """A logout token (Back-Channel Logout section 2.4)."""
        said = {"sub": subject, "aud": self.client_id, "jti": "logout-1", "client_id": ..., "events": {LOGOUT: {}}}
        return self.forge({**self.header(), "typ": "logout+jwt"}, self.claims(**{**said, **claims}))

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a good access token, changed; `...` takes one away."""
        now = int(self.clock())
        members = {
            "iss": self.url,
            "aud": self.audience,
            "sub": "alice",
            "iat": now,
            "exp": now + 300,
            "client_id": self.client_id,
        }
        return {name: value for name, value in {**members, **changes}.items() if value is not ...}

    def header(self, key: Key | None = None) -> dict[str, Any]:
        """The header of a good access token."""
        signing = key or self.key
        return {"alg": signing.alg, "typ": self.token_type, "kid": signing.kid}

    def forge(self, header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes, key: Key | None = None) -> str:
        """A token of exactly these two segments, with a signature that holds (of `key`, if given). Bytes go in as they are."""
        return forged(header, claims, key or self.key)

    def good(self, subject: str = "alice") -> str:
        """What `token` gives, by the name that it has at a `TokenMint`."""
        return self.token(subject)

    def bad(self) -> dict[str, str]:
        """Tokens that nobody may accept as access tokens, by name; `BAD_TOKENS` and `BAD_OIDC_TOKENS` say what is wrong."""
        found = {**BAD.made(self), **BAD_OIDC.made(self)}
        if self.token_type != "at+jwt":
            found = {name: token for name, token in found.items() if name not in _OF_TYPE_ONLY}
        return found

    # Keys

    def other_key(self) -> Key:
        """Another key of the same kind, which is published nowhere."""
        return made_key(self.alg)

    def add_key(self, alg: str | None = None, kid: str | None = None) -> Key:
        """Publish one key more; `token(key=...)` signs with it."""
        key = self._new_key(alg or self.alg, kid)
        with self._lock:
            self.keys = [*self.keys, key.public_jwk()]
        return key

    def rotate(self, *, overlap: bool = False, alg: str | None = None, kid: str | None = None) -> Key:
        """Sign with another key from now on; with `overlap` the former ones are published on."""
        key = self._new_key(alg or self.alg, kid)
        with self._lock:
            self.keys = [*(self.keys if overlap else ()), key.public_jwk()]
            self.key, self.alg = key, key.alg
        return key

    def swap_key(self) -> Key:
        """Another key under the same `kid`: what an issuer should never do, and some have done."""
        kid = self.key.kid
        key = made_key(self.alg, kid=kid)
        with self._lock:
            self.keys = [key.public_jwk() if isinstance(jwk, dict) and jwk.get("kid") == kid else jwk for jwk in self.keys]
            self.key = key
        return key

    def remove_key(self, kid: str) -> None:
        """Publish the key of that `kid` no longer."""
        with self._lock:
            self.keys = [jwk for jwk in self.keys if not isinstance(jwk, dict) or jwk.get("kid") != kid]

    def _new_key(self, alg: str, kid: str | None) -> Key:
        with self._lock:
            self._made += 1
            kid = kid or f"key-{self._made}"
        return made_key(alg, kid=kid)

    # What it answers

    def provider(self, **settings: Any) -> OIDCProvider:
        """An `OIDCProvider` for this issuer's access tokens, as a service would have it."""
        from ..oidc import OIDCProvider

        told = {"audience": self.audience, "token_type": self.token_type, "clock": self.clock, **settings}
        if "profile" in settings:
            del told["token_type"]
        return OIDCProvider(self.url, **told)

    def metadata(self) -> dict[str, Any]:
        """What discovery says (OpenID Connect Discovery 1.0 section 3), with `says` in it."""
        at = self.base + self.root
        members = {
            "issuer": self.url, "jwks_uri": at + KEYS, "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token", "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.alg], "code_challenge_methods_supported": ["S256"],
        }  # fmt: skip
        return {name: value for name, value in {**members, **self.says}.items() if value is not None}

    def asked(self, place: str = "keys") -> int:
        """How often it was asked for "keys", "discovery" or a path, faults included."""
        with self._lock:
            return self.counts[self._path(place)]

    def fault(self, place: str = "keys", **fault: Any) -> None:
        """Answer for "keys", "discovery", a path, or "*" (all of them) as `fault` says, in place of an earlier one there.

        status=503, delay=2, drop=True, cut=True, drip=1, garbage=True, huge=True, body=b"", content_type="text/html",
        headers={...}, redirect="https://...", and times=2: for so many requests. Several at once, where that means anything.
        """
        with self._lock:
            self._faults[self._path(place)] = Fault(**fault)

    def mend(self) -> None:
        """No faults any more."""
        with self._lock:
            self._faults.clear()

    def _path(self, place: str) -> str:
        if place != "*" and place not in PLACES and not place.startswith("/"):
            raise ValueError(f"{place!r} is no place: {', '.join(map(repr, PLACES))}, '*', or a path")
        return place if place == "*" else self.root + PLACES.get(place, place)

    def _said(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes, Fault | None]:
        path = path.partition("?")[0]
        with self._lock:
            self.counts[path] += 1
            fault = self._faults.get(path) or self._faults.get("*")
            if fault is not None and fault.left is not None:
                fault.left -= 1
                if fault.left < 0:
                    fault = None
        status, document = self._page(method, path, headers, body)
        content = json.dumps(document).encode()
        if fault is None:
            return status, self.headers, content, None
        return fault.status or status, {**self.headers, **fault.headers}, fault.content(content), fault

    def _page(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        page = self.pages.get(path.removeprefix(self.root))
        if page is not None:
            told: Any = page(method, headers, body) if callable(page) else (200, page)
            status, document = told
            return status, document
        if path == self.root + DISCOVERY:
            return 200, self.metadata()
        if path == self.root + KEYS:
            return 200, {"keys": self.keys}
        return 404, {"error": "not_found"}

    def __repr__(self) -> str:
        return f"<FakeIssuer {self.url}>"
