"""Asking the sources in their order: whose answer counts, and what a failure ends."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, InvalidToken, SecretNotFound, SecretUnavailable, StoreUnavailable
from authkit.secrets import Environment, Secrets, SecretSource, SecretVersions
from authkit.secrets.source import OneSecretUnavailable

from .counted import Clocks, Document, Source, secrets_of, settled

if TYPE_CHECKING:
    from collections.abc import Sequence

CANARY = "canary-7f3a9c51e0"


class Answers(SecretSource):
    """Answers with what it was given, whatever it is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls = 0

    def fetch(self, name: str) -> str:
        raise AssertionError("fetch_many is there")

    def fetch_many(self, names: Sequence[str], *, current_only: bool = False) -> Any:
        self.calls += 1
        return self.answer


def test_an_answer_may_tell_of_other_names_and_only_of_those_that_were_asked_for() -> None:
    source = Answers({"A": "a", "B": b"b", "X": "x"})
    secrets = Secrets(source)
    a, b = secrets["A"], secrets["B"]
    assert (a.reveal(), b.reveal_bytes(), source.calls) == ("a", b"b", 1)
    assert (secrets["X"].reveal(), source.calls) == ("x", 2)


def test_what_is_wrong_with_another_name_is_nothing_to_whoever_wants_this_one() -> None:
    secrets = Secrets(Answers({"A": "a", "B": " ", "C": None, "D": 7}))
    handles = {name: secrets[name] for name in "ABCD"}
    assert handles["A"].reveal() == "a"
    for name in "BCD":
        with pytest.raises(ConfigurationError, match=f"the secret {name}"):
            handles[name].reveal()


@pytest.mark.parametrize("answer", [None, [], "canary", 7, SecretVersions(CANARY)])
def test_an_answer_that_is_none_is_unavailable_and_shows_nothing(answer: object) -> None:
    with pytest.raises(SecretUnavailable, match="Answers failed for the secret A") as raised:
        Secrets(Answers(answer))["A"].reveal()
    assert "canary" not in str(raised.value)


def test_an_answer_without_the_name_that_was_wanted_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="Answers gave no text for the secret A"):
        Secrets(Answers({"B": "b"}))["A"].reveal()


def test_what_a_source_in_front_has_is_not_asked_of_the_one_behind() -> None:
    front, behind = Environment({"B": "from the environment"}), Document(A="a", B="weaker", C="c")
    secrets = Secrets(front, behind)
    a, b, c = secrets["A"], secrets["B"], secrets["C"]
    assert a.reveal() == "a"
    assert behind.calls == [(["A", "C"], True)]
    assert (b.reveal(), c.reveal()) == ("from the environment", "c")
    assert len(behind.calls) == 1


def test_a_source_in_front_that_costs_a_call_is_asked_for_the_wanted_name_alone() -> None:
    front, behind = Source(B="b"), Document(A="a", B="weaker", C="c")
    secrets = Secrets(front, behind)
    handles = [secrets[name] for name in "ABC"]
    assert [handle.reveal() for handle in handles] == ["a", "b", "c"]
    assert front.asked == ["A", "B", "C"]
    assert [names for names, _ in behind.calls] == [["A"], ["C"]]


class ToldWrong(SecretUnavailable):
    """One that did not call our __init__, and cannot be shown."""

    def __init__(self) -> None:
        self.retry_after = "soon"  # type: ignore[assignment]

    def __str__(self) -> str:
        raise ValueError(CANARY)


@pytest.mark.parametrize(
    "error", [StoreUnavailable(CANARY), InvalidToken(CANARY), UserWarning(CANARY), OSError(CANARY), ToldWrong()], ids=repr
)
def test_whatever_a_source_raises_is_unavailable_and_only_its_kind_is_told(error: Exception) -> None:
    """An `InvalidToken` that came through would be a 401 for whoever holds a good one."""
    source = Source()
    source.down = error
    with pytest.raises(SecretUnavailable, match=type(error).__name__) as raised:
        Secrets(source)["A"].reveal()
    assert CANARY not in str(raised.value)


class Chained(SecretSource):
    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def fetch(self, name: str) -> str:
        password = CANARY
        try:
            raise RuntimeError(f"https://user:{password}@vault")
        except RuntimeError as error:
            raise self.kind("the vault is down") from error


