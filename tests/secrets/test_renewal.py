"""When a secret is fetched: early and in the background, once for all who wait."""

from __future__ import annotations

import threading
import time

import pytest

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
