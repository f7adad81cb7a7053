"""`DynamoStore`: the contract on two implementations of DynamoDB, and what is its own."""

from __future__ import annotations

import itertools
import logging
import os
import time

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.stores import DynamoStore
from tests.servers.aws import client
from tests.servers.dynamo import between, dynalite, has_node

from .contract import Clock, SharedStoreContract, admitted, rates
from .contract_gates import GateContract
from .contract_limits import LimitContract
from .contract_notes import NoteContract
from .contract_windows import WindowContract
from .parts import ALGORITHMS

_numbers = itertools.count()


@pytest.fixture(scope="module")
def dynalite_server():
    with dynalite() as endpoint:
        yield endpoint


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def aws(moto):
    with between(moto) as server:
        yield server


def made(aws, **options):
    """A store in a table of its own."""
    store = DynamoStore(f"own-{next(_numbers)}", endpoint=aws.endpoint, **{"timeout": 5, **options})
    store.create_table()
    return store


class DynamoContract(SharedStoreContract):
    few = True
    rounds = 1

    @pytest.fixture
    def endpoint(self):
        raise NotImplementedError

    @pytest.fixture
    def store(self, endpoint, clock):
        store = DynamoStore(f"store-{next(_numbers)}", endpoint=endpoint, clock=clock, timeout=10)
        store.create_table()
        return store

    @pytest.fixture
    def recipe(self, endpoint):
        name = f"shared-{next(_numbers)}"
        DynamoStore(name, endpoint=endpoint, timeout=10).create_table()
        return f"__import__('authkit.stores.dynamo', fromlist=['']).DynamoStore({name!r}, endpoint={endpoint!r}, timeout=10)"


@pytest.mark.skipif(not has_node(), reason="dynalite needs node and npm")
class TestOnDynalite(DynamoContract):
    @pytest.fixture
    def endpoint(self, dynalite_server, aws_env):
        return dynalite_server


class TestOnMoto:
    """What one caller sees. Two at a time are not for moto: it lets both in (seen with a bare conditional update)."""

    few = True

    @pytest.fixture
    def store(self, aws, clock):
        return made(aws, clock=clock)

    test_burst = LimitContract.test_a_burst_is_exact_whatever_the_rate
    test_cost = LimitContract.test_a_cost_is_taken_whole_or_not_at_all
    test_given_back = LimitContract.test_what_is_given_back_may_be_taken_again_and_no_more
    test_names = LimitContract.test_keys_names_rates_and_algorithms_have_permits_of_their_own
    test_reset = LimitContract.test_reset_forgets
    test_jumps = LimitContract.test_a_clock_that_jumps_locks_nobody_out_for_longer_than_a_period
    test_windows = WindowContract.test_several_windows_are_one_answer_that_takes_nothing_if_any_refuses
    test_gate = GateContract.test_a_holder_is_forgotten_after_its_time_unless_renewed
    test_gate_limit = GateContract.test_a_gate_lets_in_as_many_as_its_limit
    test_swap = NoteContract.test_swap_changes_what_is_there_only_if_it_is_as_said
    test_swap_forgets = NoteContract.test_swap_for_nothing_forgets
    test_values = NoteContract.test_get_gives_what_was_added_until_its_time_is_over
    test_epoch = NoteContract.test_the_epoch_is_the_time_of_creation_and_stays


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
            DynamoStore("nowhere", endpoint=aws.endpoint).get("a")

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


class TestClocks:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_clock_that_is_ahead_gains_no_more_than_that(self, aws, clock, algorithm):
        ahead = Clock(clock.now + 2)
        name = made(aws)._table._name
        ours, theirs = (
            DynamoStore(name, endpoint=aws.endpoint, clock=one).limiter("a", rates("20 per 10 seconds"), algorithm)
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"table": ""}, {"table": "a"}, {"table": "a b c"}, {"table": None}, {"table": "x" * 256}, {"region": "Ireland"},
        {"region": ""}, {"endpoint": "http://example.com"}, {"endpoint": "https://a:b@example.com"}, {"endpoint": 3},
        {"client": object(), "region": "eu-west-1"}, {"timeout": 0}, {"timeout": "1"}, {"timeout": float("nan")},
        {"shards": 0}, {"shards": True}, {"shards": 1001}, {"shards": "2"},
    ],
)  # fmt: skip
def test_a_wrong_argument_is_a_configuration_error(wrong):
    with pytest.raises(ConfigurationError):
        DynamoStore(**{"table": "table", **wrong})


def test_a_store_makes_no_client_until_it_is_used_and_shows_nothing():
    store = DynamoStore("arn:aws:dynamodb:eu-west-1:123456789012:table/authkit")
    store.limiter("a", rates("1/second"))
    store.gate("a", 1)
    assert store._table._made is None
    assert repr(store) == "<DynamoStore>"
