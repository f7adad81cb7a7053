"""What a value looks like, so that its successor fits where it is used."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.cli._shape import Shape, keys_of, shape_of
from authkit.errors import ConfigurationError
from authkit.secrets.rotation.generate import generate
from authkit.secrets.versions import sealed


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"kind": "hmac"}, Shape("hmac", 32, "base64url")),
        ({"kind": "hmac", "length": 64}, Shape("hmac", 64, "base64url")),
        ({"kind": "hmac", "encoding": "hex", "length": 48}, Shape("hmac", 48, "hex")),
        ({"kind": "hmac", "encoding": "base64"}, Shape("hmac", 33, "base64")),
        ({"kind": "webhook"}, Shape("webhook")),
        ({"kind": "password"}, Shape("hmac", 32, "base64url")),
        ({"kind": "rsa", "length": 2048}, Shape("rsa", 3072)),
        ({"kind": "ec"}, Shape("ec")),
        ({"kind": "ec", "length": 384}, Shape("ec", 384)),
        ({"kind": "ed25519"}, Shape("ed25519")),
    ],
)
def test_a_value_tells_the_options_that_make_another(options: dict[str, object], shape: Shape) -> None:
    value = generate(**options)  # type: ignore[arg-type]
    assert shape_of(value) == shape


@pytest.mark.parametrize("text", ["hunter2", "x" * 45, "a b", "", "pässword"])
def test_what_is_no_key_gets_a_successor_that_is_not_shorter(text: str) -> None:
    kind, length, encoding = shape_of(sealed(text))
    assert kind == "hmac"
    assert len(generate(kind, length=length, encoding=encoding)()) >= max(43, len(text))


def _jwk(kind: str, **more: str) -> str:
    [key] = keys_of(generate(kind))
    return json.dumps({**(key.public_jwk() or {}), **more})


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN PRIVATE KEY-----", _jwk("ec"), json.dumps({"keys": [json.loads(_jwk("ec"))]}), '{"kty": "RSA", "k": 1}'],
)
def test_of_a_key_that_cannot_be_told_no_successor_is_guessed(text: str) -> None:
    with pytest.raises(ConfigurationError, match="say --kind"):
        shape_of(sealed(text))


@given(st.one_of(st.text(max_size=400), st.binary(max_size=400)))
def test_any_value_has_a_shape_that_can_be_generated_or_is_refused(value: str | bytes) -> None:
    try:
        kind, length, encoding = shape_of(sealed(value))
    except ConfigurationError:
        return
    assert len(generate(kind, length=length, encoding=encoding)()) >= 32


@pytest.mark.parametrize(
    "text",
    [
        "postgres://app:hunter2@db/app",
        '{"user": "app"}',
        "line\nline",
        "sk_live_51H8abcdefghijklmnop",
        "ghp_16C7e42F292c6912E7710c",
    ],
)
def test_no_successor_is_generated_for_what_was_given(text: str) -> None:
    with pytest.raises(ConfigurationError, match="given, not generated"):
        shape_of(sealed(text))
