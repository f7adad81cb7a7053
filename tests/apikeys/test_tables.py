"""`MemoryKeys`, `SqliteKeys` and `DynamoKeys`: the contract, and what is their own: rows that somebody broke, and URLs."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import stat

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.accounts import DynamoUsers, SqliteUsers, User
from authkit.apikeys import ApiKeys, DynamoKeys, MemoryKeys, SqliteKeys, open_keys
from authkit.apikeys.rows import packed
from tests.servers.dynamo import between, dynalite, has_node

from .keys_contract import FULL, PLAIN, KeyTableContract, SharedKeysContract

_numbers = itertools.count()


def made(endpoint, **options):
    """Keys in a table of their own."""
    name = f"keys-{next(_numbers)}"
    DynamoKeys(name, endpoint=endpoint, timeout=30).create_table()
    return DynamoKeys(name, endpoint=endpoint, **{"timeout": 30, **options})


@pytest.fixture(scope="module")
def dynalite_server():
    with dynalite() as endpoint:
        yield endpoint


@pytest.fixture
def aws(moto):
    with between(moto) as server:
        yield server


class TestMemoryKeys(KeyTableContract):
    @pytest.fixture
    def keys(self):
        return MemoryKeys()


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


@pytest.mark.skipif(not has_node(), reason="dynalite needs node and npm")
class TestOnDynalite(SharedKeysContract):
    rounds = 3

    @pytest.fixture
    def keys(self, dynalite_server, aws_env):
        return made(dynalite_server)

    @pytest.fixture
    def recipe(self, keys, dynalite_server):
        return f"DynamoKeys({keys._table._name!r}, endpoint={dynalite_server!r}, timeout=30)"


class TestOnMoto:
    """What one caller sees. Two at a time are not for moto: it lets both in."""

    @pytest.fixture
    def keys(self, aws):
        return made(aws.endpoint)

    test_found = KeyTableContract.test_a_key_is_found_as_it_was_added
    test_taken = KeyTableContract.test_an_id_is_taken_once
    test_listed = KeyTableContract.test_keys_are_listed_by_id_a_page_at_a_time_of_one_subject_or_of_all
    test_lives = KeyTableContract.test_a_key_lives_from_new_to_revoked

    def test_users_may_have_the_same_table(self, keys, aws):
        users = DynamoUsers(keys._table._name, endpoint=aws.endpoint, timeout=30)
        users.add(User(FULL.id.lower()))
        keys.add(FULL)
        assert (keys.list(), users.list()) == ([FULL], [User(FULL.id.lower())])

    @pytest.mark.parametrize(
        "value", [b"", b"{", b"[]", b"{}", b"[" * 100_000, json.dumps({**packed(FULL), "digest": "x"}).encode(),
                  json.dumps({**packed(FULL), "expires": float("nan")}).encode()], ids=range(7),
    )  # fmt: skip
    def test_an_item_that_nobody_can_have_meant_is_unavailable(self, keys, value):
        item = {"pk": {"S": f"apikey.{FULL.id}"}, "o": {"B": b"1"}, "v": {"B": value}}
        keys._table.client().put_item(TableName=keys._table._name, Item=item)
        for call in (lambda: keys.find(FULL.id), lambda: keys.update(FULL, FULL), keys.list):
            with pytest.raises(Unavailable, match="cannot be read"):
                call()
        assert keys.remove(FULL.id) is True


@pytest.mark.parametrize(
    ("url", "kind"),
    [("memory:", MemoryKeys), ("sqlite:///keys.db", SqliteKeys), ("dynamodb://keys?region=eu-west-1", DynamoKeys)],
)
def test_a_url_names_a_table_without_io(url, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert type(open_keys(url)) is kind
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "keys.db", "sqlite:keys.db", "redis://u:hunter2@h", "dynamodb://keys?shards=2", None])
def test_what_names_none_is_a_configuration_error_that_does_not_repeat_it(url):
    with pytest.raises(ConfigurationError, match="API keys") as raised:
        open_keys(url)
    assert "hunter2" not in str(raised.value)


def test_keys_in_a_table_are_of_this_package_alone(tmp_path):
    keys = SqliteKeys(tmp_path / "keys.db")
    assert keys.add(PLAIN)
    keys.close()
    assert keys.find(PLAIN.id) == PLAIN  # opened again
