"""`SqliteStore`: the contract, and what is its own: one writer at a time, and a bound."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import sqlite3
import tempfile
import time

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.stores import SqliteStore

from .contract import Clock, SharedStoreContract, admitted, in_threads, rates
from .parts import ALGORITHMS
from .sqlite_parts import in_child, is_whole, rows, status_of


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


class TestSqliteStore(SharedStoreContract):
    few = True

    @pytest.fixture
    def store(self, clock, file):
        store = SqliteStore(file, clock=clock)
        yield store
        store.close()

    @pytest.fixture
    def recipe(self, tmp_path):
        return f"open_store('sqlite:///{tmp_path}/shared.db')"


class TestInUse:
    def test_a_file_that_others_hold_is_unavailable_after_the_timeout(self, file):
        store = SqliteStore(file, timeout=0.2)
        store.add("a", 60, b"1")
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(Unavailable, match="in use"):
                store.add("b", 60)
            assert 0.1 < time.monotonic() - began < 0.6
            assert store.get("a") == b"1"  # what is read waits for nobody
            assert store.limiter("a", rates("1/day")).take("k", 0)[0] == 0
            began = time.monotonic()
            results = []

            def work(n):
                with pytest.raises(Unavailable):
                    store.add("b", 60)
                results.append(n)

            in_threads(8, work)
            assert len(results) == 8
            assert time.monotonic() - began < 1  # together, not one after the other
            other.execute("ROLLBACK")
        assert store.add("b", 60)

    def test_an_exception_in_the_middle_leaves_nothing_and_the_store_usable(self, file):
        struck = [False]

        def clock():
            if struck[0]:
                struck[0] = False
                raise KeyboardInterrupt
            return time.time()

        store = SqliteStore(file, clock=clock)
        limiter, gate = store.limiter("a", rates("2/day")), store.gate("a", 1)
        store.epoch()
        for call in (
            lambda: limiter.take("k"),
            lambda: limiter.give_back("k"),
            lambda: gate.enter("k", "h", 60),
            lambda: store.add("a", 60),
            lambda: store.swap("a", None, b"1", 60),
            store.adopt,
        ):
            struck[0] = True
            with pytest.raises(KeyboardInterrupt):
                call()
        assert (admitted(limiter, times=3), gate.enter("k", "i", 60), store.add("a", 60)) == (2, (True, 1), True)

    def test_what_was_closed_opens_again(self, file):
        store = SqliteStore(file)
        store.add("a", 60, b"1")
        store.close()
        store.close()
        assert store.get("a") == b"1"


class TestBounds:
    def test_a_flood_of_new_keys_stays_within_the_bound_and_forgets_no_limited_key(self, file, clock):
        store = SqliteStore(file, max_keys=100, clock=clock)
        limiter = store.limiter("a", rates("3/hour"))
        limited = [f"limited{n}" for n in range(20)]
        assert sum(admitted(limiter, key, 5) for key in limited) == 60
        for n in range(1500):
            assert admitted(limiter, f"flood{n}") == 1
        assert rows(file, "used") <= 100
        assert not any(admitted(limiter, key) for key in limited)

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_who_waits_for_several_permits_has_them_no_earlier_for_a_flood(self, file, clock, algorithm):
        """Also where another process took and gave back in between."""
        store, other = (SqliteStore(file, max_keys=60, clock=clock) for _ in range(2))
        limiter, others = (each.limiter("a", rates("10/hour", "1000/day"), algorithm) for each in (store, other))
        clock.now = 1_000_800.0
        waiting = [f"waiting{n}" for n in range(10)]
        for key in waiting:
            assert admitted(limiter, key, 3) == 3
            assert limiter.take(key, 8)[0] > 0
            assert others.take(key)[0] == 0
            others.give_back(key)
        for n in range(600):
            assert admitted(others, f"flood{n}", cost=4) == 1
        assert rows(file, "used") <= 60
        assert [limiter.take(key, 8)[0] > 0 for key in waiting] == [True] * 10
        assert {limiter.take(key, 0)[1][0][0] for key in waiting} == {7}

    def test_a_key_that_was_limited_may_make_way_when_it_no_longer_is(self, file, clock):
        store = SqliteStore(file, max_keys=40, clock=clock)
        limiter = store.limiter("a", rates("2/minute", "1000/day"))
        for n in range(40):
            assert admitted(limiter, f"limited{n}", 3) == 2
        clock.sleep(31)  # a permit each: what is left of the day's bucket holds no place
        assert [admitted(limiter, f"new{n}", 3) for n in range(20)] == [2] * 20

    def test_a_cost_that_nobody_can_have_holds_no_place(self, file, clock):
        limiter = SqliteStore(file, max_keys=40, clock=clock).limiter("a", rates("10/hour"))
        for n in range(200):
            assert admitted(limiter, f"k{n}") == 1
            assert limiter.take(f"k{n}", 11)[0] > 0

    def test_a_store_full_of_limited_keys_lets_newcomers_share_one_place(self, file, clock):
        store = SqliteStore(file, max_keys=40, clock=clock)
        limiter = store.limiter("a", rates("2/hour"))
        for n in range(40):
            assert admitted(limiter, f"limited{n}", 3) == 2
        assert sum(admitted(limiter, f"new{n}") for n in range(100)) == 2
        assert rows(file, "used") == 41
        assert not any(admitted(limiter, f"limited{n}") for n in range(40))
        clock.sleep(3601)
        assert [admitted(limiter, f"new{n}", 3) for n in range(10)] == [2] * 10

    def test_what_is_over_goes_without_a_sweep(self, file, clock):
        store = SqliteStore(file, clock=clock)
        limiter, gate = store.limiter("a", rates("10/second")), store.gate("a", 5)
        for n in range(400):
            limiter.take(f"k{n}")
            store.add(f"k{n}", 0.1)
            gate.enter(f"k{n}", "h", 0.1)
            clock.sleep(0.02)
        assert max(rows(file, table) for table in ("used", "noted", "held")) < 40
        with contextlib.closing(sqlite3.connect(file)) as looked:
            assert looked.execute("SELECT value FROM told WHERE name = 'used'").fetchone()[0] == rows(file, "used")

    def test_a_full_file_refuses_rather_than_forgets_and_goes_on_when_there_is_room(self, file, clock):
        store = SqliteStore(file, max_bytes=1 << 18, clock=clock)
        kept = []
        with pytest.raises(Unavailable, match="full"):
            for n in range(1000):
                store.add(f"k{n}", 60, b"v" * 1000)
                kept.append(n)
        assert 40 < len(kept) < 200
        assert all(store.get(f"k{n}") == b"v" * 1000 for n in kept)
        clock.sleep(61)
        store.adopt()
        for n in range(1000, 1040):
            try:
                assert store.add(f"k{n}", 60)
            except Unavailable:
                store.swap("k0", None, None, 60)
        assert store.add("after", 60)

    def test_a_disk_that_refuses_is_unavailable(self, file):
        def work():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            store, limiter_says = SqliteStore(file), 0
            try:
                for n in range(1000):
                    store.add(f"k{n}", 60, b"v" * 1000)
            except Unavailable as error:
                limiter_says = "store.db" in str(error)
            return 0 if limiter_says and store.get("k0") == b"v" * 1000 else 1

        assert status_of(in_child(work)) == 0
        assert is_whole(file)
        assert SqliteStore(file).get("k0") == b"v" * 1000

    def test_a_file_that_may_only_be_read_is_unavailable(self):
        with tempfile.TemporaryDirectory() as place:
            file = f"{place}/store.db"
            SqliteStore(file).add("a", 60)
            gc.collect()
            os.chmod(file, 0o400)
            if os.geteuid() == 0:
                os.chown(file, 65534, -1)
                os.chown(place, 65534, -1)

            def work():
                if os.geteuid() == 0:
                    os.setuid(65534)  # root may write everything
                try:
                    SqliteStore(file).add("b", 60)
                except Unavailable as error:
                    return 0 if "read-only" in str(error) else 2
                return 1

            assert status_of(in_child(work)) == 0


@pytest.mark.parametrize("path", ["", ":memory:", "a\0b", None, 3, b"store.db", True])
def test_a_wrong_path_is_a_configuration_error(path):
    with pytest.raises(ConfigurationError):
        SqliteStore(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0}, {"timeout": -1}, {"timeout": "1"}, {"timeout": float("nan")}, {"timeout": 61}, {"max_keys": 0},
        {"max_keys": True}, {"max_keys": 1.5}, {"max_bytes": 1000}, {"max_bytes": "1"},
    ],
)  # fmt: skip
def test_a_wrong_number_is_a_configuration_error(file, wrong):
    with pytest.raises(ConfigurationError):
        SqliteStore(file, **wrong)


def test_the_path_is_of_the_working_directory_at_construction(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("store.db")
    monkeypatch.chdir("/")
    assert store.add("a", 60)
    assert (tmp_path / "store.db").exists()
