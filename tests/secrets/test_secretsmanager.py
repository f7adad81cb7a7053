"""SecretsManager: what the staging labels say, in few calls, every wait bounded; against moto and against a strict stub."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretUnavailable
from authkit.secrets import Environment, Secrets, SecretsManager
from tests.secrets.contract import NamedVersionsContract, SourceContract
from tests.servers.aws import client, keep

if TYPE_CHECKING:
    from tests.servers.aws import StrictAws

FIRST, SECOND, THIRD = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2, 3))


class TestMembersOnMoto(NamedVersionsContract):
    @pytest.fixture
    def source(self, moto: str) -> SecretsManager:
        self.aws = client("secretsmanager", moto)
        return SecretsManager("app", endpoint=moto)

    def keep(self, values: dict[str, str]) -> None:
        for stale in self.aws.list_secrets()["SecretList"]:
            self.aws.delete_secret(SecretId=stale["Name"], ForceDeleteWithoutRecovery=True)
        keep(self.aws, "app", json.dumps(values))


class TestMembersOnTheStrictStub(NamedVersionsContract):
    @pytest.fixture
    def source(self, strict_aws: StrictAws) -> SecretsManager:
        self.strict_aws = strict_aws
        return SecretsManager("app", endpoint=strict_aws.endpoint)

    def keep(self, values: dict[str, str]) -> None:
        self.strict_aws.secrets.secrets.clear()
        keep(self.strict_aws.client(), "app", json.dumps(values))


class TestNamesThatAreSecrets(SourceContract):
    @pytest.fixture
    def source(self, strict_aws: StrictAws) -> SecretsManager:
        self.strict_aws = strict_aws
        return SecretsManager(endpoint=strict_aws.endpoint)

    def keep(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            keep(self.strict_aws.client(), name, value)


@pytest.fixture(params=["moto", "strict"])
def endpoint(request: pytest.FixtureRequest) -> str:
    """Both of them."""
    if request.param == "moto":
        return str(request.getfixturevalue("moto"))
    return str(request.getfixturevalue("strict_aws").endpoint)


@pytest.fixture
def aws(strict_aws: StrictAws) -> Any:
    """A client of the stub, in which the secret "app" has the members A and B."""
    found = strict_aws.client()
    found.create_secret(Name="app", SecretString='{"A": "one", "B": "b"}', ClientRequestToken=FIRST)
    return found


def _named(source: SecretsManager, name: str = "A") -> dict[str, str | bytes]:
    return dict(source.fetch(name).named())


# What the labels say


def test_a_rotation_is_seen_step_by_step(endpoint: str) -> None:
    aws, source = client("secretsmanager", endpoint), SecretsManager("app", endpoint=endpoint)
    keep(aws, "app", '{"A": "one"}', ClientRequestToken=FIRST)
    assert _named(source) == {"current": "one"}
    keep(aws, "app", '{"A": "two"}', ClientRequestToken=SECOND, VersionStages=["AWSPENDING"])
    assert _named(source) == {"current": "one", "pending": "two"}
    aws.update_secret_version_stage(
        SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=SECOND, RemoveFromVersionId=FIRST
    )
    assert _named(source) == {"current": "two", "previous": "one"}  # AWSPENDING may stay where AWSCURRENT is
    aws.update_secret_version_stage(SecretId="app", VersionStage="AWSPREVIOUS", RemoveFromVersionId=FIRST)
    assert _named(source) == {"current": "two"}


def test_a_member_that_a_rotation_left_alone_has_no_previous_value(aws: Any, strict_aws: StrictAws) -> None:
    keep(aws, "app", '{"A": "two", "B": "b"}', ClientRequestToken=SECOND)
    keep(aws, "app", '{"A": "three", "B": ""}', ClientRequestToken=THIRD, VersionStages=["AWSPENDING"])
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    assert _named(source, "A") == {"current": "two", "previous": "one", "pending": "three"}
    assert _named(source, "B") == {"current": "b"}


def test_what_the_labels_remember_goes_before_what_stands_beside_a_member(aws: Any, strict_aws: StrictAws) -> None:
    beside = {"B__PREVIOUS": "b0", "B__PREVIOUS_UNTIL": "1700000000", "A__PREVIOUS": "zero"}
    keep(aws, "app", json.dumps({"A": "two", "B": "b", **beside}), ClientRequestToken=SECOND)
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    assert _named(source, "A") == {"current": "two", "previous": "one"}
    assert _named(source, "B") == {"current": "b", "previous": "b0"}
    assert source.fetch("B").previous_until == 1_700_000_000


def test_all_labels_on_one_version_are_one_value_and_one_call(aws: Any, strict_aws: StrictAws) -> None:
    for label in ("AWSPENDING", "AWSPREVIOUS"):
        aws.update_secret_version_stage(SecretId="app", VersionStage=label, MoveToVersionId=FIRST)
    strict_aws.calls.clear()
    assert _named(SecretsManager("app", endpoint=strict_aws.endpoint)) == {"current": "one"}
    assert strict_aws.calls["GetSecretValue"] == 1


def test_a_pending_version_without_a_value_is_none(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.secrets.start_rotation("app", SECOND)
    assert _named(SecretsManager("app", endpoint=strict_aws.endpoint)) == {"current": "one"}


def test_the_end_that_a_rotation_wrote_down_is_known(aws: Any, strict_aws: StrictAws) -> None:
    keep(aws, "app", '{"A": "two"}', ClientRequestToken=SECOND)
    aws.tag_resource(SecretId="app", Tags=[{"Key": "authkit:previous-until", "Value": f"1700000000 {FIRST}"}])
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    assert source.fetch("A").previous_until == 1_700_000_000
    strict_aws.deny("DescribeSecret")
    assert source.fetch("A").previous_until is None
    strict_aws.calls.clear()
    assert _named(source) == {"current": "two", "previous": "one"}
    assert strict_aws.calls["DescribeSecret"] == 0  # a right that is missing is not asked for again


def test_labels_that_move_while_they_are_read_are_read_again(aws: Any, strict_aws: StrictAws) -> None:
    promoted = threading.Event()

    class Rotating(SecretsManager):
        """Somebody promotes between the first label and the next."""

        def _labelled(self, secret_id: str, stage: str, deadline: float) -> Any:
            if not promoted.is_set():
                promoted.set()
                keep(aws, "app", '{"A": "two"}', ClientRequestToken=SECOND)
            return super()._labelled(secret_id, stage, deadline)

    assert _named(Rotating("app", endpoint=strict_aws.endpoint)) == {"current": "two", "previous": "one"}


def test_swaps_under_load_are_never_seen_torn(aws: Any, strict_aws: StrictAws) -> None:
    source, wrong, done = SecretsManager("app", endpoint=strict_aws.endpoint), [], threading.Event()
    aws.put_secret_value(SecretId="app", SecretString='{"A": "1"}')
    aws.put_secret_value(SecretId="app", SecretString='{"A": "2"}')

    def reader() -> None:
        while not done.is_set():
            try:
                found = _named(source)
                if int(found["previous"]) >= int(found["current"]):
                    wrong.append(found)
            except SecretUnavailable:  # moved three times meanwhile: a fetch that says so is right
                pass

    threads = [threading.Thread(target=reader) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(3, 60):
        aws.put_secret_value(SecretId="app", SecretString=json.dumps({"A": str(n)}))
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


# What a secret holds


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("5432", "5432"),
        ("-1.5", "-1.5"),
        ("true", "true"),
        ("false", "false"),
        ('{"kty": "EC", "n": 1}', '{"kty":"EC","n":1}'),
        ('["a", 1]', '["a",1]'),
        ('"\\u2603 \\n"', "\N{SNOWMAN} \n"),
    ],
)
def test_a_member_that_is_no_text_serves_as_its_json(member: str, value: str, strict_aws: StrictAws) -> None:
    keep(strict_aws.client(), "app", f'{{"A": {member}}}')
    assert SecretsManager("app", endpoint=strict_aws.endpoint).fetch("A").current == value


@pytest.mark.parametrize("member", ["null", '""', '" "'])
def test_an_empty_member_is_refused_and_no_weaker_source_answers(member: str, strict_aws: StrictAws) -> None:
    keep(strict_aws.client(), "app", f'{{"A": {member}}}')
    with pytest.raises(ConfigurationError, match="A is empty in the secret app"):
        Secrets(SecretsManager("app", endpoint=strict_aws.endpoint), Environment({"A": "weaker"}))["A"].reveal()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"A": "canary"', 1),
        ('{"A": "canary",\n"A": "canary"}', 1),
        ('{"A": "x",\n\n"B": NaN}', 1),
        ('{"A": "x",\n"canary}', 2),
        ('{"A": ' + "[" * 30_000 + "]" * 30_000 + "}", 1),
        ('{"A": ' + "9" * 5000 + "}", 1),
    ],
)
def test_json_that_is_broken_is_refused_with_its_line_and_no_weaker_source_answers(
    text: str, line: int, strict_aws: StrictAws
) -> None:
    keep(strict_aws.client(), "app", text)
    secrets = Secrets(SecretsManager("app", endpoint=strict_aws.endpoint), Environment({"A": "weaker"}))
    with pytest.raises(ConfigurationError, match=f"A cannot be read from the secret app: line {line} ") as raised:
        secrets["A"].reveal()
    assert "canary" not in str(raised.value)
    assert secrets["app"].reveal() == text  # under its own name it is what it is


def test_a_secret_is_there_under_its_own_name(endpoint: str) -> None:
    aws = client("secretsmanager", endpoint)
    keep(aws, "prod/app", "x")
    arn = aws.describe_secret(SecretId="prod/app")["ARN"]
    by_name, by_arn, any_name = (SecretsManager(*ids, endpoint=endpoint) for ids in (["prod/app"], [arn], []))
    for value in ("plain", '"a"', "[1]", "5", b"\x00\xff{", '{"A": "a"}', "{no JSON"):
        keep(aws, "prod/app", value)
        for source in (by_name, by_arn, any_name):
            for name in ("prod/app", arn):
                assert source.fetch_many((name,), current_only=True)[name].current == value


def test_a_member_goes_before_the_whole_secret_of_that_name(strict_aws: StrictAws) -> None:
    keep(strict_aws.client(), "A", '{"A": "member"}')
    assert SecretsManager("A", endpoint=strict_aws.endpoint).fetch("A").current == "member"
    assert SecretsManager(endpoint=strict_aws.endpoint).fetch("A").current == '{"A": "member"}'


def test_binary_secrets_have_versions_too(strict_aws: StrictAws) -> None:
    aws = strict_aws.client()
    keep(aws, "key", b"\x01\xff", ClientRequestToken=FIRST)
    keep(aws, "key", b"\x02\xff", ClientRequestToken=SECOND)
    assert _named(SecretsManager(endpoint=strict_aws.endpoint), "key") == {"current": b"\x02\xff", "previous": b"\x01\xff"}


# How many calls


def test_every_question_names_a_stage_and_one_that_wants_the_current_value_is_one_call(aws: Any, strict_aws: StrictAws) -> None:
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    strict_aws.calls.clear()
    found = source.fetch_many(("A", "B"), current_only=True)
    assert {name: versions.current for name, versions in found.items()} == {"A": "one", "B": "b"}
    assert strict_aws.calls == {"GetSecretValue": 1, ("GetSecretValue", "AWSCURRENT"): 1}
    source.fetch_many(("A", "B"))
    assert strict_aws.calls["GetSecretValue"] == 1 + 3
    assert all("VersionStage" in asked for action, asked in strict_aws.asked if action == "GetSecretValue")


def test_several_secrets_come_in_one_batch(strict_aws: StrictAws) -> None:
    aws = strict_aws.client()
    for n in range(30):
        keep(aws, f"app{n}", json.dumps({f"A{n}": str(n), "SHARED": str(n)}))
    source = SecretsManager(*(f"app{n}" for n in range(30)), endpoint=strict_aws.endpoint)
    strict_aws.calls.clear()
    found = source.fetch_many(tuple(f"A{n}" for n in range(30)), current_only=True)
    assert [found[f"A{n}"].current for n in range(30)] == [str(n) for n in range(30)]
    assert strict_aws.calls == {"BatchGetSecretValue": 2}
    assert source.fetch("SHARED").current == "0"  # the first that has it


def test_names_that_are_secrets_come_in_one_batch_too(strict_aws: StrictAws) -> None:
    aws = strict_aws.client()
    for name in ("a", "b"):
        keep(aws, name, name)
    strict_aws.calls.clear()
    source = SecretsManager(endpoint=strict_aws.endpoint)
    found = source.fetch_many(("a", "b", "not there", "nothing"), current_only=True)
    assert {name: versions.current for name, versions in found.items()} == {"a": "a", "b": "b"}
    assert strict_aws.calls == {"BatchGetSecretValue": 1}


def test_a_batch_that_is_not_allowed_is_asked_one_by_one(strict_aws: StrictAws) -> None:
    aws = strict_aws.client()
    for name in ("one", "two"):
        keep(aws, name, json.dumps({name: name, "X": "x"}))
    strict_aws.deny("BatchGetSecretValue")
    source = SecretsManager("one", "two", endpoint=strict_aws.endpoint)
    assert source.fetch("two").current == "two"
    assert source.fetch("one").current == "one"
    assert strict_aws.calls["BatchGetSecretValue"] == 1  # a right that is missing is not asked for again


def test_a_batch_on_moto(moto: str) -> None:
    aws = client("secretsmanager", moto)
    for name in ("one", "two"):
        keep(aws, name, json.dumps({name: name}), ClientRequestToken=FIRST)
        keep(aws, name, json.dumps({name: name * 2}), ClientRequestToken=SECOND)
    found = SecretsManager("one", "two", endpoint=moto).fetch_many(("one", "two"), current_only=True)
    assert {name: versions.current for name, versions in found.items()} == {"one": "oneone", "two": "twotwo"}


def test_all_members_that_somebody_holds_come_with_the_first_call(aws: Any, strict_aws: StrictAws) -> None:
    secrets = Secrets(SecretsManager("app", endpoint=strict_aws.endpoint))
    handles = [secrets["A"], secrets["B"]]
    strict_aws.calls.clear()
    assert [handle.reveal() for handle in handles] == ["one", "b"]
    assert strict_aws.calls["GetSecretValue"] == 1


def test_fifty_threads_on_a_cold_secret_are_one_call(aws: Any, strict_aws: StrictAws) -> None:
    secret = Secrets(SecretsManager("app", endpoint=strict_aws.endpoint))["A"]
    strict_aws.calls.clear()
    answers, gate = [], threading.Barrier(50)

    def ask() -> None:
        gate.wait()
        answers.append(secret.reveal())

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["one"] * 50
    assert strict_aws.calls["GetSecretValue"] == 1
