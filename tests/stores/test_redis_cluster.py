"""`RedisStore` on a cluster of six, and behind three sentinels: also while a master is killed."""

from __future__ import annotations

import threading
import time

import pytest
import redis

from authkit.errors import StoreUnavailable
from authkit.stores.redis_store import RedisStore
from tests.servers.redis import SERVICE, info, redis_cluster, redis_sentinels

from .contract import SharedStoreContract
from .parts import ALGORITHMS, admitted, in_threads, rates
from .redis_parts import TIMEOUT, answers_within


def urls(kind, servers, path=""):
    return f"redis+{kind}://" + ",".join(f"127.0.0.1:{server.port}" for server in servers) + path


@pytest.fixture(scope="module")
def nodes():
    with redis_cluster() as nodes:
        yield nodes


@pytest.fixture
def emptied(nodes):
    for node in nodes[:3]:
        node.say("FLUSHALL")
    return nodes


class TestClusterStore(SharedStoreContract):
    few = True

    @pytest.fixture
    def store(self, emptied, clock):
        store = RedisStore(urls("cluster", emptied[:2]), timeout=5, clock=clock)
        yield store
        store.close()

    @pytest.fixture
    def recipe(self, emptied):
        url = urls("cluster", emptied[:2])
        return f"__import__('authkit.stores', fromlist=['']).RedisStore({url!r}, timeout=5)"


def test_a_cluster_client_gives_its_nodes(emptied):
    client = redis.RedisCluster("127.0.0.1", emptied[4].port)
    store = RedisStore(client, timeout=5)
    assert [store.add(f"k{n % 20}", 60) for n in range(40)] == [True] * 20 + [False] * 20
    client.close()
    store.close()


def test_keys_are_spread_over_the_masters(emptied):
    store = RedisStore(urls("cluster", emptied[3:4]), timeout=5)  # a replica knows the map as well
    limiter = store.limiter("a", rates("5/hour", "6/day"))
    for n in range(60):
        assert limiter.take(f"k{n}") == (0, ((4, pytest.approx(720, abs=1)), (5, pytest.approx(14_400, abs=1))))
        assert store.add(f"k{n}", 60)
    held = [node.say("DBSIZE") for node in emptied[:3]]
    assert sum(held) == 120 + 8  # epochs
    assert min(held) >= 10


def test_a_caller_does_not_choose_the_slot(emptied):
    store = RedisStore(urls("cluster", emptied[:1]), timeout=5)
    limiter = store.limiter("a", rates("5/hour"))
    for n in range(60):
        limiter.take(f"{{one}}{n}")
    assert min(node.say("DBSIZE") for node in emptied[:3]) >= 5


def test_a_shard_that_lost_its_data_makes_the_store_a_new_one(emptied):
    store = RedisStore(urls("cluster", emptied[:3]), timeout=5)
    for n in range(60):
        store.add(f"k{n}", 3600)
    born = store.epoch()
    assert store.epoch() == born
    for node in emptied[:3]:
        held = node.say("DBSIZE")
        node.say("FLUSHALL")
        lost = store.epoch()
        assert held
        assert lost > born
        born = lost


class Move:
    """A slot on its way from the node that has a key to another one."""

    def __init__(self, nodes, key):
        self.source = next(node for node in nodes[:3] if key in node.say("KEYS", "*"))
        self.target = next(node for node in nodes[:3] if node is not self.source)
        self.slot = self.source.say("CLUSTER", "KEYSLOT", key)
        self._tell(self.target, "IMPORTING", self.source)
        self._tell(self.source, "MIGRATING", self.target)

    def _tell(self, node, what, other):
        node.say("CLUSTER", "SETSLOT", self.slot, what, other.say("CLUSTER", "MYID"))

    def move(self, *keys):
        for key in keys or self.source.say("CLUSTER", "GETKEYSINSLOT", self.slot, 1000):
            self.source.say("MIGRATE", "127.0.0.1", self.target.port, key, 0, 5000)

    def end(self):
        for node in (self.target, self.source):
            self._tell(node, "NODE", self.target)

    def back(self):
        """Where it was, for the other tests."""
        self.source, self.target = self.target, self.source
        self._tell(self.target, "IMPORTING", self.source)
        self._tell(self.source, "MIGRATING", self.target)
        self.move()
        self.end()


def test_a_slot_that_moves_is_followed(emptied):
    """ASK while it moves, MOVED afterwards; nothing is forgotten."""
    store = RedisStore(urls("cluster", emptied[:3]), timeout=5)
    limiter = store.limiter("a", rates("100/hour"))
    assert limiter.take("k")[0] == 0
    (key,) = (key for node in emptied[:3] for key in node.say("KEYS", "*"))
    move = Move(emptied, key)
    assert limiter.take("k")[1][0][0] == 98
    move.move()
    assert limiter.take("k")[1][0][0] == 97
    move.end()
    assert [limiter.take("k")[1][0][0] for _ in range(2)] == [96, 95]
    move.back()
    assert limiter.take("k")[1][0][0] == 94


