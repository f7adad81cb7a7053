"""A JWS with padding: read as it was signed, or not at all."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authkit import InvalidToken
from authkit.oidc.for_providers import PaddedToken
from authkit.tokens import Key, base64url

from .issuer import ec_key

key = ec_key("one")


def token(header: Any, claims: Any, encode: Any = base64.urlsafe_b64encode, signed_by: Key = key) -> str:
    data = b".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{data.decode()}.{encode(signed_by.sign(data)).decode()}"


@pytest.mark.parametrize("encode", [base64.urlsafe_b64encode, base64url.encode])
def test_what_was_signed_is_read_with_padding_and_without(encode: Any) -> None:
    for pad in ("", "x", "xx"):
        found = PaddedToken(token({"alg": "ES256", "kid": "one", "pad": pad}, {"sub": "alice", "pad": pad}, encode))
        assert found.header["kid"] == "one"
        assert found.claims(key) == {"sub": "alice", "pad": pad}


@pytest.mark.parametrize(
    ("header", "by"), [({"alg": "ES256"}, ec_key("two")), ({"alg": "HS256"}, key), ({}, key), ({"alg": ["ES256"]}, key)]
)
def test_it_is_of_the_key_and_its_algorithm(header: Any, by: Key) -> None:
    found = PaddedToken(token(header, {"sub": "alice"}, signed_by=by))
    with pytest.raises(InvalidToken):
        found.claims(key)


def test_nothing_but_the_right_padding_is_passed_over() -> None:
    good = token({"alg": "ES256"}, {"sub": "alice"})
    for bad in (good + "=", good.replace(".", "=.", 1), "=" + good, good.replace("=", "%3D"), good.replace("=", "==")):
        if bad == good:
            continue
        with pytest.raises(InvalidToken):
            PaddedToken(bad).claims(key)


@given(st.one_of(st.text(), st.text("eyJ0=._-+/ \n", max_size=40), st.binary().map(lambda raw: raw.decode("latin-1"))))
@example("e30.e30.e30")
@example("e30=.e30=.")
@example("..")
def test_any_text_at_all_is_refused_and_raises_nothing_else(text: str) -> None:
    with pytest.raises(InvalidToken):
        PaddedToken(text).claims(key)
