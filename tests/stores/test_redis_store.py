"""`RedisStore`: the contract, on a server, a cluster and behind sentinels; and what is its own."""

from __future__ import annotations

import pytest

from authkit.stores.redis_store import RedisStore
from tests.servers.redis import redis_server

from .contract import SharedStoreContract


@pytest.fixture(scope="module")
def _server():
    with redis_server() as server:
        yield server


@pytest.fixture
def server(_server):
    _server.say("FLUSHALL")
    return _server


class TestRedisStore(SharedStoreContract):
    few = True

    @pytest.fixture
    def store(self, server, clock):
        store = RedisStore(server.url, timeout=5, clock=clock)
        yield store
        store.close()

    @pytest.fixture
    def recipe(self, server):
        return f"__import__('authkit.stores', fromlist=['']).RedisStore({server.url!r}, timeout=5)"
