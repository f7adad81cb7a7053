"""What an API key looks like: found by scanners, drawn from the OS, and no typo of it is looked up."""

from __future__ import annotations

import random
import re
import zlib
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError, InvalidToken
from authkit.apikeys.form import ALPHABET, Form, base62, digest_of

FORM = Form("ak")
ID, KEY = (lambda made: (made[0], made[1]()))(FORM.make(random.Random(7).randbytes))


def crc(begin):
    return base62(zlib.crc32(begin.encode()), 6)


def refused(key, form=FORM):
    with pytest.raises(InvalidToken) as raised:
        form.id_of(key)
    return raised.value.reason == "api_key_malformed"


def test_a_key_is_a_prefix_an_id_a_secret_and_a_checksum():
    assert re.fullmatch(r"ak_[0-9A-Za-z]{48}", KEY)
    assert FORM.id_of(KEY) == ID == KEY[3:15]
    assert crc(KEY[:-6]) == KEY[-6:]


def test_the_secret_has_at_least_160_bits():
    assert 62**30 > 2**178
    drawn = {FORM.make()[1]()[15:45] for _ in range(2000)}
    assert len(drawn) == 2000
    for place in range(30):  # every character of the alphabet at every place: nothing is fixed, and nothing is cut off
        assert {secret[place] for secret in drawn} == set(ALPHABET)


def test_what_random_gives_decides_all_of_it():
    assert FORM.make(random.Random(7).randbytes)[1]() == KEY
    asked = []
    FORM.make(lambda count: asked.append(count) or bytes(count))
    assert sum(asked) * 8 >= 160 + 71
    assert FORM.make(bytes)[1]().startswith("ak_" + "0" * 42)


def test_no_single_wrong_character_is_looked_up():
    """Every place of the key, every other letter or digit."""
    for place in range(3, len(KEY)):
        for wrong in ALPHABET:
            if wrong != KEY[place]:
                assert refused(KEY[:place] + wrong + KEY[place + 1 :])


def test_no_two_neighbours_that_changed_places_are_looked_up():
    for place in range(3, len(KEY) - 1):
        swapped = KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :]
        assert swapped == KEY or refused(swapped)


@pytest.mark.parametrize(
    "key",
    [
        None, 5, b"ak_", KEY.encode(), "", " ", "ak_", KEY[:-1], KEY + "0", KEY + "\n", " " + KEY, KEY.upper(), KEY.lower(),
        KEY[3:], KEY.replace("_", "-"), "bk" + KEY[2:], "AK" + KEY[2:],
        KEY[:20] + "\u00e9" + KEY[21:], KEY[:20] + "\uff11" + KEY[21:],
        KEY[:20] + "\0" + KEY[21:], KEY[:20] + "_" + KEY[21:], "\ud800" * len(KEY), "x" * 1_000_000,
    ],
    ids=lambda key: ascii(key)[:16],
)  # fmt: skip
def test_what_is_no_key_is_malformed(key):
    assert refused(key)


@given(st.text() | st.binary() | st.text(ALPHABET, min_size=48, max_size=48).map("ak_".__add__))
def test_no_text_raises_anything_else(key):
    """Property. One in four thousand million texts of the right form passes, and then is unknown."""
    if not isinstance(key, str) or not re.fullmatch(r"ak_[0-9A-Za-z]{48}", key, re.ASCII) or not key.endswith(crc(key[:-6])):
        assert refused(key)
    else:
        assert FORM.id_of(key) == key[3:15]


def test_a_key_of_another_prefix_is_another_service_s():
    other = Form("acme_live2")
    _, key = other.make()
    assert re.fullmatch(r"acme_live2_[0-9A-Za-z]{48}", key())
    assert other.id_of(key()) == key()[11:23]
    assert refused(key())
    assert refused(KEY, other)
    assert refused("ak" + key()[10:])  # the checksum covers the prefix


@pytest.mark.parametrize("prefix", ["", "_", "a_", "_a", "a__b", "Ak", "a-b", "a b", "1a", "\u00e9", "a" * 25, None, 5])
def test_a_prefix_is_lower_case_words(prefix):
    with pytest.raises(ConfigurationError, match="prefix"):
        Form(prefix)


def test_the_alphabet_is_letters_and_digits_in_the_order_of_ascii():
    assert sorted(ALPHABET) == list(ALPHABET) == sorted(ascii_letters + digits)
    assert [base62(number, 2) for number in (0, 61, 62, 62 * 62 - 1)] == ["00", "0z", "10", "zz"]


def test_the_digest_is_the_sha256_of_the_whole_key():
    assert digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4
    assert digest_of("\ud800") != digest_of("\ud801")
