"""Signatures: the right one in its one form holds, everything else does not, and nothing raises."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from authkit.tokens.algorithms import ALGORITHMS

from .craft import ALL, b64, key_for


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_tok_08_r_and_s_out_of_range_are_refused_in_every_pair(alg: str) -> None:
    key, algorithm = key_for(alg), ALGORITHMS[alg]
    n, size = algorithm.order, algorithm.size
    p = {
        "ES256": 2**256 - 2**224 + 2**192 + 2**96 - 1,
        "ES384": 2**384 - 2**128 - 2**96 + 2**32 - 1,
        "ES512": 2**521 - 1,
    }[alg]
    top = 2 ** (8 * size) - 1
    good = key.sign(b"data")
    parts = [int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big")]
    assert key.verify(b"data", b64(good))
    for r in (0, 1, n - 1, n, n + 1, p, p + 1 if p < top else p, top, parts[0]):
        for s in (0, 1, n - 1, n, n + 1, p, top, parts[1]):
            if [r, s] != parts:
                assert not key.verify(b"data", b64(r.to_bytes(size, "big") + s.to_bytes(size, "big")))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_tok_08_an_ecdsa_signature_is_r_and_s_of_full_length_and_nothing_else(alg: str) -> None:
    key, size = key_for(alg), ALGORITHMS[alg].size
    good = key.sign(b"data")
    assert len(good) == 2 * size
    der_form = encode_dss_signature(int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big"))
    for other in (
        b"",
        good[:-1],
        good + b"\0",
        b"\0" + good,
        good[:size] + b"\0" + good[size:],
        der_form,
        good[size:] + good[:size],
        good * 2,
    ):
        assert not key.verify(b"data", b64(other))


@pytest.mark.parametrize("alg", [*ALL, "ES512"])
def test_no_signature_makes_verification_raise(alg: str) -> None:
    key = key_for(alg)
    length = len(key.sign(b"data"))
    for raw in (b"", b"\0" * length, b"\xff" * length, b"\0" * (length - 1), b"\x01" * (length + 1), b"\0" * 5000):
        assert not key.verify(b"data", b64(raw))
    for text in ("", "=", "é", "!" * len(b64(b"\0" * length)), "A" * len(b64(b"\0" * length)), "\0"):
        assert not key.verify(b"data", text)
