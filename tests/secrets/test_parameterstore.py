"""ParameterStore: one parameter a secret, all its versions in one call; against moto and against a strict stub."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import Environment, ParameterStore, Secrets
from tests.secrets.contract import CANARY, NamedVersionsContract
from tests.servers.aws import client

if TYPE_CHECKING:
    from tests.servers.aws import StrictAws


def _put(ssm: Any, values: dict[str, str], prefix: str = "/app/prod/") -> None:
    for name, value in values.items():
        ssm.put_parameter(Name=prefix + name, Value=value, Type="SecureString", Overwrite=True)


class TestOnMoto(NamedVersionsContract):
    @pytest.fixture
    def source(self, moto: str) -> ParameterStore:
        self.ssm = client("ssm", moto)
        return ParameterStore("/app/prod/", endpoint=moto)

    def keep(self, values: dict[str, str]) -> None:
        for stale in self.ssm.get_parameters_by_path(Path="/app/prod/")["Parameters"]:
            self.ssm.delete_parameter(Name=stale["Name"])
        _put(self.ssm, values)


class TestOnTheStrictStub(NamedVersionsContract):
    @pytest.fixture
    def source(self, strict_aws: StrictAws) -> ParameterStore:
        self.strict_aws = strict_aws
        return ParameterStore("/app/prod", endpoint=strict_aws.endpoint)

    def keep(self, values: dict[str, str]) -> None:
        self.strict_aws.parameters.values.clear()
        _put(self.strict_aws.client("ssm"), values)


@pytest.fixture
def source(strict_aws: StrictAws) -> ParameterStore:
    """Of a prefix under which A to L are kept."""
    _put(strict_aws.client("ssm"), {name: name.lower() for name in "ABCDEFGHIJKL"})
    strict_aws.calls.clear()
    return ParameterStore("/app/prod/", endpoint=strict_aws.endpoint)


def test_one_secret_with_all_its_versions_is_one_call(source: ParameterStore, strict_aws: StrictAws) -> None:
    assert source.fetch("A").current == "a"
    assert strict_aws.calls == {"GetParameters": 1}
    names = strict_aws.asked[-1][1]["Names"]
    assert names == [f"/app/prod/A{end}" for end in ("", "__PREVIOUS", "__PENDING", "__PREVIOUS_UNTIL")]
    assert strict_aws.asked[-1][1]["WithDecryption"] is True


def test_ten_current_values_are_one_call_and_two_secrets_with_their_versions(
    source: ParameterStore, strict_aws: StrictAws
) -> None:
    found = source.fetch_many(tuple("ABCDEFGHIJKL"), current_only=True)
    assert {name: versions.current for name, versions in found.items()} == {name: name.lower() for name in "ABCDEFGHIJKL"}
    assert strict_aws.calls["GetParameters"] == 2
    source.fetch_many(tuple("ABCDEF"))
    assert strict_aws.calls["GetParameters"] == 2 + 3


def test_a_string_that_is_not_encrypted_is_taken_too(strict_aws: StrictAws) -> None:
    strict_aws.client("ssm").put_parameter(Name="/app/A", Value="a", Type="String")
    assert ParameterStore("/app", endpoint=strict_aws.endpoint).fetch("A").current == "a"


@pytest.mark.parametrize(
    ("prefix", "name", "parameter"),
    [("/", "A", "/A"), ("/app", "A", "/app/A"), ("/app/", "db/A", "/app/db/A"), ("app-", "A", "app-A"), ("", "A", "A")],
)
def test_the_prefix_and_the_name_are_the_parameter(prefix: str, name: str, parameter: str, strict_aws: StrictAws) -> None:
    strict_aws.client("ssm").put_parameter(Name=parameter, Value="a", Type="SecureString")
    assert ParameterStore(prefix, endpoint=strict_aws.endpoint).fetch(name).current == "a"


@pytest.mark.parametrize("prefix", ["app/prod", "//", "/a b/", "/{{x}}/", "/\N{SNOWMAN}", "/a\n"])
def test_a_prefix_that_no_parameter_can_have_is_refused_when_built(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        ParameterStore(prefix)


def test_a_missing_right_is_named_and_no_weaker_source_answers(source: ParameterStore, strict_aws: StrictAws) -> None:
    strict_aws.deny("GetParameters")
    with pytest.raises(SecretUnavailable) as raised:
        Secrets(source, Environment({"A": "weaker"}))["A"].reveal()
    assert str(raised.value).endswith(
        "lacks the right ssm:GetParameters on arn:aws:ssm:us-east-1:123456789012:parameter/app/prod/A"
    )


def test_a_name_that_may_not_be_read_does_not_spoil_the_one_that_is_wanted(
    source: ParameterStore, strict_aws: StrictAws
) -> None:
    strict_aws.deny("GetParameters", times=1)
    found = source.fetch_many(("A", "B"), current_only=True)
    assert {name: versions.current for name, versions in found.items()} == {"A": "a"}


def test_what_fails_after_the_first_call_is_left_out(source: ParameterStore, strict_aws: StrictAws) -> None:
    class Later(ParameterStore):
        """The second call fails."""

        def _get(self, *arguments: Any) -> Any:
            found = super()._get(*arguments)
            strict_aws.fail("GetParameters", "InvalidKeyId")
            return found

    found = Later("/app/prod/", endpoint=strict_aws.endpoint).fetch_many(("A", "B", "C"))
    assert set(found) == {"A", "B"}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("InvalidKeyId", "grant kms:Decrypt"),
        ("ValidationException", "failed (ValidationException)"),
        ("ThrottlingException", "failed (ThrottlingException)"),
    ],
)
def test_what_aws_refuses_is_told_without_its_own_words(
    code: str, told: str, source: ParameterStore, strict_aws: StrictAws
) -> None:
    strict_aws.fail("GetParameters", code, CANARY)
    source = ParameterStore("/app/prod/", endpoint=strict_aws.endpoint, timeout=0.5)
    began = time.monotonic()
    with pytest.raises(SecretUnavailable) as raised:
        source.fetch("A")
    assert told in str(raised.value)
    assert CANARY not in str(raised.value)
    assert raised.value.__context__ is None
    assert time.monotonic() - began < 2


def test_a_page_of_html_is_no_answer(source: ParameterStore, strict_aws: StrictAws) -> None:
    strict_aws.html("GetParameters")
    with pytest.raises(SecretUnavailable, match="what answered is not AWS"):
        source.fetch("A")


def test_a_parameter_that_is_not_there_is_not_found(source: ParameterStore, strict_aws: StrictAws) -> None:
    with pytest.raises(SecretNotFound, match=r"NOTHING is not in ParameterStore\('/app/prod/'\)"):
        source.fetch("NOTHING")
    assert strict_aws.calls["GetParameters"] == 1
