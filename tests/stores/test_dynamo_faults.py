"""A DynamoDB that throttles, hangs, loses answers or is none."""

from __future__ import annotations

import logging
import os
import time

import pytest

from authkit import Unavailable
from authkit.stores import DynamoStore
from tests.servers.aws import client
from tests.servers.dynamo import between

from .contract import Clock, admitted, rates
from .dynamo_parts import made
from .parts import ALGORITHMS


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def aws(moto):
    with between(moto) as server:
        yield server


class TestFaults:
    def test_throttling_is_tried_again_and_then_unavailable(self, aws, clock):
        store = made(aws, clock=clock, timeout=0.6)
        for code in ("ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"):
            aws.fail("PutItem", code, times=2)
            assert store.add(code, 60)
        aws.fail("PutItem", "ProvisionedThroughputExceededException")
        began = time.monotonic()
        with pytest.raises(Unavailable, match="ProvisionedThroughputExceededException"):
            store.add("b", 60)
        assert time.monotonic() - began < 2
        assert 3 <= aws.calls["PutItem"] < 60
        aws.mend()
        assert store.add("b", 60)

    @pytest.mark.parametrize("kind", ["drop", "InternalServerError"])
    def test_an_answer_that_was_lost_does_not_lose_the_only_true(self, aws, clock, kind):
        """The second attempt finds what the first has done."""

        def lose(times=1):
            if kind == "drop":
                aws.drop("PutItem", times=times, after=True)
            else:
                aws.fail("PutItem", kind, times=times, after=True)

        store = made(aws, clock=clock, timeout=2)
        lose()
        assert store.add("a", 60, b"1")
        assert not store.add("a", 60, b"1")
        lose()
        assert store.swap("a", b"1", b"2", 60)
        lose()
        assert not store.swap("a", b"1", b"3", 60)
        lose()
        assert store.swap("a", b"2", None, 60)
        assert store.get("a") is None
        lose()
        assert store.swap("a", None, b"4", 60)

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_take_whose_answer_was_lost_is_never_not_counted(self, aws, clock, algorithm):
        limiter = made(aws, clock=clock, timeout=2).limiter("a", rates("3/minute"), algorithm)
        aws.drop("UpdateItem", times=1, after=True)
        assert 1 <= admitted(limiter, times=5) <= 2

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_what_is_given_back_is_never_given_twice(self, aws, clock, algorithm):
        """An answer that was lost: rather one permit too few than one too many."""
        limiter = made(aws, clock=clock, timeout=2).limiter("a", rates("3/minute"), algorithm)
        assert admitted(limiter, times=5) == 3
        aws.drop("UpdateItem", times=1, after=True)
        with pytest.raises(Unavailable):
            limiter.give_back("k")
        assert admitted(limiter, times=5) == 1

    def test_a_client_of_the_users_keeps_its_own_attempts(self, aws, clock):
        mine = client("dynamodb", aws.endpoint, retries={"total_max_attempts": 3})
        store = DynamoStore(made(aws)._table._name, client=mine, clock=clock)
        aws.drop("PutItem", times=1, after=True)
        assert store.add("a", 60)
        aws.calls.clear()
        aws.fail("PutItem", "ThrottlingException")
        with pytest.raises(Unavailable):
            store.add("b", 60)
        assert aws.calls["PutItem"] == 3

    def test_a_store_that_hangs_is_unavailable_soon_and_then_left_alone(self, aws, clock):
        store = made(aws, clock=clock, timeout=0.3)
        store.add("a", 60)
        aws.slow("GetItem", 3)
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(Unavailable):
                store.get("a")
        assert time.monotonic() - began < 2
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(Unavailable, match="does not answer"):
                store.get("a")
        assert time.monotonic() - began < 0.1
        aws.mend()
        time.sleep(0.55)
        assert store.get("a") == b""

    def test_what_is_no_answer_of_dynamodb_admits_nobody(self, aws, clock):
        store = made(aws, clock=clock)
        limiter = store.limiter("a", rates("10/minute"))
        for action in ("GetItem", "PutItem", "UpdateItem"):
            aws.html(action, times=3)
        for call in (lambda: store.add("a", 60), lambda: limiter.take("k"), lambda: store.get("a")):
            with pytest.raises(Unavailable):
                call()

    def test_a_table_that_is_not_there_is_unavailable_and_says_how_to_make_it(self, aws):
        with pytest.raises(Unavailable, match="create_table"):
            DynamoStore("nowhere", endpoint=aws.endpoint, timeout=30).get("a")

    def test_a_table_is_made_once(self, aws):
        store = made(aws)
        store.add("a", 60)
        store.create_table()
        assert store.get("a") == b""

    def test_no_value_is_logged(self, aws, caplog):
        store = made(aws)
        caplog.set_level(logging.DEBUG)
        store.add("a", 60, b"value-77")
        assert store.get("a") == b"value-77"
        assert "dmFsdWUtNzc" not in caplog.text
        assert "value-77" not in caplog.text

    def test_a_forked_child_shares_no_connection(self, aws):
        """AVL-12."""
        store = made(aws, timeout=5)
        limiter = store.limiter("a", rates("100 per 300 days"))
        assert admitted(limiter, times=3) == 3
        child = os.fork()
        if not child:
            os._exit(admitted(limiter, times=3))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert limiter.take("k", 0)[1][0][0] == 94
