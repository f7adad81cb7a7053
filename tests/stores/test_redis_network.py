"""RTL-07: between us and Redis things get lost, are late, or are not Redis's at all. Never a wrong answer, nor a long wait."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time

import pytest

from authkit.errors import StoreUnavailable
from authkit.stores.redis_store import RedisStore
from tests.servers.fault_proxy import fault_proxy
from tests.servers.redis import redis_server

from .parts import admitted, rates
from .redis_parts import TIMEOUT, answers_within, tried


@pytest.fixture(scope="module")
def _server():
    with redis_server() as server:
        yield server


@pytest.fixture
def server(_server):
    _server.say("FLUSHALL")
    return _server


@pytest.fixture
def told(caplog):
    """A function that gives what the library has logged."""
    caplog.set_level(logging.WARNING, "authkit")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "authkit"]


@pytest.mark.parametrize("mode", ["blackhole", "reset", "cut"])
def test_a_network_that_fails_gives_no_wrong_answer_and_is_used_again_when_it_is_well(server, told, mode):
    with fault_proxy(server.port) as proxy:
        store = RedisStore(f"redis://127.0.0.1:{proxy.port}", timeout=TIMEOUT)
        limiter = store.limiter("a", rates("20/hour"))
        passed = sum(not answers_within(lambda: limiter.take("k"))[0] for _ in range(5))
        proxy.cut, proxy.mode = 3, mode
        for _ in range(10):
            taken = tried(lambda: limiter.take("k"))
            passed += taken != "unavailable" and not taken[0]
        proxy.mode = "pass"
        for _ in range(30):
            passed += not answers_within(lambda: limiter.take("k"))[0]
        assert passed <= 20
        assert answers_within(lambda: limiter.take("k", 0))[1][0][0] == 0
        lines = told()
        assert [line.split(" ")[2] for line in lines] == ["fails", "answers"]


def test_a_slow_network_is_only_slow(server):
    with fault_proxy(server.port) as proxy:
        proxy.mode, proxy.delay = "delay", 0.005
        limiter = RedisStore(f"redis://127.0.0.1:{proxy.port}", timeout=1).limiter("a", rates("5/hour"))
        assert admitted(limiter, times=9) == 5


def test_what_was_added_in_a_fault_is_true_for_one_at_most(server):
    """An answer that got lost is no answer: whoever got none must not go on."""
    with fault_proxy(server.port) as proxy:
        store, clean = RedisStore(f"redis://127.0.0.1:{proxy.port}", timeout=TIMEOUT), RedisStore(server.url, timeout=5)
        for n in range(20):
            answers_within(lambda: store.get("any"))
            proxy.mode = "cut" if n % 2 else "reset"
            first = tried(lambda n=n: store.add(f"k{n}", 60))
            proxy.mode = "pass"
            assert [first, clean.add(f"k{n}", 60)].count(True) <= 1


def _flap(server, told, rounds, seconds):
    with fault_proxy(server.port) as proxy:
        store = RedisStore(f"redis://127.0.0.1:{proxy.port}", timeout=TIMEOUT)
        limiter = store.limiter("a", rates("1000000/hour"))
        answers_within(lambda: limiter.take("k"))
        for round_ in range(rounds):
            proxy.mode = ("blackhole", "reset", "cut")[round_ % 3]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                tried(lambda: limiter.take("k"))
                time.sleep(0.005)
            proxy.mode = "pass"
            answers_within(lambda: limiter.take("k"))
    assert len(told()) <= 2 * rounds


def test_a_flapping_network_is_told_twice_a_flap_and_used_again_within_two_seconds(server, told):
    _flap(server, told, rounds=3, seconds=0.3)


@pytest.mark.soak
def test_a_network_that_flaps_every_five_seconds(server, told):
    _flap(server, told, rounds=24, seconds=5)


_STRANGE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b":x\r\n", b"$x\r\n", b"*x\r\n", b"\0\xff\r\n", b"-\xff\r\n", b"-\r\n",
    b":7\r\n", b"$-1\r\n", b"*0\r\n", b"$5\r\n1 2 3\r\n", b"+OK\r\n", b"-MOVED\r\n", b"-MOVED 1 h:x\r\n",
    b"*1\r\n*2\r\n:0\r\n:1\r\n",
]  # fmt: skip


@pytest.mark.parametrize("answer", _STRANGE)
def test_what_is_no_redis_or_answers_something_else_decides_nothing(answer):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    def talk(client):
        with client, contextlib.suppress(OSError):
            while client.recv(65536):
                client.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    place = f"127.0.0.1:{listener.getsockname()[1]}"
    store = RedisStore(f"redis://{place}", timeout=5)
    calls = [
        lambda: RedisStore(f"redis+cluster://{place}", timeout=5).get("k"),
        lambda: RedisStore(f"redis+sentinel://{place}/main", timeout=5).get("k"),
        lambda: store.limiter("a", rates("5/hour", "6/day")).take("k"),
        lambda: store.limiter("a", rates("5/hour", "6/day"), "sliding-window").take("k"),
        lambda: store.gate("g", 1).renew("k", "h", 60),
        store.epoch,
    ]
    if answer != b":7\r\n":
        calls.append(lambda: store.swap("k", b"1", b"2", 60))
    if answer != b"$-1\r\n":
        calls.append(lambda: store.get("k"))
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()
    store.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_an_answer_that_trickles_takes_no_longer_than_any_other():
    """Each byte is in time, and the whole is not: a timeout of the socket's would begin anew with each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(b"$2000\r\n")
                    for _ in range(200):
                        time.sleep(TIMEOUT / 5)
                        connection.sendall(b"1")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        store = RedisStore(f"redis://127.0.0.1:{listener.getsockname()[1]}", timeout=TIMEOUT)
        limiter = store.limiter("a", rates("20/hour"))
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="no answer in time"):
            limiter.take("k")
        assert time.monotonic() - started < TIMEOUT * 10
    thread.join(10)
