"""`authkit secrets rotate`: the plan, the steps, the test, and every way in which it may end."""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING

import pytest

from authkit.secrets import Dotenv
from tests.cli.command import Said, authkit

if TYPE_CHECKING:
    from pathlib import Path

OLD = "o1Dtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJb"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text(f"# kept\nAPI_KEY={OLD}\nOTHER='as it was'\n")
    (tmp_path / ".env").chmod(0o600)
    return tmp_path


def rotate(place: Path, *words: str, stdin: str | None = None) -> Said:
    return authkit("secrets", "rotate", "API_KEY", *words, cwd=place, stdin=stdin)


def values(place: Path) -> dict[str, str | bytes]:
    return dict(Dotenv(str(place / ".env")).fetch("API_KEY").named())


def python(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def test_the_new_value_is_current_and_the_old_one_previous_for_a_while(place: Path) -> None:
    before = time.time()
    said = rotate(place, "--grace", "2h", "--json")
    assert said.code == 0
    found = values(place)
    assert found["previous"] == OLD
    assert len(found["current"]) >= 43
    assert 7_200 <= said.json["previous_until"] - before < 7_300
    assert said.json["steps"] == ["begin", "staged", "tested", "promoted", "end"]
    assert str(found["current"]) not in said.all
    assert (place / ".env").read_text().startswith("# kept\nAPI_KEY=")


def test_a_dry_run_shows_the_plan_and_changes_nothing(place: Path) -> None:
    before = (place / ".env").read_bytes()
    said = rotate(place, "--dry-run", "--json")
    assert [step["step"] for step in said.json["steps"]] == ["stage", "test", "promote"]
    assert "1. stage: " in rotate(place, "--dry-run").out
    assert (place / ".env").read_bytes() == before
    assert [path.name for path in place.iterdir()] == [".env"]


def test_a_second_rotation_within_the_grace_is_refused_unless_forced(place: Path) -> None:
    rotate(place)
    first = values(place)
    assert rotate(place).code == 3
    assert rotate(place, "--dry-run").code == 3
    assert values(place) == first
    assert rotate(place, "--force").code == 0
    assert values(place)["previous"] == first["current"]


@pytest.mark.parametrize(
    ("words", "begins", "length"),
    [
        (("--kind", "password", "--length", "24", "--alphabet", "abcdefghijkmnpqrstuvwxyz23456789-_ABCDEFGH"), "", 24),
        (("--kind", "hmac", "--length", "48", "--encoding", "hex"), "", 96),
        (("--kind", "webhook"), "whsec_", 50),
        (("--kind", "ed25519"), "-----BEGIN PRIVATE KEY-----", 119),
    ],
)
def test_what_is_generated_can_be_chosen(words: tuple[str, ...], begins: str, length: int, place: Path) -> None:
    said = rotate(place, *words)
    assert said.code == 0, said.err
    value = str(values(place)["current"])
    assert value.startswith(begins)
    assert abs(len(value) - length) <= 1


@pytest.mark.parametrize(
    "words",
    [
        ("--kind", "password", "--length", "5"),
        ("--kind", "password", "--alphabet", "aa"),
        ("--kind", "ec", "--length", "100"),
        ("--kind", "rsa", "--encoding", "hex"),
        ("--length", "8"),
    ],
)
def test_a_choice_that_would_be_weak_or_means_nothing_changes_nothing(words: tuple[str, ...], place: Path) -> None:
    said = rotate(place, *words)
    assert (said.code, values(place)) == (2, {"current": OLD})


def test_a_value_of_ones_own_is_judged_before_it_is_current(place: Path) -> None:
    said = rotate(place, "--value-from", "-", stdin="changeme\n")
    assert said.code == 1
    assert "sample" in said.err
    assert values(place) == {"current": OLD}
    good = "n3Wtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJc"
    assert rotate(place, "--value-from", "-", stdin=good).code == 0
    assert values(place) == {"current": good, "previous": OLD}


def test_a_value_of_ones_own_does_not_pass_for_another_that_is_pending(place: Path) -> None:
    with (place / ".env").open("a") as file:
        file.write("API_KEY__PENDING=p1Dtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJp\n")
    good = "n3Wtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJc"
    assert rotate(place, "--value-from", "-", stdin=good).code == 3
    assert rotate(place, "--value-from", "-", "--discard", stdin=good).code == 0
    assert values(place) == {"current": good, "previous": OLD}


def test_a_pending_value_of_somebody_else_is_refused_and_the_ways_out_are_named(place: Path) -> None:
    pending = "p1Dtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJp"
    with (place / ".env").open("a") as file:
        file.write(f"API_KEY__PENDING={pending}\n")
    for said in (rotate(place), rotate(place, "--dry-run")):
        assert said.code == 3
        assert "--take-pending" in said.all
        assert "--discard" in said.all
    assert values(place) == {"current": OLD, "pending": pending}
    assert rotate(place, "--take-pending").code == 0
    assert values(place) == {"current": pending, "previous": OLD}


def test_a_weak_value_that_is_pending_names_the_way_out(place: Path) -> None:
    with (place / ".env").open("a") as file:
        file.write("API_KEY__PENDING=4711\n")
    said = rotate(place, "--take-pending")
    assert said.code == 1
    assert "--discard" in said.err
    assert rotate(place, "--discard").code == 0


def test_the_sample_check_also_holds_beside_a_test_and_a_weak_value_that_is_given_is_warned_of(place: Path) -> None:
    said = rotate(place, "--value-from", "-", "--test", "true", stdin="changeme")
    assert (said.code, values(place)) == (1, {"current": OLD})
    said = rotate(place, "--value-from", "-", "--test", "true", stdin="4711-0815")
    assert said.code == 0, said.err
    assert "can be guessed" in said.err


def test_the_test_command_decides(place: Path) -> None:
    said = rotate(place, "--test", python("import os, sys; print(os.environ['API_KEY']); sys.exit(7)"))
    assert said.code == 1
    assert "exited with 7" in said.err
    assert "    ********\n" in said.err
    assert values(place) == {"current": OLD}
    assert rotate(place, "--test", python("import os; assert len(os.environ['API_KEY']) >= 32")).code == 0
    assert values(place)["previous"] == OLD


def test_a_backup_is_kept_only_when_asked_for(place: Path) -> None:
    before = (place / ".env").read_bytes()
    assert rotate(place, "--backup").code == 0
    assert (place / ".env.bak").read_bytes() == before
    assert (place / ".env.bak").stat().st_mode & 0o777 == 0o600
    assert authkit("secrets", "rotate", "X", "--backup", "--source", "files:.", cwd=place).code == 2


def test_only_when_asked_is_the_new_value_shown(place: Path) -> None:
    said = rotate(place, "--reveal")
    assert said.out.splitlines()[0] == values(place)["current"]


def test_a_change_that_no_service_will_see_is_warned_of(place: Path) -> None:
    (place / ".env.local").touch(0o600)
    (place / ".env.local").write_text("API_KEY=another-value-only-for-this-machine-17\n")
    said = authkit("secrets", "rotate", "API_KEY", "--force", cwd=place)
    assert said.code == 0
    assert ".env.local has API_KEY too" in said.err
