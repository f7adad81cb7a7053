"""No storms: a source that fails, hangs or has nothing is left alone for a while, and children of a fork ask by themselves."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from authkit._run import Blocking, arun, blocking
from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable, Unavailable
from authkit.secrets import Secrets, SecretSource, SecretVersions

from .counted import Clocks, Source, secrets_of, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
    gate = source.gate = threading.Event()
    reading = secret.load()
    reading.send(None)
    while not source.asked:
        time.sleep(0.001)
    with pytest.raises(SecretUnavailable, match="the secret A: waited"):
        reading.throw(Unavailable("waited"))
    source.gate = None
    with pytest.raises(SecretUnavailable):
        secret.reveal()
    assert source.asked == ["A"]
    clocks.pass_(2)
    assert secret.reveal() == "a"
    clocks.pass_(300)
    source.gate = gate
    reading = secret.load()
    reading.send(None)
    while len(source.asked) < 3:
        time.sleep(0.001)
    with pytest.raises(StopIteration) as done:
        reading.throw(Unavailable("waited"))
    assert done.value.value.current == "a", "what is known is used on"
    gate.set()


async def test_where_no_thread_is_to_be_had_nothing_is_held_against_the_source() -> None:
    source = Source(A="a")
    secret = Secrets(source)["A"]
    reading = secret.load()
    before = threading.stack_size(1 << 45)  # more than there is
    try:
        assert isinstance(reading.send(None), Blocking)
    finally:
        threading.stack_size(before)
    with pytest.raises(SecretUnavailable, match="the secret A: too many calls are waiting"):
        reading.throw(Unavailable("too many calls are waiting"))
    assert await secret.areveal() == "a"


async def test_a_reader_that_gives_up_takes_nobody_with_him_though_every_thread_of_the_pool_is_busy() -> None:
    source, release = Source(A="a"), threading.Event()
    secret = Secrets(source)["A"]
    busy = [asyncio.ensure_future(_driven(release.wait, 10)) for _ in range(40)]
    await asyncio.sleep(0.02)
    source.gate = threading.Event()
    first, *others = [asyncio.ensure_future(secret.areveal()) for _ in range(5)]
    await asyncio.sleep(0.02)
    first.cancel()
    source.gate.set()
    assert await asyncio.wait_for(asyncio.gather(*others), 5) == ["a"] * 4
    release.set()
    await asyncio.gather(*busy)


async def test_sync_readers_on_every_thread_of_the_pool_do_not_wait_for_one_who_stands_behind_them() -> None:
    source, release = Source(A="a"), threading.Event()
    secret = Secrets(source)["A"]
    busy = [asyncio.ensure_future(_driven(release.wait, 10)) for _ in range(32)]
    await asyncio.sleep(0.02)
    readers = [asyncio.ensure_future(_driven(secret.reveal)) for _ in range(32)]
    source.gate = threading.Event()
    leader = asyncio.ensure_future(secret.areveal())
    await asyncio.sleep(0.02)
    release.set()
    await asyncio.gather(*busy)
    source.gate.set()
    assert await asyncio.wait_for(asyncio.gather(leader, *readers), 5) == ["a"] * 33


async def _driven(fn: Callable[..., Any], *args: Any) -> Any:
    async def guard() -> Any:
        return await blocking(fn, *args)

    return await arun(guard())


def test_a_reader_of_a_source_that_hangs_is_refused_in_the_end_also_if_he_is_the_first() -> None:
    """AVL-05: scaled down, in a process of its own."""
    program = """
import threading, time
from authkit import _run
_run.WAIT_SECONDS = 0.2
from authkit.errors import SecretUnavailable
from authkit.secrets import Secrets, SecretSource
class Hangs(SecretSource):
    def fetch(self, name):
        time.sleep(1000)
secret, refused = Secrets(Hangs())["A"], []
def read():
    try:
        secret.reveal()
    except SecretUnavailable as error:
        refused.append(str(error))
