"""The test of a new value: a command with the value in its environment and nowhere else."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from authkit.cli._exits import Wrong
from authkit.cli._probe import Check, CommandTest
from authkit.secrets.versions import sealed

VALUE = "Zx81-canary-value-77"


def python(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def test_a_command_gets_the_value_by_its_name_and_no_stdin(tmp_path: Path) -> None:
    program = f"import os, sys; open({str(tmp_path / 'seen')!r}, 'w').write(os.environ['API_KEY'] + sys.stdin.read())"
    test = CommandTest(python(program), "API_KEY", 20)
    assert test(sealed(VALUE)) is True
    assert (tmp_path / "seen").read_text() == VALUE


def test_the_value_is_not_among_the_arguments() -> None:
    assert VALUE not in " ".join(CommandTest("true $API_KEY", "API_KEY", 1).words)
    assert CommandTest("echo $API_KEY; false", "API_KEY", 9)(sealed(VALUE)) is True  # no shell: all of it is echo's


def test_a_command_that_fails_says_so_and_its_last_lines_are_masked() -> None:
    program = "import os; v = os.environ['K']; print(f'no {v}!'); print(repr(v)); raise SystemExit(3)"
    test = CommandTest(python(program), "K", 20)
    assert test(sealed(VALUE)) is False
    assert test.why == "the test exited with 3"
    assert test.said == ["no ********!", "'********'"]


def test_a_value_of_several_lines_is_masked_line_by_line() -> None:
    test = CommandTest("sh -c 'printenv K | tail -n 1; exit 1'", "K", 20)
    assert test(sealed("first line of it\nsecond line of it")) is False
    assert test.said == ["********"]


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    test = CommandTest(f"sh -c '(sleep 1; touch {mark}) & sleep 60'", "K", 0.2)
    start = time.monotonic()
    assert test(sealed(VALUE)) is False
    assert time.monotonic() - start < 10
    assert "not done after 0.2 s" in test.why
    time.sleep(1.2)
    assert not mark.exists()


def test_a_command_that_is_not_there_fails_the_test() -> None:
    test = CommandTest("/nonexistent/program", "K", 5)
    assert test(sealed(VALUE)) is False
    assert test.why == "the test cannot be started (FileNotFoundError)"


@pytest.mark.parametrize("value", ["a\0b", b"\0"])
def test_a_value_that_no_variable_can_hold_fails_the_test(value: str | bytes) -> None:
    test = CommandTest("true", "K", 5)
    assert test(sealed(value)) is False
    assert "environment variable" in test.why


@pytest.mark.parametrize("command", ["", "   ", "echo 'unclosed"])
def test_a_command_that_cannot_be_split_is_refused(command: str) -> None:
    with pytest.raises(Wrong, match="--test is one command"):
        CommandTest(command, "K", 5)


def test_a_name_that_no_variable_can_have_is_refused() -> None:
    with pytest.raises(Wrong, match="environment variable"):
        CommandTest("true", "a=b", 5)


def test_our_own_judgement_says_why() -> None:
    check = Check(None)
    assert check(sealed("changeme")) is False
    assert "sample" in check.why
    assert check(sealed(os.urandom(32).hex())) is True
