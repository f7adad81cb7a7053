"""PyJWT as the independent judge, and properties that hold for any token whatever."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.errors import InvalidToken
from authkit.tokens import Key

from .craft import ALL, AUDIENCE, ISSUER, NOW, SECRET, b64, header, key_for, payload, sign, tokens

NAMES = st.sampled_from(
    ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope", "scp", "roles", "alg", "typ", "kid", "crit", "b64", "jwk", "x"]
)
NUMBERS = [0, 1, -1, 1.5, NOW, NOW + 900, NOW - 900, 10**50, True, False, None]
TEXTS = ["", "x", " ", "none", "HS256", "at+jwt", "JWT", ISSUER, AUDIENCE, "a b", "a  b", "\u00e9", "\U0001f600", "\ud800"]
NESTED: list[Any] = [[], {}, [AUDIENCE], [AUDIENCE, 1], ["a"], [["a"]], {"a": [1]}, [None]]
ODD: st.SearchStrategy[Any] = st.sampled_from([*NUMBERS, *TEXTS, *NESTED])
CHANGES = st.dictionaries(NAMES, ODD, max_size=3)
KEY = key_for("HS256")


def pyjwt_accepts(text: str, material: Any, alg: str) -> bool:
    """What PyJWT says at the frozen time of these tests: its own clock cannot be set, so times are left to the caller."""
    options: Any = {"require": ["exp", "iss", "aud", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
    try:
        jwt.decode(text, material, algorithms=[alg], issuer=ISSUER, audience=AUDIENCE, options=options)
    except jwt.PyJWTError:
        return False
    return True


def accepted(text: Any) -> bool:
    try:
        principal = tokens(KEY).verify(text)
    except InvalidToken as error:
        assert error.reason.startswith("token_")  # noqa: PT017
        return False
    assert principal.subject
    return True


@given(CHANGES, CHANGES, st.booleans())
def test_what_we_accept_of_signed_tokens_pyjwt_accepts_too(head: dict[str, Any], body: dict[str, Any], drop: bool) -> None:
    claims = payload(**(dict.fromkeys(body, ...) if drop else body))
    text = sign(KEY, header(KEY, **head), claims)
    if accepted(text):
        assert pyjwt_accepts(text, SECRET[:32], "HS256")
        assert claims["iss"] == ISSUER
        assert claims["exp"] + 30 > NOW
        assert type(claims["exp"]) in (int, float)
        assert {**header(KEY, **head)}["typ"] == "at+jwt"


@given(
    st.text(max_size=80)
    | st.text("AQgwe.-_={}\0é\ud800", max_size=40)
    | st.binary(max_size=40)
    | st.none()
    | st.integers()
    | st.lists(st.text(max_size=3), max_size=2)
)
def test_any_value_at_all_is_refused_with_our_error(text: Any) -> None:
    assert not accepted(text)


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=40))
def test_any_bytes_in_the_segments_are_refused_with_our_error(head: bytes, body: bytes, signature: bytes) -> None:
    assert not accepted(f"{b64(head)}.{b64(body)}.{b64(signature)}")


@given(st.binary(max_size=80) | st.text('{}[]":,\\u0ae1.-', max_size=40).map(str.encode))
def test_any_bytes_that_are_really_signed_are_refused_with_our_error(raw: bytes) -> None:
    assert not accepted(sign(KEY, header(KEY), raw))
    assert not accepted(sign(KEY, raw, payload()))


@given(
    st.text(max_size=30).filter(bool),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.lists(st.booleans(), max_size=3), max_size=4),
)
@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_what_can_be_issued_is_verified_and_says_what_was_asked_for(alg: str, subject: str, claims: dict[str, Any]) -> None:
    both = tokens(key_for(alg))
    try:
        text = both.issue(subject, claims=claims)
    except ValueError:
        return
    principal = both.verify(text)
    assert principal.subject == subject
    assert {name: principal.claims[name] for name in claims} == claims
    assert principal.claims == json.loads(json.dumps(dict(principal.claims)))


@given(st.sampled_from(ALL), st.sampled_from(ALL))
def test_a_token_of_one_key_is_never_accepted_under_another(one: str, two: str) -> None:
    text = tokens(key_for(one)).issue("alice")
    if key_for(one) is not key_for(two):
        with pytest.raises(InvalidToken):
            tokens(key_for(two)).verify(text)
        with pytest.raises(InvalidToken):
            tokens(Key("x" + SECRET * 2, kid=key_for(one).kid)).verify(text)
