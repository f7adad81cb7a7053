"""The networks that an account has logged in from: a short note, whoever writes it and however often."""

from __future__ import annotations

import pytest

from authkit.accounts import Accounts, LoginLimits
from authkit.accounts._attempts import Attempts
from authkit.accounts._known import KEPT, Known
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore, SqliteStore

from .test_limits import Clock, post

DAY = 86_400
ALICE, BOB = "a" * 32, "b" * 32  # digests of names


@pytest.fixture
def clock():
    return Clock()


class Writes(SqliteStore):
    """A store that keeps what was written to it, and lets somebody in between a look and a write."""

    def __init__(self, path, clock):
        super().__init__(path, clock=clock)
        self.written = []
        self.between = []

    def swap(self, key, old, new, ttl):
        if self.between:
            self.between.pop()()
        done = super().swap(key, old, new, ttl)
        if done:
            self.written.append((key, new))
        return done


@pytest.fixture
def store(tmp_path, clock):
    store = Writes(str(tmp_path / "store.db"), clock)
    yield store
    store.close()


@pytest.fixture
def known(store, clock):
    return Known(store, "login", clock)


def test_a_network_is_known_for_thirty_days_after_the_last_login(known, clock):
    known.note(ALICE, "home")
    clock.now += 1.9 * DAY  # still noted well enough: nothing is written
    known.note(ALICE, "home")
    clock.now += 29.99 * DAY
    assert known.has(ALICE, "home")
    clock.now += 3 * DAY
    assert not known.has(ALICE, "home")


def test_it_is_known_of_one_account(known):
    known.note(ALICE, "home")
    assert known.has(ALICE, "home")
    assert not known.has(BOB, "home")
    assert not known.has(ALICE, "work")


def test_a_thousand_networks_are_one_short_note(known, store):
    """Whoever owns an account and a large block of addresses."""
    for number in range(1000):
        known.note(ALICE, f"2001:db8:{number:x}::/64")
    assert {key for key, _ in store.written} == {store.written[0][0]}
    assert max(len(note) for _, note in store.written) <= 512
    found = [number for number in range(1000) if known.has(ALICE, f"2001:db8:{number:x}::/64")]
    assert found == list(range(1000 - KEPT, 1000))


def test_a_login_from_where_it_logged_in_today_writes_nothing(known, store, clock):
    for _ in range(50):
        known.note(ALICE, "home")
    assert len(store.written) == 1
    clock.now += 2 * DAY
    for _ in range(50):
        known.note(ALICE, "home")
    assert len(store.written) == 2


def test_a_network_in_use_outlives_sixteen_others(known, clock):
    for number in range(40):
        known.note(ALICE, "home")
        known.note(ALICE, f"hotel {number}")
        clock.now += 2 * DAY
    assert known.has(ALICE, "home")


def test_two_that_log_in_at_once_are_both_noted(known, store):
    store.between = [lambda: known.note(ALICE, "work"), lambda: known.note(ALICE, "train")]
    known.note(ALICE, "home")
    assert [known.has(ALICE, where) for where in ("home", "work", "train")] == [True] * 3


def test_who_always_loses_the_race_gives_up(known, store):
    others = iter(range(1000))
    original = store.swap

    def crowded(key, old, new, ttl):
        super(Writes, store).swap(key, old, b"%d:%d" % (11, next(others)), ttl)
        return original(key, old, new, ttl)

    store.swap = crowded
    known.note(ALICE, "home")
    assert 0 < next(others) < 20


def test_the_note_names_no_address(known, store):
    known.note(ALICE, "203.0.113.5")
    known.note(BOB, "203.0.113.5")
    (one, alices), (two, bobs) = store.written
    assert one != two
    assert alices.partition(b":")[2] != bobs.partition(b":")[2]
    assert not any(b"203.0.113.5" in note or "203.0.113.5" in key for key, note in store.written)


@pytest.mark.parametrize("note", [b"", b" ", b":", b"x:y", b"\xff\xfe", b"11:", b"9" * 5000 + b":ab", "\u0661:ab".encode()])
def test_what_is_no_such_note_knows_nobody_and_is_replaced(known, store, note):
    assert SqliteStore.swap(store, f"login:known:{ALICE}", None, note, 600)
    assert not known.has(ALICE, "home")
    known.note(ALICE, "home")
    assert known.has(ALICE, "home")


def test_a_stamp_from_a_clock_that_was_wrong_does_not_count(known, clock):
    clock.now += 1000 * DAY
    known.note(ALICE, "home")
    clock.now -= 1000 * DAY
    assert not known.has(ALICE, "home")
    known.note(ALICE, "home")
    assert known.has(ALICE, "home")


def test_in_memory_these_notes_leave_the_others_their_places(clock):
    store = MemoryStore(max_keys=100, clock=clock, wall=clock)
    known = Known(store, "login", clock)
    with pytest.raises(StoreUnavailable):
        for number in range(101):
            known.note(f"{number:032x}", "home")
    assert all(store.add(f"k{number}", 60) for number in range(100))
    assert known.has(f"{7:032x}", "home")
    assert Known(store, "login", clock).has(f"{7:032x}", "home")  # whoever shares the store shares what is known


def test_a_store_without_room_keeps_nobody_out(users, tokens, hasher, clock):
    store = MemoryStore(max_keys=1, clock=clock, wall=clock)
    accounts = Accounts(users, tokens, hasher, store=store)
    assert [post(accounts, name, "correct horse").status for name in ("alice", "numbered", "alice")] == [200] * 3


def test_by_which_clock_networks_are_known_is_an_argument(clock):
    store = MemoryStore(clock=clock, wall=clock)
    attempts = Attempts(LoginLimits(account="1/day", account_here="100/day"), store, clock=clock)
    attempts.begin("alice", "home").succeeded()
    attempts.begin("alice", "elsewhere")
    attempts.begin("alice", "home").undo()
    clock.now += 40 * DAY
    attempts.begin("alice", "elsewhere")
    with pytest.raises(Exception, match="too_many_attempts"):
        attempts.begin("alice", "home")
