"""`authkit users`: who there is, who may log in, and whose sessions end."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from authkit import InvalidCredentials, InvalidToken, Tokens
from authkit._run import run
from authkit.accounts import Accounts, DynamoUsers, MemoryUsers, PasswordHasher, SqliteUsers, User
from authkit.accounts._bound import bound_to, owner_of
from authkit.accounts._onetime import OneTime
from authkit.cli._users import every
from authkit.stores import open_store
from tests.cli.command import at_a_terminal, authkit
from tests.servers.aws import AWS_ENV

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.command import Said

PASSWORD = "cOrrect-hoRse-Zx81Qw"
ISSUER = "https://api.example.com"
KEY = "a key for these tests only, and long enough"
PROGRAM = f"""
from authkit import Tokens
from authkit.accounts import Accounts, PasswordHasher, SqliteUsers
from authkit.stores import SqliteStore
told = open("told", "a", buffering=1)
tokens = Tokens({KEY!r}, issuer={ISSUER!r}, audience={ISSUER!r}, store=SqliteStore("store.db"))
accounts = Accounts(SqliteUsers("users.db"), tokens, PasswordHasher(memory=64, passes=1, lanes=1),
                    on_event=lambda kind, user: told.write(kind + " " + user.username + "\\n"))
"""


class Service:
    """What serves the users: a process of its own, as far as the command can tell."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.users = SqliteUsers(place / "users.db")
        self.tokens = Tokens(KEY, issuer=ISSUER, audience=ISSUER, store=open_store(f"sqlite:///{place}/store.db"))
        self.tokens.store.epoch()  # type: ignore[union-attr]
        self.accounts = Accounts(self.users, self.tokens, PasswordHasher(memory=64, passes=1, lanes=1))

    def verdict(self, token: str) -> str:
        """What another process of the service says, which has seen nothing yet."""
        store = open_store(f"sqlite:///{self.place}/store.db")
        try:
            return Tokens(KEY, issuer=ISSUER, audience=ISSUER, store=store).verify(token).subject
        except InvalidToken as error:
            return error.reason
        finally:
            store.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    made.accounts.register("alice", PASSWORD, roles=["admin"], scopes=["reports:read"])
    yield made
    made.users.close()
    made.tokens.store.close()  # type: ignore[union-attr]


@contextmanager
def reading(path: Path) -> Iterator[SqliteUsers]:
    users = SqliteUsers(path)
    try:
        yield users
    finally:
        users.close()


def users(*words: str, cwd: Path, **more: Any) -> Said:
    settings = {"AUTHKIT_USERS": "sqlite:///users.db", "AUTHKIT_STORE": "sqlite:///store.db", "AUTHKIT_ISSUER": ISSUER}
    return authkit("users", *words, cwd=cwd, **{**settings, **more})


def test_a_user_is_added_with_a_password_from_a_pipe(tmp_path: Path) -> None:
    said = users(
        "add", " Alice ", "--role", "admin", "--role", "a", "--value-from", "-", "--json", cwd=tmp_path, stdin=PASSWORD + "\n"
    )
    assert said == (0, said.out, "")
    assert PASSWORD not in said.all
    assert stat.S_IMODE((tmp_path / "users.db").stat().st_mode) == 0o600
    with reading(tmp_path / "users.db") as table:
        user = table.find("alice")
    assert user is not None
    assert said.json == {
        "place": "sqlite:///users.db", "user": "alice", "subject": "alice", "disabled": False,
        "roles": ["a", "admin"], "scopes": [], "has_password": True, "second_factor": False,
        "password_changed": user.password_changed,
    }  # fmt: skip
    assert Service(tmp_path).accounts.authenticate("alice", PASSWORD).roles == {"a", "admin"}


