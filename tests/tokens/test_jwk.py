"""JSON Web Keys: what is read, what is shown to others, and how a key gets its name."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import jwt
import pytest
from jwt.algorithms import get_default_algorithms

from authkit.tokens import Key

from .craft import ALL, AUDIENCE, SECRET, b64, key_for, pem, private, tokens
from .craft import refused_key as refused


def test_the_default_kid_of_a_key_pair_is_the_thumbprint_of_rfc_7638() -> None:
    """The example of RFC 7638 section 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6"
        "4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
        "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    assert Key({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"}).kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_default_kid_of_a_secret_is_stable_and_is_neither_the_secret_nor_its_plain_hash() -> None:
    kid = Key(SECRET).kid
    assert kid == Key(SECRET.encode()).kid
    assert kid != Key(SECRET + "x").kid
    for name in ("md5", "sha1", "sha256", "sha384", "sha512"):
        assert not b64(hashlib.new(name, SECRET.encode()).digest()).startswith(kid)
    assert not Key(SECRET).named


@pytest.mark.parametrize("kid", ["", "x" * 257, 5, b"a", ["a"]])
def test_a_kid_is_text(kid: Any) -> None:
    refused(SECRET, kid=kid)
    refused({"kty": "oct", "k": b64(SECRET), "kid": kid})


@pytest.mark.parametrize("alg", [*ALL[3:], "ES512"])
def test_a_public_jwk_has_the_public_members_only_and_pyjwt_reads_it(alg: str) -> None:
    jwk = key_for(alg).public_jwk()
    assert jwk is not None
    assert set(jwk) - {"kty", "use", "alg", "kid"} in ({"n", "e"}, {"crv", "x", "y"}, {"crv", "x"})
    token = tokens(key_for(alg)).issue("alice")
    assert (
        jwt.decode(
            token, jwt.PyJWK(jwk).key, algorithms=[alg], audience=AUDIENCE, options={"verify_exp": False, "verify_iat": False}
        )["sub"]
        == "alice"
    )
    assert Key(jwk).kid == key_for(alg).kid
    assert Key(json.dumps(jwk)).alg == alg


def test_a_secret_has_no_public_jwk() -> None:
    assert Key(SECRET).public_jwk() is None


def test_a_jwks_own_alg_wins() -> None:
    jwk = Key(pem("RSA"), "PS256").public_jwk()
    assert jwk is not None
    assert Key(jwk, "RS256").alg == "PS256"
    del jwk["alg"]
    assert Key(jwk).alg == "RS256"
    assert Key(jwk, "PS256").alg == "PS256"


def test_a_private_jwk_signs_unless_its_key_ops_say_otherwise() -> None:
    jwk = json.loads(get_default_algorithms()["ES256"].to_jwk(private("P-256")))
    assert Key(jwk).can_sign
    assert Key({**jwk, "key_ops": ["sign"]}).can_sign
    assert not Key({**jwk, "key_ops": ["verify"]}).can_sign
    changes: tuple[dict[str, Any], ...] = (
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"key_ops": "sign"},
        {"key_ops": None},
        {"key_ops": [["sign"]]},
    )
    for change in changes:
        refused({**jwk, **change})


def test_a_jwk_that_is_none_is_refused() -> None:
    jwk = Key(pem("P-256")).public_jwk()
    assert jwk is not None
    for change in ({"kty": "XYZ"}, {"kty": 5}, {"crv": "P-257"}, {"x": "AAAA"}, {"y": jwk["x"]}, {"x": None}, {"kty": "RSA"}):
        refused({**jwk, **change})
    refused({"keys": [jwk]})
    refused(json.dumps({"keys": [jwk]}))
