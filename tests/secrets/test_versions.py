"""SecretVersions: values that no printer finds."""

from __future__ import annotations

import pytest

from authkit.errors import ConfigurationError
from authkit.secrets import SecretVersions


def test_it_gives_its_values_when_asked() -> None:
    versions = SecretVersions("now", "before", "next", 1_700_000_000)
    assert (versions.current, versions.previous, versions.pending, versions.previous_until) == (
        "now",
        "before",
        "next",
        1_700_000_000,
    )
    assert versions.named() == (("current", "now"), ("previous", "before"), ("pending", "next"))


def test_equality_is_identity_so_that_it_may_key_a_cache() -> None:
    one, other = SecretVersions("a"), SecretVersions("a")
    assert one != other
    assert one == one
    assert one.same_as(other)


def test_it_is_immutable() -> None:
    with pytest.raises(AttributeError):
        SecretVersions("a").previous_until = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        SecretVersions("a")._current = lambda: "b"


@pytest.mark.parametrize("value", [None, "", "  ", b"", b"\n", 7, ["a"]])
def test_an_empty_or_foreign_value_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError):
        SecretVersions(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "  ", b""])
def test_an_empty_previous_or_pending_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="previous"):
        SecretVersions("a", value)
    with pytest.raises(ConfigurationError, match="pending"):
        SecretVersions("a", None, value)


@pytest.mark.parametrize("until", [float("nan"), float("inf"), -1, True, "1700000000"])
def test_the_end_of_previous_is_a_time(until: float) -> None:
    with pytest.raises(ConfigurationError, match="previous_until"):
        SecretVersions("a", "b", None, until)


def test_previous_ends_at_its_end() -> None:
    versions = SecretVersions("a", "b", "c", 100)
    assert versions.in_force(99.9) is versions
    ended = versions.in_force(100)
    assert (ended.current, ended.previous, ended.pending, ended.previous_until) == ("a", None, "c", None)
