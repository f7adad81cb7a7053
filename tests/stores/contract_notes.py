"""The contract of noted keys: add, get, swap, their time, and the store's epoch."""

from __future__ import annotations

import pytest

from .parts import in_threads


class NoteContract:
    def test_add_is_true_once(self, store, clock):
        assert [store.add("a", 10) for _ in range(3)] == [True, False, False]
        assert store.add("b", 10)
        clock.sleep(9.99)
        assert not store.add("a", 10)
        clock.sleep(0.02)
        assert [store.add("a", 5) for _ in range(2)] == [True, False]

    def test_add_is_true_for_one_of_many_threads(self, store):
        for round_ in range(3 if self.few else 50):
            wins = []

            def work(n, round_=round_, wins=wins):
                if store.add(f"r{round_}", 60, b"%d" % n):
                    wins.append(n)

            in_threads(8, work)
            assert len(wins) == 1
            assert store.get(f"r{round_}") == b"%d" % wins[0]

    def test_add_keeps_every_key_for_its_whole_time(self, store, clock):
        number = 30 if self.few else 2000
        for n in range(number):
            assert store.add(f"short{n}", 1)
            assert store.add(f"long{n}", 1000)
            clock.sleep(0.01)
        assert not any(store.add(f"long{n}", 1000) for n in range(number))

    @pytest.mark.parametrize("value", [b"", b"v", b"\0\xff\r\n", bytes(range(256)) * 8])
    def test_get_gives_what_was_added_until_its_time_is_over(self, store, clock, value):
        assert store.get("a") is None
        assert store.add("a", 10, value)
        assert not store.add("a", 100, b"other")
        clock.sleep(9.99)
        assert store.get("a") == value
        clock.sleep(0.02)
        assert store.get("a") is None

    def test_swap_changes_what_is_there_only_if_it_is_as_said(self, store, clock):
        assert not store.swap("a", b"", b"1", 10)  # nothing is not an empty value
        assert store.swap("a", None, b"1", 10)
        assert not store.swap("a", None, b"2", 10)
        assert not store.swap("a", b"2", b"3", 10)
        assert store.get("a") == b"1"
        assert store.swap("a", b"1", b"", 10)
        assert not store.swap("a", None, b"2", 10)  # an empty value is not nothing
        assert store.swap("a", b"", b"2", 10)
        assert store.swap("a", b"2", b"2", 10)
        assert not store.add("a", 10)

    def test_swap_for_nothing_forgets(self, store):
        store.add("a", 10, b"1")
        assert not store.swap("a", b"2", None, 10)
        assert store.swap("a", b"1", None, 10)
        assert store.get("a") is None
        assert not store.swap("a", b"1", None, 10)
        assert store.swap("a", None, None, 10)  # nothing was there, and nothing is
        assert store.get("a") is None
        assert store.add("a", 10, b"3")

    def test_swap_counts_its_time_from_now(self, store, clock):
        store.add("a", 10, b"1")
        clock.sleep(8)
        assert store.swap("a", b"1", b"2", 10)
        clock.sleep(8)
        assert store.get("a") == b"2"
        clock.sleep(2.01)
        assert store.get("a") is None
        assert not store.swap("a", b"2", b"3", 10)  # its time is over
        assert store.swap("a", None, b"4", 10)
        assert store.swap("a", b"4", b"5", 1)  # shorter, if so told
        clock.sleep(1.01)
        assert store.add("a", 1)

    def test_swap_is_true_for_one_of_many_threads(self, store):
        store.add("a", 1000, b"0")
        for round_ in range(3 if self.few else 50):
            wins = []

            def work(n, round_=round_, wins=wins):
                if store.swap("a", b"%d" % round_, b"%d" % (round_ + 1), 1000):
                    wins.append(n)

            in_threads(8, work)
            assert len(wins) == 1
        assert store.get("a") == b"%d" % (3 if self.few else 50)

    def test_threads_that_count_by_swapping_lose_no_count(self, store):
        store.add("a", 1000, b"0")
        each = 3 if self.few else 100

        def work(n):
            for _ in range(each):
                while True:
                    old = store.get("a")
                    if store.swap("a", old, b"%d" % (int(old) + 1), 1000):
                        break

        in_threads(4, work)
        assert store.get("a") == b"%d" % (4 * each)

    def test_any_text_is_a_key_of_its_own(self, store):
        keys = ["k", "K", "", "\0", "\ud800", "é", "e\u0301", "k:l", "{k}", "k" * 10_000, "k" * 10_001, "epoch"]
        assert [store.add(key, 10, b"%d" % n) for n, key in enumerate(keys)] == [True] * len(keys)
        assert [store.get(key) for key in keys] == [b"%d" % n for n in range(len(keys))]

    def test_a_clock_that_jumps_makes_no_note_immortal_and_ends_none_early(self, store, clock):
        """AVL-08."""
        store.add("a", 60, b"1")
        clock.sleep(-3600)
        assert store.get("a") == b"1"
        assert not store.add("a", 60)
        clock.sleep(3600 + 61)
        assert store.get("a") is None
        assert store.add("a", 60)

    def test_the_epoch_is_the_time_of_creation_and_stays(self, store, clock):
        born = store.epoch()
        assert born == pytest.approx(clock.now, abs=1)
        clock.sleep(86_400 * 400)
        assert store.epoch() == born
        store.add("a", 10, b"1")
        assert store.adopt() == store.epoch() == pytest.approx(clock.now, abs=1)
        assert store.epoch() > born
        assert store.get("a") == b"1"  # what is noted stays: who adopts a store has looked at it
