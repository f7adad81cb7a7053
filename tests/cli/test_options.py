"""How what is typed is read."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.cli._exits import Wrong
from authkit.cli._options import KINDS, MAX_SECONDS, Duration, OneOf, Source, Whole
from authkit.secrets.rotation import generate

OPTION = click.Option(["--grace"])


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)])
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: int) -> None:
    assert Duration().convert(text, OPTION, None) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "1.5h", "-1s", "1 h", "1_0s", "١s", "99999d", "1w", "24H", "1h\n"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(Wrong, match="--grace is a whole number with its unit"):
        Duration().convert(text, OPTION, None)


@given(st.text())
def test_no_text_makes_a_duration_fail_in_another_way_or_is_repeated(text: str) -> None:
    said = None
    try:
        assert 0 <= Duration().convert(text, OPTION, None) <= MAX_SECONDS
    except Wrong as wrong:
        said = wrong.message
    assert said is None or len(text) < 8 or text not in said


@pytest.mark.parametrize("text", ["", "0", "9", "1e1", "१", "1" * 30, "-3"])
def test_a_number_outside_its_limits_is_refused(text: str) -> None:
    with pytest.raises(Wrong, match="whole number from 1 to 8"):
        Whole(1, 8).convert(text, OPTION, None)
    assert Whole(1, 8).convert("8", OPTION, None) == 8


def test_a_word_is_one_of_those_offered_and_completed_from_them() -> None:
    kind = OneOf(("rsa", "ec"))
    assert kind.convert("ec", OPTION, None) == "ec"
    with pytest.raises(Wrong, match="--grace is one of rsa, ec"):
        kind.convert("EC", OPTION, None)
    context = click.Context(click.Command("x"))
    assert [item.value for item in kind.shell_complete(context, OPTION, "r")] == ["rsa"]


def test_the_kinds_offered_are_those_that_are_generated() -> None:
    assert KINDS == ("hmac", "rsa", "ec", "ed25519", "webhook", "password")
    assert set(KINDS) == set(generate.KINDS)


def test_dotenv_alone_is_the_file_of_this_directory() -> None:
    assert [Source().convert(text, OPTION, None) for text in ("dotenv", "dotenv:", "dotenv:x", "env")] == [
        *("dotenv:.env", "dotenv:.env", "dotenv:x", "env")
    ]