def test_a_password_is_asked_for_without_echo_and_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/users.db"
    said = at_a_terminal("users", "add", "alice", "--users", url, cwd=tmp_path, typed=[PASSWORD, PASSWORD])
    assert said.code == 0, said.out
    assert PASSWORD not in said.out
    assert at_a_terminal("users", "add", "bob", "--users", url, cwd=tmp_path, typed=[PASSWORD, "another one"]).code == 2
    with reading(tmp_path / "users.db") as table:
        assert [user.username for user in table.list()] == ["alice"]


@pytest.mark.parametrize(
    ("name", "password", "code", "said"),
    [
        ("alice", PASSWORD, 3, "already"), ("ALICE", PASSWORD, 3, "already"), ("bob", "short", 1, "too short"),
        ("bob", "", 2, "empty"), ("bob", "a\0" + PASSWORD, 1, "no password"), ("bob", b"\xff" * 20, 2, "not text"),
        ("bob", "x" * 5000, 1, "no password"),
        ("b\u200bob", PASSWORD, 2, "no user name"), ("", PASSWORD, 2, "no user name"),
    ],
)  # fmt: skip
def test_who_cannot_be_added_is_not(service: Service, tmp_path: Path, name: str, password: Any, code: int, said: str) -> None:
    before = service.users.list()
    found = users("add", name, "--value-from", "-", cwd=tmp_path, stdin=password)
    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert found.err.count("\n") == 1
    assert service.users.list() == before


def test_a_scope_that_no_token_can_say_is_refused(service: Service, tmp_path: Path) -> None:
    before = service.users.list()
    found = users("add", "bob", "--scope", "orders:read orders:write", "--value-from", "-", cwd=tmp_path, stdin=PASSWORD)
    assert (found.code, found.out) == (2, "")
    assert "a scope is" in found.err
    assert service.users.list() == before


def test_a_password_is_no_argument_and_no_error_repeats_what_was_typed(tmp_path: Path) -> None:
    for words in (
        ("add", "alice", PASSWORD),
        ("add", "alice", f"--password={PASSWORD}"),
        ("disable", PASSWORD),
        ("revoke", PASSWORD),
    ):
        said = users(*words, cwd=tmp_path)
        assert said.code != 0
        assert PASSWORD not in said.all


def test_users_are_listed_without_their_hashes(service: Service, tmp_path: Path) -> None:
    service.users.add(User("bob", disabled=True, factors="SEALED"))
    service.users.add(User("carol", subject="17"))
    said = users("list", "--json", cwd=tmp_path)
    members = ("user", "subject", "disabled", "has_password", "second_factor")
    assert [tuple(user[member] for member in members) for user in said.json["users"]] == [
        ("alice", "alice", False, True, False), ("bob", "bob", True, False, True), ("carol", "17", False, False, False),
    ]  # fmt: skip
    plain = users("list", cwd=tmp_path)
    assert [line.split()[:3] for line in plain.out.splitlines()[1:]] == [
        ["alice", "alice", "ok"],
        ["bob", "bob", "disabled"],
        ["carol", "17", "no"],
    ]
    for text in (said.all, plain.all):
        assert "argon2" not in text
        assert "SEALED" not in text
    assert [
        user["user"] for user in users("list", "--after", "alice", "--limit", "1", "--json", cwd=tmp_path).json["users"]
    ] == ["bob"]


def test_a_table_of_many_is_listed_whole() -> None:
    table = MemoryUsers()
    names = [f"user{n:04}" for n in range(1201)]
    for name in names:
        table.add(User(name))
    assert [user.username for user in every(table, "", None)] == names
    assert [user.username for user in every(table, "user0010", 700)] == names[11:711]


