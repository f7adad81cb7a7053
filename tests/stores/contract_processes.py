"""The contract of stores that several processes share: what is exact under threads is exact under processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from .parts import ALGORITHMS

PROCESSES = 4

# Opens the store, then answers each line, an expression that sees it, with the repr of its value.
_SERVANT = """
import sys, threading
from collections import Counter
from authkit import stores
from authkit.errors import StoreUnavailable
def together(call, threads, times):
    found = []
    def work():
        for _ in range(times):
            try: found.append(call())
            except StoreUnavailable: found.append("unavailable")
    all_ = [threading.Thread(target=work) for _ in range(threads)]
    for thread in all_: thread.start()
    for thread in all_: thread.join()
    return dict(Counter(found))
def admits(limiter):
    return not limiter.take("k")[0]
seen = {"together": together, "admits": admits, "rates": lambda *texts: tuple(map(stores.Rate.parse, texts))}
seen["store"] = eval(sys.argv[1], vars(stores))
print("ready", flush=True)
for line in sys.stdin:
    print(repr(eval(line, seen)), flush=True)
"""


class Elsewhere:
    """Processes that have the same store open, and do at the same time what they are told."""

    def __init__(self, recipe: str) -> None:
        command = [sys.executable, "-c", _SERVANT, recipe]
        self._all = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
        ]
        for process in self._all:
            assert process.stdout.readline() == "ready\n"

    def ask(self, expression: str) -> list:
        """What each process says."""
        for process in self._all:
            process.stdin.write(expression + "\n")
            process.stdin.flush()
        return [eval(process.stdout.readline()) for process in self._all]

    def count(self, expression: str) -> Counter:
        """The counts of all processes together."""
        return sum((Counter(answer) for answer in self.ask(expression)), Counter())

    def close(self) -> None:
        for process in self._all:
            process.stdin.close()
        for process in self._all:
            process.wait(10)
            process.stdout.close()


class ProcessContract:
    rounds = 2  # of 500 calls; a soak makes 200

    @pytest.fixture
    def elsewhere(self, recipe):
        processes = Elsewhere(recipe)
        yield processes
        processes.close()

    def _never_more(self, elsewhere, algorithm, rounds):
        for round_ in range(rounds):
            limiter = f"store.limiter('p{round_}', rates('100 per 300 days', '1000 per 300 days'), {algorithm!r})"
            found = elsewhere.count(f"together(lambda limiter={limiter}: admits(limiter), 5, 25)")
            assert found.total() == 500
            assert found[True] <= 100
            assert found[True] == 100 or found["unavailable"]  # what a store refuses to decide may be lost, nothing else
            assert found[True] + found["unavailable"] >= 100

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_four_processes_never_take_more_than_there_is(self, elsewhere, algorithm):
        """RTL-05: 500 concurrent calls against a limit of 100."""
        self._never_more(elsewhere, algorithm, self.rounds)

    @pytest.mark.soak
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_two_hundred_rounds_of_four_processes_never_take_more_than_there_is(self, elsewhere, algorithm):
        """RTL-05."""
        self._never_more(elsewhere, algorithm, 200)

    def test_one_of_all_processes_adds_and_one_swaps(self, elsewhere):
        for round_ in range(self.rounds):
            assert elsewhere.count(f"together(lambda: store.add('p{round_}', 600, b'1'), 4, 1)")[True] == 1
            assert elsewhere.count(f"together(lambda: store.swap('p{round_}', b'1', b'2', 600), 4, 1)")[True] == 1
            assert elsewhere.ask(f"store.get('p{round_}')") == [b"2"] * PROCESSES

    def test_a_gate_is_one_for_all_processes(self, elsewhere):
        entered = elsewhere.count(
            "together(lambda: store.gate('p', 5).enter('k', __import__('uuid').uuid4().hex, 600)[0], 4, 2)"
        )
        assert (entered[True], entered.total()) == (5, 32)

    def test_all_processes_see_one_epoch(self, elsewhere):
        epochs = elsewhere.ask("store.epoch()")
        assert len(set(epochs)) == 1
        elsewhere.ask("store.adopt()")
        later = elsewhere.ask("store.epoch()")
        assert len(set(later)) == 1
        assert later[0] > epochs[0]
