"""The contract of `Store.look`: the epoch and the values of several keys, in one question."""

from __future__ import annotations

import pytest

from .parts import in_threads


class LookContract:
    def test_look_gives_the_epoch_and_what_is_noted_in_the_order_asked(self, store):
        store.add("a", 60, b"1")
        store.add("b", 60, b"")
        epoch, values = store.look("b", "none", "a")
        assert values == [b"", None, b"1"]
        assert epoch <= store.epoch()
        assert store.look("a")[1] == [b"1"]

    def test_look_without_keys_gives_the_epoch(self, store):
        store.add("a", 60, b"1")
        assert store.look() == (store.epoch(), [])

    def test_look_may_be_asked_for_one_key_twice(self, store):
        store.add("a", 60, b"1")
        assert store.look("a", "b", "a")[1] == [b"1", None, b"1"]

    def test_look_takes_fifty_keys_and_any_text(self, store):
        keys = ["", "\0", "\ud800", "é", "k:l", "{k}", "k" * 10_000, "epoch", *(f"n{n}" for n in range(42))]
        for n, key in enumerate(keys[:10]):
            store.add(key, 60, b"%d" % n)
        assert store.look(*keys)[1] == [b"%d" % n for n in range(10)] + [None] * 40

    def test_look_sees_its_own_writes_at_once(self, store):
        for n in range(5 if self.few else 50):
            key = f"k{n}"
            assert store.look(key)[1] == [None]
            store.add(key, 60, b"1")
            assert store.look(key)[1] == [b"1"]
            store.swap(key, b"1", b"2", 60)
            assert store.look(key)[1] == [b"2"]
            store.swap(key, b"2", None, 60)
            assert store.look(key)[1] == [None]

    def test_look_sees_nothing_whose_time_is_over(self, store, clock):
        store.add("a", 10, b"1")
        store.add("b", 20, b"2")
        clock.sleep(10.01)
        assert store.look("a", "b")[1] == [None, b"2"]

    def test_the_first_look_at_a_store_begins_its_epoch(self, store, clock):
        epoch, values = store.look("a", "b")
        assert values == [None, None]
        assert epoch == pytest.approx(clock.now, abs=1)
        clock.sleep(100)
        assert store.look("a", "b")[0] == epoch

    def test_look_says_so_when_a_store_is_adopted(self, store, clock):
        store.add("a", 1000, b"1")
        before = store.look("a")[0]
        clock.sleep(100)
        adopted = store.adopt()
        assert before < store.look("a")[0] <= adopted
        assert store.look("a")[1] == [b"1"]

    def test_what_was_noted_before_a_look_began_is_seen_by_every_thread(self, store):
        def work(n):
            for turn in range(2 if self.few else 50):
                store.add(f"{n}:{turn}", 60, b"1")
                assert store.look(f"{n}:{turn}", f"{n}:{turn}x")[1] == [b"1", None]

        in_threads(4, work)