readers = [threading.Thread(target=read, daemon=True) for _ in range(4)]
for reader in readers:
    reader.start()
for reader in readers:
    reader.join(5)
print(refused)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("the secret A: waited too long") == 4


def test_refresh_in_a_signal_handler_never_waits_for_what_it_interrupted() -> None:
    program = """
import os, signal, time
from authkit.secrets import Environment, Secrets
secrets = Secrets(Environment({"A": "a"}), ttl=0.0005)
secret, times = secrets["A"], 0
def again(*_):
    global times
    times += 1
    secrets.refresh()
signal.signal(signal.SIGALRM, again)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
end = time.monotonic() + 1
while time.monotonic() < end:
    secret.reveal()
signal.setitimer(signal.ITIMER_REAL, 0, 0)
print(times > 50)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"


def test_no_reader_keeps_what_was_there_before_a_refresh_that_came_in_the_midst_of_his_reading() -> None:
    source, clocks = Source(A="a"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    secret = secrets["A"]
    assert secret.reveal() == "a"
    ledger, slot = secrets._ledger, secret._slot
    slot.entry.disarm()

    class Interrupting:
        """A bound of which the comparison is interrupted, as by a signal."""

        def __sub__(self, other: float) -> float:
            secrets.refresh()
            return 100.0

        def __gt__(self, other: float) -> bool:
            return True

    slot.entry.soft = Interrupting()  # type: ignore[assignment]
    source.values["A"] = "b"
    assert ledger.judged(slot, slot.entry, slot.now())[0] is not None
    assert secret.reveal() == "b"


# A source that reads secrets


class Vault(SecretSource):
    """Opened with a token that stands in another source of the same Secrets."""

    def __init__(self, token: str = "TOKEN") -> None:
        self.token = token
        self.secrets: Secrets | None = None

    def fetch(self, name: str) -> str:
        if name == "TOKEN" and self.token == "TOKEN":
            raise SecretNotFound(name)
        assert self.secrets is not None
        return f"{name} by {self.secrets[self.token].reveal()}"

    def fetch_many(self, names: Sequence[str], *, current_only: bool = False) -> dict[str, SecretVersions | str | bytes]:
        return {names[0]: self.fetch(names[0])}


def test_a_source_may_read_its_own_credential_from_the_same_secrets() -> None:
    vault, source = Vault(), Source(TOKEN="open")
    secrets = vault.secrets = Secrets(source, vault)
    start = time.monotonic()
    handles = [secrets[name] for name in ("TOKEN", "A", "B")]
    assert [handle.reveal() for handle in handles[1:]] == ["A by open", "B by open"]
    assert handles[0].reveal() == "open"
    assert time.monotonic() - start < 5


async def test_a_source_may_do_so_where_a_loop_runs() -> None:
    vault = Vault()
    secrets = vault.secrets = Secrets(Source(TOKEN="open"), vault)
    assert await asyncio.wait_for(secrets["A"].areveal(), 5) == "A by open"


@pytest.mark.parametrize("name", ["A", "TOKEN"])
def test_a_source_that_needs_a_secret_to_fetch_that_secret_is_told_so_at_once(name: str) -> None:
    vault = Vault(token="A")
    secrets = vault.secrets = Secrets(vault)
    with pytest.raises(ConfigurationError, match="the secret A is read by a source in order to fetch it"):
        secrets[name].reveal()


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
    assert secret.reveal() == "a", "it may be in the midst of being written"
    clocks.pass_(2)
    assert secret.reveal() == "a"
    settled()
    with pytest.raises(SecretNotFound):
        secret.reveal()
    assert source.asked == ["A", "A", "A"]


def test_a_secret_that_was_not_there_for_a_moment_is_used_on() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    seen = secret.versions()
    for _ in range(5):
        del source.values["A"]
        assert not secret.recheck(seen)
        source.values["A"] = "a"
        clocks.pass_(31)
        assert secret.versions() is seen
        settled()


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
