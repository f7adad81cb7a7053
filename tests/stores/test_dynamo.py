"""`DynamoStore`: the contract on two implementations of DynamoDB, and what is its own."""

from __future__ import annotations

import itertools

import pytest

from authkit.stores import DynamoStore
from tests.servers.dynamo import dynalite, has_node

from .contract import SharedStoreContract

_numbers = itertools.count()


@pytest.fixture(scope="module")
def dynalite_server():
    with dynalite() as endpoint:
        yield endpoint


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


class TestOnMoto(DynamoContract):
    @pytest.fixture
    def endpoint(self, moto):
        return moto


@pytest.mark.skipif(not has_node(), reason="dynalite needs node and npm")
class TestOnDynalite(DynamoContract):
    @pytest.fixture
    def endpoint(self, dynalite_server, aws_env):
        return dynalite_server
