"""A limit as a value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError
from authkit.stores import Rate

STRINGS = json.loads((Path(__file__).parents[1] / "vectors" / "rate-limit" / "rate-limit.json").read_text())["limit_strings"]


@pytest.mark.parametrize("case", STRINGS["accept"], ids=lambda case: case["text"])
def test_limit_strings(case):
    assert Rate.parse(case["text"]) == Rate(case["amount"], case["window_s"])


@pytest.mark.parametrize("text", STRINGS["reject"])
def test_what_is_no_limit_string(text):
    with pytest.raises(ConfigurationError):
        Rate.parse(text)


@pytest.mark.parametrize("case", STRINGS["accept_many"], ids=lambda case: case["text"])
def test_several_limits_are_several_arguments(case):
    """One way to say it: `rate_limit("1 per 3 hour", "1 per second")`. A list in one text is refused."""
    with pytest.raises(ConfigurationError):
        Rate.parse(case["text"])
    assert [Rate.parse(text).period for text in case["text"].split(";")] == case["windows_s"]


@pytest.mark.parametrize(
    "text",
    ["0/second", "-1/s", "nan/second", "nan", "inf/s", "10/fortnight", "10/", "/second", "10", "10//second", "1.5/second",
     "1e3/s", "1_000/s", "+1/s", "\u0661/s", "0x10/s", "10 per 0 seconds", "10 per -1 second", "10 per second per day",
     "10/second/day", "2000000/second", "99999999999/day", True, False, None, 10, 1.5, b"10/s", ["10/s"]],
    ids=repr,
)  # fmt: skip
def test_a_bad_limit_is_a_configuration_error(text):
    """RTL-14."""
    with pytest.raises(ConfigurationError):
        Rate.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_limit_or_a_configuration_error(text):
    try:
        rate = Rate.parse(text)
    except ConfigurationError:
        return
    assert rate.count >= 1
    assert rate.period >= 1


@pytest.mark.parametrize("burst", [0, -1, True, 1.5, "5"])
def test_a_bad_burst_is_a_configuration_error(burst):
    with pytest.raises(ConfigurationError):
        Rate.parse("10/second", burst)


def test_the_burst_is_the_count_unless_told_otherwise():
    assert Rate(10, 1) == Rate(10, 1, 10)
    assert Rate(10, 1).burst == 10
    assert Rate(10, 1) != Rate(10, 1, 11)
