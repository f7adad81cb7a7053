"""Claims on events: one at a time, leases that run out, and nobody touches another's; on every store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter

import pytest

from authkit import ConfigurationError
from authkit.stores import MemoryStore, SqliteStore
from authkit.webhooks.event import WebhookEvent
from authkit.webhooks.replay import Replay

from .replay_stores import STORES, Clock

KEEP = 601


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path, clock):
    endpoint = request.getfixturevalue("moto") if request.param == "dynamo" else ""
    with STORES[request.param](tmp_path, endpoint, clock) as store:
        yield store


@pytest.fixture
def replay(store):
    return Replay(store)


def test_an_event_is_new_once(replay):
    assert [replay.begin("e")[0] for _ in range(3)] == ["new", "busy", "busy"]
    assert replay.begin("other")[0] == "new"


def test_of_many_threads_one_has_it(replay, store):
    rounds = 5 if store.blocks else 50
    for number in range(rounds):
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda n=number, found=found: found.append(replay.begin(f"e{n}")[0])) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(found) == {"new": 1, "busy": 7}


def test_a_finished_event_is_done_for_as_long_as_it_is_kept(replay, clock):
    _, claim = replay.begin("e")
    assert claim.finish(KEEP)
    assert replay.begin("e")[0] == "done"
    clock.sleep(KEEP - 0.1)
    assert replay.begin("e")[0] == "done"
    clock.sleep(0.2)
    assert replay.begin("e")[0] == "new"


def test_a_failed_event_is_new_again_at_once(replay):
    _, claim = replay.begin("e")
    assert claim.release()
    assert not claim.release()
    assert replay.begin("e")[0] == "new"


def test_a_claim_that_nobody_ends_runs_out(replay, clock):
    """A process that was killed in the handler: the event is deliverable again after its lease, and not before."""
    replay.begin("e")
    clock.sleep(59.9)
    assert replay.begin("e")[0] == "busy"
    clock.sleep(0.2)
    assert replay.begin("e")[0] == "new"


def test_a_renewed_claim_does_not_run_out(replay, clock):
    _, claim = replay.begin("e")
    for _ in range(5):
        clock.sleep(50)
        assert claim.renew()
    assert replay.begin("e")[0] == "busy"
    assert claim.finish(KEEP)


def test_a_claim_that_was_forgotten_is_made_again_if_nobody_has_it(replay, clock):
    _, claim = replay.begin("e")
    clock.sleep(61)
    assert claim.renew()
    assert replay.begin("e")[0] == "busy"


@pytest.mark.parametrize("end", ["finish", "release", "renew"])
def test_whose_lease_was_lost_does_not_touch_the_next_ones(replay, clock, end):
    _, first = replay.begin("e")
    clock.sleep(61)
    standing, second = replay.begin("e")
    assert standing == "new"
    assert not {"finish": lambda: first.finish(KEEP), "release": first.release, "renew": first.renew}[end]()
    assert replay.begin("e")[0] == "busy"
    assert second.finish(KEEP)
    assert replay.begin("e")[0] == "done"


def test_what_was_handled_after_all_is_done_if_nobody_took_it(replay, clock):
    _, claim = replay.begin("e")
    clock.sleep(61)
    assert claim.finish(KEEP)
    assert replay.begin("e")[0] == "done"


def test_what_another_has_done_stays_done(replay, clock):
    _, first = replay.begin("e")
    clock.sleep(61)
    _, second = replay.begin("e")
    second.finish(KEEP)
    assert not first.release()
    assert not first.finish(KEEP)
    assert replay.begin("e")[0] == "done"


def test_a_lease_may_be_as_long_as_the_caller_lives(replay, clock):
    replay.begin("e", lease=900)
    clock.sleep(899)
    assert replay.begin("e")[0] == "busy"
    clock.sleep(2)
    assert replay.begin("e")[0] == "new"


def test_names_tell_events_apart(store):
    """Two endpoints that get the same events handle both of them."""
    one, other = Replay(store, name="orders"), Replay(store, name="ledger")
    assert [one.begin("e")[0], other.begin("e")[0], one.begin("e")[0]] == ["new", "new", "busy"]


def test_any_id_is_a_key(replay):
    """Whatever a sender calls an event: long, odd, or with what a store might take for its own."""
    for id in ("x" * 10_000, "\0", "a b:c\n", "\ud800", "done"):
        key = WebhookEvent("standard-webhooks", b"{}", id, signed_id=True).replay_key
        assert [replay.begin(key)[0] for _ in range(2)] == ["new", "busy"]


def test_a_store_learns_nothing_of_an_id():
    class Listening(MemoryStore):
        keys: list[str] = []

        def add(self, key, ttl, value=b""):
            self.keys.append(key)
            return super().add(key, ttl, value)

    store = Listening()
    Replay(store).begin("standard-webhooks:id:alice@example.com")
    assert len(store.keys) == 1
    assert "alice" not in store.keys[0]
    assert len(store.keys[0]) == len("webhook:") + 64


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"name": "é"}, "name"), ({"name": "x" * 65}, "name"), ({"name": 1}, "name"), ({"name": "a\n"}, "name"),
        ({"lease": 0}, "lease"), ({"lease": -1.0}, "lease"), ({"lease": float("inf")}, "lease"), ({"lease": True}, "lease"),
        ({"keep": 0}, "keep"), ({"keep": "7d"}, "keep"), ({"keep": float("nan")}, "keep"),
    ],
)  # fmt: skip
def test_a_wrong_literal_is_refused(options, named):
    with pytest.raises(ConfigurationError, match=named):
        Replay(MemoryStore(), **options)


@pytest.mark.parametrize("wrong", ["memory:", {}, True, 7])
def test_what_is_no_store_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="store"):
        Replay(wrong)


_PROCESS = """
import sys
from authkit.stores import SqliteStore
from authkit.webhooks.replay import Replay
replay = Replay(SqliteStore(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    standing, claim = replay.begin(f"e{number}")
    print(standing, flush=True)
    if standing == "new":
        claim.finish(600)
"""


def test_of_several_processes_one_has_it(tmp_path):
    """50 events, each taken up by four processes at the same time."""
    command = [sys.executable, "-c", _PROCESS, str(tmp_path / "replay.db")]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    found = [process.communicate(timeout=60)[0].split() for process in started]
    assert [answers.count("new") for answers in zip(*found, strict=True)] == [1] * 50


def test_claims_are_told_apart_by_chance_alone(tmp_path):
    """A child that was forked has randomness of its own: the default is the system's."""
    store = SqliteStore(tmp_path / "replay.db")
    replay = Replay(store)
    assert len({replay.claim("e")._holder for _ in range(100)}) == 100
    assert Replay(store, random=os.urandom).begin("e")[0] == "new"
    store.close()
