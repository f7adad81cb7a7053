"""An RSA key is read without proving its primes, which would hold up every thread, and is refused if its parts do not fit."""

from __future__ import annotations

import json
from functools import cache
from math import gcd
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from authkit.tokens import Key

from .craft import b64, pem, private, unb64
from .craft import refused_key as refused

RSA_PARTS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")


@cache
def rsa_jwk(kind: str = "RSA") -> dict[str, Any]:
    return json.loads(RSAAlgorithm.to_jwk(private(kind)))  # type: ignore[no-any-return]


def number(value: int) -> str:
    return b64(value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def test_an_rsa_key_is_the_same_as_pem_and_as_a_jwk_with_or_without_its_primes() -> None:
    whole = rsa_jwk()
    bare = {part: whole[part] for part in ("kty", "n", "e", "d")}
    signed = Key(pem("RSA")).sign(b"data")
    assert Key(whole).sign(b"data") == Key(bare).sign(b"data") == signed
    assert Key(whole).kid == Key(bare).kid == Key(pem("RSA")).kid


@pytest.mark.parametrize("part", RSA_PARTS)
def test_an_rsa_key_whose_parts_do_not_belong_together_is_refused(part: str) -> None:
    good = rsa_jwk()
    value = int.from_bytes(unb64(good[part]), "big")
    for wrong in (0, 1, 2, 3, value + 1, value + 2, value - 2, 2 * value, value // 2, value ^ (1 << 100), 1 << 4100):
        refused({**good, part: number(wrong)})
    if part != "e":  # the one that all keys share
        refused({**good, part: rsa_jwk("RSA-other")[part]})


def test_rsa_primes_that_are_none_are_refused() -> None:
    """Parts that fit each other, of a number that is no product of two primes: nothing that is signed with them holds."""
    p, q, e = 3 * private("RSA").private_numbers().p, private("RSA-other").private_numbers().q, 65537
    d = pow(e, -1, (p - 1) * (q - 1) // gcd(p - 1, q - 1))
    parts = {"n": p * q, "e": e, "d": d, "p": p, "q": q, "dp": d % (p - 1), "dq": d % (q - 1), "qi": pow(q, -1, p)}
    refused({"kty": "RSA", **{name: number(value) for name, value in parts.items()}})


def test_a_damaged_rsa_pem_is_refused() -> None:
    numbers, other = private("RSA").private_numbers(), private("RSA-other").private_numbers()
    mixed = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d, other.dmp1, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    raw = mixed.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    assert "belong together" in refused(raw)
