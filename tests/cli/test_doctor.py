"""`authkit doctor`: what it finds, what it says to do, and that doing it helps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from authkit.cli._place import looks_secret
from authkit.cli.doctor import _examined
from tests.cli.command import authkit, start

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "s3Ctl-0hGm9v2Yk7PqL4dXwZ8rTbNfJa"
OLD = "o1Dtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJb"
DAY = 86_400


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTHKIT_ENV", "test")
    write(tmp_path, f"PORT=80\nAPI_KEY={GOOD}\n")
    return tmp_path


def write(place: Path, text: str, mode: int = 0o600) -> None:
    (place / ".env").write_text(text)
    (place / ".env").chmod(mode)


def found(max_age: int = 90 * DAY, source: str = "dotenv:.env") -> dict[str, Any]:
    """Code -> finding, for the place in the working directory."""
    return {finding.code: finding for finding in _examined(source, max_age, given=True)}


def git(*words: str) -> None:
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words], check=True, capture_output=True)


def test_where_nothing_is_wrong_nothing_is_found(place: Path) -> None:
    assert found() == {}
    said = authkit("doctor", "--source", "dotenv:.env", cwd=place)
    assert said == (0, "nothing found\n", "")


def test_an_error_is_exit_code_1_and_a_warning_is_only_where_that_is_wanted(place: Path) -> None:
    write(place, f"API_KEY={GOOD}\nAPI_KEY__PENDING={OLD}\n")
    said = authkit("doctor", "--source", "dotenv:.env", "--json", cwd=place)
    assert (said.code, said.json["worst"]) == (0, "warning")
    assert authkit("doctor", "--source", "dotenv:.env", "--strict", cwd=place).code == 1
    write(place, "API_KEY=changeme\n")
    said = authkit("doctor", "--json", cwd=place)
    assert (said.code, said.json["worst"]) == (1, "error")
    assert {"severity", "code", "subject", "message", "mend"} == set(said.json["findings"][0])
    assert "changeme" not in said.all


@pytest.mark.parametrize(("value", "code"), [("your-256-bit-secret", "sample"), ("hunter2", "weak")])
def test_a_weak_or_published_value_is_an_error_and_the_advice_mends_it(value: str, code: str, place: Path) -> None:
    write(place, f"PORT=80\nLOG_LEVEL=default\nKEY_ID=1\nSESSION_KEY={value}\n")
    finding = found()[code]
    assert (finding.severity, finding.subject) == ("error", "SESSION_KEY")
    assert len(found()) == 1
    for command in [*finding.mend.split(", then: "), "authkit secrets retire SESSION_KEY --force"]:
        assert authkit(*command.split()[1:], cwd=place).code == 0
    assert found() == {}


def test_the_environment_is_looked_at_too(place: Path) -> None:
    said = authkit("doctor", "--json", cwd=place, AUTHKIT_JWT_SECRET="changeme")
    assert ("AUTHKIT_JWT_SECRET", "sample") in {(each["subject"], each["code"]) for each in said.json["findings"]}


def test_a_service_without_a_file_lacks_nothing_unless_it_names_one(tmp_path: Path) -> None:
    assert not [each for each in authkit("doctor", "--json", cwd=tmp_path).json["findings"] if each["code"] == "no_file"]
    said = authkit("doctor", "--source", "dotenv:.env", "--json", cwd=tmp_path)
    assert "no_file" in {each["code"] for each in said.json["findings"]}


@pytest.mark.parametrize(("mode", "code", "severity"), [(0o666, "writable", "error"), (0o644, "readable", "warning")])
def test_a_file_that_others_can_use_is_found(mode: int, code: str, severity: str, place: Path) -> None:
    (place / ".env").chmod(mode)
    assert [finding.code for finding in found().values()] == [code]
    finding = found()[code]
    assert finding.severity == severity
    subprocess.run(finding.mend.split(), check=True)
    assert found() == {}


def test_in_production_a_file_that_others_can_read_is_an_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / ".env").chmod(0o644)
    monkeypatch.delenv("AUTHKIT_ENV")
    assert found()["readable"].severity == "error"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *(
            ("API_KEY", True),
            ("clientSecret", True),
            ("/app/db/PASSWORD", True),
            ("PEPPER", True),
            ("AWS_SECRET_ACCESS_KEY", True),
        ),
        *(("PORT", False), ("KEYBOARD_LAYOUT", False), ("TOKENIZERS_PARALLELISM", False), ("AWS_ACCESS_KEY_ID", False)),
        *(("STRIPE_PUBLISHABLE_KEY", False), ("JWT_KEY_FILE", False), ("MONKEY", False), ("", False), ("___", False)),
    ],
)
def test_a_name_says_whether_a_secret_is_behind_it(name: str, is_one: bool) -> None:
    assert looks_secret(name) is is_one


def test_a_name_that_is_no_secret_can_be_left_out(place: Path) -> None:
    write(place, "SORT_KEY=name\n")
    assert authkit("doctor", "--source", "dotenv:.env", cwd=place).code == 1
    assert authkit("doctor", "--source", "dotenv:.env", "--ignore", "SORT_KEY", cwd=place).code == 0


def test_a_file_in_a_directory_that_is_open_to_all_is_found(place: Path) -> None:
    place.chmod(0o777)
    try:
        assert found()["open_directory"].severity == "error"
    finally:
        place.chmod(0o700)


def test_a_symbolic_link_and_a_kept_backup_are_found(place: Path) -> None:
    (place / ".env").rename(place / "real")
    (place / ".env").symlink_to("real")
    (place / ".env.bak").touch(0o600)
    assert {code: finding.severity for code, finding in found().items()} == {"symlink": "warning", "backup_kept": "warning"}


def test_the_files_beside_a_dotenv_are_looked_at_too(place: Path) -> None:
    """A service reads `.env.local` and `.env.{stage}`, and a backup holds the same values."""
    for name in (".env.local", ".env.production", ".env.bak"):
        (place / name).write_text("A_KEY=1\n")
        (place / name).chmod(0o666)
        assert found()["writable"].subject.endswith(name)
        (place / name).unlink()
    (place / ".env.example").write_text("A_KEY=\n")
    assert found() == {}


def test_a_setting_that_is_empty_is_no_finding_and_hides_no_secret(place: Path) -> None:
    with (place / ".env").open("a") as file:
        file.write("DEBUG=\n")
    assert found() == {}
    said = authkit("secrets", "status", "--json", cwd=place)
    assert said.code == 0
    assert "DEBUG" not in [secret["name"] for secret in said.json["secrets"]]
    with (place / ".env").open("a") as file:
        file.write("PAY_KEY=\n")
    assert found()["refused"].subject == "PAY_KEY"


def test_what_git_has_is_an_error_and_what_it_would_take_a_warning(place: Path) -> None:
    if shutil.which("git") is None:
        assert found() == {}
        return
    git("init", "--quiet")
    assert found()["not_ignored_by_git"].severity == "warning"
    git("add", ".env")
    assert found()["tracked_by_git"].severity == "error"
    git("commit", "--quiet", "-m", "-")
    assert "tracked_by_git" in found()
    git("rm", "--quiet", "--cached", ".env")
    (place / ".gitignore").write_text(".env\n")
    assert found() == {}


def test_a_name_that_another_file_overrides_is_found(place: Path) -> None:
    (place / ".env.local").write_text(f"API_KEY={OLD}\n")
    (place / ".env.local").chmod(0o600)
    assert found()["overridden"].subject == "API_KEY"


def test_versions_left_behind_are_found(place: Path) -> None:
    write(place, f"API_KEY={GOOD}\nAPI_KEY__PREVIOUS={OLD}\nAPI_KEY__PREVIOUS_UNTIL=1000000000\n")
    assert found()["previous_expired"].severity == "warning"
    write(place, f"API_KEY={GOOD}\nAPI_KEY__PENDING={OLD}\n")
    assert found()["pending_left"].severity == "warning"


def test_a_rotation_that_was_killed_is_found_and_running_it_again_mends_it(place: Path) -> None:
    process = start("secrets", "rotate", "API_KEY", "--test", "sleep 30", cwd=place)
    end = time.monotonic() + 30
    while "PENDING" not in (place / ".env").read_text() and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    finding = found()["interrupted"]
    assert finding.severity == "error"
    assert authkit(*finding.mend.split()[1:], cwd=place).code == 0
    assert found() == {}


def test_a_secret_that_is_too_old_is_found(place: Path) -> None:
    assert authkit("secrets", "rotate", "API_KEY", cwd=place).code == 0
    journal = place / ".env.history.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    journal.write_text("".join(json.dumps(line | {"time": line["time"] - 100 * DAY}) + "\n" for line in lines))
    assert "overdue" in found()
    assert "overdue" not in found(max_age=101 * DAY)


def test_a_file_that_was_not_touched_for_longer_than_that_is_too_old(place: Path) -> None:
    then = time.time() - 100 * DAY
    os.utime(place / ".env", (then, then))
    assert found()["overdue"].subject == "API_KEY"
    assert "overdue" not in found(max_age=101 * DAY)


def test_a_clock_that_is_behind_the_files_is_found(place: Path) -> None:
    then = time.time() + 3_600
    os.utime(place / ".env", (then, then))
    assert found()["clock_behind"].severity == "warning"


def test_a_line_that_cannot_be_read_is_an_error_with_its_number(place: Path) -> None:
    write(place, f"API_KEY={GOOD}\nAPI_KEY={OLD}\n")
    finding = found()["refused"]
    assert "lines 1 and 2" in finding.message
    assert GOOD not in "".join(finding)


def test_a_directory_of_files_is_looked_at(place: Path) -> None:
    (place / "run").mkdir(mode=0o700)
    (place / "run" / "API_KEY").write_text("hunter2")
    (place / "run" / "API_KEY").chmod(0o644)
    codes = found(source="files:run")
    assert {"readable", "weak"} <= set(codes)
    assert codes["weak"].mend.endswith("--source files:run")
