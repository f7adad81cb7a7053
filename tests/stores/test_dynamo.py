"""`DynamoStore`: the contract on two implementations of DynamoDB, and what is its own."""

from __future__ import annotations

import itertools

import pytest

from authkit import ConfigurationError
from authkit.stores import DynamoStore
from tests.servers.dynamo import between, dynalite, has_node

from .contract import Clock, SharedStoreContract, rates
from .contract_gates import GateContract
from .contract_limits import LimitContract
from .contract_notes import NoteContract
from .contract_windows import WindowContract
from .dynamo_parts import made

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


class DynamoContract(SharedStoreContract):
    few = True
    rounds = 1

    @pytest.fixture
    def endpoint(self):
        raise NotImplementedError

    @pytest.fixture
    def store(self, endpoint, clock):
        store = DynamoStore(f"store-{next(_numbers)}", endpoint=endpoint, clock=clock, timeout=30)
        store.create_table()
        return store

    @pytest.fixture
    def recipe(self, endpoint):
        name = f"shared-{next(_numbers)}"
        DynamoStore(name, endpoint=endpoint, timeout=30).create_table()
        return f"__import__('authkit.stores.dynamo', fromlist=['']).DynamoStore({name!r}, endpoint={endpoint!r}, timeout=30)"


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
