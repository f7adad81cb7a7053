"""`authkit store`: what a store says of itself, and how one is taken into use."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from authkit.cli._store import kind_of, shown
from authkit.stores import open_store
from tests.cli.command import at_a_terminal, authkit
from tests.servers.aws import AWS_ENV
from tests.servers.redis import free_port, redis_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.redis import RedisServer

PASSWORD = "hunter2-Zx81Qw"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@contextmanager
def opened(url: str) -> Iterator[object]:
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The URL of a store file that is in use."""
    url = f"sqlite:///{tmp_path}/limits.db"
    with opened(url) as store:
        assert store.add("noted", 600.0, b"value")  # type: ignore[attr-defined]
    return url


def epoch_of(url: str) -> float:
    with opened(url) as store:
        return float(store.epoch())  # type: ignore[attr-defined]


def test_show_says_what_kind_of_store_it_is_and_since_when(file: str, tmp_path: Path) -> None:
    said = authkit("store", "show", file, "--json", cwd=tmp_path)
    assert said == (0, said.out, "")
    assert said.json == {"store": file, "kind": "sqlite", "shared": True, "reachable": True, "epoch": epoch_of(file)}
    plain = authkit("store", "show", file, cwd=tmp_path).out.splitlines()
    assert plain[0].split() == ["STORE", "KIND", "REACHABLE", "EPOCH"]
    assert plain[1].split()[:3] == [file, "sqlite", "yes"]
    assert "ago)" in plain[1]


def test_the_store_is_the_settings_where_none_is_named(file: str, tmp_path: Path) -> None:
    assert authkit("store", "show", "--json", cwd=tmp_path, AUTHKIT_STORE=file).json["store"] == file
    (tmp_path / ".env").touch(0o600)
    (tmp_path / ".env").write_text(f"AUTHKIT_STORE={file}\n")
    assert authkit("store", "show", "--json", cwd=tmp_path).json["store"] == file


def test_no_store_at_all_is_wrong_usage_that_names_the_setting(tmp_path: Path) -> None:
    said = authkit("store", "show", cwd=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "AUTHKIT_STORE" in said.err


def test_a_server_is_shown_and_adopted(redis: RedisServer, tmp_path: Path) -> None:
    before = authkit("store", "show", redis.url, "--json", cwd=tmp_path).json
    assert (before["kind"], before["reachable"], before["store"]) == ("redis", True, redis.url)
    adopted = authkit("store", "adopt", redis.url, "--force", "--json", cwd=tmp_path).json
    assert adopted["previous_epoch"] == before["epoch"] < adopted["epoch"]
    assert authkit("store", "show", redis.url, "--json", cwd=tmp_path).json["epoch"] == adopted["epoch"] == epoch_of(redis.url)


def test_a_table_is_shown_and_adopted(moto: str, tmp_path: Path) -> None:
    url = f"dynamodb://limits?region=eu-west-1&endpoint={moto}"
    with opened(url) as store:
        assert authkit("store", "show", url, cwd=tmp_path, **AWS_ENV).code == 5  # there is no such table yet
        store.create_table()  # type: ignore[attr-defined]
    before = authkit("store", "show", url, "--json", cwd=tmp_path, **AWS_ENV).json
    assert (before["kind"], before["reachable"], before["store"]) == ("dynamodb", True, "dynamodb://limits")
    adopted = authkit("store", "adopt", url, "--force", "--json", cwd=tmp_path, **AWS_ENV).json
    assert adopted["previous_epoch"] == before["epoch"] < adopted["epoch"] == epoch_of(url)


def test_a_store_that_does_not_answer_is_said_so_with_its_exit_code(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    said = authkit("store", "show", url, "--json", cwd=tmp_path)
    assert said.code == 5
    assert said.json == {"store": url, "kind": "redis", "shared": True, "reachable": False, "epoch": None}
    assert said.err.startswith("authkit: ")
    assert said.err.count("\n") == 1
    assert authkit("store", "adopt", url, "--force", cwd=tmp_path).code == 5


def test_a_file_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    said = authkit("store", "show", "sqlite:///none.db", cwd=tmp_path)
    assert (said.code, said.out) == (4, "")
    assert list(tmp_path.iterdir()) == []


def test_adopting_makes_the_file(tmp_path: Path) -> None:
    said = authkit("store", "adopt", "sqlite:///new.db", "--force", "--json", cwd=tmp_path)
    assert said.code == 0
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
    assert abs(time.time() - said.json["epoch"]) < 60


def test_a_file_of_something_else_is_refused_as_it_is(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE customers (name TEXT)")
    other.close()
    (tmp_path / "other.db").chmod(0o600)
    for words in (("show", "sqlite:///other.db"), ("adopt", "sqlite:///other.db", "--force")):
        said = authkit("store", *words, cwd=tmp_path)
        assert (said.code, said.out) == (2, "")
        assert "something else" in said.err


def test_adopt_keeps_what_is_in_the_store_and_moves_its_epoch_to_now(file: str, tmp_path: Path) -> None:
    before = epoch_of(file)
    said = authkit("store", "adopt", file, "--force", "--json", cwd=tmp_path).json
    assert said == {"store": file, "kind": "sqlite", "epoch": epoch_of(file), "previous_epoch": before}
    assert before < said["epoch"] <= time.time()
    with opened(file) as store:
        assert store.get("noted") == b"value"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 3), ("", 3)])
