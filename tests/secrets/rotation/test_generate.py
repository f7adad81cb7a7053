"""New secrets: from the operating system, of at least the strength asked for, never twice the same."""

from __future__ import annotations

import base64
import math
import os
from collections import Counter
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from authkit.errors import ConfigurationError
from authkit.secrets.rotation.generate import ALPHABET, ENCODINGS, KINDS, generate
from authkit.tokens import Key
from authkit.webhooks import sign, verify


def _text(*args: object, **options: object) -> str:
    value = generate(*args, **options)()  # type: ignore[arg-type]
    assert isinstance(value, str)
    return value


def _decoded(text: str, encoding: str) -> bytes:
    if encoding == "hex":
        return bytes.fromhex(text)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if encoding == "base64url" else base64.b64decode(text)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("length", [32, 33, 64, 1024])
def test_an_hmac_key_is_exactly_so_many_random_bytes(encoding: str, length: int) -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return os.urandom(count)

    value = _text("hmac", length=length, encoding=encoding, random=random)
    assert asked == [length]
    assert len(_decoded(value, encoding)) == length


def test_an_hmac_key_is_256_bits_unless_asked_for_more_and_signs_a_token() -> None:
    value = _text()
    assert len(_decoded(value, "base64url")) == 32
    assert "=" not in value
    assert Key(value).alg == "HS256"


@pytest.mark.parametrize(
    ("options", "alg", "kind", "bits"),
    [
        (("rsa", 2048), "RS256", RSAPrivateKey, 2048),
        (("ec", None), "ES256", EllipticCurvePrivateKey, 256),
        (("ec", 384), "ES384", EllipticCurvePrivateKey, 384),
        (("ed25519", None), "EdDSA", Ed25519PrivateKey, None),
    ],
)
def test_a_key_pair_is_a_pkcs8_pem_that_tokens_take(
    options: tuple[str, int | None], alg: str, kind: type, bits: int | None
) -> None:
    pem = _text(options[0], length=options[1])
    assert pem.startswith("-----BEGIN PRIVATE KEY-----\n")
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, kind)
    assert getattr(key, "key_size", None) == bits
    assert Key(pem).alg == alg


def test_a_webhook_secret_signs_as_standard_webhooks_does() -> None:
    value = _text("webhook")
    assert value.startswith("whsec_")
    assert len(base64.b64decode(value.removeprefix("whsec_"), validate=True)) == 32
    headers = sign("standard-webhooks", value, b"{}", id="msg_1")
    assert verify("standard-webhooks", value, headers, b"{}").id == "msg_1"


def test_a_password_is_drawn_from_its_alphabet_and_has_256_bits_unless_told_otherwise() -> None:
    value = _text("password")
    assert set(value) <= set(ALPHABET)
    assert len(value) * math.log2(len(ALPHABET)) >= 256
    assert set(_text("password", length=200, alphabet="ab")) == {"a", "b"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("hmac", {"length": 31}),
        ("hmac", {"length": 1025}),
        ("hmac", {"length": True}),
        ("hmac", {"length": 32.0}),
        ("hmac", {"encoding": "base32"}),
        ("hmac", {"alphabet": "abc"}),
        ("rsa", {"length": 2047}),
        ("rsa", {"length": 1024}),
        ("rsa", {"encoding": "hex"}),
        ("ec", {"length": 521}),
        ("ed25519", {"length": 32}),
        ("webhook", {"length": 24}),
        ("webhook", {"length": 65}),
        ("password", {"length": 21}),
        ("password", {"length": 127, "alphabet": "ab"}),
        ("password", {"alphabet": "aab"}),
        ("password", {"alphabet": "a"}),
        ("password", {"alphabet": "ab c"}),
        ("password", {"alphabet": "ab\n"}),
        ("password", {"alphabet": ""}),
        ("password", {"length": 0}),
        ("dsa", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_what_is_weak_or_unknown_is_refused(kind: str, options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        generate(kind, **options)  # type: ignore[arg-type]


def test_128_bits_are_enough_for_a_password() -> None:
    assert len(_text("password", length=22)) == 22
    assert len(_text("password", length=128, alphabet="ab")) == 128


@pytest.mark.parametrize("given", [b"", b"x" * 31, "x" * 32])
@pytest.mark.parametrize("kind", ["hmac", "ed25519", "webhook", "password"])
def test_randomness_that_comes_short_is_refused(kind: str, given: bytes) -> None:
    with pytest.raises(ConfigurationError, match="n bytes"):
        generate(kind, random=lambda count: given)


def test_a_password_does_not_favour_the_first_letters() -> None:
    """Every byte from 0 to 255, once each: those that would favour a letter are thrown away, the others are shared evenly."""
    stream = iter(bytes(range(256)) * 2)
    drawn = _text("password", length=248, random=lambda count: bytes([next(stream)]))
    assert set(Counter(drawn).values()) == {248 // 62}


def _spread(count: int) -> None:
    values = [generate("hmac", encoding="hex")() for _ in range(count)]
    assert len(set(values)) == count
    nibbles = Counter("".join(map(str, values)))
    expected = 64 * count / 16
    # chi-squared with 15 degrees of freedom: above 60 once in four million runs
    assert sum((seen - expected) ** 2 / expected for seen in (nibbles[digit] for digit in "0123456789abcdef")) < 60
    ones = sum(int(str(value), 16).bit_count() for value in values)
    assert abs(ones - 128 * count) < 6 * math.sqrt(256 * count / 4)


def test_ten_thousand_values_are_distinct_and_evenly_spread() -> None:
    """ROT-08, a hundredth of the scale of `make soak`."""
    _spread(10_000)


@pytest.mark.soak
def test_a_million_values_are_distinct_and_evenly_spread() -> None:
    """ROT-08."""
    _spread(1_000_000)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rsa"])
def test_two_children_of_one_process_make_different_values(kind: str, tmp_path: Path) -> None:
    """ROT-08: what a fork copies is no state that a value comes from."""
    generate(kind)  # whatever is loaded or seeded on first use is copied by the fork
    children = []
    for number in range(2):
        child = os.fork()
        if not child:
            try:
                (tmp_path / str(number)).write_text(_text(kind))
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    made = {(tmp_path / "0").read_text(), (tmp_path / "1").read_text(), _text(kind)}
    assert len(made) == 3
    assert all(made)


def test_a_generated_value_is_shown_by_nothing() -> None:
    value = generate()
    assert str(value()) not in repr(value) + str(vars(value) if hasattr(value, "__dict__") else "")
