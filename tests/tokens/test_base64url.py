"""base64url has one spelling for each value, and only that is read."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.tokens import base64url

from .craft import b64

ALPHABET = string.ascii_letters + string.digits + "-_"


@given(st.binary(max_size=200))
def test_what_is_encoded_decodes_to_itself(raw: bytes) -> None:
    text = base64url.encode(raw).decode()
    assert text == b64(raw)
    assert base64url.decode(text) == raw


@given(st.text(max_size=40) | st.text(ALPHABET + "+/= \n", max_size=40))
def test_tok_25_a_text_that_decodes_is_the_text_that_its_value_encodes_to(text: str) -> None:
    try:
        raw = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(raw).decode() == text


@pytest.mark.parametrize(
    "text", ["A", "AB", "AAB", "AA=", "AA==", "AAA=", "AA+A", "AA/A", "AA A", " AAAA", "AAAA\n", "AA\0A", "é", "=", "-" * 5]
)
def test_tok_25_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        base64url.decode(text)


@pytest.mark.parametrize(
    ("text", "raw"), [("", b""), ("AA", b"\0"), ("AAA", b"\0\0"), ("-_-_", b"\xfb\xff\xbf"), ("_w", b"\xff")]
)
def test_known_values(text: str, raw: bytes) -> None:
    assert base64url.decode(text) == raw
