"""`authkit secrets rotate` stopped, killed, crowded out or out of room: the next run ends in the same place."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from authkit.secrets import Dotenv
from tests.cli.command import COMMAND, Said, at_a_terminal, authkit, environment, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD = "o1Dtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJb"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text(f"# kept\nAPI_KEY={OLD}\nOTHER='as it was'\n")
    (tmp_path / ".env").chmod(0o600)
    return tmp_path


def rotate(place: Path, *words: str, cold: bool = False) -> Said:
    return authkit("secrets", "rotate", "API_KEY", *words, cwd=place, cold=cold)


def values(place: Path) -> dict[str, str | bytes]:
    return dict(Dotenv(str(place / ".env")).fetch("API_KEY").named())


def python(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def test_a_test_that_hangs_is_given_up(place: Path) -> None:
    said = rotate(place, "--test", python("import time; time.sleep(60)"), "--test-limit", "1s")
    assert said.code == 1
    assert "not done after 1 s" in said.err
    assert values(place) == {"current": OLD}


def test_at_a_terminal_it_is_told_in_colour_and_without_the_value(place: Path) -> None:
    said = at_a_terminal("secrets", "rotate", "API_KEY", cwd=place)
    assert said.code == 0
    assert "\x1b[32m" in said.out
    assert str(values(place)["current"]) not in said.out


def test_of_two_at_once_one_is_busy(place: Path) -> None:
    (place / "hold").mkdir()
    wait = python("import os, time\nopen('hold/in', 'w').close()\nwhile not os.path.exists('hold/go'): time.sleep(0.02)")
    first = start("secrets", "rotate", "API_KEY", "--test", wait, cwd=place)
    try:
        _until(lambda: (place / "hold" / "in").exists())
        said = rotate(place)
        assert said.code == 6
        assert values(place)["current"] == OLD
        (place / "hold" / "go").touch()
        assert first.wait(timeout=30) == 0
    finally:
        first.kill()
        first.communicate()
    assert values(place)["previous"] == OLD


def _stopped(place: Path, sent: signal.Signals) -> tuple[int, bytes]:
    """The code, and all that was said, of a rotation that was sent a signal in its test."""
    first = start("secrets", "rotate", "API_KEY", "--test", python("import time; time.sleep(30)"), cwd=place)
    try:
        _until(lambda: "API_KEY__PENDING" in (place / ".env").read_text())
        first.send_signal(sent)
        out, err = first.communicate(timeout=30)
    finally:
        first.kill()
    return first.returncode, out + err


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_stopped_in_its_test_it_takes_back_what_it_staged(sent: signal.Signals, code: int, place: Path) -> None:
    returned, said = _stopped(place, sent)
    assert returned == code
    assert b"Traceback" not in said
    assert values(place) == {"current": OLD}
    assert authkit("secrets", "status", "API_KEY", "--json", cwd=place).json["secrets"][0]["state"] == "steady"
    again = rotate(place, "--json")
    assert (again.code, again.json["resumed"]) == (0, False)


def test_killed_in_its_test_it_is_finished_by_the_next_run(place: Path) -> None:
    assert _stopped(place, signal.SIGKILL)[0] == -9
    staged = values(place)["pending"]
    assert authkit("secrets", "status", "API_KEY", "--json", cwd=place).json["secrets"][0]["state"] == "interrupted"
    said = rotate(place, "--json")
    assert (said.code, said.json["resumed"]) == (0, True)
    assert values(place) == {"current": staged, "previous": OLD}


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(place: Path) -> None:
    before = (place / ".env").read_bytes()
    command = f"ulimit -f 0; exec {shlex.join([*COMMAND, 'secrets', 'rotate', 'API_KEY'])}"
    done = subprocess.run(["sh", "-c", command], cwd=place, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("authkit: ")
    assert (place / ".env").read_bytes() == before
    assert not [path.name for path in place.iterdir() if path.stat().st_size and path.name != ".env"]


@pytest.mark.parametrize("rounds", [pytest.param(6, id="a few"), pytest.param(600, id="many", marks=pytest.mark.soak)])
def test_stopped_at_any_moment_and_run_again_it_ends_in_the_same_place(rounds: int, place: Path) -> None:
    begin = time.monotonic()
    rotate(place, "--force", cold=True)
    took = time.monotonic() - begin
    for turn in range(rounds):
        before = values(place)
        process = start("secrets", "rotate", "API_KEY", "--force", cwd=place)
        time.sleep(took * (0.5 + 0.5 * (turn + 1) / rounds))
        process.send_signal((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[turn % 3])
        out, err = process.communicate()
        reached = {str(value) for value in values(place).values()}  # whatever was reached, the file is whole
        assert not [value for value in reached if value.encode() in out + err]
        said = rotate(place, "--force", "--json")
        assert said.code == 0, said.err
        after = values(place)
        assert set(after) == {"current", "previous"}
        assert after["current"] != before["current"]
        assert {path.name for path in place.iterdir()} <= {".env", ".env.lock", ".env.history.jsonl"}


@pytest.mark.parametrize("rounds", [pytest.param(3, id="a few"), pytest.param(300, id="many", marks=pytest.mark.soak)])
def test_of_four_at_once_one_rotates_and_no_value_is_lost(rounds: int, place: Path) -> None:
    text = (place / ".env").read_text()
    for _ in range(rounds):
        (place / ".env").write_text(text)
        four = [start("secrets", "rotate", "API_KEY", cwd=place) for _ in range(4)]
        said = [process.communicate() for process in four]
        codes = sorted(process.returncode for process in four)
        assert codes[0] == 0, said
        assert set(codes[1:]) <= {3, 6}, said
        assert values(place)["previous"] == OLD
        assert not [part for streams in said for part in streams if str(values(place)["current"]).encode() in part]


def _until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
