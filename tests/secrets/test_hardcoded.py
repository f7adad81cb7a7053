"""Hardcoded: for development; loud elsewhere, refused in production, and no samples anywhere."""

from __future__ import annotations

import warnings

import pytest

from authkit._samples import is_sample
from authkit.errors import ConfigurationError, SecretNotFound
from authkit.secrets import Hardcoded, Secrets, SecretVersions
from authkit.settings import Settings
from tests.secrets.contract import SourceContract

VALUES = {"A": "4f1d2c3b5a69788796a5b4c3d2e1f0ff"}


def _settings(environment: str | None) -> Settings:
    return Settings({} if environment is None else {"AUTHKIT_ENV": environment}, "/nonexistent")


class TestHardcoded(SourceContract):
    @pytest.fixture
    def source(self) -> Hardcoded:
        self.kept = Hardcoded({}, settings=_settings("test"))
        return self.kept

    def keep(self, values: dict[str, str]) -> None:
        self.kept.__init__(values, settings=_settings("test"))  # type: ignore[misc]  # it never changes: this is another one


@pytest.mark.parametrize("environment", ["development", "test"])
def test_in_development_and_test_it_serves_without_a_word(environment: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Secrets(Hardcoded(VALUES, settings=_settings(environment)))["A"].reveal() == VALUES["A"]


def test_where_the_environment_is_not_set_it_warns_once_and_serves() -> None:
    source = Hardcoded(VALUES, settings=_settings(None))
    with pytest.warns(UserWarning, match="the secret A is hardcoded") as warned:
        found = [source.fetch("A"), source.fetch("A")]
    assert [versions.current for versions in found] == [VALUES["A"]] * 2
    assert len(warned) == 1
    assert VALUES["A"] not in str(warned[0].message)


def test_in_production_it_refuses_and_does_not_fall_through() -> None:
    source = Hardcoded(VALUES, settings=_settings("production"))
    with pytest.raises(ConfigurationError, match=r"the secret A .* insecure_in_production"):
        Secrets(source, Hardcoded(VALUES, insecure_in_production=True))["A"].reveal()


def test_in_production_it_serves_where_somebody_says_so() -> None:
    assert Hardcoded(VALUES, insecure_in_production=True, settings=_settings("production")).fetch("A").current == VALUES["A"]


def test_an_unknown_environment_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="AUTHKIT_ENV"):
        Hardcoded(VALUES, settings=_settings("prod")).fetch("A")


def test_a_name_that_is_not_there_is_not_found_in_any_environment() -> None:
    for environment in ("production", "test", None):
        with pytest.raises(SecretNotFound):
            Hardcoded(VALUES, settings=_settings(environment)).fetch("B")


def test_versions_and_bytes_are_values_too() -> None:
    versions = SecretVersions("5a69788796a5b4c3", "4c3b2a1908f7e6d5")
    source = Hardcoded({"A": versions, "B": b"\x00\xff\x01"}, settings=_settings("test"))
    assert source.fetch("A") is versions
    assert source.fetch("B").current == b"\x00\xff\x01"


@pytest.mark.parametrize(
    "sample", ["changeme", "CHANGE_ME", " Your-256-bit-Secret ", "my_SECRET", b"keyboard cat", "django-insecure-8dj3+x"]
)
@pytest.mark.parametrize("environment", ["production", "development", "test", None])
def test_a_published_sample_is_refused_everywhere(sample: str, environment: str | None) -> None:
    with pytest.raises(ConfigurationError, match="B is a sample") as raised:
        Hardcoded({**VALUES, "B": sample}, insecure_in_production=True, settings=_settings(environment))
    assert str(sample).strip() not in str(raised.value)


def test_a_sample_among_the_previous_values_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="sample"):
        Hardcoded({"A": SecretVersions("5a69788796a5b4c3", "changeme")})


@pytest.mark.parametrize("value", ["", "  ", None, 5, b""])
def test_an_empty_value_is_refused_when_built(value: str) -> None:
    with pytest.raises(ConfigurationError, match="B is empty"):
        Hardcoded({**VALUES, "B": value})


@pytest.mark.parametrize("value", ["", "a", "x" * 600, VALUES["A"], "\ud800", b"\xff" * 32, "correct horse battery staple"])
def test_what_is_no_sample_is_not_called_one(value: str | bytes) -> None:
    assert not is_sample(value)
