"""Several processes, and processes that are killed in the handler: every event is handled, and none again once it is done."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers.redis import redis_server

LEASE = 0.4  # seconds
_PROGRAM = Path(__file__).with_name("webhook_process.py")


class Worker:
    def __init__(self, store, log, lease=LEASE):
        command = [sys.executable, str(_PROGRAM), store, str(lease), str(log)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        assert self.line() == ["ready"]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate(timeout=20)

    def say(self, event, copies=1, seconds=0.0):
        self.process.stdin.write(f"{event} {copies} {seconds}\n")
        self.process.stdin.flush()

    def line(self):
        return self.process.stdout.readline().split()

    def deliver(self, event, copies=1):
        self.say(event, copies)
        return self.line()

    def retried(self, event):
        """What a sender hears who tries again until it is told that the event was taken."""
        deadline = time.monotonic() + 10 * LEASE
        while True:
            (answer,) = self.deliver(event)
            if answer not in ("409", "503"):
                return answer
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextmanager
def place(kind, tmp_path):
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/replay.db"
    else:
        with redis_server() as server:
            yield server.url


def entered(log):
    return Counter(log.read_text().split())


def rounds(number, store, log):
    """Copies of one event, 20 at once in 4 processes, round after round: exactly one is handled."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(store, log, 60)) for _ in range(4)]
        for event in range(number):
            for worker in workers:
                worker.say(f"event{event}", 5)
            answers = Counter(answer for worker in workers for answer in worker.line())
            assert sum(answers.values()) == 20
            assert set(answers) <= {"handled", "200", "409", "503"}
            if answers["503"] and not answers["handled"]:  # a busy machine's store did not answer in time: tried again
                answers["handled"] += workers[0].retried(f"event{event}") == "handled"
            assert answers["handled"] == 1
        assert entered(log) == {f"event{event}": 1 for event in range(number)}


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_of_twenty_deliveries_at_once_one_is_handled(tmp_path, kind):
    with place(kind, tmp_path) as store:
        rounds(10, store, tmp_path / "log")


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_of_twenty_deliveries_at_once_one_is_handled_for_a_thousand_rounds(tmp_path, kind):
    with place(kind, tmp_path) as store:
        rounds(1000, store, tmp_path / "log")


def test_of_a_hundred_copies_in_four_processes_one_is_handled(tmp_path):
    with place("sqlite", tmp_path) as store:
        workers = [Worker(store, tmp_path / "log", 60) for _ in range(4)]
        for worker in workers:
            worker.__enter__()
        for worker in workers:
            worker.say("event", 25)
        answers = Counter(answer for worker in workers for answer in worker.line())
        for worker in workers:
            worker.__exit__()
    assert answers["handled"] == 1
    assert sum(answers.values()) == 100
    assert entered(tmp_path / "log") == {"event": 1}


def test_what_was_in_the_handler_of_a_killed_process_is_handled_by_the_next(tmp_path):
    """kill -9: the claim runs out, the sender tries again, and then it is done."""
    log = tmp_path / "log"
    with place("sqlite", tmp_path) as store, Worker(store, log) as other:
        with Worker(store, log) as killed:
            killed.say("event", 1, 60)
            assert killed.line() == ["inside"]
            assert other.deliver("event") == ["409"]
            time.sleep(2 * LEASE)
            assert other.deliver("event") == ["409"]  # renewed: it is at it
            killed.process.kill()
        assert other.retried("event") == "handled"
        assert other.deliver("event") == ["200"]
    assert entered(log) == {"event": 2}


def kills(number, store, log, rng):
    """Processes killed in the handler, after the answer, and at any moment: before the claim, or in between."""
    with Worker(store, log) as survivor, ExitStack() as stack:

        def ten():
            started = [Worker(store, log) for _ in range(10)]
            for worker in started:
                stack.callback(worker.process.kill)
            return started

        following = ten()
        for batch in range(0, number, 10):
            events = [f"event{batch + n}" for n in range(10)]
            workers = following
            for worker in workers:
                worker.__enter__()
                worker.deliver(f"warm{worker.process.pid}")
            for worker, event in zip(workers, events, strict=True):
                worker.say(event, 1, round(rng.uniform(0.001, 0.02), 4))
            said = [workers[0].line(), [*workers[1].line(), *workers[1].line()]]
            assert said == [["inside"], ["inside", "handled"]]
            for worker in workers:
                worker.process.kill()
                time.sleep(rng.uniform(0, 0.005))
            following = ten() if batch + 10 < number else []  # they come up while the claims of these run out
            for n, (worker, event) in enumerate(zip(workers, events, strict=True)):
                told = worker.process.communicate(timeout=20)[0].split() + (said[n] if n < len(said) else [])
                before = entered(log)[event]
                answer = survivor.retried(event)
                if "handled" in told:  # its sender has been told: it never comes to a handler again
                    assert answer == "200"
                assert entered(log)[event] == before + (answer == "handled") >= 1
                assert survivor.deliver(event) == ["200"]
                assert entered(log)[event] == before + (answer == "handled")


def test_processes_killed_at_any_moment_lose_no_event_and_handle_none_again(tmp_path, rng):
    with place("sqlite", tmp_path) as store:
        kills(10, store, tmp_path / "log", rng)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_thousand_processes_killed_at_any_moment(tmp_path, kind):
    with place(kind, tmp_path) as store:
        kills(1000, store, tmp_path / "log", random.Random())
