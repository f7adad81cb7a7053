"""What a `DynamoStore` asks of DynamoDB, what it leaves there, and what clocks that differ do."""

from __future__ import annotations

import pytest

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


class TestCalls:
    @pytest.mark.parametrize("forgets_items", [False, True])
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_decision_is_one_conditional_write(self, aws, clock, algorithm, forgets_items):
        aws.forgets_items = forgets_items
        limiter = made(aws, clock=clock).limiter("a", rates("10/minute", "100/hour"), algorithm)
        aws.calls.clear()
        assert admitted(limiter, times=5) == 5
        clock.sleep(3)
        assert admitted(limiter, times=5) == 5
        assert aws.calls == {"UpdateItem": 10}
        assert admitted(limiter) == 0
        assert aws.calls == {"UpdateItem": 10, "GetItem": 1}  # who seems to be at the limit is not charged with a write
        clock.sleep(60.01)
        assert admitted(limiter, times=10) == 10
        assert aws.calls["UpdateItem"] == 20

    @pytest.mark.parametrize("forgets_items", [False, True])
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_what_others_changed_costs_one_more(self, aws, clock, algorithm, forgets_items):
        aws.forgets_items = forgets_items
        store = made(aws, clock=clock)
        ours, theirs = (store.limiter("a", rates("4/minute"), algorithm) for _ in range(2))
        assert admitted(ours) + admitted(theirs) == 2
        aws.calls.clear()
        assert admitted(ours, times=2) + admitted(theirs, times=2) == 2
        assert aws.calls["UpdateItem"] <= 5
        assert aws.calls["GetItem"] <= 3

    def test_a_look_writes_nothing(self, aws, clock):
        limiter = made(aws, clock=clock).limiter("a", rates("10/minute"))
        aws.calls.clear()
        assert limiter.take("k", 0) == (0, ((10, 0),))
        assert aws.calls == {"GetItem": 1}

    def test_notes_are_one_call_each(self, aws, clock):
        store = made(aws, clock=clock)
        aws.calls.clear()
        assert store.add("a", 60, b"1")
        assert not store.add("a", 60, b"2")
        assert store.swap("a", b"1", b"2", 60)
        assert store.get("a") == b"2"
        assert aws.calls == {"PutItem": 3, "GetItem": 1}

    def test_every_item_says_when_it_may_go_and_none_goes_early(self, aws, clock):
        store = made(aws, clock=clock)
        for algorithm in ALGORITHMS:
            store.limiter("a", rates("10/minute", "5/hour"), algorithm).take("k")
        store.add("a", 600)
        store.gate("a", 1).enter("k", "h", 600)
        items = client("dynamodb", aws.endpoint).scan(TableName=store._table._name)["Items"]
        assert len(items) == 5
        for item in items:
            least = 600 if item["pk"]["S"][0] in "ng" else 3600
            assert clock.now + least + 300 <= int(item["x"]["N"]) <= clock.now + 8 * 86_400

    def test_keys_holders_and_names_are_not_told_by_the_table(self, aws, clock):
        store = made(aws, clock=clock)
        store.limiter("login", rates("1/day")).take("203.0.113.77")
        store.gate("login", 1).enter("203.0.113.77", "holder-77", 60)
        store.add("token-77", 60)
        told = repr(client("dynamodb", aws.endpoint).scan(TableName=store._table._name)["Items"])
        assert not any(word in told for word in ("203.0.113.77", "holder-77", "token-77", "login"))


class TestClocks:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_clock_that_is_ahead_gains_no_more_than_that(self, aws, clock, algorithm):
        ahead = Clock(clock.now + 2)
        name = made(aws)._table._name
        ours, theirs = (
            DynamoStore(name, endpoint=aws.endpoint, timeout=30, clock=one).limiter("a", rates("20 per 10 seconds"), algorithm)
            for one in (clock, ahead)
        )
        total = 0
        for _ in range(10):  # a second
            total += admitted(ours, times=6) + admitted(theirs, times=6)
            clock.sleep(0.1)
            ahead.sleep(0.1)
        most = {"token-bucket": 20 + 2 + 4, "sliding-window": 20, "fixed-window": 40}
        assert 20 <= total <= most[algorithm]


class TestShards:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_the_parts_together_are_never_more_than_the_limit(self, aws, clock, rng, algorithm):
        store = made(aws, clock=clock, shards=4, random=rng.random)
        limiter = store.limiter("a", rates("22/minute", "90/hour"), algorithm)
        assert limiter.take("k", 0) == (0, ((22, 0), (90, 0)))
        assert 18 <= admitted(limiter, times=60) <= 22
        left = limiter.take("k", 0)[1][0][0]
        taken = 22 - left
        assert admitted(limiter, times=60) <= left
        limiter.reset("k")
        assert limiter.take("k", 0)[1][0][0] == 22
        assert taken

    def test_what_is_given_back_goes_to_the_shards_it_came_from(self, aws, clock, rng):
        limiter = made(aws, clock=clock, shards=4, random=rng.random).limiter("a", rates("8/hour"))
        for _ in range(3):
            taken = admitted(limiter, times=40)
            assert taken == 8
            for _ in range(taken):
                limiter.give_back("k")

    def test_there_are_no_more_parts_than_permits(self, aws, clock):
        limiter = made(aws, clock=clock, shards=10).limiter("a", rates("3/minute", "2/hour"))
        assert len(limiter._shards) == 2
        assert limiter.take("k", 0)[1] == ((3, 0), (2, 0))

    def test_what_is_given_back_goes_to_the_part_it_came_from(self, aws, clock, rng):
        limiter = made(aws, clock=clock, shards=3, random=rng.random).limiter("a", rates("30/minute"))
        for _ in range(8):
            assert not limiter.take("k", 2)[0]
            limiter.give_back("k", 2)
        assert limiter.take("k", 0)[1][0][0] == 30


def test_a_crowded_window_settles_what_is_over_in_steps(aws, clock):
    """DynamoDB takes expressions of 4 KB."""
    store = made(aws, clock=clock)
    ours, theirs = (store.limiter("a", rates("60/minute", "64/hour"), "sliding-window") for _ in range(2))
    for _ in range(60):
        assert theirs.take("k")[0] == 0
        clock.sleep(0.002)
    clock.sleep(3601)
    assert ours.take("k", 60)[0] == 0
    assert ours.take("k", 0)[1] == ((0, pytest.approx(60, abs=0.01)), (4, pytest.approx(3600, abs=0.01)))


def test_a_gate_of_many_forgets_in_steps(aws, clock):
    gate = made(aws, clock=clock).gate("a", 100)
    assert all(gate.enter("k", f"h{n}", 10)[0] for n in range(100))
    clock.sleep(11)
    assert gate.enter("k", "new", 10) == (True, 1)
