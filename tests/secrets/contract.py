"""What every source must do. Each source's tests inherit a class from here and say how to `keep` secrets in it."""

from __future__ import annotations

import pickle
import threading
import traceback

import pytest

from authkit.errors import AuthkitError, ConfigurationError, SecretNotFound
from authkit.secrets import Secrets, SecretSource, SecretVersions

CANARY = "canary-5f0c1d7e"
HOSTILE = [
    "..", ".", "../A", "../../etc/passwd", "/etc/passwd", "A/../A", "A/", "a b", "A\n", "\n", "A\0", "\0", "\\\\host\\A", "C:A",
    "..data", "A" * 5000, "\N{SNOWMAN}", "\ud800", "{{A}}", "${A}", "A:1", "arn:aws:s3:::x", "-rf", "%2e%2e", "__PREVIOUS",
]  # fmt: skip


class SourceContract:
    """`keep(values)` puts them where the source looks, and nothing else is there; then `source` reads them."""

    def keep(self, values: dict[str, str]) -> None:
        raise NotImplementedError

    @pytest.fixture
    def source(self) -> SecretSource:
        raise NotImplementedError

    def test_a_secret_that_is_there_is_given(self, source: SecretSource) -> None:
        self.keep({"A": "one", "B": "two"})
        assert Secrets(source)["A"].reveal() == "one"
        assert Secrets(source)["B"].versions().named() == (("current", "two"),)

    def test_a_secret_that_is_not_there_is_named(self, source: SecretSource) -> None:
        self.keep({"A": "one"})
        with pytest.raises(SecretNotFound, match="NOTHING") as raised:
            source.fetch("NOTHING")
        assert raised.value.__cause__ is None

    def test_one_question_brings_what_is_there_of_several_names(self, source: SecretSource) -> None:
        self.keep({"A": CANARY, "B": "two"})
        for current_only in (False, True):
            found = source.fetch_many(("B", "NOTHING", "A"), current_only=current_only)
            assert _current(found["B"]) == "two"
            assert "NOTHING" not in found
            assert "A" not in found or _current(found["A"]) == CANARY

    def test_the_name_that_is_wanted_must_be_there(self, source: SecretSource) -> None:
        self.keep({"A": "one"})
        with pytest.raises(SecretNotFound):
            source.fetch_many(("NOTHING", "A"))

    def test_nothing_that_prints_a_source_prints_a_value(self, source: SecretSource) -> None:
        self.keep({"A": CANARY})
        Secrets(source)["A"].reveal()
        assert not any(CANARY in text for text in (str(source), repr(source), f"{source}", repr(vars(source))))
        assert type(source).__name__ in str(source)

    def test_a_hostile_name_is_only_a_name_that_is_not_there(self, source: SecretSource) -> None:
        self.keep({"A": CANARY})
        for name in HOSTILE:
            with pytest.raises(SecretNotFound) as raised:
                source.fetch(name)
            assert CANARY not in shown(raised.value)

    def test_many_threads_get_the_same_answer(self, source: SecretSource) -> None:
        self.keep({"A": "one"})
        answers: list[object] = []
        gate = threading.Barrier(16)

        def ask() -> None:
            gate.wait()
            answers.append(_current(source.fetch("A")))

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == ["one"] * 16

    def test_no_value_is_pickled_with_a_source(self, source: SecretSource) -> None:
        self.keep({"A": CANARY})
        Secrets(source)["A"].reveal()
        try:
            pickled = pickle.dumps(source)
        except Exception:
            pickled = b""
        assert CANARY.encode() not in pickled


class NamedVersionsContract(SourceContract):
    """A source in which NAME__PREVIOUS and the like stand beside NAME, and which sees a change at the next fetch."""

    def test_the_four_names_make_the_versions(self, source: SecretSource) -> None:
        self.keep({"A": "now", "A__PREVIOUS": "before", "A__PENDING": "next", "A__PREVIOUS_UNTIL": "1700000000", "B": "b"})
        versions = source.fetch("A")
        assert isinstance(versions, SecretVersions)
        assert versions.named() == (("current", "now"), ("previous", "before"), ("pending", "next"))
        assert versions.previous_until == 1_700_000_000

    def test_a_value_is_exact(self, source: SecretSource) -> None:
        values = {
            f"V{n}": value
            for n, value in enumerate((" a ", "a$B${C}$(id)", "#a", "'a'", '"a"', "\ta", "a\\nb", "\N{SNOWMAN}=="))
        }
        self.keep(values)
        assert {name: _current(source.fetch(name)) for name in values} == values

    def test_a_change_is_seen_at_the_next_fetch(self, source: SecretSource) -> None:
        self.keep({"A": "one"})
        assert _current(source.fetch("A")) == "one"
        self.keep({"A": "two", "A__PREVIOUS": "one"})
        assert _current(source.fetch("A")) == "two"
        self.keep({"B": "b"})
        with pytest.raises(SecretNotFound):
            source.fetch("A")

    def test_versions_without_a_current_value_are_no_secret(self, source: SecretSource) -> None:
        self.keep({"A__PREVIOUS": "before", "B": "b"})
        with pytest.raises(SecretNotFound):
            source.fetch("A")

    def test_an_end_that_is_no_time_is_refused_and_no_value_is_shown(self, source: SecretSource) -> None:
        for until in ("soon", "1e9", "-1700000001", "1700000000.5", "٣", "9" * 500):
            self.keep({"A": CANARY, "A__PREVIOUS": CANARY + "-before", "A__PREVIOUS_UNTIL": until})
            with pytest.raises(ConfigurationError, match="A__PREVIOUS_UNTIL") as raised:
                source.fetch("A")
            assert CANARY not in shown(raised.value)
            assert until not in str(raised.value)

    def test_one_bad_secret_does_not_spoil_the_others(self, source: SecretSource) -> None:
        self.keep({"A": "a", "A__PREVIOUS": "x", "A__PREVIOUS_UNTIL": "soon", "B": "b"})
        found = source.fetch_many(("B", "A"))
        assert _current(found["B"]) == "b"
        assert "A" not in found


def _current(found: SecretVersions | str | bytes) -> str | bytes:
    return found.current if isinstance(found, SecretVersions) else found


def shown(error: BaseException) -> str:
    """Everything that a traceback with locals shows, of our frames alone: a test's own hold the value by right."""
    ours = traceback.TracebackException.from_exception(error, capture_locals=True)
    told = [str(error), repr(error)]
    seen: list[traceback.TracebackException | None] = [ours, ours.__cause__, ours.__context__]
    for one in seen:
        if one is not None:
            told.append(str(one))
            told += [str(frame.locals) for frame in one.stack if "/tests/" not in frame.filename]
    assert isinstance(error, AuthkitError)
    return "\n".join(told)