@pytest.mark.parametrize("kind", [SecretUnavailable, ConfigurationError, SecretNotFound, SystemExit, KeyboardInterrupt])
def test_what_a_source_raised_is_told_without_what_it_was_raised_from(kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        Secrets(Chained(kind))["A"].reveal()
    shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    assert CANARY not in shown


def test_a_source_that_cannot_be_shown_is_named_by_its_class() -> None:
    class Mute(Source):
        def __str__(self) -> str:
            raise AttributeError(CANARY)

    source = Mute()
    with pytest.raises(SecretNotFound, match=r"tried: Mute$"):
        Secrets(source)["A"].reveal()
    source.down = OSError()
    with pytest.raises(SecretUnavailable, match="Mute failed for the secret B: OSError"):
        Secrets(source)["B"].reveal()
    assert repr(Secrets(source)) == "Secrets(Mute)"


@pytest.mark.parametrize("error", [SystemExit(CANARY), GeneratorExit(), asyncio.CancelledError()])
def test_a_source_that_gives_up_its_process_is_not_asked_again_at_once(error: BaseException) -> None:
    source = Source()
    source.down = error  # type: ignore[assignment]
    secret = Secrets(source)["A"]
    with pytest.raises(type(error)):
        secret.reveal()
    for _ in range(5):
        with pytest.raises(SecretUnavailable, match=f"its source raised {type(error).__name__}$"):
            secret.reveal()
    assert source.asked == ["A"]


def test_a_call_that_fails_has_failed_for_all_the_names_that_it_was_about() -> None:
    source, clocks = Document(A="a", B="b", C="c"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    handles = [secrets[name] for name in "ABC"]
    source.down = SecretUnavailable("no answer")
    for handle in handles:
        with pytest.raises(SecretUnavailable, match="no answer"):
            handle.reveal()
    assert len(source.calls) == 1
    source.down = None
    clocks.pass_(2)
    assert [handle.reveal() for handle in handles] == ["a", "b", "c"]


def test_what_is_wrong_with_the_one_that_was_wanted_says_nothing_of_the_others() -> None:
    source = Document(A="a", B="b")
    secrets = Secrets(source)
    a, b = secrets["A"], secrets["B"]
    source.down = OneSecretUnavailable("A is marked for deletion")
    with pytest.raises(SecretUnavailable):
        a.reveal()
    source.down = None
    assert b.reveal() == "b"


# on_error="insecure_next"


def test_only_where_it_is_said_a_source_that_fails_is_passed_over_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Source(), Source(A="weaker")
    first.down = OSError("canary")
    with caplog.at_level(logging.WARNING, "authkit.secrets"):
        assert Secrets(first, second, on_error="insecure_next")["A"].reveal() == "weaker"
    (record,) = caplog.records
    assert record.message.startswith("Source did not answer for the secret A (SecretUnavailable): the next source is asked")
    with pytest.raises(SecretUnavailable):
        Secrets(first, second)["A"].reveal()


def test_a_value_that_is_known_is_used_before_that_of_a_weaker_source() -> None:
    first, second, clocks = Source(A="a"), Source(A="weaker"), Clocks()
    secret = secrets_of(first, second, clocks=clocks, on_error="insecure_next")["A"]
    assert secret.reveal() == "a"
    first.down = OSError()
    clocks.pass_(300)
    assert secret.reveal() == "a"
    assert second.asked == []
    clocks.pass_(3600)
    assert secret.reveal() == "weaker"


def test_the_source_that_was_passed_over_is_asked_again_soon() -> None:
    first, second, clocks = Source(A="a"), Source(A="weaker"), Clocks()
    secret = secrets_of(first, second, clocks=clocks, on_error="insecure_next")["A"]
    first.down = OSError()
    assert secret.reveal() == "weaker"
    first.down = None
    clocks.pass_(10)
    assert secret.reveal() == "weaker"
    settled()
    assert secret.reveal() == "a"


def test_where_none_answers_it_is_unavailable_and_not_missing() -> None:
    first, second = Source(), Source()
    first.down = OSError()
    with pytest.raises(SecretUnavailable, match="Source failed for the secret A: OSError"):
        Secrets(first, second, on_error="insecure_next")["A"].reveal()
    second.down = SecretUnavailable("the second")
    with pytest.raises(SecretUnavailable, match="OSError"):
        Secrets(first, second, on_error="insecure_next")["B"].reveal()


def test_a_source_that_is_set_up_wrong_is_not_passed_over() -> None:
    first, second = Source(A=" "), Source(A="weaker")
    with pytest.raises(ConfigurationError):
        Secrets(first, second, on_error="insecure_next")["A"].reveal()
    assert second.asked == []


@pytest.mark.parametrize("on_error", ["next", "", None, "insecure_allow", True])
def test_on_error_is_judged_at_once(on_error: str) -> None:
    with pytest.raises(ConfigurationError, match="on_error"):
        Secrets(Environment({}), on_error=on_error)  # type: ignore[arg-type]
