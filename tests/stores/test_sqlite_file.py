"""The file of a `SqliteStore`: whose it is, what is in it, and what is damaged, replaced or somebody else's."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.stores import SqliteStore
from authkit.stores._sqlite_file import APPLICATION, VERSION

from .contract import Clock, admitted, rates


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


def path_of(store_file, *, app=None, version=None):
    """A database at that path, with this in its header."""
    with contextlib.closing(sqlite3.connect(store_file)) as made:
        if app is not None:
            made.execute(f"PRAGMA application_id = {app}")
        if version is not None:
            made.execute(f"PRAGMA user_version = {version}")
        made.execute("CREATE TABLE t (a)")


@pytest.mark.parametrize("ask", [lambda store: store.add("b", 60), lambda store: store.close()])
def test_who_asks_from_within_a_call_is_told_so_and_the_call_goes_on(file, ask):
    """A signal handler does, and what the collector lets go of: the thread would wait for itself."""
    told, answers = [], []

    def clock():
        if told == [None]:
            told.clear()
            assert store.get("a") is not None  # what is read waits for nobody who writes
            with pytest.raises(Unavailable) as refused:
                ask(store)
            told.append(str(refused.value))
        return time.time()

    store = SqliteStore(file, clock=clock)
    assert store.add("a", 60)
    told.append(None)
    caller = threading.Thread(target=lambda: answers.append(store.add("c", 60)), daemon=True)
    caller.start()
    caller.join(30)
    assert answers == [True]
    assert "from within a call" in told[0]
    assert store.get("b") is None
    assert store.get("c") is not None


def test_nothing_is_made_before_it_is_used(file):
    store = SqliteStore(file)
    store.limiter("a", rates("1/second"))
    store.gate("a", 1)
    assert not file.exists()


def test_the_file_is_for_its_owner_alone_whatever_the_umask(file):
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
def test_a_link_is_refused_and_not_followed(file, side):
    target = file.parent / "target"
    (file.parent / (file.name + side)).symlink_to(target)
    with pytest.raises(ConfigurationError, match="symbolic link"):
        SqliteStore(file).add("a", 10)
    assert not target.exists()


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666])
def test_a_file_that_others_can_write_is_refused(file, mode):
    file.touch()
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        SqliteStore(file).epoch()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(file):
    file.touch(0o600)
    os.chown(file, 65534, -1)
    with pytest.raises(ConfigurationError, match="another user"):
        SqliteStore(file).epoch()


def test_what_is_no_file_is_refused(file):
    os.mkfifo(file)
    with pytest.raises(ConfigurationError, match="regular file"):
        SqliteStore(file).get("a")


def test_a_database_of_something_else_is_refused_and_left_as_it_is(file):
    for app in (None, 77):
        path_of(file, app=app)
        file.chmod(0o600)
        before = file.read_bytes()
        with pytest.raises(ConfigurationError, match="something else"):
            SqliteStore(file).add("a", 10)
        assert file.read_bytes() == before
        file.unlink()


def test_a_file_of_a_newer_version_is_refused(file):
    path_of(file, app=APPLICATION, version=VERSION + 1)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="newer"):
        SqliteStore(file).add("a", 10)


def test_an_empty_file_is_made_a_store(file):
    file.touch(0o600)
    assert SqliteStore(file).add("a", 10)


def test_a_file_that_cannot_be_made_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="cannot be made"):
        SqliteStore(tmp_path / "nowhere" / "store.db").get("a")


def test_a_damaged_file_is_unavailable_and_left_as_it_is(file, rng):
    file.write_bytes(rng.randbytes(20_000))
    file.chmod(0o600)
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(Unavailable, match="damaged"):
            SqliteStore(file).add("a", 10)
    assert file.read_bytes() == before


def test_pages_that_were_overwritten_never_admit_and_raise_nothing_else(file, rng):
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


def test_a_row_that_no_store_wrote_is_unavailable(file):
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


def test_a_file_that_was_taken_away_is_a_new_store_with_a_new_epoch(file, clock):
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


def test_keys_values_and_holders_are_not_told_by_the_file(file):
    store = SqliteStore(file)
    store.limiter("login", rates("1/day")).take("203.0.113.77")
    store.gate("login", 1).enter("203.0.113.77", "holder-77", 60)
    store.add("token-77", 60)
    data = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert b"noted" in data
    assert not any(word in data for word in (b"203.0.113.77", b"holder-77", b"token-77", b"login"))


def test_what_one_version_of_authkit_wrote_the_next_one_reads(file):
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
