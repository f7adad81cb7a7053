"""What it costs to verify a token: ours, each peer, and the floor.

Every iteration gets a token that nobody has seen, so that no cache helps; "seen before" is measured apart. The floor is what
one writes by hand in ten lines: split, decode, check the signature, parse, look at exp; it checks nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from authkit.tokens import Key, Tokens

from ._table import Role, Row, Table, Target
from ._timing import AUDIENCE, ISSUER, SECRET

Verify = Callable[[str], Any]


COUNT = 50  # tokens in a batch
AT_MOST = {"HS256": 1.0, "RS256": 1.1, "ES256": 1.1, "EdDSA": 1.1}  # times the floor


def tables(seconds: float) -> list[Table]:
    algs = ("HS256", "RS256", "PS256", "ES256", "EdDSA")
    return [_never_seen(alg, seconds / (len(algs) + 1)) for alg in algs] + [_seen(seconds / (len(algs) + 1))]


def _never_seen(alg: str, seconds: float) -> Table:
    key = _key(alg)
    tokens = Tokens(key, issuer=ISSUER, audience=AUDIENCE)
    subjects = _subjects(alg, key, tokens)
    found: dict[str, list[float]] = {name: [] for name in subjects}
    end = time.monotonic() + seconds
    while time.monotonic() < end or not found["floor"]:
        batch = _issue(tokens, COUNT)
        for name, verify in subjects.items():  # in turns: what slows the machine down slows all of them
            found[name].append(_time(verify, batch))
    medians = {name: statistics.median(values) * 1e6 for name, values in found.items()}
    roles: dict[str, Role] = {"authkit": "ours", "floor": "floor"}
    rows = [Row(name, value, roles.get(name, "peer")) for name, value in medians.items()]
    ratio = statistics.median(ours / floor for ours, floor in zip(found["authkit"], found["floor"], strict=True))
    targets = [Target(f"{alg}, never seen / floor", ratio, AT_MOST[alg])] if alg in AT_MOST else []
    return Table(f"{alg} token, never seen", rows, targets)


def _seen(seconds: float) -> Table:
    tokens = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE)
    batch = _issue(tokens, 500)
    _time(tokens.verify, batch)
    found = []
    end = time.monotonic() + min(seconds, 2.0)
    while time.monotonic() < end:
        found.append(_time(tokens.verify, batch))
    return Table("HS256 token, seen before", [Row("authkit", statistics.median(found) * 1e6)])


def _issue(tokens: Tokens, count: int) -> list[str]:
    return [tokens.issue(f"user-{n}", scopes=["orders:read", "orders:write"], roles=["admin"]) for n in range(count)]


def _time(verify: Verify, batch: list[str]) -> float:
    batch = [token[:1] + token[1:] for token in batch]  # as they come from a socket: their hashes are not known yet
    start = time.perf_counter()
    for token in batch:
        verify(token)
    return (time.perf_counter() - start) / len(batch)


def _key(alg: str) -> Key:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if alg == "HS256":
        return Key(SECRET)
    private: Any = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "PS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[alg]()
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Key(pem, alg=alg)


def _subjects(alg: str, key: Key, tokens: Tokens) -> dict[str, Verify]:
    jwk = key.public_jwk()
    if jwk is None:
        secret = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
        jwk = {"kty": "oct", "k": secret, "alg": "HS256", "kid": key.kid}
    subjects = {"authkit": tokens.verify, "floor": _floor(alg, jwk)}
    for name, make in {"PyJWT": _pyjwt, "joserfc": _joserfc, "Authlib": _authlib, "python-jose": _python_jose}.items():
        try:
            verify = make(alg, jwk)
            verify(tokens.issue("a", scopes=["b"]))
        except Exception as error:
            print(f"{name} is left out for {alg}: {type(error).__name__}: {error}", file=sys.stderr)
        else:
            subjects[name] = verify
    return subjects


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _floor(alg: str, jwk: dict[str, Any]) -> Verify:
    check = _floor_hmac() if alg == "HS256" else _floor_public(alg, jwk)

    def verify(token: str) -> Any:
        header, payload, signature = token.split(".")
        if json.loads(_decode(header))["alg"] != alg:
            raise ValueError
        check(f"{header}.{payload}".encode(), _decode(signature))
        claims = json.loads(_decode(payload))
        if claims["exp"] < time.time():
            raise ValueError
        return claims

    return verify


def _floor_hmac() -> Callable[[bytes, bytes], None]:
    secret = SECRET.encode()

    def check(data: bytes, signature: bytes) -> None:
        if not hmac.compare_digest(hmac.digest(secret, data, hashlib.sha256), signature):
            raise ValueError

    return check


def _floor_public(alg: str, jwk: dict[str, Any]) -> Callable[[bytes, bytes], None]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from jwt import PyJWK

    public: Any = PyJWK(jwk).key
    sha = hashes.SHA256()
    if alg == "EdDSA":
        return lambda data, signature: public.verify(signature, data)
    if alg == "RS256":
        pkcs = padding.PKCS1v15()
        return lambda data, signature: public.verify(signature, data, pkcs, sha)
    if alg == "PS256":
        pss = padding.PSS(padding.MGF1(sha), 32)
        return lambda data, signature: public.verify(signature, data, pss, sha)
    ecdsa = ec.ECDSA(sha)

    def check(data: bytes, signature: bytes) -> None:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public.verify(encode_dss_signature(r, s), data, ecdsa)

    return check


def _pyjwt(alg: str, jwk: dict[str, Any]) -> Verify:
    import jwt

    key = jwt.PyJWK(jwk).key
    options: Any = {"require": ["exp", "iss", "aud", "sub"]}
    return lambda token: jwt.decode(token, key, algorithms=[alg], issuer=ISSUER, audience=AUDIENCE, options=options)


def _joserfc(alg: str, jwk: dict[str, Any]) -> Verify:
    from joserfc import jwk as keys
    from joserfc import jwt

    key = keys.import_key(jwk)
    claims = jwt.JWTClaimsRegistry(
        leeway=30, iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}, exp={"essential": True}
    )

    def verify(token: str) -> Any:
        decoded = jwt.decode(token, key, algorithms=[alg])
        claims.validate(decoded.claims)
        return decoded.claims

    return verify


def _authlib(alg: str, jwk: dict[str, Any]) -> Verify:
    import warnings

    from authlib.deprecate import AuthlibDeprecationWarning  # turns itself on, whatever the filters say

    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.jose import JsonWebKey, JsonWebToken

    key = JsonWebKey.import_key(jwk)
    reader = JsonWebToken([alg])
    options = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": AUDIENCE}}

    def verify(token: str) -> Any:
        claims = reader.decode(token, key, claims_options=options)
        claims.validate(leeway=30)
        return claims

    return verify


def _python_jose(alg: str, jwk: dict[str, Any]) -> Verify:
    from jose import jwt

    key: Any = SECRET if alg == "HS256" else jwk
    return lambda token: jwt.decode(token, key, algorithms=[alg], issuer=ISSUER, audience=AUDIENCE)
