"""Structured fields, as strictly as a signature wants them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authkit.errors import InvalidSignature
from authkit.signatures.structured import InnerList, Item, Token, dictionary_text, parse_dictionary


def test_members_keep_their_order_and_parameters() -> None:
    members = parse_dictionary('b=("x";sf "y");created=1;keyid="k\\"1", a=:AQI=:, c;q=?0, d=tok/en, e=-5')
    assert list(members) == ["b", "a", "c", "d", "e"]
    first = members["b"]
    assert isinstance(first, InnerList)
    assert [item.value for item in first.items] == ["x", "y"]
    assert first.items[0].parameters == (("sf", True),)
    assert first.parameters == (("created", 1), ("keyid", 'k"1'))
    assert members["a"].value == b"\x01\x02"  # type: ignore[union-attr]
    assert members["c"].value is True  # type: ignore[union-attr]
    assert isinstance(members["d"].value, Token)  # type: ignore[union-attr]


def test_optional_white_space_is_written_in_one_way() -> None:
    assert dictionary_text(parse_dictionary('  a=( "x"   "y" );  p ,\tb  ')) == 'a=("x" "y");p, b'


@pytest.mark.parametrize(
    "text",
    [
        "a=1,",
        ",a=1",
        "a=1 b=2",
        "a=1, a=2",  # a label twice: the RFC of structured fields would take the last one
        "a=1;p;p",
        "A=1",
        "a=",
        "a=(",
        'a=("x""y")',
        'a=("x"',
        "a=((1))",
        'a="x',
        'a="\\x"',
        'a="\x7f"',
        'a="\u00e9"',
        "a=1.5",
        "a=1234567890123456",
        "a=--1",
        "a=\u0661",
        "a=@1659578233",
        "a=:AQI:",  # padding is missing
        "a=:AQJ=:",  # bits are left over
        "a=:AQ I=:",
        "a=:AQI=",
        "a=?2",
        "a=1\nb=2",
        "a=" + "1" * 20_000,
        ", ".join(f"a{n}" for n in range(100)),
        "a=(" + " ".join("1" * 100) + ")",
    ],
)
def test_what_is_no_dictionary_is_refused(text: str) -> None:
    with pytest.raises(InvalidSignature, match="field_malformed"):
        parse_dictionary(text)


@given(st.one_of(st.text(), st.text('abz0"\\:;=,()? \t-.*@A+/'), st.binary().map(lambda raw: raw.decode("latin-1"))))
@example("a=" + "(" * 1000)
@example('a="' + "\\" * 999)
def test_any_text_is_a_dictionary_or_refused(text: str) -> None:
    try:
        members = parse_dictionary(text)
    except InvalidSignature:
        return
    written = dictionary_text(members)
    assert dictionary_text(parse_dictionary(written)) == written


_KEYS = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,9}", fullmatch=True)
_BARE = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.booleans(),
    st.binary(max_size=40),
    st.from_regex(r"[A-Za-z*][A-Za-z0-9:/!*]{0,9}", fullmatch=True).map(Token),
)
_PARAMETERS = st.dictionaries(_KEYS, _BARE, max_size=3).map(lambda found: tuple(found.items()))
_ITEMS = st.builds(Item, _BARE, _PARAMETERS)
_MEMBERS = st.one_of(_ITEMS, st.builds(InnerList, st.lists(_ITEMS, max_size=4).map(tuple), _PARAMETERS))


@given(st.dictionaries(_KEYS, _MEMBERS, max_size=4))
def test_what_is_written_is_read_as_it_was(members: dict[str, Item | InnerList]) -> None:
    written = dictionary_text(members)
    again = parse_dictionary(written)
    assert dictionary_text(again) == written
    assert [str(member) for member in again.values()] == [str(member) for member in members.values()]


class Named(str):
    """As an enumeration of texts is."""


def test_a_text_is_written_as_one_whatever_its_class() -> None:
    assert str(Item(Named("client-a"))) == '"client-a"'


@pytest.mark.parametrize("value", ["\n", "\u00e9", 10**15, 1.5, None])
def test_what_cannot_be_sent_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match="structured field"):
        str(Item(value))