def test_notes_are_taken_while_their_slot_moves(emptied):
    """Each call has one key: those that moved and those that did not are both served."""
    store, other = (RedisStore(urls("cluster", emptied[:3]), timeout=5) for _ in range(2))
    assert all(store.add(f"k{n}", 600, b"1") for n in range(40))
    born = store.epoch()
    epoch = b"authkit:{3}epoch"
    move = Move(emptied, epoch)
    for step in range(2):
        for one in (store, other):
            assert not any(one.add(f"k{n}", 600) for n in range(40))
            assert all(one.add(f"{step} {id(one)} {n}", 600) for n in range(40))
            assert one.epoch() == born
        notes = [key for key in move.source.say("CLUSTER", "GETKEYSINSLOT", move.slot, 1000) if key != epoch]
        move.move(*(notes if step else notes[::2]))
    move.move()
    move.end()
    assert [one.epoch() for one in (store, other)] == [born, born]
    assert all(store.get(f"k{n}") == b"1" for n in range(40))
    move.back()
    assert all(store.get(f"k{n}") == b"1" for n in range(40))


def test_a_master_that_hangs_costs_its_own_keys_only(emptied):
    store = RedisStore(urls("cluster", emptied[:3]), timeout=TIMEOUT)
    limiter = store.limiter("a", rates("100/hour"))
    for n in range(30):
        answers_within(lambda n=n: limiter.take(f"k{n}"))
    emptied[0].freeze()
    try:
        start = time.monotonic()
        outcomes = []
        for n in range(300):
            try:
                outcomes.append(limiter.take(f"k{n % 30}")[0] == 0)
            except StoreUnavailable:
                outcomes.append(None)
        took = time.monotonic() - start
    finally:
        emptied[0].thaw()
    assert outcomes.count(True) > 100
    assert outcomes.count(None) > 30
    assert took < 5
    for n in range(30):
        answers_within(lambda n=n: limiter.take(f"k{n}"))


def test_a_killed_master_is_replaced_by_its_replica():
    with redis_cluster(timeout_ms=300) as nodes:
        store = RedisStore(urls("cluster", nodes[:3]), timeout=TIMEOUT)
        limiter = store.limiter("a", rates("3 per 300 days"))
        for n in range(12):
            assert answers_within(lambda n=n: limiter.take(f"k{n}", 3))[0] == 0
        for node in nodes[:3]:
            assert node.say("WAIT", 1, 5000) == 1
        nodes[0].kill()
        for n in range(12):
            assert answers_within(lambda n=n: limiter.take(f"k{n}"), 15)[0] > 0  # what was taken is known to the replica


def test_a_master_that_is_replaced_by_the_sentinels_is_found():
    with redis_sentinels() as (master, replicas, sentinels):
        store = RedisStore(urls("sentinel", sentinels, f"/{SERVICE}/0"), timeout=TIMEOUT)
        limiters = [store.limiter("a", rates("20 per 300 days"), algorithm) for algorithm in ALGORITHMS]
        counts = [sum(admitted(limiter, times=2) for limiter in limiters)]
        answers_within(store.epoch)
        born = store.epoch()
        client = redis.Sentinel([("127.0.0.1", sentinel.port) for sentinel in sentinels]).master_for(SERVICE)
        same = RedisStore(client, timeout=TIMEOUT)
        assert answers_within(same.epoch) == born
        assert master.say("WAIT", 2, 5000) == 2
        sentinels[0].freeze()  # one sentinel that hangs, too
        master.kill()
        assert [answers_within(lambda one=one: one.take("k", 0), 15)[1][0][0] for one in limiters] == [18] * 3
        assert store.epoch() == answers_within(same.epoch) == born
        assert {info(node, "INFO", "replication")["role"] for node in replicas} == {"master", "slave"}
        in_threads(4, lambda n: counts.extend(admitted(limiter, times=20) for limiter in limiters))
        assert sum(counts) == 60
        sentinels[0].thaw()


@pytest.mark.soak
def test_a_demoted_master_is_left():
    """READONLY: whom we are connected to is a replica now."""
    with redis_sentinels() as (master, _, sentinels):
        store = RedisStore(urls("sentinel", sentinels[:1], f"/{SERVICE}"), timeout=5)
        limiter = store.limiter("a", rates("20 per 300 days"))
        assert admitted(limiter, times=2) == 2
        sentinels[0].say("SENTINEL", "FAILOVER", SERVICE)
        end = time.monotonic() + 15
        while info(master, "INFO", "replication")["role"] == "master":
            assert time.monotonic() < end
            time.sleep(0.05)
        assert answers_within(lambda: limiter.take("k"), 15)[0] == 0


@pytest.mark.soak
def test_no_master_lost_admits_more_than_twice_what_there_is():
    """A replica that had not heard of the last writes lets them be taken again, once: never more than that."""
    for _ in range(5):
        with redis_sentinels() as (master, _, sentinels):
            store = RedisStore(urls("sentinel", sentinels, f"/{SERVICE}"), timeout=TIMEOUT)
            limiter = store.limiter("a", rates("2000 per 300 days"))
            counts = [0] * 4

            def work(n, limiter=limiter, counts=counts):
                end = time.monotonic() + 8
                while time.monotonic() < end:
                    try:
                        counts[n] += not limiter.take("k")[0]
                    except StoreUnavailable:
                        time.sleep(0.01)

            killer = threading.Timer(0.05, master.kill)
            killer.start()
            in_threads(4, work)
            killer.join()
            assert 0 < sum(counts) <= 4000
