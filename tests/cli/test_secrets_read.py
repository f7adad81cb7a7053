"""`authkit secrets list | get | status | verify`: what changes nothing, by a real process on a real file."""

from __future__ import annotations

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


def test_list_gives_the_names_alone(place: Path) -> None:
    assert authkit("secrets", "list", cwd=place) == (0, "PORT\nAPI_KEY\n", "")
    assert authkit("secrets", "list", "--json", cwd=place).json == {"source": "dotenv:.env", "secrets": ["PORT", "API_KEY"]}


def test_of_the_environment_what_looks_like_a_secret_is_listed(place: Path) -> None:
    said = authkit(
        "secrets", "list", "--source", "env", cwd=place, MY_API_KEY=GOOD, MY_COLOUR="red", ODD="1", ODD__PREVIOUS="2"
    )
    assert {"MY_API_KEY", "ODD"} <= set(said.out.split())
    assert not {"MY_COLOUR", "ODD__PREVIOUS"} & set(said.out.split())


def test_get_masks_unless_it_is_to_reveal(place: Path) -> None:
    assert authkit("secrets", "get", "API_KEY", cwd=place) == (0, "********\n", "")
    assert authkit("secrets", "get", "API_KEY", "--reveal", cwd=place) == (0, f"{GOOD}\n", "")
    said = authkit("secrets", "get", "API_KEY", "--reveal", "--version", "previous", "--json", cwd=place)
    assert (said.json["value"], said.json["masked"]) == (OLD, False)
    assert authkit("secrets", "get", "API_KEY", "--json", cwd=place).json["value"] is None


def test_get_reads_the_environment_too(place: Path) -> None:
    assert authkit("secrets", "get", "X_KEY", "--source", "env", "--reveal", cwd=place, X_KEY=GOOD).out == f"{GOOD}\n"
    said = authkit("secrets", "status", "--source", "env", "X_KEY", "--json", cwd=place, X_KEY=GOOD)
    assert said.json["secrets"][0]["state"] == "steady"


def test_what_is_not_there_is_told_by_its_exit_code(place: Path) -> None:
    said = authkit("secrets", "get", "NOWHERE", "--json", cwd=place)
    assert said.code == 4
    assert said.json["error"] == "not_found"
    assert "NOWHERE" in said.json["message"]
    assert authkit("secrets", "get", "API_KEY", "--version", "pending", cwd=place).code == 4


def test_status_says_where_a_secret_stands(place: Path) -> None:
    said = authkit("secrets", "status", "API_KEY", "--json", cwd=place).json["secrets"][0]
    assert (said["name"], said["state"], said["versions"]) == ("API_KEY", "grace", ["current", "previous"])
    table = authkit("secrets", "status", cwd=place).out.splitlines()
    assert [line.split()[:2] for line in table] == [["NAME", "STATE"], ["PORT", "steady"], ["API_KEY", "grace"]]


def test_verify_judges_and_compares(place: Path) -> None:
    assert authkit("secrets", "verify", "API_KEY", cwd=place) == (0, "API_KEY: nothing found\n", "")
    said = authkit("secrets", "verify", "PORT", "--json", cwd=place)
    assert (said.code, [found["code"] for found in said.json["findings"]]) == (1, ["weak"])
    assert authkit("secrets", "verify", "API_KEY", "--kind", "ec", cwd=place).code == 1
    said = authkit("secrets", "verify", "API_KEY", "--value-from", "-", "--json", cwd=place, stdin=OLD)
    assert (said.code, said.json["matched"]) == (0, "previous")
    said = authkit("secrets", "verify", "API_KEY", "--value-from", "-", cwd=place, stdin=GOOD + "x")
    assert said.code == 1
    assert GOOD not in said.all


def test_a_file_that_others_can_write_is_refused_with_how_to_mend_it(place: Path) -> None:
    (place / ".env").chmod(0o666)
    for words in (("get", "API_KEY"), ("rotate", "API_KEY"), ("status", "API_KEY")):
        said = authkit("secrets", *words, cwd=place)
        assert said.code == 2
        assert "chmod 600" in said.err


@pytest.mark.parametrize("source", ["nonsense", "dotenv:/dev/full", "dotenv:/dev", "vault:secret/x", "files:", "aws:", "ssm:"])
def test_a_place_that_cannot_be_one_is_refused(source: str, place: Path) -> None:
    said = authkit("secrets", "rotate", "NAME", "--source", source, cwd=place)
    assert said.code in (2, 4)
    assert said.err.count("\n") == 1


def test_a_broken_line_is_told_by_its_number_and_not_by_its_value(place: Path) -> None:
    with (place / ".env").open("a") as file:
        file.write(f"BROKEN='{GOOD}\n")
    said = authkit("secrets", "get", "BROKEN", cwd=place)
    assert said.code == 2
    assert "line 6" in said.err
    assert GOOD not in said.all


def test_names_are_completed_from_the_file(place: Path) -> None:
    said = authkit(cwd=place, _AUTHKIT_COMPLETE="bash_complete", COMP_WORDS="authkit secrets get A", COMP_CWORD="3")
    assert said.out.split() == ["plain,API_KEY"]


def test_tables_are_drawn_on_a_terminal(place: Path) -> None:
    said = at_a_terminal("secrets", "status", cwd=place)
    assert said.code == 0
    assert "╭" in said.out
    assert GOOD not in said.out
