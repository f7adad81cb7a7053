"""The test of a new value: a command with the value in its environment and nowhere else."""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from authkit.cli._exits import Wrong
from authkit.cli._probe import LAST_LINES, Check, CommandTest
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


@pytest.mark.parametrize("name", ["API_KEY", "p/db-password", "a=b", "PATH", "LD_PRELOAD", "PYTHONSTARTUP", "BASH_ENV"])
def test_the_value_always_has_one_name_and_its_own_where_that_steers_nothing(name: str) -> None:
    program = "import os; v = os.environ['AUTHKIT_NEW_VALUE']; raise SystemExit(sum(x == v for x in os.environ.values()) + 10)"
    test = CommandTest(python(program), name, 20)
    assert test(sealed(VALUE)) is False
    assert test.why == f"the test exited with {12 if name == 'API_KEY' else 11}"


def test_what_a_command_that_has_passed_leaves_running_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    start = time.monotonic()
    assert CommandTest(f"sh -c '(sleep 1; touch {mark}) & exit 0'", "K", 20)(sealed(VALUE)) is True
    assert time.monotonic() - start < 0.9  # nobody waited for the pipe that it holds
    time.sleep(1.2)
    assert not mark.exists()


def test_a_pipe_that_is_held_open_by_what_has_left_the_group_is_not_waited_for() -> None:
    start = time.monotonic()
    assert CommandTest("setsid -f sleep 3", "K", 20)(sealed(VALUE)) is True
    assert time.monotonic() - start < 2


def test_a_command_that_says_without_end_takes_no_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
    test = CommandTest("yes", "K", 0.7)
    assert test(sealed(VALUE)) is False
    assert test.said[1:] == ["y"] * (LAST_LINES - 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


@pytest.mark.parametrize("more", [0, 1, 7, 20])
def test_a_value_that_is_cut_in_two_by_the_bound_is_not_shown_in_part(more: int) -> None:
    program = f"import os; print(os.environ['K'] * 9000 + 'x' * {more}, end=''); raise SystemExit(1)"
    test = CommandTest(python(program), "K", 20)
    assert test(sealed(VALUE)) is False
    left = "".join(test.said).replace("*", "").rstrip("x")
    assert left == ""


def test_when_authkit_is_killed_so_is_the_test(tmp_path: Path) -> None:
    """On Linux, where a process can ask for it."""
    program = (
        "from authkit.cli._probe import CommandTest; from authkit.secrets.versions import sealed\n"
        f"CommandTest('sh -c \"echo $$ > {tmp_path}/pid; exec sleep 60\"', 'K', 60)(sealed('{VALUE}'))"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    end = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < end
        time.sleep(0.02)
    process.kill()
    process.wait()
    alive = Path("/proc") / (tmp_path / "pid").read_text().strip() / "status"
    while alive.exists() and "State:\tZ" not in alive.read_text():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_our_judgement_comes_before_the_command(tmp_path: Path) -> None:
    test = CommandTest(f"touch {tmp_path}/ran", "K", 20, Check(None))
    assert test(sealed("changeme")) is False
    assert "sample" in test.why
    assert not (tmp_path / "ran").exists()


def test_a_weak_value_that_somebody_has_chosen_is_only_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert Check(None)(sealed("4711-0815")) is False
    assert Check(None, given=True)(sealed("4711-0815")) is True
    assert "can be guessed" in capsys.readouterr().err
    assert Check(None, given=True)(sealed("changeme")) is False
    assert Check("ec", given=True)(sealed(os.urandom(32).hex())) is False


def test_our_own_judgement_says_why() -> None:
    check = Check(None)
    assert check(sealed("changeme")) is False
    assert "sample" in check.why
    assert check(sealed(os.urandom(32).hex())) is True
