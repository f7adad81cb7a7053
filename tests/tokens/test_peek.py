"""The issuer of a token that nobody has verified: for routing, and never an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.tokens import unverified_issuer

from .craft import ISSUER, b64, tokens


def test_the_issuer_is_read() -> None:
    assert unverified_issuer(tokens().issue("alice")) == ISSUER


@pytest.mark.parametrize("body", [{}, {"iss": None}, {"iss": 5}, {"iss": [ISSUER]}, {"iss": {}}, {"iss": ""}, {"iss": True}])
def test_an_issuer_that_is_no_text_is_none(body: dict[str, Any]) -> None:
    assert unverified_issuer(f"a.{b64(json.dumps(body))}.c") is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        b"a.b.c",
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "a.!.c",
        "\ud800.\ud800.\ud800",
        "a." + "A" * 20_000 + ".c",
        ".e30.",
        "a." + b64('{"iss":"a","iss":"b"}') + ".c",
        "a." + b64('{"iss":"a"}') + "=.c",
        "a." + b64("[" * 5000) + ".c",
    ],
    ids=range(15),
)
def test_what_cannot_be_read_in_one_way_is_none(text: Any) -> None:
    assert unverified_issuer(text) is None


@given(
    st.text(max_size=60) | st.builds(lambda raw: f"a.{b64(raw)}.c", st.binary(max_size=60)) | st.none() | st.binary(max_size=9)
)
def test_it_never_raises(text: Any) -> None:
    found = unverified_issuer(text)
    assert found is None or isinstance(found, str)
