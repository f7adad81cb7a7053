"""Environment: a secret and its versions in environment variables."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from authkit.errors import ConfigurationError, SecretNotFound
from authkit.secrets import Environment, Secrets
from tests.secrets.contract import NamedVersionsContract


class TestEnvironment(NamedVersionsContract):
    @pytest.fixture
    def source(self) -> Environment:
        self.environ: dict[str, str] = {}
        return Environment(self.environ)

    def keep(self, values: dict[str, str]) -> None:
        self.environ.clear()
        self.environ.update(values)


def test_the_four_names_make_the_versions() -> None:
    environ = {"A": "now", "A__PREVIOUS": "before", "A__PENDING": "next", "A__PREVIOUS_UNTIL": "1700000000"}
    versions = Environment(environ).fetch("A")
    assert versions.named() == (("current", "now"), ("previous", "before"), ("pending", "next"))
    assert versions.previous_until == 1_700_000_000


def test_a_name_alone_is_the_current_value() -> None:
    assert Environment({"A": "now"}).fetch("A").named() == (("current", "now"),)


def test_the_value_is_exact() -> None:
    for value in (" a ", "a\n", "a$B${C}", "#a", "'a'", '"a"', "\ta"):
        assert Environment({"A": value, "B": "b"}).fetch("A").current == value


def test_versions_without_a_current_value_are_no_secret() -> None:
    with pytest.raises(SecretNotFound, match="A"):
        Environment({"A__PREVIOUS": "before"}).fetch("A")


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_an_empty_value_is_refused_and_not_passed_over(value: str) -> None:
    with pytest.raises(ConfigurationError, match="A is empty"):
        Secrets(Environment({"A": value}), Environment({"A": "weaker"}))["A"].reveal()


def test_empty_previous_pending_and_end_count_as_not_there() -> None:
    environ = {"A": "now", "A__PREVIOUS": "", "A__PENDING": " ", "A__PREVIOUS_UNTIL": ""}
    assert Environment(environ).fetch("A").named() == (("current", "now"),)


@pytest.mark.parametrize(
    "until", ["soon", "1e9", "1_700_000_000", "-1", "1700000000.5", " 1700000000", "٣", "9" * 5000, "0x10", "nan"]
)
def test_an_end_that_is_no_whole_number_is_named_without_its_value(until: str) -> None:
    with pytest.raises(ConfigurationError, match="A__PREVIOUS_UNTIL") as raised:
        Environment({"A": "now", "A__PREVIOUS": "before", "A__PREVIOUS_UNTIL": until}).fetch("A")
    assert until not in str(raised.value)


def test_the_process_environment_is_read_at_each_fetch() -> None:
    program = """
import os
from authkit.secrets import Environment
source = Environment()
os.environ["A"] = "1"; print(source.fetch("A").current)
os.environ["A"] = "2"; print(source.fetch("A").current)
os.environb[b"A"] = b"\\xff\\xfe"
from authkit.secrets import Secrets
print(Secrets(source)["A"].reveal_bytes())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, "A": "0"}
    )
    assert done.stdout == "1\n2\nb'\\xff\\xfe'\n"


def test_an_end_of_a_previous_value_that_is_not_there_is_no_reason_to_refuse_the_current_one() -> None:
    for previous in ({}, {"A__PREVIOUS": " "}):
        versions = Environment({"A": "now", "A__PREVIOUS_UNTIL": "soon", **previous}).fetch("A")
        assert (versions.current, versions.previous, versions.previous_until) == ("now", None, None)
