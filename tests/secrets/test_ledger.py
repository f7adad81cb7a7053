"""What holds while a source fails, and under clocks that lie."""

from __future__ import annotations

import itertools
import logging
import threading
import time

import pytest

from authkit.errors import ConfigurationError, SecretUnavailable
from authkit.secrets import Secrets, SecretVersions
from authkit.secrets._ledger import ALOFT

from .counted import Clocks, Source, background, secrets_of, settled


def test_while_the_source_is_down_the_value_is_used_on_with_one_attempt_in_each_back_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, clocks = Source(A="canary"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    held = secret.versions()
    source.down = OSError("canary")
    clocks.pass_(300)
    attempts = []
    with caplog.at_level(logging.WARNING, "authkit.secrets"):
        for _ in range(3599):
            for _ in range(3):
                before = len(source.asked)
                assert secret.versions() is held
                settled()
                attempts += [clocks.wall] * (len(source.asked) - before)
            clocks.pass_(1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    assert gaps[:4] == [10, 20, 40, 60]
    assert set(gaps[4:]) == {60}
    assert len(caplog.records) == len(attempts)
    for record in caplog.records:
        assert record.message.startswith("the secret A could not be read again (SecretUnavailable: Source failed for")
        assert record.message.endswith("): the value that is known stays in use")
        assert "canary" not in record.message
    clocks.pass_(1)
    with pytest.raises(SecretUnavailable) as raised:
        secret.versions()
    assert raised.value.retry_after >= 1
    source.down = None
    clocks.pass_(60)
    assert secret.versions() is held


def test_back_offs_are_moved_by_chance() -> None:
    clocks = Clocks()
    for byte, least, most in ((b"\0", 7.4, 7.6), (b"\xff", 12.4, 12.6)):
        source = Source(A="a")
        secret = Secrets(source, clock=clocks.clock, monotonic=clocks.monotonic, random=lambda n, byte=byte: byte * n)["A"]  # type: ignore[misc]
        secret.reveal()
        source.down = OSError()
        clocks.pass_(300)
        assert secret.reveal() == "a"
        clocks.pass_(least)
        secret.reveal()
        settled()
        assert len(source.asked) == 2
        clocks.pass_(most - least)
        secret.reveal()
        settled()
        assert len(source.asked) == 3


def test_an_attempt_at_a_source_that_hangs_keeps_nobody_waiting_while_a_value_is_known() -> None:
    """AVL-05."""
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    secret.reveal()
    source.down = OSError()
    clocks.pass_(300)
    assert secret.reveal() == "a"
    clocks.pass_(10)
    source.gate = threading.Event()
    start = time.monotonic()
    for _ in range(100):
        assert secret.reveal() == "a"
        clocks.pass_(1)
    assert time.monotonic() - start < 5
    assert len(background()) == 4, "and another one is made every 30 s"
    source.down = None
    source.gate.set()
    settled()


def test_an_attempt_that_hangs_for_ever_does_not_stop_the_next_one() -> None:
    """AVL-05: the value is the one of a source that came back, long before the bound of an hour."""
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    secret.reveal()
    source.down = OSError()
    clocks.pass_(300)
    assert secret.reveal() == "a"
    clocks.pass_(10)
    gate = source.gate = threading.Event()
    assert secret.reveal() == "a"
    while len(source.asked) < 3:
        time.sleep(0.001)
    source.down, source.gate, source.values["A"] = None, None, "b"
    clocks.pass_(31)
    assert secret.reveal() == "a"
    while len(background()) > 1:
        time.sleep(0.001)
    assert secret.reveal() == "b"
    gate.set()
    settled()
    assert secret.reveal() == "b"


def test_attempts_that_hang_hold_a_few_threads_and_no_more() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    secret.reveal()
    source.down = OSError()
    clocks.pass_(300)
    assert secret.reveal() == "a"
    gate = source.gate = threading.Event()
    for _ in range(60):
        clocks.pass_(31)
        assert secret.reveal() == "a"
        time.sleep(0.002)
    assert ALOFT <= len(background()) <= ALOFT + 3, "one in ten minutes beyond that: the source may be well again"
    gate.set()
    settled()


def test_after_a_failed_refresh_the_source_is_asked_again_in_the_background() -> None:
    source, clocks = Source(A="a"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    assert secrets["A"].reveal() == "a"
    source.down, source.values["A"] = OSError(), "b"
    secrets.refresh()
    assert secrets["A"].reveal() == "a"
    source.down = None
    assert secrets["A"].reveal() == "a"
    clocks.pass_(10)
    assert secrets["A"].reveal() == "a"
    settled()
    assert secrets["A"].reveal() == "b"


def test_no_stale_value_is_served_where_none_is_wanted() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks, stale=0)["A"]
    secret.reveal()
    source.down = OSError()
    clocks.pass_(300)
    with pytest.raises(SecretUnavailable):
        secret.reveal()


def test_a_value_that_became_wrong_is_told_and_not_covered_by_the_one_before() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    secret.reveal()
    source.values["A"] = " "
    clocks.pass_(250)
    assert secret.reveal() == "a"
    settled()
    assert secret.reveal() == "a", "within its TTL nothing has expired"
    clocks.pass_(60)
    for _ in range(100):
        with pytest.raises(ConfigurationError, match="the secret A"):
            secret.reveal()
    assert len(source.asked) <= 3


# AVL-08: clocks that lie


JUMPS = {
    "both go on": (0.0, True, True),
    "the wall clock is set back by an hour": (-3600.0, True, True),
    "the wall clock is set forward by a day": (86_400.0, True, True),
    "the wall clock stands still": (0.0, False, True),
    "the monotonic clock stands still": (0.0, True, False),
    "the wall clock is set back by an hour and stands still": (-3600.0, False, True),
}


@pytest.mark.parametrize("jump", JUMPS)
def test_nothing_is_immortal_and_nobody_is_locked_out_whatever_the_clocks_do(jump: str) -> None:
    step, wall, monotonic = JUMPS[jump]
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    source.values["A"] = "b"
    clocks.wall += step
    clocks.pass_(301, wall=wall, monotonic=monotonic)
    assert secret.reveal() == "b", "older than its TTL by one of the clocks"
    for _ in range(50):
        assert secret.reveal() == "b"
    assert len(source.asked) == 2, "and asked for once"
    clocks.wall -= step
    for seconds in range(600):
        clocks.pass_(1, wall=wall, monotonic=monotonic)
        assert secret.reveal() == "b"
        settled()
        assert len(source.asked) <= 4 + seconds // 200


@pytest.mark.parametrize("jump", JUMPS)
def test_a_source_that_is_down_is_asked_again_in_time_whatever_the_clocks_do(jump: str) -> None:
    step, wall, monotonic = JUMPS[jump]
    source, clocks = Source(), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    source.down = OSError()
    with pytest.raises(SecretUnavailable):
        secret.reveal()
    source.down, source.values["A"] = None, "a"
    clocks.wall += step
    clocks.pass_(2, wall=wall, monotonic=monotonic)
    assert secret.reveal() == "a"


@pytest.mark.parametrize("jump", [name for name in JUMPS if "forward" not in name])
def test_a_known_value_outlives_an_outage_and_not_the_bound_whatever_the_clocks_do(jump: str) -> None:
    step, wall, monotonic = JUMPS[jump]
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    source.down = OSError()
    clocks.wall += step
    for _ in range(38):
        clocks.pass_(100, wall=wall, monotonic=monotonic)
        assert secret.reveal() == "a"
        settled()
    clocks.pass_(101, wall=wall, monotonic=monotonic)
    with pytest.raises(SecretUnavailable):
        secret.reveal()


def test_after_a_jump_by_a_day_an_outage_is_no_time_to_trust_what_is_known() -> None:
    """A Lambda that was frozen for a day looks the same."""
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    source.down = OSError()
    clocks.wall += 86_400
    with pytest.raises(SecretUnavailable):
        secret.reveal()
    source.down = None
    clocks.pass_(15)
    assert secret.reveal() == "a"


def test_a_wall_clock_that_is_set_back_a_little_has_the_value_fetched_while_nobody_waits() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    source.gate, source.values["A"] = threading.Event(), "b"
    clocks.wall -= 30
    assert secret.reveal() == "a"
    assert secret.reveal() == "a"
    source.gate.set()
    settled()
    assert secret.reveal() == "b"
    assert source.asked == ["A", "A"]


def test_a_wall_clock_that_is_corrected_by_less_than_a_second_is_no_reason_to_ask() -> None:
    source, clocks = Source(A="a"), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    for _ in range(100):
        assert secret.reveal() == "a"
        clocks.wall -= 0.009
    assert source.asked == ["A"]


@pytest.mark.parametrize(("wall", "monotonic"), [(True, False), (False, True)])
def test_a_previous_value_ends_by_whichever_clock_goes_on(wall: bool, monotonic: bool) -> None:
    clocks = Clocks()
    source = Source(A=SecretVersions("a", "z", None, clocks.wall + 1000), B=SecretVersions("b", "y"))
    secrets = secrets_of(source, clocks=clocks, grace=1000)
    for seconds in range(0, 1000, 100):
        assert secrets["A"].matches("z"), seconds
        assert secrets["B"].matches("y"), seconds
        clocks.pass_(100, wall=wall, monotonic=monotonic)
        settled()
    for _ in range(10):
        assert not secrets["A"].matches("z")
        assert not secrets["B"].matches("y")
        assert secrets["A"].versions() is secrets["A"].versions()
        clocks.pass_(100, wall=wall, monotonic=monotonic)
        settled()


def test_a_previous_value_comes_back_with_the_clock_that_had_jumped_past_its_end() -> None:
    clocks = Clocks()
    secret = secrets_of(Source(A=SecretVersions("a", "z", None, clocks.wall + 1000)), clocks=clocks)["A"]
    held = secret.versions()
    clocks.wall += 86_400
    assert not secret.matches("z")
    clocks.wall -= 86_400
    assert secret.matches("z")
    assert secret.versions() is held


def test_the_same_versions_object_comes_back_however_often_it_is_fetched() -> None:
    clocks = Clocks()
    source = Source(A=SecretVersions("a", "z", "n", clocks.wall + 1000))
    secret = secrets_of(source, clocks=clocks)["A"]
    first = secret.versions()
    for _ in range(3):
        clocks.pass_(300)
        source.values["A"] = SecretVersions("a", "z", "n", first.previous_until)
        assert secret.versions() is first
    clocks.pass_(300)
    ended = secret.versions()
    assert (ended.current, ended.previous, ended.pending) == ("a", None, "n")
    source.values["A"] = SecretVersions("a", None, "n")
    for _ in range(3):
        clocks.pass_(300)
        assert secret.versions() is ended, "that the source dropped it too changes nothing"
