"""`SqliteStore`: the contract, and what is its own: the file, processes that are killed or forked, and a bound."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sqlite3
import stat
import tempfile
import threading
import time

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.stores import SqliteStore
from authkit.stores._sqlite_file import APPLICATION, VERSION

from .contract import Clock, SharedStoreContract, admitted, in_threads, rates


@pytest.fixture
def clock():
    return Clock()


class TestSqliteStore(SharedStoreContract):
    few = True

    @pytest.fixture
    def store(self, clock, tmp_path):
        store = SqliteStore(tmp_path / "store.db", clock=clock)
        yield store
        store.close()

    @pytest.fixture
    def recipe(self, tmp_path):
        return f"open_store('sqlite:///{tmp_path}/shared.db')"


def path_of(store_file, *, app=None, version=None):
    """A database at that path, with this in its header."""
    with contextlib.closing(sqlite3.connect(store_file)) as made:
        if app is not None:
            made.execute(f"PRAGMA application_id = {app}")
        if version is not None:
            made.execute(f"PRAGMA user_version = {version}")
        made.execute("CREATE TABLE t (a)")


def rows(file, table):
    with contextlib.closing(sqlite3.connect(file)) as looked:
        return looked.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def is_whole(file):
    with contextlib.closing(sqlite3.connect(file)) as looked:
        return looked.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def in_child(work):
    """Run `work` in a forked child; what it returns is its exit status (0 to 255)."""
    child = os.fork()
    if not child:
        status = 255
        try:
            status = int(work())
        finally:
            os._exit(status)
    return child


def status_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


class TestFile:
    def test_nothing_is_made_before_it_is_used(self, file):
        store = SqliteStore(file)
        store.limiter("a", rates("1/second"))
        store.gate("a", 1)
        assert not file.exists()

    def test_the_file_is_for_its_owner_alone_whatever_the_umask(self, file):
        kept = os.umask(0)
        try:
            store = SqliteStore(file)
            store.add("a", 10)
            assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}
            assert len(list(file.parent.iterdir())) == 3  # the log and its index
        finally:
            os.umask(kept)
        store.close()

    @pytest.mark.parametrize("side", ["", "-wal", "-shm"])
    def test_a_link_is_refused_and_not_followed(self, file, side):
        target = file.parent / "target"
        (file.parent / (file.name + side)).symlink_to(target)
        with pytest.raises(ConfigurationError, match="symbolic link"):
            SqliteStore(file).add("a", 10)
        assert not target.exists()

    @pytest.mark.parametrize("mode", [0o602, 0o620, 0o666])
    def test_a_file_that_others_can_write_is_refused(self, file, mode):
        file.touch()
        file.chmod(mode)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            SqliteStore(file).epoch()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_a_file_of_another_user_is_refused(self, file):
        file.touch(0o600)
        os.chown(file, 65534, -1)
        with pytest.raises(ConfigurationError, match="another user"):
            SqliteStore(file).epoch()

    def test_what_is_no_file_is_refused(self, file):
        os.mkfifo(file)
        with pytest.raises(ConfigurationError, match="regular file"):
            SqliteStore(file).get("a")

    def test_a_database_of_something_else_is_refused_and_left_as_it_is(self, file):
        for app in (None, 77):
            path_of(file, app=app)
            file.chmod(0o600)
            before = file.read_bytes()
            with pytest.raises(ConfigurationError, match="something else"):
                SqliteStore(file).add("a", 10)
            assert file.read_bytes() == before
            file.unlink()

    def test_a_file_of_a_newer_version_is_refused(self, file):
        path_of(file, app=APPLICATION, version=VERSION + 1)
        file.chmod(0o600)
        with pytest.raises(ConfigurationError, match="newer"):
            SqliteStore(file).add("a", 10)

    def test_an_empty_file_is_made_a_store(self, file):
        file.touch(0o600)
        assert SqliteStore(file).add("a", 10)

    def test_a_file_that_cannot_be_made_is_unavailable(self, tmp_path):
        with pytest.raises(Unavailable, match="cannot be made"):
            SqliteStore(tmp_path / "nowhere" / "store.db").get("a")

    def test_a_damaged_file_is_unavailable_and_left_as_it_is(self, file, rng):
        file.write_bytes(rng.randbytes(20_000))
        file.chmod(0o600)
        before = file.read_bytes()
        for _ in range(2):
            with pytest.raises(Unavailable, match="damaged"):
                SqliteStore(file).add("a", 10)
        assert file.read_bytes() == before

    def test_pages_that_were_overwritten_never_admit_and_raise_nothing_else(self, file, rng):
        store = SqliteStore(file)
        limiter = store.limiter("a", rates("1/day"))
        for n in range(300):
            limiter.take(f"k{n}")
        store.close()
        whole = file.read_bytes()
        unavailable = 0
        for _ in range(60):
            place = rng.randrange(100, len(whole) - 200)
            file.write_bytes(whole[:place] + rng.randbytes(100) + whole[place + 100 :])
            broken = SqliteStore(file)
            for n in range(0, 300, 30):
                try:
                    broken.limiter("a", rates("1/day")).take(f"k{n}", 2)
                except Unavailable:
                    unavailable += 1
            broken.close()
        assert unavailable

    def test_a_row_that_no_store_wrote_is_unavailable(self, file):
        store = SqliteStore(file)
        for n, algorithm in enumerate(("token-bucket", "sliding-window", "fixed-window")):
            limiter = store.limiter("a", rates("1/day"), algorithm)
            limiter.take("k")
            for value in (b"", b"\x05\x00", b"\xff" * 40, "text", 5):
                with contextlib.closing(sqlite3.connect(file)) as other:
                    other.execute("UPDATE used SET value = ?", (value,))
                    other.commit()
                with pytest.raises(Unavailable):
                    limiter.take("k")
            limiter.reset("k")
            assert admitted(limiter, times=2) == 1, n

    def test_a_file_that_was_taken_away_is_a_new_store_with_a_new_epoch(self, file, clock):
        """AVL-03."""
        store = SqliteStore(file, clock=clock)
        limiter = store.limiter("a", rates("1/day"))
        assert (admitted(limiter, times=2), store.add("a", 86_400)) == (1, True)
        first = store.epoch()
        clock.sleep(60)
        for path in list(file.parent.iterdir()):
            path.unlink()
        assert store.epoch() == first + 60
        assert (admitted(limiter, times=2), store.get("a")) == (1, None)
        other = SqliteStore(file, clock=clock)
        assert admitted(other.limiter("a", rates("1/day"))) == 0
        assert other.epoch() == first + 60

    def test_keys_values_and_holders_are_not_told_by_the_file(self, file):
        store = SqliteStore(file)
        store.limiter("login", rates("1/day")).take("203.0.113.77")
        store.gate("login", 1).enter("203.0.113.77", "holder-77", 60)
        store.add("token-77", 60)
        data = b"".join(path.read_bytes() for path in file.parent.iterdir())
        assert b"noted" in data
        assert not any(word in data for word in (b"203.0.113.77", b"holder-77", b"token-77", b"login"))

    def test_what_one_version_of_authkit_wrote_the_next_one_reads(self, file):
        """The form of the rows is part of the schema's version: whoever changes it changes that."""
        assert VERSION == 1
        store = SqliteStore(file, clock=Clock(1_700_000_000.0))
        store.limiter("a", rates("10/minute", "7/hour")).take("k", 2)
        store.limiter("a", rates("10/minute"), "sliding-window").take("k", 2)
        store.limiter("a", rates("10/minute"), "fixed-window").take("k", 2)
        with contextlib.closing(sqlite3.connect(file)) as looked:
            found = {key.hex()[:8]: value.hex() for key, value in looked.execute("SELECT key, value FROM used")}
        assert found == {
            "9ac95504": "020000000000000000400000000000000040",
            "41d1be65": "0300000000000000004000000040fc54d9410000000000000040",
            "c2507c4e": "02000000005051057b410000000000000040",
        }


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
