"""A verification failed: the source is asked once more, however many bad credentials come."""

from __future__ import annotations

import asyncio
import threading

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


def test_however_many_bad_credentials_come_there_is_one_fetch_in_each_cooldown() -> None:
    clocks = Clocks()
    source = Source(A="a")
    secret = secrets_of(source, clocks=clocks, cooldown=10)["A"]
    seen = secret.versions()
    for second in range(100):
        for _ in range(20):
            assert not secret.recheck(seen)
            assert not secret.recheck()
        assert len(source.asked) == 2 + second // 10
        clocks.pass_(1)


@pytest.mark.parametrize(("local", "seconds"), [(True, 0.1), (False, 1.0)])
def test_the_cooldown_is_short_where_a_look_costs_no_network(local: bool, seconds: float) -> None:
    clocks = Clocks()
    source = Source(A="a")
    source.local = local
    secret = secrets_of(source, clocks=clocks)["A"]
    seen = secret.versions()
    for look in range(3):
        secret.recheck(seen)
        secret.recheck(seen)
        assert len(source.asked) == 2 + look
        clocks.pass_(seconds)


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
    for number in range(10):
        source.values["A"] = f"v{number}"
        assert secret.recheck(seen)
        seen = secret.versions()
        assert seen.current == f"v{number}"
    assert len(source.asked) == 11
    for _ in range(10):
        assert not secret.recheck(seen)
    assert len(source.asked) == 12


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


def test_a_recheck_finds_that_a_secret_is_gone() -> None:
    source, secret, seen = rotated(Clocks())
    del source.values["A"]
    assert secret.recheck(seen)
    with pytest.raises(SecretNotFound):
        secret.versions()


def test_a_literal_has_nothing_to_look_up() -> None:
    secret = Secret.of(SecretVersions("a", "z"))
    assert not secret.recheck(secret.versions())
    assert not secret.recheck()
