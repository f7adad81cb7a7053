"""Journal: one line for every change, with who, what and when, and no value; for its owner alone."""

from __future__ import annotations

import errno
import json
import os
import pwd
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from authkit.errors import AuthkitError, ConfigurationError, SecretUnavailable
from authkit.secrets.rotation.journal import Journal, state_file
from tests.secrets.rotation.failing import Failing, Full

NOW = 1_764_000_000.5


def _journal(path: Path, **options: object) -> Journal:
    return Journal(path, clock=lambda: NOW, **options)  # type: ignore[arg-type]


def _write(journal: Journal, step: str = "begin", name: str = "KEY", target: str = "dotenv:/x", **more: object) -> None:
    journal.write(action="rotate", step=step, name=name, target=target, rotation="1", **more)


def test_a_line_says_who_what_and_when(tmp_path: Path) -> None:
    journal = _journal(tmp_path / "j")
    _write(journal, previous_until=12)
    [line] = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "time": NOW,
        "at": "2025-11-24T16:00:00.500Z",
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "action": "rotate",
        "step": "begin",
        "name": "KEY",
        "target": "dotenv:/x",
        "rotation": "1",
        "previous_until": 12,
    }


def test_who_can_be_said_by_the_caller(tmp_path: Path) -> None:
    journal = _journal(tmp_path / "j", who={"function": "rotator"})
    _write(journal)
    [entry] = journal.entries()
    assert entry["function"] == "rotator"
    assert "user" not in entry


def test_lines_are_added_and_found_by_name_and_target(tmp_path: Path) -> None:
    journal = _journal(tmp_path / "j")
    assert journal.entries() == []
    for name, target in (("A", "x"), ("B", "x"), ("A", "y")):
        _write(journal, name=name, target=target)
    assert [(entry["name"], entry["target"]) for entry in journal.entries()] == [("A", "x"), ("B", "x"), ("A", "y")]
    assert len(journal.entries("A")) == 2
    assert len(journal.entries("A", "x")) == 1
    assert journal.entries("C") == []


def test_the_file_is_its_owners_alone_and_so_is_the_directory_that_is_made(tmp_path: Path) -> None:
    journal = _journal(tmp_path / "state" / "authkit" / "j")
    assert journal.entries() == []
    _write(journal)
    assert stat.S_IMODE((tmp_path / "state" / "authkit" / "j").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state" / "authkit").stat().st_mode) == 0o700


def test_a_line_that_a_crash_cut_short_is_passed_over_and_spoils_no_other(tmp_path: Path) -> None:
    journal, path = _journal(tmp_path / "j"), tmp_path / "j"
    _write(journal, "one")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    assert [entry["step"] for entry in journal.entries()] == ["one"]
    _write(journal, "two")
    assert [entry["step"] for entry in journal.entries()] == ["one", "two"]


@pytest.mark.parametrize("line", ["", "x", "[]", "1", "{}", '{"time": 1}', "\xff", "null", '{"a":' * 100])
def test_a_line_that_is_none_of_ours_is_passed_over(line: str, tmp_path: Path) -> None:
    journal, path = _journal(tmp_path / "j"), tmp_path / "j"
    path.write_bytes(line.encode("latin-1") + b"\n")
    path.chmod(0o600)
    _write(journal)
    assert len(journal.entries()) == 1


def test_a_line_is_on_the_disk_when_it_is_written(tmp_path: Path) -> None:
    system = Failing()
    _write(_journal(tmp_path / "j", system=system))
    order = [name for name, _ in system.calls if name in ("write", "fsync", "close")]
    assert order == ["write", "fsync", "close", "fsync", "close"]  # the file, then the directory that it is new in
    [opened] = [given for name, given in system.calls if name == "open" and given[0] == "j"]
    assert opened[1] & os.O_APPEND
    assert opened[1] & os.O_NOFOLLOW
    assert not opened[1] & os.O_TRUNC


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_fault_at_any_call_is_an_error_of_ours_and_keeps_the_lines_before(number: int, tmp_path: Path) -> None:
    at = 0
    while True:
        at += 1
        path = tmp_path / str(at)
        _write(_journal(path), "one")
        system = Failing(at, OSError(number, ""))
        try:
            _write(_journal(path, system=system), "two")
            failed = False
        except AuthkitError:
            failed = True
        if system.failed is None:
            break
        steps = [entry["step"] for entry in _journal(path).entries()]
        assert steps in (["one"], ["one", "two"])
        assert failed or steps == ["one", "two"]
    assert at > 5


def test_a_full_disk_is_said_and_the_next_line_is_whole(tmp_path: Path) -> None:
    journal = _journal(tmp_path / "j")
    _write(journal, "one")
    with pytest.raises(SecretUnavailable):
        _write(_journal(tmp_path / "j", system=Full(10)), "two")
    _write(journal, "three")
    assert [entry["step"] for entry in journal.entries()] == ["one", "three"]


def test_a_file_that_is_not_ours_alone_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "j", tmp_path / "other"
    other.write_text("untouched")
    other.chmod(0o600)
    journal = _journal(path)

    def refused() -> None:
        with pytest.raises(ConfigurationError, match="journal"):
            _write(journal)
        with pytest.raises(ConfigurationError, match="journal"):
            journal.entries()

    path.symlink_to(other)
    refused()
    path.unlink()
    os.link(other, path)
    refused()
    path.unlink()
    os.mkfifo(path)
    refused()
    path.unlink()
    path.mkdir()
    refused()
    path.rmdir()
    path.write_text("")
    path.chmod(0o644)
    refused()
    assert other.read_text() == "untouched"


def test_a_line_that_would_not_be_written_by_one_call_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="4096"):
        _write(_journal(tmp_path / "j"), name="x" * 5000)


_WRITER = """
import sys
from authkit.secrets.rotation.journal import Journal
journal = Journal(sys.argv[1])
for number in range(50):
    journal.write(action="rotate", step=str(number), name=sys.argv[2], target="t" * 500, rotation="1")
"""


def test_lines_of_several_processes_are_never_mixed(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path / "j"), str(number)]) for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    journal = _journal(tmp_path / "j")
    for number in range(3):
        assert [entry["step"] for entry in journal.entries(str(number))] == [str(step) for step in range(50)]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_STATE_HOME": "/state"}, "/state/authkit/aws-prod_app_eu-west-1.history.jsonl"),
        ({"XDG_STATE_HOME": "relative"}, "~/.local/state/authkit/aws-prod_app_eu-west-1.history.jsonl"),
        ({}, "~/.local/state/authkit/aws-prod_app_eu-west-1.history.jsonl"),
    ],
)
def test_the_journal_of_what_is_no_file_lies_with_the_users_state(environ: dict[str, str], expected: str) -> None:
    assert state_file("aws-prod/app@eu-west-1", environ) == os.path.expanduser(expected)
    assert "/" not in os.path.basename(state_file("../../etc/passwd", environ))
    assert os.path.dirname(state_file("../../etc/passwd", environ)).endswith("/authkit")
