"""`authkit secrets set | rollback | retire | history`, by a real process on a real file."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from authkit.secrets import Dotenv
from tests.cli.command import at_a_terminal, authkit

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "s3Ctl-0hGm9v2Yk7PqL4dXwZ8rTbNfJa"
OLD = "o1Dtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJb"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a `.env` of two secrets, one of them with a previous value that is accepted for another hour."""
    file = tmp_path / ".env"
    until = int(time.time()) + 3_600
    file.write_text(f"# kept\nPORT=80\nAPI_KEY={GOOD}\nAPI_KEY__PREVIOUS={OLD}\nAPI_KEY__PREVIOUS_UNTIL={until}\n")
    file.chmod(0o600)
    return tmp_path


def values(place: Path, name: str) -> dict[str, str | bytes]:
    return dict(Dotenv(str(place / ".env")).fetch(name).named())


def test_set_takes_the_value_from_a_pipe_and_drops_one_newline(place: Path) -> None:
    said = authkit("secrets", "set", "NEW_KEY", "--value-from", "-", cwd=place, stdin=f"{GOOD}\n")
    assert said.code == 0
    assert values(place, "NEW_KEY") == {"current": GOOD}
    assert (place / ".env").read_text().startswith("# kept\nPORT=80\n")
    assert (place / ".env").stat().st_mode & 0o777 == 0o600


def test_set_takes_the_value_from_a_file(place: Path) -> None:
    (place / "value").write_text("with space # and hash\r\n")
    assert authkit("secrets", "set", "FROM_FILE", "--value-from", "value", cwd=place).code == 0
    assert values(place, "FROM_FILE") == {"current": "with space # and hash"}


def test_set_asks_twice_without_echo(place: Path) -> None:
    said = at_a_terminal("secrets", "set", "ASKED_KEY", cwd=place, typed=[GOOD, GOOD])
    assert said.code == 0
    assert GOOD not in said.out
    assert values(place, "ASKED_KEY") == {"current": GOOD}
    said = at_a_terminal("secrets", "set", "TYPO_KEY", cwd=place, typed=[GOOD, OLD])
    assert said.code == 2
    assert "TYPO_KEY=" not in (place / ".env").read_text()


def test_set_leaves_alone_what_has_a_value_unless_forced(place: Path) -> None:
    said = authkit("secrets", "set", "API_KEY", "--value-from", "-", cwd=place, stdin=OLD)
    assert said.code == 3
    assert "rotate" in said.err
    assert values(place, "API_KEY")["current"] == GOOD
    assert authkit("secrets", "set", "API_KEY", "--value-from", "-", "--force", cwd=place, stdin=OLD).code == 0
    assert values(place, "API_KEY") == {"current": OLD}


@pytest.mark.parametrize("value", ["", "\n", "   \n", "x" * 65_537, b"\xff\xfe"])
def test_a_value_that_cannot_be_one_changes_nothing(value: str | bytes, place: Path) -> None:
    before = (place / ".env").read_bytes()
    said = authkit("secrets", "set", "NEW", "--value-from", "-", cwd=place, stdin=value)
    assert said.code == 2
    assert (place / ".env").read_bytes() == before


def test_without_a_terminal_set_does_not_wait_for_an_answer(place: Path) -> None:
    said = authkit("secrets", "set", "NEW", cwd=place)
    assert said.code == 2
    assert "--value-from" in said.err


def test_rollback_brings_the_previous_value_back(place: Path) -> None:
    assert authkit("secrets", "rollback", "API_KEY", "--grace", "1h", cwd=place).code == 0
    assert values(place, "API_KEY") == {"current": OLD, "previous": GOOD}
    history = authkit("secrets", "history", "API_KEY", "--json", cwd=place).json["changes"]
    assert [change["step"] for change in history] == ["begin", "rolled_back", "end"]
    assert all({"at", "user", "host", "pid", "name", "target", "rotation"} <= set(change) for change in history)
    assert "rolled_back" in authkit("secrets", "history", "API_KEY", cwd=place).out


