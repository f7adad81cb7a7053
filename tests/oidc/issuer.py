"""An issuer on loopback, as well or badly behaved as a test wants it.

with issuer() as op:                                  # discovery, keys; op.url is the issuer
    op.token(sub="alice"); op.rotate(); op.asked("/jwks")
    op.fault("/jwks", status=503); op.fault("/jwks", delay=1); op.fault("/jwks", drop=True); op.mend()
"""

from __future__ import annotations

import collections
import contextlib
import functools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authkit.tokens import Key, base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

AUDIENCE = "https://api.example"
DISCOVERY = "/.well-known/openid-configuration"


def pem(private: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    text: str = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    return text


@functools.cache
def rsa_pem(number: int = 0) -> str:
    """RSA keys take long: each is made once."""
    return pem(rsa.generate_private_key(65537, 2048))


def ec_key(kid: str | None = None) -> Key:
    return Key(pem(ec.generate_private_key(ec.SECP256R1())), kid=kid)


def ed_key(kid: str | None = None) -> Key:
    return Key(pem(ed25519.Ed25519PrivateKey.generate()), kid=kid)


def signed(key: Key, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
    """A token, with just these members in its header if they are given."""
    members = {"typ": "at+jwt", "alg": key.alg, "kid": key.kid} if header is None else header
    data = b".".join(base64url.encode(json.dumps(part).encode()) for part in (members, claims))
    return f"{data.decode()}.{base64url.encode(key.sign(data)).decode()}"


class Issuer(ThreadingHTTPServer):
    """`keys`: what it publishes, as JWKs; `key`: what it signs with. `says`: further members of its metadata."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, path: str = "", clock: Callable[[], float] = time.time) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.url = self.base + path
        self.root = path.removesuffix("/")
        self.clock = clock
        self.key = ec_key("one")
        self.keys: list[Any] = [self.key.public_jwk()]
        self.says: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.counts: collections.Counter[str] = collections.Counter()
        self._faults: dict[str, dict[str, Any]] = {}

    def asked(self, path: str = "/jwks") -> int:
        return self.counts[self.root + path]

    def rotate(self, kid: str = "two", *, keep: bool = False) -> Key:
        """Sign with another key; the former one is published on, or no longer."""
        self.key = ec_key(kid)
        self.keys = [self.key.public_jwk(), *(self.keys if keep else ())]
        return self.key

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock())
        members = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300, "client_id": "web"}
        return {name: value for name, value in {**members, **changes}.items() if value is not ...}

    def token(self, header: Mapping[str, Any] | None = None, key: Key | None = None, **changes: Any) -> str:
        return signed(key or self.key, self.claims(**changes), header)

    def unknown(self, number: int) -> str:
        """A token that names a key which nobody has."""
        return self.token({"typ": "at+jwt", "alg": "ES256", "kid": f"none-{number}"})

    def fault(self, path: str = "/jwks", **fault: Any) -> None:
        self._faults[self.root + path] = fault

    def mend(self) -> None:
        self._faults.clear()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes, bool]:
        self.counts[path] += 1
        fault = self._faults.get(path, {})
        body: Any = {"error": "not_found"}
        status = 404
        if path == self.root + DISCOVERY:
            status, body = 200, {"issuer": self.url, "jwks_uri": f"{self.base}{self.root}/jwks", **self.says}
        elif path == self.root + "/jwks":
            status, body = 200, {"keys": self.keys}
        content = fault.get("body", json.dumps(body).encode())
        time.sleep(fault.get("delay", 0))  # what is said is what was so when it was asked
        return fault.get("status", status), {**self.headers, **fault.get("headers", {})}, content, fault.get("drop", False)

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        status, headers, body, drop = self.server.answer(self.path)
        if drop:
            return
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def issuer(path: str = "", clock: Callable[[], float] = time.time) -> Iterator[Issuer]:
    server = Issuer(path, clock)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    serving.start()
    try:
        yield server
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def until(true: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until `true()` is."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)
