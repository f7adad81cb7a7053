"""The contract of gates: at most so many holders at once."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError

from .parts import in_threads


class GateContract:
    def test_a_gate_lets_in_as_many_as_its_limit(self, store):
        gate = store.gate("g", 3)
        assert [gate.enter("k", f"h{n}", 60) for n in range(5)] == [(True, 1), (True, 2), (True, 3), (False, 3), (False, 3)]
        gate.leave("k", "h1")
        assert gate.enter("k", "h3", 60) == (True, 3)
        assert gate.enter("k", "h4", 60) == (False, 3)

    def test_who_is_in_is_renewed_and_not_counted_twice(self, store, clock):
        gate = store.gate("g", 2)
        assert [gate.enter("k", "h", 60) for _ in range(3)] == [(True, 1)] * 3
        assert gate.enter("k", "i", 60) == (True, 2)
        clock.sleep(50)
        assert gate.enter("k", "h", 60) == (True, 2)
        clock.sleep(20)
        assert gate.enter("k", "j", 60) == (True, 2)  # i was forgotten, h was not

    def test_a_holder_is_forgotten_after_its_time_unless_renewed(self, store, clock):
        gate = store.gate("g", 1)
        assert gate.enter("k", "h", 10) == (True, 1)
        for _ in range(3):
            clock.sleep(9)
            assert gate.renew("k", "h", 10)
            assert gate.enter("k", "i", 10) == (False, 1)
        clock.sleep(10.01)
        assert not gate.renew("k", "h", 10)
        assert gate.enter("k", "i", 10) == (True, 1)
        assert not gate.renew("k", "h", 10)

    def test_a_holder_may_leave_twice_or_without_having_entered(self, store):
        gate = store.gate("g", 1)
        gate.leave("k", "h")
        gate.enter("k", "h", 60)
        gate.leave("k", "i")
        assert gate.enter("k", "i", 60) == (False, 1)
        gate.leave("k", "h")
        gate.leave("k", "h")
        assert not gate.renew("k", "h", 60)
        assert gate.enter("k", "i", 60) == (True, 1)

    def test_its_holders_are_counted_by_who_is_none(self, store, clock):
        gate = store.gate("g", 3)
        assert gate.held("k") == 0
        for number in range(4):
            gate.enter("k", f"h{number}", 60 - 20 * number)
        assert [gate.held("k"), gate.held("l"), store.gate("g", 4).held("k")] == [3, 0, 0]
        clock.sleep(30)
        assert gate.held("k") == 2
        gate.leave("k", "h0")
        assert gate.held("k") == 1

    def test_reset_forgets_every_holder_of_that_key(self, store):
        gate = store.gate("g", 2)
        for key in ("k", "k", "l"):
            gate.enter(key, f"h{gate.held(key)}", 60)
        gate.reset("k")
        gate.reset("nobody's")
        assert [gate.held("k"), gate.held("l")] == [0, 1]
        assert not gate.renew("k", "h0", 60)
        assert [gate.enter("k", f"i{number}", 60)[0] for number in range(3)] == [True, True, False]

    def test_keys_names_and_limits_have_places_of_their_own(self, store):
        gate = store.gate("g", 1)
        assert [gate.enter(key, "h", 60) for key in ("k", "l", "", "\0", "\ud800", "k" * 10_000)] == [(True, 1)] * 6
        assert store.gate("other", 1).enter("k", "i", 60) == (True, 1)
        assert store.gate("g", 2).enter("k", "i", 60) == (True, 1)
        one, other = ("g", "b:1:=k"), ("g:1:=b", "k")
        assert [store.gate(name, 1).enter(key, "h", 60) for name, key in (one, other)] == [(True, 1)] * 2
        assert store.gate("g", 1).enter("k", "i", 60) == (False, 1)  # the same one again

    def test_notes_limits_and_gates_of_one_name_do_not_meet(self, store):
        from .parts import admitted, rates

        assert store.gate("a", 1).enter("k", "h", 60)[0]
        assert admitted(store.limiter("a", rates("1/minute")), times=2) == 1
        assert store.add("a", 60)
        assert store.add("k", 60)
        assert store.add("h", 60)

    def test_a_clock_that_jumps_lets_nobody_hold_for_ever(self, store, clock):
        """AVL-08."""
        gate = store.gate("g", 1)
        gate.enter("k", "h", 60)
        clock.sleep(-3600)
        assert gate.enter("k", "i", 60) == (False, 1)
        clock.sleep(3600 + 61)
        assert gate.enter("k", "i", 60) == (True, 1)

    def test_threads_are_never_in_together_beyond_the_limit(self, store):
        for round_ in range(1 if self.few else 20):
            gate = store.gate(f"g{round_}", 3)
            wins = []

            def work(n, gate=gate, wins=wins):
                if gate.enter("k", f"h{n}", 600)[0]:
                    wins.append(n)

            in_threads(8, work)
            assert len(wins) == 3

    @pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3", None])
    def test_a_wrong_limit_is_a_configuration_error(self, store, limit):
        with pytest.raises(ConfigurationError):
            store.gate("g", limit)
