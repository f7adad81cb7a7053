"""Which version of a secret is still in use: counted, never lost, never backwards."""

from __future__ import annotations

import os
import threading

import pytest

from authkit.errors import ConfigurationError
from authkit.secrets import Environment, Secret, Secrets, SecretVersions
from authkit.secrets.usage import Used

from .counted import Clocks, Source, secrets_of


def test_each_use_is_counted_with_its_time() -> None:
    clocks = Clocks()
    secret = secrets_of(Source(A="a"), clocks=clocks)["A"]
    assert secret.usage() == {"current": Used(0, None), "previous": Used(0, None), "pending": Used(0, None)}
    secret.note_use("current")
    clocks.pass_(5)
    secret.note_use("current")
    secret.note_use("previous")
    for _ in range(3):
        used = secret.usage()
        assert used == {
            "current": Used(2, 1_000_005.0),
            "previous": Used(1, 1_000_005.0),
            "pending": Used(0, None),
        }
    assert repr(used["current"]) == "Used(count=2, last=1000005.0)"
    assert {used["pending"]: 1} == {Used(0, None): 1}


async def test_a_match_is_a_use_of_the_version_that_matched() -> None:
    secret = Secret.of(SecretVersions("now", "before", "next"))
    presented = ("now", "before", "now", "no", "next", "")
    assert [secret.matches(value) for value in presented] == [True, True, True, False, True, False]
    assert await secret.amatches("before")
    assert {version: used.count for version, used in secret.usage().items()} == {"current": 2, "previous": 2, "pending": 1}
    same = Secret.of(SecretVersions("now", "now"))
    assert same.matches("now")
    assert same.usage()["current"].count == 1


def test_all_handles_on_a_secret_count_together_and_literals_by_themselves() -> None:
    secrets = Secrets(Environment({}))
    secrets["A"].note_use("previous")
    assert secrets["A"].usage()["previous"].count == 1
    assert secrets["B"].usage()["previous"].count == 0
    one, other = Secret.of("a"), Secret.of("a")
    one.note_use("current")
    assert (one.usage()["current"].count, other.usage()["current"].count) == (1, 0)


@pytest.mark.parametrize("version", ["", "next", "Current", None, 0])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError, match="current, previous or pending"):
        Secret.of("a").note_use(version)


def test_counting_does_no_io() -> None:
    source = Source(A="a")
    secret = Secrets(source)["A"]
    secret.note_use("current")
    assert secret.usage()["current"].count == 1
    assert source.asked == []


def test_counts_are_exact_and_never_go_backwards_under_threads() -> None:
    secret = Secret.of("a")
    done = threading.Event()
    backwards: list[tuple[int, int]] = []

    def counts() -> None:
        for _ in range(5000):
            secret.note_use("current")

    def reads() -> None:
        last = 0
        while not done.is_set():
            count = secret.usage()["current"].count
            if count < last:
                backwards.append((last, count))
            last = count

    counters = [threading.Thread(target=counts) for _ in range(6)]
    readers = [threading.Thread(target=reads) for _ in range(2)]
    for thread in counters + readers:
        thread.start()
    for thread in counters:
        thread.join(20)
    done.set()
    for thread in readers:
        thread.join(10)
    assert backwards == []
    assert secret.usage()["current"].count == 30_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_counts_from_zero() -> None:
    """A value that the parent used before the fork is not in use by a child."""
    secrets = [Secrets(Environment({"A": "a"}))["A"], Secret.of("a")]
    for secret in secrets:
        assert secret.matches("a")
        assert secret.usage()["current"].count == 1
    child = os.fork()
    if not child:
        code = 1
        try:
            for secret in secrets:
                assert secret.usage()["current"] == Used(0, None)
                assert secret.matches("a")
                assert secret.usage()["current"].count == 1
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert all(secret.usage()["current"].count == 1 for secret in secrets)
