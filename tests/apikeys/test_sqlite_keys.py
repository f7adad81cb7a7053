"""`SqliteKeys`: the contract, and what is its own: the file, and rows that somebody broke."""

from __future__ import annotations

import contextlib
import sqlite3
import stat

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.accounts import SqliteUsers, User
from authkit.apikeys import ApiKeys, SqliteKeys

from .keys_contract import FULL, PLAIN, SharedKeysContract


class TestSqliteKeys(SharedKeysContract):
    @pytest.fixture
    def keys(self, tmp_path):
        keys = SqliteKeys(tmp_path / "keys.db", timeout=30)
        yield keys
        keys.close()

    @pytest.fixture
    def recipe(self, tmp_path):
        return f"SqliteKeys({str(tmp_path / 'keys.db')!r}, timeout=30)"

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("name", b"\xff"), ("subject", ""), ("subject", b"17"), ("digest", ""), ("digest", "0F" * 32),
            ("digest", "\u00e9" * 64), ("digest", b"00"),
            ("scopes", "admin"), ("scopes", "[" * 100_000), ("roles", "null"), ("roles", "[1]"),
            ("created", "now"), ("expires", 9e999), ("last_used", b""), ("disabled", 2), ("disabled", "no"), ("disabled", 0.5),
            ("prefix", ""), ("prefix", b"ak"), ("ttl", -1.0), ("ttl", "long"),
        ],
        ids=lambda value: ascii(value)[:12],
    )  # fmt: skip
    def test_a_row_that_nobody_can_have_meant_is_unavailable(self, keys, tmp_path, column, value):
        """Nobody comes in by it, no exception of another kind comes out, and it can be removed."""
        api = ApiKeys(keys)
        new = api.new("17")
        with contextlib.closing(sqlite3.connect(tmp_path / "keys.db")) as other:
            other.execute(f"UPDATE keys SET {column} = ?", (value,))
            other.commit()
        for call in (lambda: api.verify(new.reveal()), lambda: keys.find(new.id), lambda: api.revoke(new.id), keys.list):
            with pytest.raises(Unavailable, match=f"cannot be read: its column {column}"):
                call()
        assert keys.remove(new.id) is True

    def test_the_file_is_for_its_owner_and_has_no_key_in_it(self, keys, tmp_path):
        api = ApiKeys(keys)
        new = api.new("alice", name="laptop")
        keys.close()
        assert stat.S_IMODE((tmp_path / "keys.db").stat().st_mode) == 0o600
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        key = new.reveal()
        assert new.id.encode() in content
        assert key.encode() not in content
        assert key[len("ak_") + 12 :][:30].encode() not in content

    def test_a_file_of_users_is_no_file_of_keys(self, tmp_path):
        users = SqliteUsers(tmp_path / "users.db")
        users.add(User("alice"))
        with pytest.raises(ConfigurationError, match="something else"):
            SqliteKeys(tmp_path / "users.db").list()
        users.close()

    def test_a_place_where_no_file_can_be_is_unavailable(self, tmp_path):
        with pytest.raises(Unavailable, match="cannot be made"):
            SqliteKeys(tmp_path / "nowhere" / "keys.db").find(FULL.id)


def test_a_file_that_was_let_go_of_is_opened_again(tmp_path):
    keys = SqliteKeys(tmp_path / "keys.db")
    assert keys.add(PLAIN)
    keys.close()
    assert keys.find(PLAIN.id) == PLAIN
