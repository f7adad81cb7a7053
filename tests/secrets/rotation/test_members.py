"""The members of a JSON secret: one is changed, the others are as they were, and what is still accepted is taken along."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.secrets.rotation._members import Members
from authkit.secrets.versions import sealed
from tests.secrets.rotation.aws_parts import CANARY, NEW, OLD

TEXT = st.text(max_size=20)
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT, st.lists, max_leaves=4)
NAMES = st.sampled_from(["A", "B", "C", "port", "A__PREVIOUS", "A__PREVIOUS_UNTIL", "B__PREVIOUS", "é"])
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=6)


def _members(found: dict[str, Any]) -> Members:
    members = Members.of(sealed(json.dumps(found)))
    assert members is not None
    return members


def _after(current: dict[str, Any], name: str | None, value: str | None, **known: Any) -> dict[str, Any]:
    previous = known.pop("previous", None)
    text = _members(current).successor(
        name,
        None if value is None else sealed(value),
        previous=None if previous is None else _members(previous),
        previous_until=known.pop("until", None),
        now=known.pop("now", 100.0),
    )()
    assert isinstance(text, str)
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


@given(DOCUMENTS, TEXT)
def test_the_other_members_keep_value_type_and_order(current: dict[str, Any], value: str) -> None:
    after = _after(current, "C", value, now=0.0)
    assert after["C"] == value
    assert [(name, one) for name, one in after.items() if name != "C"] == [
        (name, one) for name, one in current.items() if name != "C"
    ]


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_whatever_a_secret_holds_it_is_a_document_or_it_is_not(value: str | bytes) -> None:
    members = Members.of(sealed(value))
    assert members is None or isinstance(json.loads(value), dict)


@pytest.mark.parametrize(
    "text", ["", "5", "[]", "null", "{", '{"A": "1", "A": "2"}', '{"A": {"x": 1, "x": 2}}', "{" * 9999, "x{}"]
)
def test_what_is_no_json_object_or_says_a_member_twice_is_no_document(text: str) -> None:
    assert Members.of(sealed(text)) is None


def test_what_only_the_previous_version_remembers_is_taken_along_with_its_end() -> None:
    after = _after({"A": NEW, "B": "b"}, "B", "c", previous={"A": OLD, "B": "b"}, until=200)
    assert after == {"A": NEW, "B": "c", "A__PREVIOUS": OLD, "A__PREVIOUS_UNTIL": "200"}


def test_what_has_expired_or_belongs_to_the_member_that_changes_is_left_out() -> None:
    current = {
        "A": "a",
        "A__PREVIOUS": OLD,
        "A__PREVIOUS_UNTIL": "99",
        "B": "b",
        "B__PREVIOUS": OLD,
        "B__PREVIOUS_UNTIL": "500",
    }
    assert _after(current, "B", "c") == {"A": "a", "B": "c"}
    assert _after({"A": NEW, "B": "b"}, "B", "c", previous={"A": OLD, "B": "b"}, until=100) == {"A": NEW, "B": "c"}


def test_a_previous_value_without_an_end_is_taken_along_without_one() -> None:
    current = {"A": NEW, "A__PREVIOUS": "older", "A__PREVIOUS_UNTIL": "500", "B": "b"}
    after = _after(current, None, None, previous={**current, "A": OLD})
    assert after == {"A": NEW, "A__PREVIOUS": OLD, "B": "b"}


def test_a_document_shows_nothing_of_itself() -> None:
    members = _members({"A": f"{CANARY}-a"})
    assert CANARY not in f"{members!r} {members} {members._all!r} {members.get('A')!r}"
