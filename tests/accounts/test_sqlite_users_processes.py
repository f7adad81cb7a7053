"""`SqliteUsers` under processes that are killed and forked."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
import time

import pytest

from authkit.accounts import MemoryUsers, SqliteUsers, User
from tests.stores.sqlite_parts import in_child, status_of

from .users_contract import FULL


@pytest.fixture
def file(tmp_path):
    return tmp_path / "users.db"


@pytest.fixture
def users(file):
    users = SqliteUsers(file, timeout=30)
    yield users
    users.close()


class TestKilled:
    """AVL-06."""

    def killed_while_writing(self, file, rounds, rng):
        """A child adds, updates and removes, and says after each what was answered; the parent has a copy that it compares."""
        told_of = MemoryUsers()
        for round_ in range(rounds):
            read, write = os.pipe()

            def work(round_=round_, write=write):
                users = SqliteUsers(file, timeout=30)
                for n in range(100_000):
                    user = User(f"r{round_}.{n}", roles=["a"])
                    os.write(write, b"A%d\n" % n if users.add(user) else b"?")
                    os.write(write, b"U%d\n" % n if users.update(user, user.changed(disabled=True)) else b"?")
                    os.write(write, b"R%d\n" % n if n % 2 == 0 and users.remove(user.username) else b"-%d\n" % n)

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
            assert b"?" not in told
            self._same(file, told_of, round_, told.split(b"\n")[:-1])
        with contextlib.closing(sqlite3.connect(file)) as looked:
            assert looked.execute("PRAGMA integrity_check").fetchone()[0] == "ok"

    def _same(self, file, told_of, round_, lines):
        for line in lines:
            plain = User(f"r{round_}.{int(line[1:])}", roles=["a"])
            if line.startswith(b"A"):
                told_of.add(plain)
            elif line.startswith(b"U"):
                assert told_of.update(plain, plain.changed(disabled=True))
            elif line.startswith(b"R"):
                assert told_of.remove(plain.username)
        users = SqliteUsers(file, timeout=30)
        kept, expected = ({user.username: user for user in table.list(limit=1_000_000)} for table in (users, told_of))
        users.close()
        differ = [name for name in {*kept, *expected} if kept.get(name) != expected.get(name)]
        last = max(int(line[1:]) for line in lines)
        # What was under way when it died, and that alone, may have been done without being told of.
        assert set(differ) <= {f"r{round_}.{last}", f"r{round_}.{last + 1}"}
        assert len(differ) <= 1
        for name in differ:
            if name in expected:
                told_of.remove(name)
            if name in kept:
                told_of.add(kept[name])

    def test_who_was_acknowledged_outlives_a_kill_at_any_moment(self, file, rng):
        self.killed_while_writing(file, 10, rng)

    @pytest.mark.soak
    def test_who_was_acknowledged_outlives_a_thousand_kills(self, file, rng):
        self.killed_while_writing(file, 1000, rng)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
class TestForked:
    def test_parent_and_children_share_the_file_and_no_connection(self, users):
        users.add(FULL)
        children = [in_child(lambda n=n: users.add(User(f"child{n}")) and users.find("alice") == FULL) for n in range(3)]
        assert users.add(User("parent"))
        assert [status_of(child) for child in children] == [1, 1, 1]
        assert [user.username for user in users.list()] == ["alice", "child0", "child1", "child2", "parent"]

    def test_a_fork_while_threads_write_harms_neither_side(self, users):
        stop, added, children = threading.Event(), [], []

        def work(n):
            while not stop.is_set():
                name = f"thread{n}.{len(added)}"
                if users.add(User(name)):
                    added.append(name)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        try:
            for n in range(5):
                children.append(in_child(lambda n=n: users.add(User(f"child{n}"))))
                time.sleep(0.01)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert [status_of(child) for child in children] == [1] * 5
        assert {user.username for user in users.list(limit=100_000)} == {*added, *(f"child{n}" for n in range(5))}
