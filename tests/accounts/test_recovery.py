"""Recovery codes: 120 bits each, kept as keyed digests, each good once."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.accounts import recovery

KEY = b"k" * 16


@pytest.fixture
def codes():
    return recovery.new(os.urandom)


@pytest.fixture
def digests(codes):
    return [recovery.digest(recovery.typed(code), KEY) for code in codes]


def test_ten_codes_of_four_groups_no_two_the_same(codes):
    assert len(set(codes)) == 10
    assert all([len(group) for group in code.split("-")] == [6, 6, 6, 6] for code in codes)


def test_every_random_bit_is_in_a_code():
    """ASVS 6.5.2: from 112 bits on, a fast hash keeps a code."""
    bits = [(1 << at).to_bytes(15) for at in range(120)]
    assert len({recovery._written(raw) for raw in bits} | {recovery._written(bytes(15))}) == 121


def test_no_code_has_a_letter_that_is_read_as_another(codes):
    assert not set("".join(codes)) & set("ilou")


@pytest.mark.parametrize("change", [str.upper, lambda code: code.replace("-", ""), lambda code: code.replace("-", " "), str])
def test_case_dashes_and_spaces_do_not_matter(codes, digests, change):
    assert recovery.without(change(codes[3]), digests, KEY) == digests[:3] + digests[4:]


def test_what_is_read_as_a_digit_is_one():
    assert recovery.typed("OIL0IL-" + "0" * 18) == "011011" + "0" * 18


def test_a_used_code_is_no_code(codes, digests):
    left = recovery.without(codes[0], digests, KEY)
    assert recovery.without(codes[0], left, KEY) is None
    assert recovery.without(codes[1], left, KEY) == digests[2:]


def test_under_another_key_it_is_no_code(codes, digests):
    assert recovery.without(codes[0], digests, b"another key here") is None


def test_a_digest_shows_nothing_of_its_code(codes, digests):
    assert not any(code.replace("-", "")[:6] in digest for code, digest in zip(codes, digests, strict=True))
    assert len(set(digests)) == 10


@pytest.mark.parametrize(
    "code", ["", "-" * 24, "0" * 23, "0" * 25, "u" * 24, "０" * 24, "0" * 24 + "\0", "é" * 24, "\ud800" * 24]
)
def test_what_can_be_no_code_is_none(code, digests):
    assert recovery.typed(code) is None
    assert recovery.without(code, digests, KEY) is None


@given(st.text(max_size=70))
def test_no_text_raises_or_admits(code):
    assert recovery.without(code, [recovery.digest("0" * 24, KEY)], KEY) in (None, [])
    assert recovery.without(code, [], KEY) is None


def test_what_can_be_no_code_matches_not_even_the_digest_of_nothing():
    assert recovery.without("", [recovery.digest("", KEY)], KEY) is None
