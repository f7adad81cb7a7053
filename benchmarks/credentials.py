"""What it costs to know who calls by an API key or a signature: verified, and as a guard around a handler.

Signatures are HTTP message signatures (RFC 9421) over method, authority, path, query and the digest of a body of 1 KiB, by
HMAC and by Ed25519, everybody's the same, and both compare the digest. Nobody notes nonces. No package for API keys is measured
beside ours: those that there are ask a database of their framework's for each key.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from authkit import Request, Response, require_api_key, require_signature
from authkit.apikeys import ApiKeys, KeyTable, MemoryKeys, SqliteKeys
from authkit.signatures import SignatureVerifier, Signer

from ._table import Role, Row, Table
from ._timing import SECRET, Call, added, calls, nothing

URL, BODY = "https://api.example.com/orders?page=2", b"x" * 1024
HMAC, ED25519 = "hmac-sha256", "ed25519"


def tables(seconds: float) -> list[Table]:
    with tempfile.TemporaryDirectory() as place:
        keys = _table("API keys: verified, seen before", _keys(Path(place)), seconds / 4, 300)
    pairs = _pair()
    return [
        keys,
        _table("signed requests: HMAC, a body of 1 KiB verified", _signatures(HMAC, SECRET, SECRET), seconds / 4, 30),
        _table("signed requests: Ed25519, a body of 1 KiB verified", _signatures(ED25519, *pairs), seconds / 4, 30),
        _guarded(seconds / 4),
    ]


def _table(title: str, subjects: Iterator[tuple[str, Role, Call]], seconds: float, count: int) -> Table:
    made = list(subjects)
    found = added({name: (calls(call), calls(nothing)) for name, _, call in made}, seconds=seconds, count=count)
    return Table(title, [Row(name, found.us(name), role) for name, role, _ in made])


def _keys(place: Path) -> Iterator[tuple[str, Role, Call]]:
    tables: dict[str, KeyTable] = {"in memory": MemoryKeys(), "SQLite": SqliteKeys(place / "keys.db")}
    for name, table in tables.items():
        keys = ApiKeys(table)
        key = keys.new("robot", scopes=["orders:read"]).reveal()
        yield f"authkit, {name}", "ours", lambda keys=keys, key=key: keys.verify(key)  # type: ignore[misc]
    known = {hashlib.sha256(b"key").digest(): "robot"}
    yield "SHA-256 and a dict", "floor", lambda: known[hashlib.sha256(b"key").digest()]


def _pair() -> tuple[str, str]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem, private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _signatures(alg: str, signing: str, verifying: str) -> Iterator[tuple[str, Role, Call]]:
    headers = Signer(signing, keyid="client-a").sign("POST", URL, (), BODY)
    verifier = SignatureVerifier({"client-a": verifying}, tolerance=3600)
    verifier.verify("POST", URL, headers, BODY)
    yield "authkit", "ours", lambda: verifier.verify("POST", URL, headers, BODY)
    try:
        import http_message_signatures as peer
    except ImportError:
        print("credentials: http-message-signatures is not installed, and is left out", file=sys.stderr)
    else:
        yield "http-message-signatures", "peer", _peer(peer, alg, signing, verifying)
    base = b"x" * 250  # about as long as what is signed here
    if alg == HMAC:
        key = SECRET.encode()
        yield "hmac.digest and the digest", "floor", lambda: (hmac.digest(key, base, "sha256"), hashlib.sha256(BODY).digest())
    else:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

        private: Any = load_pem_private_key(signing.encode(), None)
        public: Any = load_pem_public_key(verifying.encode())
        made = private.sign(base)
        yield "Ed25519 and the digest", "floor", lambda: (public.verify(made, base), hashlib.sha256(BODY).digest())


def _peer(peer: Any, alg: str, signing: str, verifying: str) -> Call:
    covered = ("@method", "@authority", "@path", "@query", "content-digest")
    kind = peer.algorithms.HMAC_SHA256 if alg == HMAC else peer.algorithms.ED25519
    if alg == HMAC:
        pair: Any = (signing.encode(), verifying.encode())
    else:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

        pair = load_pem_private_key(signing.encode(), None), load_pem_public_key(verifying.encode())
    keys = peer.MappingKeyResolver(public_keys={"client-a": pair[1]}, private_keys={"client-a": pair[0]})
    message = SimpleNamespace(method="POST", url=URL, headers={}, body=BODY)
    signer = peer.HTTPMessageSigner(signature_algorithm=kind, key_resolver=keys)
    signer.sign(message, key_id="client-a", covered_component_ids=covered, body=BODY)
    verifier = peer.HTTPMessageVerifier(signature_algorithm=kind, key_resolver=keys)

    def verify() -> Any:
        return verifier.verify(message, require_components=covered, body=BODY)

    verify()
    return verify


def _guarded(seconds: float) -> Table:
    keys = ApiKeys(MemoryKeys())
    signed = Signer(SECRET, keyid="client-a").sign("POST", URL, (), BODY)
    verifier = SignatureVerifier({"client-a": SECRET}, tolerance=3600)
    subjects = {
        "require_api_key": (require_api_key(keys), {"x-api-key": keys.new("robot").reveal()}),
        "require_signature, HMAC": (require_signature(verifier, authority="api.example.com"), signed),
    }

    def bare(request: Request) -> Any:
        return Response(200)

    pairs = {}
    for name, (guard, headers) in subjects.items():
        handler = guard(bare)

        def call(handler: Any = handler, headers: Any = headers) -> Any:
            return handler(Request.build("POST", "/orders?page=2", headers, BODY))

        def base(headers: Any = headers) -> Any:
            return bare(Request.build("POST", "/orders?page=2", headers, BODY))

        if call().status != 200:
            raise SystemExit(f"{name} refuses what it should accept")
        pairs[name] = (calls(call), calls(base))
    found = added(pairs, seconds=seconds, count=50)
    return Table("credentials: what the guard adds to a call", [Row(name, found.us(name)) for name in found])