def test_rollback_of_what_has_no_previous_is_not_found(place: Path) -> None:
    assert authkit("secrets", "rollback", "PORT", cwd=place).code == 4


def test_discard_drops_what_is_pending_and_nothing_else(place: Path) -> None:
    with (place / ".env").open("a") as file:
        file.write("API_KEY__PENDING=p1Dtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJp\n")
    assert authkit("secrets", "discard", "API_KEY", cwd=place).code == 0
    assert values(place, "API_KEY") == {"current": GOOD, "previous": OLD}
    assert authkit("secrets", "discard", "API_KEY", "--json", cwd=place).json["changed"] is False


def test_after_a_grace_of_none_a_value_can_be_retired_at_once(place: Path) -> None:
    assert authkit("secrets", "rotate", "API_KEY", "--force", "--grace", "0s", cwd=place).code == 0
    assert authkit("secrets", "retire", "API_KEY", cwd=place).code == 0
    assert set(values(place, "API_KEY")) == {"current"}


def test_retire_drops_the_previous_value_also_within_its_grace(place: Path) -> None:
    said = authkit("secrets", "retire", "API_KEY", "--json", cwd=place)
    assert (said.code, said.json["changed"]) == (0, True)
    assert values(place, "API_KEY") == {"current": GOOD}
    assert authkit("secrets", "retire", "API_KEY", "--json", cwd=place).json["changed"] is False


def test_at_a_terminal_retire_asks_while_the_grace_lasts(place: Path) -> None:
    said = at_a_terminal("secrets", "retire", "API_KEY", cwd=place, typed=["n"])
    assert said.code == 3
    assert "accepted until" in said.out
    assert "previous" in values(place, "API_KEY")
    assert at_a_terminal("secrets", "retire", "API_KEY", cwd=place, typed=["y"]).code == 0
    assert values(place, "API_KEY") == {"current": GOOD}


def test_at_a_terminal_retire_asks_nothing_when_forced(place: Path) -> None:
    assert at_a_terminal("secrets", "retire", "API_KEY", "--force", cwd=place).code == 0
    assert values(place, "API_KEY") == {"current": GOOD}


def test_the_environment_is_read_and_never_changed(place: Path) -> None:
    said = authkit("secrets", "rotate", "X_KEY", "--source", "env", cwd=place, X_KEY=GOOD)
    assert said.code == 2
    assert "cannot change it" in said.err


def test_a_directory_of_files_is_a_place_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    words = ("--source", "files:run")
    assert authkit("secrets", "set", "API_KEY", "--value-from", "-", *words, cwd=tmp_path, stdin=GOOD).code == 0
    assert authkit("secrets", "rotate", "API_KEY", *words, cwd=tmp_path).code == 0
    assert authkit("secrets", "get", "API_KEY", "--reveal", "--version", "previous", *words, cwd=tmp_path).out == f"{GOOD}\n"
    assert authkit("secrets", "list", *words, cwd=tmp_path).out == "API_KEY\n"
    assert json.loads(authkit("secrets", "status", "--json", *words, cwd=tmp_path).out)["secrets"][0]["state"] == "grace"


def test_a_rollback_is_undone_when_it_is_forced(place: Path) -> None:
    new = authkit("secrets", "get", "API_KEY", "--reveal", cwd=place).out
    assert authkit("secrets", "rollback", "API_KEY", cwd=place).code == 0
    assert authkit("secrets", "get", "API_KEY", "--reveal", cwd=place).out == f"{OLD}\n"
    assert authkit("secrets", "rollback", "API_KEY", "--json", cwd=place).json["changed"] is False
    assert authkit("secrets", "rollback", "API_KEY", "--force", cwd=place).code == 0
    assert authkit("secrets", "get", "API_KEY", "--reveal", cwd=place).out == new
