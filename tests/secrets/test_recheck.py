"""A verification failed: the source is asked once more, however many bad credentials come."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from authkit.errors import SecretNotFound
from authkit.secrets import Secret, SecretVersions

from .counted import Clocks, Source, secrets_of


def rotated(clocks: Clocks) -> tuple[Source, Secret, SecretVersions]:
    source = Source(A=SecretVersions("a", None, None, None))
    secret = secrets_of(source, clocks=clocks)["A"]
    seen = secret.versions()
    source.values["A"] = SecretVersions("b", "a", None, 2_000_000.0)
    return source, secret, seen


def test_after_a_failed_verification_the_source_is_asked_once_more() -> None:
    source, secret, seen = rotated(Clocks())
    assert secret.recheck(seen)
    assert secret.reveal() == "b"
    assert secret.matches("a")
    assert len(source.asked) == 2


def looks(seconds: float, *, local: bool, every: float = 0.125, **options: object) -> list[float]:
    """When the source was asked because of bad credentials that come without end."""
    clocks = Clocks()
    source = Source(A="a")
    source.local = local
    secret = secrets_of(source, clocks=clocks, ttl=10_000, **options)["A"]
    seen, start, found = secret.versions(), clocks.ticks, []
    while clocks.ticks < start + seconds:
        for _ in range(5):
            before = len(source.asked)
            assert not secret.recheck(seen)
            assert not secret.recheck()
            found += [clocks.ticks - start] * (len(source.asked) - before)
        clocks.pass_(every)
    return found


def test_however_many_bad_credentials_come_the_source_is_asked_more_and_more_rarely() -> None:
    assert looks(120, local=False) == [0, 1, 3, 7, 15, 31, 61, 91]
    assert looks(1000, local=False, every=1, cooldown=100) == [0, *range(100, 1000, 100)]


def test_the_cooldown_stays_short_where_a_look_costs_no_network() -> None:
    assert looks(2, local=True) == [0, 0.125, 0.375, 0.875, 1.375, 1.875]


def test_once_the_secret_changes_the_cooldown_is_short_again() -> None:
    clocks = Clocks()
    source = Source(A="a")
    secret = secrets_of(source, clocks=clocks)["A"]
    for _ in range(6):
        assert not secret.recheck(secret.versions())
        clocks.pass_(30)
    source.values["A"] = "b"
    assert secret.recheck(secret.versions())
    assert not secret.recheck(secret.versions())
    source.values["A"] = "c"
    assert not secret.recheck(secret.versions())
    clocks.pass_(2)
    assert secret.recheck(secret.versions())


def test_a_source_that_says_something_else_each_time_is_not_asked_for_each_bad_credential() -> None:
    source = Source(A="a")
    secret = secrets_of(source, clocks=Clocks())["A"]
    secret.versions()
    for number in range(1000):
        source.values["A"] = f"a{number}"
        secret.recheck(secret.versions())
    assert len(source.asked) == 3


def test_who_comes_while_a_slow_source_is_looked_at_does_not_wait_for_long() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    seen = secret.versions()
    source.gate = threading.Event()
    leader = threading.Thread(target=secret.recheck, args=(seen,))
    leader.start()
    while len(source.asked) < 2:
        time.sleep(0.001)
    start = time.monotonic()
    assert not secret.recheck(seen)
    assert 0.9 < time.monotonic() - start < 3
    clocks.pass_(1.5)
    start = time.monotonic()
    for _ in range(20):
        assert not secret.recheck(seen)
    assert time.monotonic() - start < 1, "nor does anybody wait who comes later, or look as well"
    assert len(source.asked) == 2
    source.gate.set()
    leader.join(10)


def test_a_source_that_names_another_end_each_time_is_not_asked_for_each_bad_credential() -> None:
    clocks = Clocks()
    source = Source(A=SecretVersions("b", "a", None, 2_000_000.0))
    secret = secrets_of(source, clocks=clocks)["A"]
    for number in range(50):
        source.values["A"] = SecretVersions("b", "a", None, 2_000_000.0 + number)
        secret.recheck(secret.versions())
    assert len(source.asked) == 2


def test_who_verified_with_what_is_no_longer_current_is_told_so_without_a_fetch() -> None:
    source, secret, seen = rotated(Clocks())
    assert secret.recheck(seen)
    for _ in range(10):
        assert secret.recheck(seen)
    assert len(source.asked) == 2


def test_a_second_rotation_is_seen_as_soon_as_the_first() -> None:
    source, secret, seen = rotated(Clocks())
    for number in range(2):
        source.values["A"] = f"v{number}"
        assert secret.recheck(seen)
        seen = secret.versions()
        assert seen.current == f"v{number}"
    assert len(source.asked) == 3
    for _ in range(10):
        assert not secret.recheck(seen)
    assert len(source.asked) == 3


async def test_whoever_comes_while_it_is_rechecked_waits_for_what_that_brings() -> None:
    source, secret, seen = await asyncio.to_thread(rotated, Clocks())
    source.gate = threading.Event()
    tasks = [asyncio.ensure_future(secret.arecheck(seen)) for _ in range(50)]
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in tasks)
    source.gate.set()
    assert await asyncio.gather(*tasks) == [True] * 50
    assert len(source.asked) == 2


def test_a_recheck_that_fails_changes_nothing_and_is_not_repeated() -> None:
    clocks = Clocks()
    source, secret, seen = rotated(clocks)
    source.down = OSError()
    for _ in range(50):
        assert not secret.recheck(seen)
    assert len(source.asked) == 2
    assert secret.versions() is seen


def test_a_recheck_finds_that_a_secret_is_gone_and_believes_it_the_second_time() -> None:
    """A bad credential may cause the look, and a file may be in the midst of being written."""
    clocks = Clocks()
    source, secret, seen = rotated(clocks)
    del source.values["A"]
    assert not secret.recheck(seen)
    assert secret.versions() is seen
    assert not secret.recheck(seen), "and not at once"
    clocks.pass_(2)
    assert secret.recheck(seen)
    with pytest.raises(SecretNotFound):
        secret.versions()


def test_a_literal_has_nothing_to_look_up() -> None:
    secret = Secret.of(SecretVersions("a", "z"))
    assert not secret.recheck(secret.versions())
    assert not secret.recheck()
