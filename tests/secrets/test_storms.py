"""No storms: a source that fails, hangs or has nothing is left alone for a while, and children of a fork ask by themselves."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from authkit._run import Blocking
from authkit.errors import SecretNotFound, SecretUnavailable, Unavailable
from authkit.secrets import Secrets, SecretVersions

from .counted import Clocks, Source, secrets_of, settled


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


def test_who_waited_too_long_for_a_fetch_that_hangs_is_refused_and_later_readers_ask_anew() -> None:
    source, clocks = Source(A="a"), Clocks()
    gate = source.gate = threading.Event()
    secret = secrets_of(source, clocks=clocks)["A"]
    hangs = threading.Thread(target=secret.reveal)
    hangs.start()
    while not source.asked:
        time.sleep(0.001)
    waiting = secret.load()
    waiting.send(None)
    with pytest.raises(SecretUnavailable, match="the secret A: waited too long"):
        waiting.throw(Unavailable("waited too long for another caller's result"))
    source.gate = None
    with pytest.raises(SecretUnavailable):
        secret.reveal()
    clocks.pass_(2)
    assert secret.reveal() == "a"
    assert source.asked == ["A", "A"]
    gate.set()
    hangs.join(10)


def test_a_secret_that_is_gone_is_known_to_be_from_the_background_too() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    del source.values["A"]
    clocks.pass_(250)
    assert secret.reveal() == "a"
    settled()
    with pytest.raises(SecretNotFound):
        secret.reveal()
    assert source.asked == ["A", "A"]


def test_a_fetch_that_was_interrupted_leaves_nothing_behind() -> None:
    class Interrupted(Source):
        def fetch(self, name: str) -> SecretVersions | str:
            if not self.asked:
                self.asked.append(name)
                raise KeyboardInterrupt
            return super().fetch(name)

    source = Interrupted(A="a")
    secret = Secrets(source)["A"]
    with pytest.raises(KeyboardInterrupt):
        secret.reveal()
    assert secret.reveal() == "a"


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
