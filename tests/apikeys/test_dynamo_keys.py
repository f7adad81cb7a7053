"""`DynamoKeys`: the contract on two implementations of DynamoDB, and what is its own."""

from __future__ import annotations

import base64
import itertools
import json
import logging

import pytest

from authkit import Unavailable
from authkit.accounts import DynamoUsers, User
from authkit.apikeys import ApiKeys, DynamoKeys
from authkit.apikeys.rows import packed
from tests.servers.dynamo import between, dynalite, has_node

from .keys_contract import FULL, KeyTableContract, SharedKeysContract

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

    def test_no_log_shows_a_digest_at_any_level(self, keys, caplog):
        """LOG-01: at DEBUG botocore writes requests and answers as they are, but not ours."""
        caplog.set_level(logging.DEBUG)
        api = ApiKeys(keys)
        made = api.new("alice", name="laptop")
        api.verify(made.reveal())
        api.revoke(made.id)
        sent = base64.b64encode(json.dumps(packed(made.record)).encode()).decode()
        assert len(caplog.records) > 5
        shown = (made.reveal(), made.record.digest, sent[:60], sent[60:120])
        assert not [text for text in shown if text in caplog.text]

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
