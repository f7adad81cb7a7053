"""`SqliteStore` under processes that are killed and forked."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from authkit import Unavailable
from authkit.stores import SqliteStore

from .contract import admitted, rates
from .sqlite_parts import in_child, is_whole, status_of


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


class TestKilled:
    """AVL-06."""

    def killed_while_writing(self, file, rounds, rng):
        acknowledged, last = set(), 0
        for round_ in range(rounds):
            read, write = os.pipe()

            def work(round_=round_, write=write, last=last):
                store = SqliteStore(file)
                value = int(store.get("count") or (store.add("count", 1e6, b"0") and b"0"))
                for n in range(100_000):
                    store.add(f"r{round_}.{n}", 1e6)
                    os.write(write, b"a%d\n" % n)
                    store.swap("count", b"%d" % value, b"%d" % (value + 1), 1e6)
                    value += 1
                    os.write(write, b"s%d\n" % value)
                    store.limiter("a", rates("1/day")).take(f"r{round_}.{n}")
                    os.write(write, b"t%d\n" % n)

            child = in_child(work)
            os.close(write)
            told = bytearray(os.read(read, 8))  # it writes
            assert told
            time.sleep(rng.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            while data := os.read(read, 65_536):
                told += data
            os.close(read)
            store = SqliteStore(file)
            limiter = store.limiter("a", rates("1/day"))
            for line in told.split(b"\n")[:-1]:
                n = int(line[1:])
                if line.startswith(b"a"):
                    acknowledged.add(f"r{round_}.{n}")
                elif line.startswith(b"s"):
                    last = n
                else:
                    assert not admitted(limiter, f"r{round_}.{n}")
            assert int(store.get("count") or 0) in (last, last + 1)
            last = int(store.get("count") or 0)
            store.close()
        store = SqliteStore(file)
        assert not any(store.add(key, 1e6) for key in acknowledged)
        assert len(acknowledged) >= rounds
        assert is_whole(file)

    def test_what_was_acknowledged_outlives_a_kill_at_any_moment(self, file, rng):
        self.killed_while_writing(file, 10, rng)

    @pytest.mark.soak
    def test_what_was_acknowledged_outlives_a_thousand_kills(self, file, rng):
        self.killed_while_writing(file, 1000, rng)

    def test_noted_keys_wait_for_the_disk_and_limits_do_not(self, file):
        store = SqliteStore(file)
        desk = store._writes
        asked = lambda: desk.read(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])  # noqa: E731
        full, normal = 2, 1
        store.add("a", 60)
        assert asked() == full
        store.limiter("a", rates("1/day")).take("k")
        assert asked() == normal
        store.adopt()
        assert asked() == full


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
class TestForked:
    """AVL-12."""

    def test_parent_and_children_share_the_file_and_no_connection(self, file):
        store = SqliteStore(file)
        limiter = store.limiter("a", rates("100 per 300 days"))
        assert admitted(limiter, times=10) == 10
        children = [in_child(lambda: admitted(limiter, times=40)) for _ in range(3)]
        mine = admitted(limiter, times=40)
        assert mine + sum(status_of(child) for child in children) == 90
        assert is_whole(file)

    def test_a_fork_while_threads_write_harms_neither_side(self, file):
        store = SqliteStore(file)
        limiter = store.limiter("a", rates("1000 per 300 days"))
        stop, counts, children = threading.Event(), [0, 0], []

        def work(n):
            while not stop.is_set():
                counts[n] += admitted(limiter)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(8):
                children.append(in_child(lambda: admitted(limiter, times=20)))
                time.sleep(0.005)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        taken = sum(counts) + sum(status_of(child) for child in children)
        assert taken <= 1000
        assert limiter.take("k", 0)[1][0][0] == 1000 - taken
        assert is_whole(file)

    def test_a_child_forked_in_the_middle_of_a_call_may_not_write_and_its_parent_may(self, file):
        """A signal handler may fork; what SQLite held at that moment is the parent's."""
        children = []

        def clock():
            if len(children) == 1:
                children.append(0)
                child = os.fork()
                if not child:
                    try:
                        store.add("b", 60)
                    except Unavailable as error:
                        os._exit(0 if "forked" in str(error) else 2)
                    os._exit(1)
                children.append(child)
            return time.time()

        store = SqliteStore(file, timeout=0.1, clock=clock)
        store.epoch()
        children.append(0)
        assert store.add("a", 60)
        assert status_of(children[2]) == 0
        assert not store.add("a", 60)
        assert store.add("b", 60)
        assert is_whole(file)
