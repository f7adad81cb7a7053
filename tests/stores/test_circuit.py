"""`Circuit`: three failures open it, a probe closes it, and only one caller at a time is the probe."""

from __future__ import annotations

import os

import pytest

from authkit.stores._circuit import Circuit

from .parts import Clock, in_threads


class Told(list):
    def __call__(self, message, *args):
        self.append(message % args)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def circuit(clock, told):
    return Circuit("redis h:1", clock=clock, tell=told)


def fail(circuit, times=1):
    for _ in range(times):
        turn = circuit.enter()
        assert turn
        circuit.failed(turn, "no answer in time")


def test_two_failures_or_three_with_a_success_between_open_nothing(circuit, told):
    fail(circuit, 2)
    circuit.passed(circuit.enter())
    fail(circuit, 2)
    assert circuit.enter()
    assert not circuit.is_open
    assert told == []


def test_three_failures_in_a_row_open_it_and_that_is_told_once(circuit, told, clock):
    fail(circuit, 3)
    assert circuit.is_open
    assert [circuit.enter() for _ in range(100)] == [0] * 100
    for _ in range(5):
        clock.sleep(0.5)
        fail(circuit)
        assert circuit.enter() == 0
    assert told == ["redis h:1 fails (no answer in time): not asked, but for a probe every 0.5 s"]


def test_a_probe_that_passes_closes_it_and_that_is_told_once(circuit, told, clock):
    fail(circuit, 3)
    clock.sleep(2.5)
    turn = circuit.enter()
    assert circuit.enter() == 0  # there is a probe already
    circuit.passed(turn)
    assert all(circuit.enter() for _ in range(100))
    circuit.passed(circuit.enter())
    assert told[1:] == ["redis h:1 answers again, after 2.5 s"]


def test_what_was_asked_before_a_change_says_nothing_after_it(circuit, told, clock):
    slow = [circuit.enter() for _ in range(20)]
    fail(circuit, 3)
    for turn in slow[:10]:
        circuit.failed(turn, "no answer in time")
    circuit.passed(slow[10])
    assert circuit.is_open
    clock.sleep(0.5)
    circuit.passed(circuit.enter())
    for turn in slow[11:]:
        circuit.failed(turn, "no answer in time")
    assert not circuit.is_open
    assert len(told) == 2


def test_a_probe_that_is_never_heard_of_again_is_replaced(circuit, clock):
    fail(circuit, 3)
    clock.sleep(0.5)
    assert circuit.enter()
    clock.sleep(1.9)
    assert circuit.enter() == 0
    clock.sleep(0.2)
    assert circuit.enter()
    assert circuit.enter() == 0


def test_a_clock_that_goes_back_does_not_keep_it_open(circuit, clock):
    fail(circuit, 3)
    clock.sleep(-1000)
    assert circuit.enter()


def test_one_of_many_threads_is_the_probe(circuit, clock):
    for _ in range(50):
        if not circuit.is_open:
            fail(circuit, 3)
        clock.sleep(0.5)
        turns = []
        in_threads(8, lambda n, turns=turns: turns.append(circuit.enter()))
        assert len([turn for turn in turns if turn]) == 1
        circuit.failed(max(turns), "no connection")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_child_whose_parent_was_probing_probes_for_itself(circuit, clock):
    """AVL-12."""
    fail(circuit, 3)
    clock.sleep(0.5)
    assert circuit.enter()
    child = os.fork()
    if not child:
        try:
            clock.sleep(2)
            turn = circuit.enter()
            circuit.passed(turn)
            os._exit(0 if turn and not circuit.is_open else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
