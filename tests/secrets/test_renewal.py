"""When a secret is fetched: early and in the background, once for all who wait, anew in a forked child."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from authkit._run import Blocking
from authkit.errors import SecretNotFound, SecretUnavailable, Unavailable
from authkit.secrets import Secrets, SecretVersions

from .counted import Clocks, Source, background, secrets_of, settled


def test_before_its_ttl_a_value_is_fetched_again_in_the_background_while_readers_go_on() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    source.values["A"], source.gate = "b", threading.Event()
    clocks.pass_(239)
    assert secret.reveal() == "a"
    assert background() == []
    clocks.pass_(2)
    seen: list[str] = []
    readers = [threading.Thread(target=lambda: seen.extend(secret.reveal() for _ in range(200))) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(10)
    assert seen == ["a"] * 1600, "nobody waits"
    assert len(background()) == 1
    assert all(thread.daemon for thread in background())
    source.gate.set()
    settled()
    assert secret.reveal() == "b"
    assert source.asked == ["A", "A"]


async def test_on_a_loop_too_it_is_fetched_in_the_background() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert await secret.areveal() == "a"
    source.values["A"], source.gate = "b", threading.Event()
    clocks.pass_(250)
    start = time.monotonic()
    assert secret.reveal() == "a"
    assert await secret.areveal() == "a"
    assert time.monotonic() - start < 1
    source.gate.set()
    settled()
    assert secret.reveal() == "b"
    assert source.asked == ["A", "A"]


def test_beyond_its_ttl_a_reader_waits_for_the_newest_value() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    source.values["A"] = "b"
    clocks.pass_(300)
    assert secret.reveal() == "b"
    assert background() == []


def test_a_reader_beyond_the_ttl_joins_the_fetch_that_is_under_way() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    source.values["A"], source.gate = "b", threading.Event()
    clocks.pass_(290)
    assert secret.reveal() == "a"
    clocks.pass_(10)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(secret.reveal()))
    reader.start()
    reader.join(0.05)
    assert found == []
    source.gate.set()
    reader.join(10)
    assert found == ["b"]
    assert source.asked == ["A", "A"]


@pytest.mark.parametrize("monotonic", [True, False])
def test_nobody_waits_for_a_fetch_in_the_midst_of_which_the_machine_was_frozen(monotonic: bool) -> None:
    """AVL-08: a Lambda between two events, with a connection that died meanwhile."""
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    gate = source.gate = threading.Event()
    clocks.pass_(250)
    assert secret.reveal() == "a"
    while len(source.asked) < 2:
        time.sleep(0.001)
    source.values["A"], source.gate = "b", None
    clocks.pass_(3600, monotonic=monotonic)
    assert secret.reveal() == "b"
    assert len(source.asked) == 3
    source.values["A"] = "late"
    gate.set()
    settled()
    assert secret.reveal() == "b", "what arrives late is not newer"


@pytest.mark.parametrize("how", ["refresh", "frozen"])
def test_a_failure_that_arrives_late_says_nothing_of_what_is_newer(how: str) -> None:
    source, clocks = Source(A="a"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    secret = secrets["A"]
    assert secret.reveal() == "a"
    gate = source.gate = threading.Event()
    clocks.pass_(250)
    assert secret.reveal() == "a"
    while len(source.asked) < 2:
        time.sleep(0.001)
    source.values["A"], source.gate = "b", None
    if how == "refresh":
        secrets.refresh()
    else:
        clocks.pass_(3600)
    assert secret.reveal() == "b"
    del source.values["A"]
    gate.set()
    settled()
    assert secret.reveal() == "b"
    assert len(source.asked) == 3


def test_fifty_processes_started_together_do_not_refresh_together() -> None:
    """AVL-12, SEC-08: each is due at a moment of its own, between 0.7 and 0.9 of the TTL."""
    clocks = Clocks()
    sources = [Source(A="a") for _ in range(50)]
    handles = [Secrets(source, clock=clocks.clock, monotonic=clocks.monotonic)["A"] for source in sources]
    assert [handle.reveal() for handle in handles] == ["a"] * 50
    assert [len(source.asked) for source in sources] == [1] * 50
    at_once = []
    clocks.pass_(209)
    for _ in range(62):
        clocks.pass_(1)
        before = sum(len(source.asked) for source in sources)
        for handle in handles:
            handle.reveal()
        settled()
        at_once.append(sum(len(source.asked) for source in sources) - before)
    assert sum(at_once) == 50
    assert max(at_once) <= 8


def test_where_no_thread_is_to_be_had_the_value_is_used_to_its_end_and_then_fetched_by_a_reader() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    source.values["A"] = "b"
    clocks.pass_(250)
    before = threading.stack_size(1 << 45)  # more than there is
    try:
        assert secret.reveal() == "a"
    finally:
        threading.stack_size(before)
    assert background() == []
    clocks.pass_(50)
    assert secret.reveal() == "b"


@pytest.mark.parametrize(
    "swaps", [pytest.param(20, id="20 swaps"), pytest.param(1000, id="1000 swaps", marks=pytest.mark.soak)]
)
def test_readers_never_see_a_torn_value_while_it_is_replaced_in_the_background(swaps: int) -> None:
    """SEC-12."""
    source, clocks = Source(A=SecretVersions("v0")), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "v0"
    stop, wrong, seen = threading.Event(), [], set()

    def reads() -> None:
        while not stop.is_set():
            versions = secret.versions()
            current, previous = str(versions.current), versions.previous
            seen.add(current)
            if previous is not None and int(current[1:]) != int(str(previous)[1:]) + 1:
                wrong.append((current, previous))
            if not secret.reveal().startswith("v"):
                wrong.append(("reveal", None))

    readers = [threading.Thread(target=reads) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(1, swaps + 1):
        source.values["A"] = SecretVersions(f"v{number}", f"v{number - 1}")
        clocks.pass_(250)
        while len(source.asked) <= number:
            time.sleep(0.0001)
    stop.set()
    for reader in readers:
        reader.join(10)
    settled()
    assert wrong == []
    assert len(seen) > swaps / 4


# No storms


def test_a_source_that_fails_on_a_cold_secret_is_asked_once_in_each_short_back_off() -> None:
    """AVL-05."""
    source, clocks = Source(), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    source.down = SecretUnavailable("no answer")
    for _ in range(200):
        with pytest.raises(SecretUnavailable, match="no answer") as raised:
            secret.reveal()
        assert raised.value.retry_after >= 1
    assert source.asked == ["A"]
    clocks.pass_(1)
    source.down, source.values["A"] = None, "a"
    assert secret.reveal() == "a"


async def test_two_hundred_requests_at_a_source_that_hangs_hold_one_thread() -> None:
    """AVL-05."""
    source = Source(A="a")
    source.gate = threading.Event()
    secret = Secrets(source)["A"]
    before = threading.active_count()
    tasks = [asyncio.ensure_future(secret.areveal()) for _ in range(200)]
    await asyncio.sleep(0.05)
    assert threading.active_count() <= before + 1
    source.down = OSError()
    source.gate.set()
    failed = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in failed} == {SecretUnavailable}
    assert source.asked == ["A"]


def test_a_secret_that_no_source_has_is_not_asked_for_again_at_once() -> None:
    source, clocks = Source(), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    for _ in range(100):
        with pytest.raises(SecretNotFound, match="no source has the secret A; tried: Source"):
            secrets["A"].reveal()
    assert source.asked == ["A"]
    source.values["A"] = "a"
    clocks.pass_(9)
    with pytest.raises(SecretNotFound):
        secrets["A"].reveal()
    clocks.pass_(1)
    assert secrets["A"].reveal() == "a"


def test_refresh_forgets_that_a_secret_was_missing_or_unavailable() -> None:
    source, clocks = Source(), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    with pytest.raises(SecretNotFound):
        secrets["A"].reveal()
    source.values["A"] = "a"
    secrets.refresh()
    assert secrets["A"].reveal() == "a"
    source.down = OSError()
    with pytest.raises(SecretUnavailable):
        secrets["B"].reveal()
    source.down, source.values["B"] = None, "b"
    secrets.refresh()
    assert secrets["B"].reveal() == "b"


async def test_a_thousand_tasks_on_a_cold_secret_ask_once() -> None:
    """SEC-08."""
    source = Source(A="a")
    source.gate = threading.Event()
    secret = Secrets(source)["A"]
    tasks = [asyncio.ensure_future(secret.areveal()) for _ in range(1000)]
    await asyncio.sleep(0.01)
    source.gate.set()
    assert await asyncio.gather(*tasks) == ["a"] * 1000
    assert source.asked == ["A"]


def test_who_waited_for_another_too_long_is_refused_and_the_next_does_not_wait_for_that_fetch() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    reading = secret.load()
    assert isinstance(reading.send(None), Blocking)
    with pytest.raises(SecretUnavailable, match="the secret A: too many calls are waiting"):
        reading.throw(Unavailable("too many calls are waiting"))
    with pytest.raises(SecretUnavailable):
        secret.reveal()
    clocks.pass_(2)
    assert secret.reveal() == "a"
    clocks.pass_(300)
    reading = secret.load()
    reading.send(None)
    with pytest.raises(StopIteration) as done:
        reading.throw(Unavailable("too many calls are waiting"))
    assert done.value.value.current == "a", "what is known is used on"


# Fork


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_child_forked_in_the_midst_of_a_fetch_fetches_for_itself() -> None:
    """AVL-12."""
    source, clocks = Source(A="a", B="b"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    secret = secrets["A"]
    assert secret.reveal() == "a"
    source.values["A"], source.gate = "new", threading.Event()
    clocks.pass_(250)
    assert secret.reveal() == "a"
    while len(source.asked) < 2:
        time.sleep(0.001)
    with secrets._ledger.lock:
        child = os.fork()
        if not child:
            source.gate = None
            code = 1
            try:
                assert secret.reveal() == "a"  # starts a refresh of its own
                settled()
                assert secret.reveal() == "new"
                assert secrets["B"].reveal() == "b"
                code = 0
            finally:
                os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    source.gate.set()
    settled()
    assert code == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_children_of_one_parent_are_due_at_moments_of_their_own() -> None:
    """AVL-12: gunicorn --preload."""
    source, clocks = Source(A="a"), Clocks()
    secret = Secrets(source, clock=clocks.clock, monotonic=clocks.monotonic)["A"]
    assert secret.reveal() == "a"
    due = []
    for _ in range(20):
        into, out = os.pipe()
        child = os.fork()
        if not child:
            seconds = 0
            while len(source.asked) == 1 and seconds < 300:
                clocks.pass_(1)
                seconds += 1
                secret.reveal()
                settled()
            os.write(out, seconds.to_bytes(2, "big"))
            os._exit(0)
        os.waitpid(child, 0)
        due.append(int.from_bytes(os.read(into, 2), "big"))
        os.close(into)
        os.close(out)
    assert all(209 <= seconds <= 271 for seconds in due)
    assert len(set(due)) >= 8
