"""RTL-07, AVL-03: a Redis that is killed, hangs, is full, or comes back empty."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

import pytest

from authkit.errors import StoreUnavailable
from authkit.stores.redis_store import RedisStore
from tests.servers.redis import info, redis_server, until

from .parts import ALGORITHMS, admitted, in_threads, rates
from .redis_parts import SLACK, TIMEOUT, answers_within, tried


@pytest.fixture
def server():
    with redis_server() as server:
        yield server


@pytest.fixture
def told(caplog):
    """A function that gives what the library has logged."""
    caplog.set_level(logging.WARNING, "authkit")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "authkit"]


def test_a_killed_server_costs_little_is_told_once_and_is_used_again_when_it_is_back(server, told):
    store = RedisStore(server.url, timeout=TIMEOUT)
    limiter = store.limiter("a", rates("5/hour"))
    born = answers_within(store.epoch)
    assert store.add("revoked", 60)
    assert admitted(limiter, times=9) == 5
    server.kill()
    assert [tried(lambda: limiter.take("k")) for _ in range(50)] == ["unavailable"] * 50
    assert len(told()) == 1
    server.start()
    answers_within(lambda: limiter.take("k", 0))
    assert [line.split(" ")[2] for line in told()] == ["fails", "answers"]
    assert store.get("revoked") is None
    assert store.epoch() > born  # what it kept is lost, and that can be seen


def test_a_server_that_hangs_is_asked_three_times_and_then_only_by_probes(server, told):
    store = RedisStore(server.url, timeout=TIMEOUT)
    limiter = store.limiter("a", rates("1000/hour"))
    answers_within(lambda: limiter.take("k"))
    server.freeze()
    start = time.monotonic()
    assert [tried(lambda: limiter.take("k")) for _ in range(200)] == ["unavailable"] * 200
    assert time.monotonic() - start < 3 * TIMEOUT + 2 * SLACK
    time.sleep(0.51)  # a probe is due, for one of these
    probes = []

    def work():
        start = time.monotonic()
        tried(lambda: limiter.take("k"))
        probes.append(time.monotonic() - start > TIMEOUT * 0.5)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert probes.count(True) == 1
    assert len(told()) == 1
    server.thaw()
    answers_within(lambda: limiter.take("k"))
    assert len(told()) == 2


def test_a_server_that_hangs_adds_a_tenth_of_a_second_and_no_more(server):
    limiter = RedisStore(server.url).limiter("a", rates("1000/hour"))
    answers_within(lambda: limiter.take("k"))
    server.freeze()
    took = []
    for _ in range(3):
        start = time.monotonic()
        with pytest.raises(StoreUnavailable):
            limiter.take("k")
        took.append(time.monotonic() - start)
    server.thaw()
    assert 0.05 < min(took) < 0.11


def test_connections_that_the_server_closed_are_made_again_without_a_failure(server):
    """Its `timeout` setting, a restart, or a load balancer: what is idle may be gone."""
    limiter = RedisStore(server.url, timeout=5).limiter("a", rates("100/hour"))
    in_threads(4, lambda n: limiter.take("k"))
    for _ in range(3):
        server.say("CLIENT", "KILL", "TYPE", "normal")
        assert limiter.take("k")[0] == 0


def test_a_server_that_may_evict_is_told_of_once(server, told):
    server.say("CONFIG", "SET", "maxmemory", "100mb")
    for policy, lines in (("noeviction", 0), ("allkeys-lru", 1), ("volatile-ttl", 1)):
        server.say("CONFIG", "SET", "maxmemory-policy", policy)
        store = RedisStore(server.url, timeout=5)
        assert store.add(policy, 60)
        assert store.add(f"{policy} again", 60)
        assert len(told()) == lines


def test_a_server_that_may_start_with_an_older_snapshot_is_told_of_once(server, told):
    """AVL-03: what was revoked since the snapshot would count again, and the epoch would not show it."""
    for save, logged, lines in (("", "no", 0), ("3600 1", "yes", 0), ("3600 1", "no", 1), ("60 9", "no", 1)):
        server.say("CONFIG", "SET", "save", save)
        server.say("CONFIG", "SET", "appendonly", logged)
        store = RedisStore(server.url, timeout=5)
        assert store.add(f"{save} {logged}", 60)
        assert len(told()) == lines
    server.say("CONFIG", "SET", "save", "")


def test_flushed_scripts_are_sent_again_and_nothing_is_lost(server):
    store = RedisStore(server.url, timeout=5)
    limiter = store.limiter("a", rates("5/hour"))
    gate = store.gate("g", 1)
    assert admitted(limiter, times=3) == 3
    for _ in range(3):
        server.say("SCRIPT", "FLUSH")
        assert limiter.take("k", 0)[1][0][0] == 2
        server.say("SCRIPT", "FLUSH")
        gate.enter("k", "h", 60)
        assert gate.enter("k", "i", 60) == (False, 1)
    assert admitted(limiter, times=9) == 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_full_server_refuses_to_note_and_still_tells_what_it_has(server, algorithm):
    store = RedisStore(server.url, timeout=5)
    limiter = store.limiter("a", rates("5/hour"), algorithm)
    assert admitted(limiter, times=3) == 3
    assert store.add("noted", 60, b"1")
    server.say("CONFIG", "SET", "maxmemory", 1)
    for _ in range(10):
        for call in (lambda: limiter.take("k"), lambda: store.add("other", 60), lambda: store.swap("noted", b"1", b"2", 60)):
            with pytest.raises(StoreUnavailable, match="OOM"):
                call()
        assert store.get("noted") == b"1"
    server.say("CONFIG", "SET", "maxmemory", 0)
    assert admitted(limiter, times=9) == 2
    assert store.add("other", 60)


def test_a_server_that_became_a_replica_decides_nothing(server):
    store = RedisStore(server.url, timeout=TIMEOUT)
    limiter = store.limiter("a", rates("5/hour"))
    assert admitted(limiter, times=3) == 3
    server.say("REPLICAOF", "127.0.0.1", 1)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"READONLY|LOADING|MASTERDOWN"):
            limiter.take("k")
    server.say("REPLICAOF", "NO", "ONE")
    assert answers_within(lambda: limiter.take("k"))[0] == 0


def test_a_flushed_store_is_a_new_one_until_it_is_adopted(server):
    store, other = RedisStore(server.url, timeout=5), RedisStore(server.url, timeout=5)
    before = time.time()
    born = store.epoch()
    assert before - 1 < born < time.time() + 1
    assert store.add("revoked", 3600)
    server.say("FLUSHALL")
    lost = other.epoch()
    assert lost > born
    assert store.epoch() == lost
    adopted = store.adopt()
    assert adopted > lost
    assert other.epoch() == adopted


def test_the_first_note_says_when_the_store_began(server):
    """An epoch that began with the first question would be too late for what was noted and lost before it."""
    store = RedisStore(server.url, timeout=5)
    store.add("revoked", 3600)
    noted = time.time()
    time.sleep(0.05)
    assert store.epoch() <= noted


class _Interrupted(BaseException):
    pass


def test_a_connection_whose_answer_was_not_awaited_is_not_used_again(server):
    store = RedisStore(server.url, timeout=10)
    limiter = store.limiter("a", rates("100/hour"))
    store.add("k", 60, b"a note")
    limiter.take("k")

    def interrupt(*_):
        raise _Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    server.freeze()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(_Interrupted):
            store.get("k")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        server.thaw()
    assert limiter.take("k") == (0, ((98, pytest.approx(36, abs=0.2)),))
    assert store.get("k") == b"a note"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_shares_no_connection(server):
    """AVL-12: both talk at the same time, and each hears its own answers."""
    store = RedisStore(server.url, timeout=10)
    limiter = store.limiter("a", rates("100/hour"))
    assert store.add("k", 60, b"parent")
    assert limiter.take("k")[0] == 0

    def talk():
        return all(limiter.take(f"{n % 7}")[1][0][0] < 100 and store.get("k") == b"parent" for n in range(200))

    child = os.fork()
    if not child:
        try:
            os._exit(0 if talk() else 1)
        finally:
            os._exit(2)
    assert talk()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert talk()
    until(lambda: info(server, "INFO", "clients")["connected_clients"] == "2")  # ours, and who asks
