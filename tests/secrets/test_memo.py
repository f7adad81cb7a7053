"""Secrets: the first source that has it, remembered for a while, and the same object until something changes."""

from __future__ import annotations

import asyncio
import threading
import traceback

import pytest

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import Dotenv, Environment, Secrets, SecretVersions
from tests.secrets.counted import Source


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_handle_does_no_io() -> None:
    source = Source(A="a")
    secret = Secrets(source)["A"]
    assert repr(secret)
    assert secret in {secret: 1}
    assert source.asked == []


def test_a_value_is_fetched_once_in_its_ttl_and_again_after_it() -> None:
    source, clock = Source(A="a"), Clock()
    secret = Secrets(source, ttl=300, clock=clock)["A"]
    assert secret.reveal() == "a"
    source.values["A"] = "b"
    clock.now += 209.9
    assert secret.reveal() == "a"
    assert source.asked == ["A"]
    clock.now += 90.1
    assert secret.reveal() == "b"
    assert source.asked == ["A", "A"]


def test_refresh_has_the_newest_value_at_the_next_use() -> None:
    source, clock = Source(A="a"), Clock()
    secrets = Secrets(source, clock=clock)
    assert secrets["A"].reveal() == "a"
    source.values["A"] = "b"
    secrets.refresh()
    assert source.asked == ["A"]
    assert secrets["A"].reveal() == "b"
    assert secrets["A"].reveal() == "b"
    assert source.asked == ["A", "A"]


def test_the_same_versions_object_comes_back_until_something_changes() -> None:
    source, clock = Source(A=SecretVersions("a", "z", "n", 2_000_000.0)), Clock()
    secrets = Secrets(source, clock=clock)
    first = secrets["A"].versions()
    assert secrets["A"].versions() is first
    source.values["A"] = SecretVersions("a", "z", "n", 2_000_000.0)
    secrets.refresh()
    assert secrets["A"].versions() is first
    clock.now += 301
    assert asyncio.run(secrets["A"].aversions()) is first
    for changed in (
        SecretVersions("b", "z", "n", 2_000_000.0),
        SecretVersions("b", "a", "n", 2_000_000.0),
        SecretVersions("b", "a", None, 2_000_000.0),
        SecretVersions("b", "a", None, 2_000_001.0),
    ):
        source.values["A"] = changed
        secrets.refresh()
        assert secrets["A"].versions() is changed


def test_previous_is_gone_after_its_end_though_the_source_still_has_it() -> None:
    clock = Clock()
    source = Source(A=SecretVersions("a", "z", None, clock.now + 10))
    secret = Secrets(source, clock=clock)["A"]
    assert secret.matches("z")
    clock.now += 9.9
    assert secret.matches("z")
    clock.now += 0.1
    assert not secret.matches("z")
    assert source.asked == ["A"]
    ended = secret.versions()
    clock.now += 301
    assert secret.versions() is ended
    assert len(source.asked) == 2


def test_previous_without_an_end_is_accepted_for_the_grace_and_reading_it_again_does_not_prolong_it() -> None:
    source, clock = Source(A=SecretVersions("a", "z")), Clock()
    secrets = Secrets(source, ttl=300, grace=1000, clock=clock)
    for _ in range(10):
        assert secrets["A"].matches("z")
        assert secrets["A"].versions().previous_until == 1_001_000
        secrets.refresh()
        clock.now += 99.9
    clock.now += 1.1
    for _ in range(10):
        assert not secrets["A"].matches("z")
        secrets.refresh()
        clock.now += 400
    source.values["A"] = SecretVersions("b", "a")
    secrets.refresh()
    assert secrets["A"].matches("a")
    assert not secrets["A"].matches("z")


def test_grace_zero_accepts_no_previous_that_has_no_end() -> None:
    assert not Secrets(Source(A=SecretVersions("a", "z")), grace=0, clock=Clock())["A"].matches("z")


def test_the_first_source_that_has_it_gives_it() -> None:
    first, second = Source(A="1"), Source(A="2", B="2")
    secrets = Secrets(first, second)
    assert (secrets["A"].reveal(), secrets["B"].reveal()) == ("1", "2")
    assert second.asked == ["B"]


def test_a_secret_that_no_source_has_is_named_with_the_sources_tried() -> None:
    with pytest.raises(SecretNotFound, match=r"NOPE; tried: Environment\(\), Source$"):
        Secrets(Environment({"A": "canary"}), Source(A="canary"))["NOPE"].reveal()


def test_a_source_that_is_down_is_never_passed_over() -> None:
    first, second = Source(), Source(A="weaker")
    first.down = SecretUnavailable("no answer")
    with pytest.raises(SecretUnavailable, match="no answer"):
        Secrets(first, second)["A"].reveal()
    assert second.asked == []


@pytest.mark.parametrize(
    "error", [OSError("host db password canary"), ValueError("canary"), KeyError("canary"), TimeoutError()]
)
def test_any_other_failure_of_a_source_is_unavailable_and_its_text_is_not_repeated(error: Exception) -> None:
    first, second = Source(), Source(A="weaker")
    first.down = error
    with pytest.raises(SecretUnavailable, match=rf"Source failed for the secret A: {type(error).__name__} at .*:\d+") as raised:
        Secrets(first, second)["A"].reveal()
    assert "canary" not in str(raised.value)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("value", ["", "   ", b"", None, 7])
