"""Plain text, aligned, with nothing in it that would steer a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.cli._output import Output, printable


def test_a_table_on_a_pipe_is_aligned_with_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("name", "state"), [("A", "steady"), ("LONGER", "x")])
    assert capsys.readouterr().out == "NAME    STATE\nA       steady\nLONGER  x\n"


def test_with_json_nothing_but_the_document_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=True)
    out.line("for people", "good")
    out.table(("a",), [("b",)])
    out.document({"for": "programs"})
    assert json.loads(capsys.readouterr().out) == {"for": "programs"}


def test_without_json_no_document_is(capsys: pytest.CaptureFixture[str]) -> None:
    Output().document({"for": "programs"})
    assert capsys.readouterr().out == ""


def test_what_steers_a_terminal_is_written_out() -> None:
    assert printable("a\x1b[2Jb\r\nc\u202ed") == "a\\x1b[2Jb\\r\\nc\\u202ed"
    assert printable("Schlüssel 鍵") == "Schlüssel 鍵"


@given(st.text())
def test_whatever_the_text_is_it_can_be_printed(text: str) -> None:
    assert printable(text).isprintable()


def test_a_name_in_a_table_cannot_steer_the_terminal_either(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("name",), [("\x1b[31mred",)])
    assert "\x1b" not in capsys.readouterr().out
