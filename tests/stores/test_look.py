"""What `Store.look` costs: one question, however many keys; and what it does when that fails."""

from __future__ import annotations

import pytest

from authkit import Unavailable
from authkit.stores import MemoryStore, RedisStore, SqliteStore, Store
from tests.servers.dynamo import between, dynalite, has_node
from tests.servers.redis import redis_server

from .dynamo_parts import made


@pytest.fixture(scope="module")
def dynalite_server():
    with dynalite() as endpoint:
        yield endpoint


@pytest.fixture
def aws(request, aws_env):
    with between(request.getfixturevalue("dynalite_server" if has_node() else "moto")) as server:
        yield server


class TestOnDynamo:
    def test_it_is_one_consistent_read_of_several_items(self, aws):
        store = made(aws)
        store.epoch()
        store.add("a", 60, b"1")
        aws.calls.clear()
        assert store.look("a", "b", "c")[1] == [b"1", None, None]
        assert aws.calls == {"BatchGetItem": 1}

    def test_what_was_not_answered_is_asked_again(self, aws):
        store = made(aws)
        store.add("a", 60, b"1")
        store.epoch()
        aws.unprocessed(times=2)
        assert store.look("a")[1] == [b"1"]
        aws.fail("BatchGetItem", "ProvisionedThroughputExceededException", times=2)
        aws.drop("BatchGetItem", times=1)
        assert store.look("a")[1] == [b"1"]

    def test_part_of_an_answer_is_no_answer(self, aws):
        store = made(aws, timeout=0.3)
        store.add("a", 60, b"1")
        aws.unprocessed()
        with pytest.raises(Unavailable):
            store.look("a")
        aws.mend()
        assert store.look("a")[1] == [b"1"]

    def test_what_is_no_answer_is_unavailable(self, aws):
        store = made(aws, timeout=0.3)
        for fault in (
            lambda: aws.html("BatchGetItem"),
            lambda: aws.fail("BatchGetItem", "AccessDeniedException"),
            lambda: aws.fail("BatchGetItem", "InternalServerError"),
        ):
            fault()
            with pytest.raises(Unavailable):
                store.look("a")
            aws.mend()

    def test_who_may_not_is_told_what_it_takes(self, aws):
        aws.fail("BatchGetItem", "AccessDeniedException")
        with pytest.raises(Unavailable, match="BatchGetItem"):
            made(aws).look("a")


def test_on_redis_it_is_one_round_trip():
    with redis_server() as server:
        store = RedisStore(server.url, timeout=5)
        store.add("a", 60, b"1")
        server.say("CONFIG", "RESETSTAT")
        assert store.look("a", "b", "c")[1] == [b"1", None, None]
        stats = server.say("INFO", "commandstats")
        calls = {name.removeprefix("cmdstat_"): told["calls"] for name, told in stats.items()}
        assert calls.pop("mget") == 1
        assert {name.partition("|")[0] for name in calls} <= {"client", "config", "info"}  # ours, who ask
        server.say("SET", "authkit:epoch", "what nobody wrote")
        with pytest.raises(Unavailable):
            store.look("a")
        server.say("DEL", "authkit:epoch")
        (note,) = server.say("KEYS", "*")
        server.say("SET", note, "nor this")
        with pytest.raises(Unavailable):
            store.look("a")
        store.close()


def test_in_a_file_it_is_one_statement(tmp_path):
    store = SqliteStore(tmp_path / "store.db")
    store.add("a", 60, b"1")
    store.look("a")
    said = []
    store._reads._connection.set_trace_callback(said.append)
    assert store.look("a", "b", "c")[1] == [b"1", None, None]
    assert len(said) == 1


def test_a_store_of_ones_own_that_has_no_look_is_asked_key_by_key():
    inner, asked = MemoryStore(), []

    class Mine(Store):
        def get(self, key):
            asked.append(key)
            return inner.get(key)

        def epoch(self):
            asked.append("epoch")
            return inner.epoch()

    inner.add("a", 60, b"1")
    assert Mine().look("a", "b") == (inner.epoch(), [b"1", None])
    assert asked == ["a", "b", "epoch"]  # the epoch last: a store that is lost in between shows in it