def test_who_is_disabled_is_out_at_once_and_logs_in_no_more(service: Service, tmp_path: Path) -> None:
    """REF-05."""
    pair = service.tokens.issue_pair("alice")
    assert service.verdict(pair.access_token) == "alice"
    said = users("disable", "Alice", "--json", cwd=tmp_path)
    assert (said.code, said.json["disabled"]) == (0, True)
    assert service.verdict(pair.access_token) == "token_revoked"
    with pytest.raises(InvalidToken):
        service.tokens.refresh(pair.refresh_token)
    with pytest.raises(InvalidCredentials):
        service.accounts.authenticate("alice", PASSWORD)
    assert users("disable", "alice", cwd=tmp_path).code == 0
    assert users("enable", "alice", cwd=tmp_path).code == 0
    assert service.accounts.authenticate("alice", PASSWORD).username == "alice"
    assert service.verdict(pair.access_token) == "token_revoked"


def test_what_was_sent_to_who_is_disabled_is_good_no_more(service: Service, tmp_path: Path) -> None:
    once = OneTime(service.tokens.store, "reset", 900)  # type: ignore[arg-type]
    alice = service.users.find("alice")
    assert alice is not None
    token = run(once.issue(bound_to(service.accounts, alice), owner=owner_of(service.accounts, alice)))
    assert users("disable", "alice", cwd=tmp_path).code == users("enable", "alice", cwd=tmp_path).code == 0
    assert run(once.read(token)) is None


def test_revoking_ends_sessions_and_leaves_the_user(service: Service, tmp_path: Path) -> None:
    before = service.users.find("alice")
    pair = service.tokens.issue_pair("alice")
    assert users("revoke", "alice", "--json", cwd=tmp_path).json == {
        "place": "sqlite:///users.db", "subject": "alice", "revoked": True,
    }  # fmt: skip
    assert service.verdict(pair.access_token) == "token_revoked"
    assert service.users.find("alice") == before
    assert service.verdict(service.tokens.issue_pair("alice").access_token) == "alice"


def test_who_is_deleted_is_gone_and_so_are_their_sessions(service: Service, tmp_path: Path) -> None:
    """REF-05."""
    pair = service.tokens.issue_pair("alice")
    assert users("delete", "alice", cwd=tmp_path).code == 3
    assert service.verdict(pair.access_token) == "alice"
    assert users("delete", "alice", "--force", cwd=tmp_path).code == 0
    assert service.verdict(pair.access_token) == "token_revoked"
    assert service.users.find("alice") is None
    other = service.tokens.issue_pair("bob")
    assert users("revoke", "--subject", "bob", cwd=tmp_path).code == 0
    assert service.verdict(other.access_token) == "token_revoked"


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 3)])
def test_deleting_asks_at_a_terminal(service: Service, tmp_path: Path, answer: str, code: int) -> None:
    settings = {"AUTHKIT_STORE": "sqlite:///store.db", "AUTHKIT_ISSUER": ISSUER, "AUTHKIT_USERS": "sqlite:///users.db"}
    said = at_a_terminal("users", "delete", "alice", cwd=tmp_path, typed=[answer], **settings)
    assert said.code == code, said.out
    assert (service.users.find("alice") is None) is (code == 0)


@pytest.mark.parametrize("command", ["disable", "enable", "revoke", "delete"])
def test_a_user_that_there_is_not_is_not_found(service: Service, tmp_path: Path, command: str) -> None:
    force = ["--force"] if command == "delete" else []
    said = users(command, "nobody", *force, "--json", cwd=tmp_path)
    assert (said.code, said.json["error"]) == (4, "not_found")


