"""Asking the sources in their order: whose answer counts, and what a failure ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretUnavailable, StoreUnavailable
from authkit.secrets import Environment, Secrets, SecretSource, SecretVersions

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


def test_unavailable_of_any_kind_is_unavailable_for_the_secret() -> None:
    source = Source()
    source.down = StoreUnavailable("no store", retry_after=7)
    with pytest.raises(SecretUnavailable, match="no store"):
        Secrets(source)["A"].reveal()


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
