"""PWD-09: one account, however its name is spelled; nothing unseen in it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.accounts.names import canonical

KEVIN = [
    "kevin",
    "KEVIN",
    "Kevin",
    "kEVIN",
    " kevin",
    "kevin ",
    "  Kevin  ",
    "\u00a0kevin",
    "kevin\u3000",
    "\u2003kevin\u2009",
    "\u212aevin",
    "\uff4b\uff45\uff56\uff49\uff4e",
    "\uff2b\uff25\uff36\uff29\uff2e",
    "ke\u2174in",
    "kev\u2170n",
    "\u24da\u24d4\u24e5\u24d8\u24dd",
    "\U0001d424\U0001d41e\U0001d42f\U0001d422\U0001d427",
    "\U0001d4a6evin",
    "k\u212fvin",
    "ke\uff36in",
    "\u1d4fevin",
    "kevi\u207f",
    "kev\u2071n",
    "k\u1d49vin",
    "ke\u1d5bin",
    "\u24c0EVIN",
    "\U0001f13aevin",
    "\U0001d40aevin",
    "\u2003KE\u2164IN\u202f",
    "\u212a\u212f\u2174\u2148\u207f",
]


@pytest.mark.parametrize("spelling", KEVIN, ids=ascii)
def test_one_name_however_it_is_spelled(spelling):
    assert canonical(spelling) == "kevin"


@pytest.mark.parametrize(
    ("spelling", "form"),
    [
        ("Stra\u00dfe", "strasse"),
        ("\u017fam", "sam"),
        ("e\u0301va", "\u00e9va"),
        ("\u00c9VA", "\u00e9va"),
        ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3"),
        ("Ada  Lovelace", "ada lovelace"),
        ("Ada\u00a0\u00a0Lovelace", "ada lovelace"),
        ("alice@EXAMPLE.com", "alice@example.com"),
    ],
)
def test_folding(spelling, form):
    assert canonical(spelling) == form


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\u3000",
        "\0",
        "a\0",
        "a\nb",
        "\talice",
        "alice\r\n",
        "a\x7fb",
        "a\x85b",
        "a\u200bb",
        "a\u200db",
        "\ufeffalice",
        "a\u00adb",
        "a\u202eb",
        "a\u2060b",
        "a\u2066b",
        "a\u034fb",
        "a\u115fb",
        "a\u3164b",
        "a\uffa0b",
        "a\ufe0fb",
        "a\U000e0100b",
        "a\U000e0041b",
        "a\ud800b",
        "a\ue000b",
        "a\u0378b",
        "a\u2028b",
        "a" * 129,
        "\ufdfa" * 20,
        "a" * 1_000_000,
    ],
    ids=lambda name: ascii(name[:12]),
)
def test_what_can_be_no_name(name):
    assert canonical(name) is None


def test_look_alikes_of_other_scripts_are_other_names():
    """A Cyrillic a is another letter: nothing maps it, and nothing should."""
    assert canonical("\u0430lice") != canonical("alice")


@given(st.text(max_size=140))
def test_a_canonical_name_is_its_own_canonical_form(name):
    form = canonical(name)
    if form is not None:
        assert canonical(form) == form
        assert form == form.strip()
        assert form == unicodedata.normalize("NFKC", form)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_case_and_width_make_no_other_account(name):
    form = canonical(name)
    if form is not None and (again := canonical(unicodedata.normalize("NFKC", name).casefold())) is not None:
        assert again == form