@pytest.mark.parametrize(
    ("command", "missing", "code", "said"),
    [
        ("disable", {"AUTHKIT_STORE": None}, 2, "AUTHKIT_STORE"), ("disable", {"AUTHKIT_ISSUER": None}, 2, "AUTHKIT_ISSUER"),
        ("disable", {"AUTHKIT_STORE": "memory:"}, 2, "memory:"), ("delete", {"AUTHKIT_ISSUER": None}, 2, "AUTHKIT_ISSUER"),
        ("delete", {"AUTHKIT_STORE": "sqlite:///typo.db"}, 4, "no store file"),
        ("revoke", {"AUTHKIT_USERS": None}, 2, "AUTHKIT_USERS"),
        ("revoke", {"AUTHKIT_USERS": "memory:"}, 2, "memory"), ("revoke", {"AUTHKIT_USERS": "mysql://h"}, 2, "sqlite:///"),
        ("delete", {"AUTHKIT_USERS": "sqlite:///typo.db"}, 4, "no users file"),
        ("revoke", {"AUTHKIT_STORE": None}, 2, "AUTHKIT_STORE"),
    ],
    ids=str,
)  # fmt: skip
def test_nothing_is_changed_where_sessions_could_not_be_ended(
    service: Service, tmp_path: Path, command: str, missing: dict[str, Any], code: int, said: str
) -> None:
    before = service.users.list()
    found = users(command, "alice", *(["--force"] if command == "delete" else []), cwd=tmp_path, **missing)
    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert service.users.list() == before
    assert not (tmp_path / "typo.db").exists()


def test_a_store_that_fails_leaves_the_user_disabled_and_says_so(service: Service, tmp_path: Path) -> None:
    """First who may not log in, then the sessions: asked again, it goes on."""
    store = "redis://127.0.0.1:1"
    assert users("disable", "alice", cwd=tmp_path, AUTHKIT_STORE=store).code == 5
    found = service.users.find("alice")
    assert found is not None
    assert found.disabled
    assert users("disable", "alice", cwd=tmp_path).code == 0
    assert users("delete", "alice", "--force", cwd=tmp_path, AUTHKIT_STORE=store).code == 5
    assert service.users.find("alice") is not None


def test_a_program_says_its_own_users_and_hears_of_what_is_done(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    app, none = ("--app", "program"), {"AUTHKIT_USERS": None, "AUTHKIT_STORE": None, "AUTHKIT_ISSUER": None}
    assert users("add", "alice", *app, "--value-from", "-", cwd=tmp_path, stdin=PASSWORD, **none).code == 0
    with reading(tmp_path / "users.db") as table:
        user = table.find("alice")
        assert user is not None
        assert "m=64,t=1,p=1" in (user.password_hash or "")
    service = Service(tmp_path)
    pair = service.tokens.issue_pair("alice")
    assert users("list", *app, "--json", cwd=tmp_path, **none).json["place"] == "program"
    assert users("revoke", "alice", "--app", "program:accounts", cwd=tmp_path, **none).code == 0
    assert service.verdict(pair.access_token) == "token_revoked"
    assert users("disable", "alice", *app, cwd=tmp_path, **none).code == 0
    assert users("enable", "alice", *app, cwd=tmp_path, **none).code == 0
    assert users("delete", "alice", "--force", *app, cwd=tmp_path, **none).code == 0
    assert (tmp_path / "told").read_text().split("\n")[:3] == ["disabled alice", "enabled alice", "deleted alice"]
    assert users("list", *app, "--users", "sqlite:///users.db", cwd=tmp_path).code == 2
    assert users("list", "--app", "program:tokens", cwd=tmp_path).code == 4
    service.users.close()


def test_a_row_that_cannot_be_read_is_unavailable(service: Service, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "users.db") as other:
        other.execute("UPDATE users SET roles = 'admin'")
    other.close()
    for words in (("list",), ("disable", "alice")):
        said = users(*words, cwd=tmp_path)
        assert (said.code, said.out) == (5, "")
        assert "column roles" in said.err


def test_a_table_of_dynamodb(moto: str, tmp_path: Path) -> None:
    DynamoUsers("users", region="eu-west-1", endpoint=moto, timeout=30).create_table()
    url = f"dynamodb://users?region=eu-west-1&endpoint={moto}"
    env = {**AWS_ENV, "AUTHKIT_USERS": url}
    assert users("add", "alice", "--value-from", "-", cwd=tmp_path, stdin=PASSWORD, **env).code == 0
    said = users("list", "--json", cwd=tmp_path, **env).json
    assert (said["place"], [user["user"] for user in said["users"]]) == ("dynamodb://users", ["alice"])
