"""Calls to AWS that change something: repeated where that helps, and refused by the name of what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretUnavailable
from authkit.secrets.rotation._aws_calls import AwsCalls
from authkit.secrets.versions import sealed
from tests.secrets.rotation.aws_parts import CANARY, NEW, OLD, shown

if TYPE_CHECKING:
    from tests.servers.aws import StrictAws

KEY = "arn:aws:kms:us-east-1:123456789012:key/k"


def _calls(aws: StrictAws, waits: list[float] | None = None, **more: Any) -> AwsCalls:
    keep = [] if waits is None else waits
    return AwsCalls("secretsmanager", **{"client": aws.client(), "sleep": keep.append, "random": lambda: 1.0, **more})


@pytest.fixture
def aws(strict_aws: StrictAws) -> StrictAws:
    strict_aws.client().create_secret(Name="app", SecretString=OLD)
    return strict_aws


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException", "InternalServiceError", "RequestTimeout"])
def test_what_may_pass_is_waited_out(aws: StrictAws, code: str) -> None:
    waits: list[float] = []
    aws.fail("GetSecretValue", code, times=4)
    value = _calls(aws, waits)("GetSecretValue", SecretId="app").value
    assert value is not None
    assert value() == OLD
    assert waits == [0.2, 0.4, 0.8, 1.6]


def test_a_connection_that_breaks_is_tried_again_and_in_the_end_said(aws: StrictAws) -> None:
    waits: list[float] = []
    aws.drop("GetSecretValue")
    with pytest.raises(SecretUnavailable, match="6 times"):
        _calls(aws, waits)("GetSecretValue", SecretId="app")
    assert len(waits) == 5


def test_the_repetitions_of_a_client_of_ones_own_are_counted(aws: StrictAws) -> None:
    aws.fail("GetSecretValue", "ThrottlingException")
    client = aws.client(retries={"mode": "standard", "total_max_attempts": 3})
    with pytest.raises(SecretUnavailable, match="2 times"):
        _calls(aws, client=client)("GetSecretValue", SecretId="app")
    assert aws.calls["GetSecretValue"] == 6


def test_an_error_that_is_expected_is_told_and_not_raised(aws: StrictAws) -> None:
    answer = _calls(aws)("GetSecretValue", SecretId="none", expect=("ResourceNotFoundException",))
    assert (answer.code, answer.value, answer.fields) == ("ResourceNotFoundException", None, {})


@pytest.mark.parametrize(
    ("action", "code", "words", "says"),
    [
        ("PutSecretValue", "AccessDeniedException", "Access to KMS is not allowed", "kms:GenerateDataKey and kms:Decrypt"),
        ("GetSecretValue", "AccessDeniedException", "Access to KMS is not allowed", "grant kms:Decrypt"),
        ("GetSecretValue", "AccessDeniedException", f"not authorized to perform: kms:Decrypt on resource: {KEY} because", KEY),
        ("GetSecretValue", "AccessDeniedException", "no", "lacks the right secretsmanager:GetSecretValue on app"),
        ("PutSecretValue", "EncryptionFailure", "no", "EncryptionFailure"),
        ("PutSecretValue", "InvalidParameterException", "no", "InvalidParameterException"),
        ("PutSecretValue", "UnrecognizedClientException", "no", "UnrecognizedClientException"),
    ],
)
def test_what_waiting_cannot_mend_is_refused_by_name_and_without_a_value(
    aws: StrictAws, action: str, code: str, words: str, says: str
) -> None:
    aws.fail(action, code, f"{words} {NEW}")
    with pytest.raises(ConfigurationError) as error:
        _calls(aws)(action, sealed(NEW) if action.startswith("Put") else None, SecretId="app")
    assert says in str(error.value)
    assert CANARY not in shown(error.value)
    assert aws.calls[action] == 1


def test_an_answer_holds_its_values_sealed(aws: StrictAws) -> None:
    ssm = AwsCalls("ssm", client=aws.client("ssm"))
    ssm("PutParameter", sealed(NEW), Name="/a", Type="SecureString")
    answer = ssm("GetParameters", Names=["/a"], WithDecryption=True)
    secret = _calls(aws)("GetSecretValue", SecretId="app")
    assert CANARY not in f"{answer.fields!r} {secret.fields!r} {secret.value!r}"
    assert answer.fields["Parameters"][0]["Value"]() == NEW