def test_adopt_asks_at_a_terminal_and_takes_no_answer_for_no(answer: str, code: int, file: str, tmp_path: Path) -> None:
    before = epoch_of(file)
    said = at_a_terminal("store", "adopt", file, cwd=tmp_path, typed=[answer])
    assert said.code == code, said.out
    assert "Every token issued before now will be refused" in " ".join(said.out.split())
    assert (epoch_of(file) > before) is (code == 0)


def test_without_a_terminal_adopt_wants_force(file: str, tmp_path: Path) -> None:
    before = epoch_of(file)
    said = authkit("store", "adopt", file, cwd=tmp_path)
    assert (said.code, said.out) == (3, "")
    assert "--force" in said.err
    assert epoch_of(file) == before


def test_memory_has_nothing_to_show_and_nothing_to_adopt(tmp_path: Path) -> None:
    said = authkit("store", "show", "memory:", "--json", cwd=tmp_path)
    assert said.code == 0
    assert said.json == {"store": "memory:", "kind": "memory", "shared": False, "reachable": None, "epoch": None}
    assert authkit("store", "adopt", "memory:", "--force", cwd=tmp_path).code == 2


@pytest.mark.parametrize(
    "url", [f"redis://:{PASSWORD}@127.0.0.1/0", f"rediss://me:{PASSWORD}@h", f"redis://{PASSWORD}@h", f"redis://h?sentinel_password={PASSWORD}"]
)  # fmt: skip
def test_credentials_are_no_argument(url: str, tmp_path: Path) -> None:
    for words in (
        ("store", "show", url),
        ("store", "adopt", url),
        ("limits", "show", "ip:::1", "--limit", "1/s", "--name", "n", "--store", url),
    ):
        said = authkit(*words, "--json", cwd=tmp_path)
        assert said.code == 2
        assert "AUTHKIT_STORE" in said.err
        assert PASSWORD not in said.all


def test_credentials_of_the_setting_are_used_and_never_shown(tmp_path: Path) -> None:
    with redis_server() as server:
        server.say("CONFIG", "SET", "requirepass", PASSWORD)
        url = f"redis://:{PASSWORD}@127.0.0.1:{server.port}"
        said = authkit("store", "show", "--json", cwd=tmp_path, AUTHKIT_STORE=url)
        assert said.json["store"] == f"redis://127.0.0.1:{server.port}"
        assert (said.code, said.json["reachable"]) == (0, True)
        wrong = authkit("store", "show", cwd=tmp_path, AUTHKIT_STORE=url.replace(PASSWORD, f"{PASSWORD}-not"))
        assert wrong.code == 5
    assert PASSWORD not in said.all + wrong.all


@pytest.mark.parametrize(
    ("url", "seen", "kind"),
    [
        ("memory:", "memory:", "memory"),
        ("sqlite:///auth.db", "sqlite:///auth.db", "sqlite"),
        ("sqlite:////home/me@work/auth.db", "sqlite:////home/me@work/auth.db", "sqlite"),
        ("rediss://u:p@h:6380/3?client_name=x", "rediss://h:6380/3", "redis"),
        ("redis+sentinel://u:p@a,b:26379/main/1", "redis+sentinel://a,b:26379/main/1", "redis"),
        ("redis://:p@ss@h", "redis://...", "redis"),
        ("redis://:p/w@h/0", "redis://...", "redis"),
        ("dynamodb://table?region=eu-west-1", "dynamodb://table", "dynamodb"),
    ],
)
def test_what_is_shown_of_a_url_has_no_credentials(url: str, seen: str, kind: str) -> None:
    assert (shown(url), kind_of(url)) == (seen, kind)