def test_a_blank_or_foreign_value_from_a_source_is_a_configuration_error(value: str) -> None:
    first, second = Source(A=value), Source(A="weaker")
    with pytest.raises(ConfigurationError, match="the secret A"):
        Secrets(first, second)["A"].reveal()


def test_a_secret_that_was_deleted_is_not_found_and_not_served_stale() -> None:
    source = Source(A="a")
    secrets = Secrets(source)
    assert secrets["A"].reveal() == "a"
    del source.values["A"]
    secrets.refresh()
    with pytest.raises(SecretNotFound):
        secrets["A"].reveal()
    source.down = OSError()
    secrets.refresh()
    with pytest.raises(SecretUnavailable):
        secrets["A"].reveal()


def test_a_clock_that_goes_back_makes_nothing_immortal() -> None:
    source, clock = Source(A="a"), Clock()
    secret = Secrets(source, clock=clock)["A"]
    assert secret.reveal() == "a"
    source.values["A"] = "b"
    clock.now -= 100_000
    assert secret.reveal() == "b"


def test_many_threads_on_a_cold_secret_ask_once_and_another_secret_does_not_wait() -> None:
    source = Source(A="a", B="b")
    source.gate = threading.Event()
    other = Source(C="c")
    secrets, others = Secrets(source), Secrets(other)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(secrets["A"].reveal())) for _ in range(50)]
    for thread in threads:
        thread.start()
    assert others["C"].reveal() == "c"
    source.gate.set()
    for thread in threads:
        thread.join(10)
    assert found == ["a"] * 50
    assert source.asked == ["A"]


def test_one_name_does_not_wait_for_another() -> None:
    class Slow(Source):
        def fetch(self, name: str) -> SecretVersions | str:
            if name == "SLOW":
                started.set()
                assert release.wait(10)
            return super().fetch(name)

    started, release = threading.Event(), threading.Event()
    secrets = Secrets(Slow(SLOW="s", A="a"))
    slow = threading.Thread(target=secrets["SLOW"].reveal)
    slow.start()
    assert started.wait(10)
    assert secrets["A"].reveal() == "a"
    release.set()
    slow.join(10)


def test_what_was_under_way_before_a_refresh_is_no_answer_after_it() -> None:
    source = Source(A="a")
    source.gate = threading.Event()
    secrets = Secrets(source)
    before: list[str] = []
    early = threading.Thread(target=lambda: before.append(secrets["A"].reveal()))
    early.start()
    while not source.asked:
        threading.Event().wait(0.001)
    secrets.refresh()
    gate, source.gate = source.gate, None
    source.values["A"] = "b"
    assert secrets["A"].reveal() == "b"
    gate.set()
    early.join(10)
    assert secrets["A"].reveal() == "b"


async def test_many_tasks_on_a_cold_secret_ask_once_and_the_loop_goes_on() -> None:
    source = Source(A="a")
    source.gate = threading.Event()
    secrets = Secrets(source)
    tasks = [asyncio.ensure_future(secrets["A"].areveal()) for _ in range(200)]
    await asyncio.sleep(0.01)
    source.gate.set()
    assert await asyncio.gather(*tasks) == ["a"] * 200
    assert source.asked == ["A"]


def test_readers_never_see_a_torn_value_while_the_secret_rotates() -> None:
    source, clock = Source(A=SecretVersions("v0")), Clock()
    secrets = Secrets(source, clock=clock)
    stop, wrong = threading.Event(), []

    def reads() -> None:
        while not stop.is_set():
            versions = secrets["A"].versions()
            current, previous = str(versions.current), versions.previous
            if previous is not None and int(current[1:]) != int(str(previous)[1:]) + 1:
                wrong.append((current, previous))

    threads = [threading.Thread(target=reads) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(1, 1001):
        source.values["A"] = SecretVersions(f"v{number}", f"v{number - 1}")
        secrets.refresh()
    stop.set()
    for thread in threads:
        thread.join(10)
    assert wrong == []
    assert secrets["A"].reveal() == "v1000"


@pytest.mark.parametrize("options", [{"ttl": 0}, {"ttl": -1}, {"ttl": float("nan")}, {"ttl": float("inf")}, {"grace": -1}])
def test_ttl_and_grace_are_judged_at_once(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Secrets(Environment({}), **options)  # type: ignore[arg-type]


def test_secrets_needs_sources_that_are_sources() -> None:
    with pytest.raises(ConfigurationError):
        Secrets()
    with pytest.raises(ConfigurationError, match="dict"):
        Secrets({"A": "canary"})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "A=B", "A\0", 0, None])
def test_a_name_is_judged_at_once(name: str) -> None:
    with pytest.raises(ConfigurationError):
        Secrets(Environment({}))[name]


def test_secrets_is_no_container_to_walk() -> None:
    with pytest.raises(TypeError):
        _ = "A" in Secrets(Environment({}))  # type: ignore[misc]
    with pytest.raises(TypeError):
        list(Secrets(Environment({})))  # type: ignore[call-overload]


def test_what_could_not_be_built_can_still_be_shown() -> None:
    for build in (lambda: Secrets(), lambda: Secrets(Environment({}), ttl=0), lambda: Dotenv(stage="../x")):
        with pytest.raises(ConfigurationError) as raised:
            build()
        assert "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
