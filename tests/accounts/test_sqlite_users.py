"""`SqliteUsers`: the contract, and what is its own: the file, and its faults."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat

import pytest

from authkit import ConfigurationError, InvalidCredentials, Request, Tokens, Unavailable
from authkit.accounts import Accounts, PasswordHasher, SqliteUsers, User
from authkit.accounts.sqlite_users import VERSION
from authkit.stores import MemoryStore, SqliteStore

from .test_names import KEVIN
from .users_contract import FULL, SharedUsersContract


@pytest.fixture
def file(tmp_path):
    return tmp_path / "users.db"


@pytest.fixture
def users(file):
    users = SqliteUsers(file, timeout=30)
    yield users
    users.close()


def edited(file, statement, *values):
    """What somebody does by hand."""
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute(statement, values)
        other.commit()


class TestSqliteUsers(SharedUsersContract):
    @pytest.fixture
    def users(self, file):
        users = SqliteUsers(file, timeout=30)
        yield users
        users.close()

    @pytest.fixture
    def recipe(self, file):
        return f"SqliteUsers({str(file)!r}, timeout=30)"

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("roles", "admin"), ("roles", '"admin"'), ("roles", "{}"), ("roles", "[1]"), ("roles", "[[]]"), ("roles", "null"),
            ("roles", ""), ("roles", b"[]"), ("roles", "[" * 100_000), ("roles", "[" + "9" * 5000 + "]"),
            ("roles", '["\\ud800"]'), ("scopes", "all"), ("scopes", '["a",'),
            ("disabled", "no"), ("disabled", 2), ("disabled", -1), ("disabled", 0.5),
            ("subject", ""), ("subject", b"alice"), ("password_hash", b"\xff"), ("password_changed", "today"),
            ("password_changed", 9e999), ("factors", b"\x00"),
        ],
        ids=lambda value: ascii(value)[:20],
    )  # fmt: skip
    def test_a_row_that_nobody_can_have_meant_is_unavailable(self, users, accounts, file, column, value):
        """PWD-07: nobody comes in by it, no exception of another kind comes out, and it can be removed."""
        registered = accounts.register("alice", "correct horse")
        users.add(User("bob"))
        edited(file, f"UPDATE users SET {column} = ? WHERE name = 'alice'", value)
        asked = [
            lambda: accounts.authenticate("alice", "correct horse"),
            lambda: users.find("alice"),
            lambda: users.update(registered, registered.changed(disabled=True)),
            users.list,
        ]
        for call in asked:
            with pytest.raises(Unavailable, match=f"users file cannot be read: its column {column}"):
                call()
        body = json.dumps({"username": "alice", "password": "correct horse"}).encode()
        login = Request.build("POST", "/login", {"content-type": "application/json"}, body, peer="203.0.113.7")
        assert accounts.app(login).status == 503
        assert users.add(User("alice")) is False
        assert users.find("bob") == User("bob")
        assert users.remove("alice") is True

    @pytest.mark.parametrize("stored", ["", "!", "correct horse", 5])
    def test_a_hash_that_was_edited_by_hand_lets_nobody_in(self, accounts, file, stored):
        """PWD-07."""
        accounts.register("alice", "correct horse")
        edited(file, "UPDATE users SET password_hash = ?", stored)
        with pytest.raises(InvalidCredentials):
            accounts.authenticate("alice", "correct horse")


def test_thirty_spellings_are_one_account_and_one_counter(users):
    """PWD-09: whoever spells a name otherwise has no further attempt at it."""
    here = "https://api.example"
    tokens = Tokens("a key for these tests only, and long enough", issuer=here, audience=here, store=MemoryStore())
    accounts = Accounts(users, tokens, PasswordHasher(memory=64, passes=1, lanes=1))
    accounts.register("kevin", "his password")
    found = []
    for spelling in KEVIN:
        with pytest.raises(InvalidCredentials) as raised:
            accounts.authenticate(spelling, "wrong", client="203.0.113.7")
        found.append(raised.value.reason)
    assert len(KEVIN) == 30
    assert [user.username for user in users.list()] == ["kevin"]
    looked_at = found.count("password_wrong")
    assert 1 <= looked_at <= 5
    assert found[:looked_at] == ["password_wrong"] * looked_at
    assert len(set(found[looked_at:])) == 1


def test_a_row_that_was_formatted_by_hand_is_the_same_user(users, file):
    users.add(FULL)
    edited(file, "UPDATE users SET roles = ?", '[ "\u00e9crivain", "admin","ed\\u0022itor" , "admin"]')
    assert users.find("alice") == FULL
    assert users.update(FULL, FULL.changed(roles=())) is True


def test_the_file_has_json_and_nothing_pickled(users, file):
    """SEC-02."""
    users.add(FULL)
    with contextlib.closing(sqlite3.connect(file)) as looked:
        row = looked.execute("SELECT * FROM users").fetchone()
    assert [type(value) for value in row] == [str, str, str, str, str, int, float, str]
    assert (json.loads(row[3]), json.loads(row[4])) == (sorted(FULL.roles), sorted(FULL.scopes))
    assert [path.name for path in file.parent.iterdir() if b"\x80\x04" in path.read_bytes()] == []


def test_who_is_deleted_and_what_is_replaced_is_not_left_in_the_file(users, file):
    for n in range(50):
        users.add(User(f"user{n:02}", password_hash=f"first hash {n:02} " + "x" * 80))
    users.update(users.find("user07"), User("user07", password_hash="short"))
    users.remove("user33")
    users.close()
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    data = file.read_bytes()
    assert b"first hash 08" in data
    assert b"first hash 07" not in data
    assert b"first hash 33" not in data
    assert b"user33" not in data


def test_nothing_is_made_before_it_is_used_and_looking_is_enough(file):
    users = SqliteUsers(str(file))
    assert not file.exists()
    assert users.find("alice") is None
    assert users.list() == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    users.close()


@pytest.mark.parametrize("side", ["", "-wal", "-shm"])
def test_a_link_is_refused_and_not_followed(file, side):
    target = file.parent / "target"
    (file.parent / (file.name + side)).symlink_to(target)
    with pytest.raises(ConfigurationError, match=r"users file .* symbolic link"):
        SqliteUsers(file).find("alice")
    assert not target.exists()


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666])
def test_a_file_that_others_can_write_is_refused(file, mode):
    file.touch()
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        SqliteUsers(file).add(FULL)


def test_a_store_is_no_users_file_and_users_are_no_store(file, users):
    users.add(FULL)
    with pytest.raises(ConfigurationError, match="something else"):
        SqliteStore(file).epoch()
    other = file.parent / "store.db"
    store = SqliteStore(other)
    store.epoch()
    with pytest.raises(ConfigurationError, match="something else"):
        SqliteUsers(other).find("alice")
    store.close()


def test_a_file_of_a_newer_version_is_refused(file, users):
    users.add(FULL)
    edited(file, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(ConfigurationError, match="newer"):
        SqliteUsers(file).find("alice")


@pytest.mark.parametrize(
    "wrong",
    [{"path": ""}, {"path": ":memory:"}, {"path": b"a"}, {"path": None}, {"path": "a\0"}, {"timeout": 0}, {"max_bytes": 1}],
)
def test_a_wrong_argument_is_a_configuration_error(wrong):
    with pytest.raises(ConfigurationError):
        SqliteUsers(**{"path": "users.db", **wrong})


@pytest.mark.parametrize(
    "change",
    [{"username": "Alice"}, {"subject": 17}, {"subject": ""}, {"password_hash": b"h"}, {"roles": [1]}, {"scopes": [None]},
     {"disabled": 1}, {"password_changed": "now"}, {"password_changed": float("nan")}, {"factors": "\ud800"}],
)  # fmt: skip
def test_what_could_not_be_given_back_is_not_kept(users, change):
    with pytest.raises(ValueError):
        users.add(FULL.changed(**change))
    assert users.list() == []


class TestFaults:
    """A table that cannot be asked is a 503: never somebody who is unknown, never somebody who is let in."""

    def test_a_locked_file_is_unavailable_to_writers_and_open_to_readers(self, users, file):
        users.add(FULL)
        quick = SqliteUsers(file, timeout=0.05)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for call in (
                lambda: quick.add(User("bob")),
                lambda: quick.update(FULL, User("alice")),
                lambda: quick.remove("alice"),
            ):
                with pytest.raises(Unavailable, match="in use"):
                    call()
            assert quick.find("alice") == FULL
            other.execute("ROLLBACK")
        assert quick.add(User("bob")) is True
        quick.close()

    def test_a_file_that_is_full_takes_nobody_and_keeps_who_there_is(self, file):
        users = SqliteUsers(file, max_bytes=16 * 4096)
        added = []
        with pytest.raises(Unavailable, match="full"):
            for n in range(1000):
                users.add(User(f"user{n}", factors="x" * 1000))
                added.append(n)
        assert len(added) > 10
        with pytest.raises(Unavailable, match="full"):
            users.update(users.find("user0"), User("user0", factors="y" * 100_000))
        assert users.find("user0").factors == "x" * 1000
        assert len(users.list(limit=1000)) == len(added)
        assert users.remove("user0")
        users.close()

    def test_a_damaged_file_is_unavailable_and_left_as_it_is(self, file, rng):
        file.write_bytes(rng.randbytes(20_000))
        file.chmod(0o600)
        before = file.read_bytes()
        users = SqliteUsers(file)
        for call in (lambda: users.find("alice"), lambda: users.add(FULL), users.list):
            with pytest.raises(Unavailable, match="damaged"):
                call()
        assert file.read_bytes() == before

    def test_pages_that_were_overwritten_let_nobody_in_and_raise_nothing_else(self, users, file, rng):
        for n in range(100):
            users.add(User(f"user{n:03}", password_hash="!", factors="x" * 100))
        users.close()
        whole, faults = file.read_bytes(), 0
        for _ in range(60):
            place = rng.randrange(100, len(whole) - 200)
            file.write_bytes(whole[:place] + rng.randbytes(100) + whole[place + 100 :])
            broken = SqliteUsers(file)
            for n in range(0, 100, 9):
                try:
                    found = broken.find(f"user{n:03}")
                    assert found is None or found.username == f"user{n:03}"
                except (Unavailable, ConfigurationError):
                    faults += 1
            broken.close()
        assert faults

    def test_a_place_where_no_file_can_be_is_unavailable(self, tmp_path):
        with pytest.raises(Unavailable, match="cannot be made"):
            SqliteUsers(tmp_path / "nowhere" / "users.db").find("alice")

    def test_every_commit_waits_for_the_disk(self, users):
        full = 2
        users.add(FULL)
        asked = users._rows.writes.read(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
        assert asked == full
        assert users._rows.writes.read(lambda connection: connection.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"
