"""The AWS that stands in for AWS: what the tests of sources and rotation rest on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.servers.aws import client

if TYPE_CHECKING:
    from tests.servers.aws import StrictAws

FIRST, SECOND, THIRD = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2, 3))


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.fixture
def aws(strict_aws: StrictAws) -> Any:
    found = strict_aws.client()
    found.create_secret(Name="app", SecretString="one", ClientRequestToken=FIRST)
    return found


def test_moto_answers_over_http_and_is_empty_at_each_start(moto: str) -> None:
    assert client("secretsmanager", moto).list_secrets()["SecretList"] == []
    client("secretsmanager", moto).create_secret(Name="app", SecretString="a")
    assert client("ssm", moto).get_parameters(Names=["/a"])["InvalidParameters"] == ["/a"]


def test_a_promotion_moves_awsprevious_by_itself_and_leaves_awspending(aws: Any) -> None:
    aws.put_secret_value(SecretId="app", SecretString="two", ClientRequestToken=SECOND, VersionStages=["AWSPENDING"])
    assert aws.get_secret_value(SecretId="app")["SecretString"] == "one"
    assert aws.get_secret_value(SecretId="app", VersionStage="AWSPENDING")["SecretString"] == "two"
    with pytest.raises(ClientError) as error:
        aws.update_secret_version_stage(SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=SECOND)
    assert _code(error) == "InvalidParameterException"
    aws.update_secret_version_stage(
        SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=SECOND, RemoveFromVersionId=FIRST
    )
    stages = aws.describe_secret(SecretId="app")["VersionIdsToStages"]
    assert stages == {FIRST: ["AWSPREVIOUS"], SECOND: ["AWSCURRENT", "AWSPENDING"]}
    aws.update_secret_version_stage(SecretId="app", VersionStage="AWSPENDING", RemoveFromVersionId=SECOND)
    with pytest.raises(ClientError) as error:
        aws.update_secret_version_stage(SecretId="app", VersionStage="AWSCURRENT", RemoveFromVersionId=SECOND)
    assert _code(error) == "InvalidParameterException"


def test_a_repeated_token_is_ignored_with_the_same_value_and_refused_with_another(aws: Any) -> None:
    for _ in range(2):
        aws.put_secret_value(SecretId="app", SecretString="two", ClientRequestToken=SECOND)
    with pytest.raises(ClientError) as error:
        aws.put_secret_value(SecretId="app", SecretString="three", ClientRequestToken=SECOND)
    assert _code(error) == "ResourceExistsException"
    assert [version["VersionId"] for version in aws.list_secret_version_ids(SecretId="app")["Versions"]] == [FIRST, SECOND]


def test_a_rotation_starts_with_a_pending_version_that_has_no_value(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.secrets.start_rotation("app", THIRD)
    assert aws.describe_secret(SecretId="app")["VersionIdsToStages"][THIRD] == ["AWSPENDING"]
    assert len(aws.list_secret_version_ids(SecretId="app")["Versions"]) == 1
    with pytest.raises(ClientError) as error:
        aws.get_secret_value(SecretId="app", VersionStage="AWSPENDING")
    assert _code(error) == "ResourceNotFoundException"


def test_a_deleted_secret_gives_and_takes_nothing(aws: Any) -> None:
    aws.delete_secret(SecretId="app")
    for call, options in ((aws.get_secret_value, {}), (aws.put_secret_value, {"SecretString": "x"})):
        with pytest.raises(ClientError) as error:
            call(SecretId="app", **options)
        assert _code(error) == "InvalidRequestException"


def test_a_batch_tells_what_it_found_and_what_it_did_not(aws: Any) -> None:
    told = aws.batch_get_secret_value(SecretIdList=["app", "none"])
    assert [value["SecretString"] for value in told["SecretValues"]] == ["one"]
    assert [(error["SecretId"], error["ErrorCode"]) for error in told["Errors"]] == [("none", "ResourceNotFoundException")]


def test_faults_come_as_ordered_and_calls_are_counted(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.fail("GetSecretValue", "ThrottlingException", times=2)
    for _ in range(2):
        with pytest.raises(ClientError) as error:
            aws.get_secret_value(SecretId="app")
        assert _code(error) == "ThrottlingException"
    assert aws.get_secret_value(SecretId="app", VersionStage="AWSCURRENT")["SecretString"] == "one"
    assert (strict_aws.calls["GetSecretValue"], strict_aws.calls["GetSecretValue", "AWSCURRENT"]) == (3, 1)

    strict_aws.deny("GetSecretValue")
    with pytest.raises(
        ClientError, match=r"User: arn:.* is not authorized to perform: secretsmanager:GetSecretValue on resource"
    ):
        aws.get_secret_value(SecretId="app")
    strict_aws.mend()

    strict_aws.html("GetSecretValue", times=1)
    assert "SecretString" not in aws.get_secret_value(SecretId="app")  # botocore takes any 200 for an answer

    strict_aws.slow("GetSecretValue", 0.1, times=1)
    began = time.monotonic()
    aws.get_secret_value(SecretId="app")
    assert time.monotonic() - began >= 0.1

    strict_aws.drop("PutSecretValue", times=1, after=True)
    with pytest.raises(ConnectionClosedError):
        aws.put_secret_value(SecretId="app", SecretString="two", ClientRequestToken=SECOND)
    assert aws.get_secret_value(SecretId="app")["SecretString"] == "two"


def test_parameters_are_ciphertext_until_asked_to_be_decrypted(strict_aws: StrictAws) -> None:
    ssm = strict_aws.client("ssm")
    ssm.put_parameter(Name="/app/a", Value="a", Type="SecureString")
    assert ssm.get_parameter(Name="/app/a")["Parameter"]["Value"] != "a"
    told = ssm.get_parameters(Names=["/app/a", "/app/b"], WithDecryption=True)
    assert ([one["Value"] for one in told["Parameters"]], told["InvalidParameters"]) == (["a"], ["/app/b"])
    with pytest.raises(ClientError):
        ssm.get_parameters(Names=[f"/app/{n}" for n in range(11)])


def test_an_assumed_role_signs_with_its_own_key(strict_aws: StrictAws) -> None:
    told = strict_aws.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/reader", RoleSessionName="test")
    assert told["Credentials"]["AccessKeyId"].startswith("ASIA")
