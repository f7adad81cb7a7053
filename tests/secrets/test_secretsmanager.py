"""SecretsManager: what the staging labels say, in few calls, every wait bounded; against moto and against a strict stub."""

from __future__ import annotations

import base64
import io
import json
import logging
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import Environment, Secrets, SecretsManager
from tests.secrets.contract import CANARY, NamedVersionsContract, SourceContract
from tests.servers.aws import AWS_ENV, client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.aws import StrictAws

FIRST, SECOND, THIRD = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2, 3))


def _keep(aws: Any, name: str, value: str | bytes, **options: Any) -> None:
    field = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": value}
    try:
        aws.put_secret_value(SecretId=name, **field, **options)
    except aws.exceptions.ResourceNotFoundException:
        aws.create_secret(Name=name, **field, **options)


class TestMembersOnMoto(NamedVersionsContract):
    @pytest.fixture
    def source(self, moto: str) -> SecretsManager:
        self.aws = client("secretsmanager", moto)
        return SecretsManager("app", endpoint=moto)

    def keep(self, values: dict[str, str]) -> None:
        for stale in self.aws.list_secrets()["SecretList"]:
            self.aws.delete_secret(SecretId=stale["Name"], ForceDeleteWithoutRecovery=True)
        _keep(self.aws, "app", json.dumps(values))


class TestMembersOnTheStrictStub(NamedVersionsContract):
    @pytest.fixture
    def source(self, strict_aws: StrictAws) -> SecretsManager:
        self.strict_aws = strict_aws
        return SecretsManager("app", endpoint=strict_aws.endpoint)

    def keep(self, values: dict[str, str]) -> None:
        self.strict_aws.secrets.secrets.clear()
        _keep(self.strict_aws.client(), "app", json.dumps(values))


class TestNamesThatAreSecrets(SourceContract):
    @pytest.fixture
    def source(self, strict_aws: StrictAws) -> SecretsManager:
        self.strict_aws = strict_aws
        return SecretsManager(endpoint=strict_aws.endpoint)

    def keep(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            _keep(self.strict_aws.client(), name, value)


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
    _keep(aws, "app", '{"A": "one"}', ClientRequestToken=FIRST)
    assert _named(source) == {"current": "one"}
    _keep(aws, "app", '{"A": "two"}', ClientRequestToken=SECOND, VersionStages=["AWSPENDING"])
    assert _named(source) == {"current": "one", "pending": "two"}
    aws.update_secret_version_stage(
        SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=SECOND, RemoveFromVersionId=FIRST
    )
    assert _named(source) == {"current": "two", "previous": "one"}  # AWSPENDING may stay where AWSCURRENT is
    aws.update_secret_version_stage(SecretId="app", VersionStage="AWSPREVIOUS", RemoveFromVersionId=FIRST)
    assert _named(source) == {"current": "two"}


def test_a_member_that_a_rotation_left_alone_has_no_previous_value(aws: Any, strict_aws: StrictAws) -> None:
    _keep(aws, "app", '{"A": "two", "B": "b"}', ClientRequestToken=SECOND)
    _keep(aws, "app", '{"A": "three", "B": ""}', ClientRequestToken=THIRD, VersionStages=["AWSPENDING"])
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    assert _named(source, "A") == {"current": "two", "previous": "one", "pending": "three"}
    assert _named(source, "B") == {"current": "b"}


def test_what_the_labels_remember_goes_before_what_stands_beside_a_member(aws: Any, strict_aws: StrictAws) -> None:
    beside = {"B__PREVIOUS": "b0", "B__PREVIOUS_UNTIL": "1700000000", "A__PREVIOUS": "zero"}
    _keep(aws, "app", json.dumps({"A": "two", "B": "b", **beside}), ClientRequestToken=SECOND)
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    assert _named(source, "A") == {"current": "two", "previous": "one"}
    assert _named(source, "B") == {"current": "b", "previous": "b0"}
    assert source.fetch("B").previous_until == 1_700_000_000


def test_a_pending_version_without_a_value_is_none(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.secrets.start_rotation("app", SECOND)
    assert _named(SecretsManager("app", endpoint=strict_aws.endpoint)) == {"current": "one"}


def test_the_end_that_a_rotation_wrote_down_is_known(aws: Any, strict_aws: StrictAws) -> None:
    _keep(aws, "app", '{"A": "two"}', ClientRequestToken=SECOND)
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
                _keep(aws, "app", '{"A": "two"}', ClientRequestToken=SECOND)
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
    _keep(strict_aws.client(), "app", f'{{"A": {member}}}')
    assert SecretsManager("app", endpoint=strict_aws.endpoint).fetch("A").current == value


@pytest.mark.parametrize("member", ["null", '""', '" "'])
def test_an_empty_member_is_refused_and_no_weaker_source_answers(member: str, strict_aws: StrictAws) -> None:
    _keep(strict_aws.client(), "app", f'{{"A": {member}}}')
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
    _keep(strict_aws.client(), "app", text)
    secrets = Secrets(SecretsManager("app", endpoint=strict_aws.endpoint), Environment({"A": "weaker"}))
    with pytest.raises(ConfigurationError, match=f"A cannot be read from the secret app: line {line} ") as raised:
        secrets["A"].reveal()
    assert "canary" not in str(raised.value)
    assert secrets["app"].reveal() == text  # under its own name it is what it is


@pytest.mark.parametrize("value", ["plain", '"a"', "[1]", "5", b"\x00\xff{", '{"A": "a"}'])
def test_a_secret_is_there_under_its_own_name(value: str | bytes, endpoint: str) -> None:
    aws = client("secretsmanager", endpoint)
    _keep(aws, "prod/app", value)
    arn = aws.describe_secret(SecretId="prod/app")["ARN"]
    for source in (SecretsManager("prod/app", endpoint=endpoint), SecretsManager(arn, endpoint=endpoint)):
        assert source.fetch_many(("prod/app",))["prod/app"].current == value
        assert source.fetch(arn).current == value
    for name in ("prod/app", arn):
        assert SecretsManager(endpoint=endpoint).fetch(name).current == value


def test_binary_secrets_have_versions_too(strict_aws: StrictAws) -> None:
    aws = strict_aws.client()
    _keep(aws, "key", b"\x01\xff", ClientRequestToken=FIRST)
    _keep(aws, "key", b"\x02\xff", ClientRequestToken=SECOND)
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
        _keep(aws, f"app{n}", json.dumps({f"A{n}": str(n), "SHARED": str(n)}))
    source = SecretsManager(*(f"app{n}" for n in range(30)), endpoint=strict_aws.endpoint)
    strict_aws.calls.clear()
    found = source.fetch_many(tuple(f"A{n}" for n in range(30)), current_only=True)
    assert [found[f"A{n}"].current for n in range(30)] == [str(n) for n in range(30)]
    assert strict_aws.calls == {"BatchGetSecretValue": 2}
    assert source.fetch("SHARED").current == "0"  # the first that has it


def test_names_that_are_secrets_come_in_one_batch_too(strict_aws: StrictAws) -> None:
    aws = strict_aws.client()
    for name in ("a", "b"):
        _keep(aws, name, name)
    strict_aws.calls.clear()
    source = SecretsManager(endpoint=strict_aws.endpoint)
    found = source.fetch_many(("a", "b", "not there", "nothing"), current_only=True)
    assert {name: versions.current for name, versions in found.items()} == {"a": "a", "b": "b"}
    assert strict_aws.calls["BatchGetSecretValue"] == 1


def test_a_batch_that_is_not_allowed_is_asked_one_by_one(strict_aws: StrictAws) -> None:
    aws = strict_aws.client()
    for name in ("one", "two"):
        _keep(aws, name, json.dumps({name: name, "X": "x"}))
    strict_aws.deny("BatchGetSecretValue")
    source = SecretsManager("one", "two", endpoint=strict_aws.endpoint)
    assert source.fetch("two").current == "two"
    assert source.fetch("one").current == "one"
    assert strict_aws.calls["BatchGetSecretValue"] == 1  # a right that is missing is not asked for again


def test_a_batch_on_moto(moto: str) -> None:
    aws = client("secretsmanager", moto)
    for name in ("one", "two"):
        _keep(aws, name, json.dumps({name: name}), ClientRequestToken=FIRST)
        _keep(aws, name, json.dumps({name: name * 2}), ClientRequestToken=SECOND)
    found = SecretsManager("one", "two", endpoint=moto).fetch_many(("one", "two"), current_only=True)
    assert {name: versions.current for name, versions in found.items()} == {"one": "oneone", "two": "twotwo"}


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


# What goes wrong


def _raised(source: SecretsManager, kind: type[Exception], name: str = "A") -> str:
    with pytest.raises(kind) as raised:
        source.fetch(name)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    return str(raised.value)


def test_a_missing_right_is_named_with_its_resource_and_no_weaker_source_answers(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.deny("GetSecretValue")
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    told = _raised(source, SecretUnavailable)
    assert told == (
        "the secret app cannot be read: arn:aws:sts::123456789012:assumed-role/app/session lacks the right "
        "secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf"
    )
    with pytest.raises(SecretUnavailable):
        Secrets(source, Environment({"A": "weaker"}))["A"].reveal()


def test_a_right_that_is_missing_for_one_label_is_named_for_it(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.deny("GetSecretValue", stage="AWSPREVIOUS")
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    assert _raised(source, SecretUnavailable).startswith("the AWSPREVIOUS version of the secret app cannot be read: arn:")
    assert source.fetch_many(("A",), current_only=True)["A"].current == "one"


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("DecryptionFailure", f"the key is disabled {CANARY}", "its KMS key must be enabled, and grant kms:Decrypt"),
        ("AccessDeniedException", "Access to KMS is not allowed", "grant kms:Decrypt"),
        (
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/x is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:1:key/k",
            "arn:aws:iam::1:user/x lacks the right kms:Decrypt on arn:aws:kms:eu-west-1:1:key/k",
        ),
        ("InvalidRequestException", CANARY, "marked for deletion"),
        ("ExpiredTokenException", CANARY, "ExpiredTokenException"),
        (f"{CANARY} \n", CANARY, "failed (HTTP 400)"),
    ],
)
def test_what_aws_refuses_is_told_without_its_own_words(
    code: str, message: str, told: str, aws: Any, strict_aws: StrictAws
) -> None:
    strict_aws.fail("GetSecretValue", code, message)
    strict_aws.calls.clear()
    words = _raised(SecretsManager("app", endpoint=strict_aws.endpoint), SecretUnavailable)
    assert told in words
    assert CANARY not in words
    assert strict_aws.calls["GetSecretValue"] == 1  # trying again helps none of these


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError", "TooManyRequestsException"])
def test_what_passes_is_tried_again_after_a_random_wait(code: str, aws: Any, strict_aws: StrictAws) -> None:
    waits: list[float] = []
    source = SecretsManager("app", endpoint=strict_aws.endpoint, sleep=waits.append, random=lambda: 0.5)
    strict_aws.fail("GetSecretValue", code, times=4)
    assert source.fetch("A").current == "one"
    assert waits == [0.1, 0.2, 0.4, 0.5]  # at most 0.2, 0.4, 0.8, 1 s


def test_a_dropped_connection_is_tried_again(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.drop("GetSecretValue", times=2)
    assert SecretsManager("app", endpoint=strict_aws.endpoint, sleep=lambda _: None).fetch("A").current == "one"


def test_a_page_of_html_is_no_answer(aws: Any, strict_aws: StrictAws) -> None:
    for action, ids in (("GetSecretValue", ["app"]), ("*", ["app", "other"])):
        strict_aws.html(action)
        told = _raised(SecretsManager(*ids, endpoint=strict_aws.endpoint), SecretUnavailable)
        assert "what answered is not AWS" in told


def test_throttling_without_end_is_given_up_in_time(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.fail("GetSecretValue", "ThrottlingException")
    began = time.monotonic()
    assert "ThrottlingException" in _raised(SecretsManager("app", endpoint=strict_aws.endpoint, timeout=1), SecretUnavailable)
    assert time.monotonic() - began < 1.5


def test_an_answer_that_does_not_come_is_waited_for_in_bounds(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.slow("GetSecretValue", 30)
    began = time.monotonic()
    assert "ReadTimeoutError" in _raised(SecretsManager("app", endpoint=strict_aws.endpoint, timeout=1), SecretUnavailable)
    assert time.monotonic() - began < 1.5


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_black_hole_keeps_nobody_longer_than_the_timeout(black_hole: str, aws_env: None) -> None:
    """AVL-05: 200 at once, one bounded wait for all of them, and no thread left behind."""
    secret = Secrets(SecretsManager("app", endpoint=black_hole, timeout=0.5))["A"]
    before, failures = threading.active_count(), []

    def ask() -> None:
        began = time.monotonic()
        try:
            secret.reveal()
        except SecretUnavailable:
            failures.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 200
    assert max(failures) < 3  # 0.5, and a client made on a busy machine
    assert threading.active_count() <= before


def test_a_value_that_is_known_is_served_while_aws_is_down(aws: Any, strict_aws: StrictAws) -> None:
    now = [1_000_000.0]
    source = SecretsManager("app", endpoint=strict_aws.endpoint, timeout=0.5)
    secret = Secrets(source, ttl=300, clock=lambda: now[0])["A"]
    assert secret.reveal() == "one"
    strict_aws.close()
    now[0] += 301
    for _ in range(3):
        assert secret.reveal() == "one"


def test_one_of_several_secrets_that_fails_is_not_passed_over(strict_aws: StrictAws) -> None:
    aws = strict_aws.client()
    _keep(aws, "one", json.dumps({"X": "x"}))
    _keep(aws, "two", json.dumps({"A": "weaker", "B": "b"}))
    aws.delete_secret(SecretId="one")
    source = SecretsManager("one", "two", endpoint=strict_aws.endpoint)
    assert "the secret one cannot be read in its state" in _raised(source, SecretUnavailable)
    gone = SecretsManager("none", "two", endpoint=strict_aws.endpoint)
    assert gone.fetch("A").current == "weaker"  # a secret that is not there has no names
    assert "NOTHING is not in SecretsManager('none', 'two')" in _raised(gone, SecretNotFound, "NOTHING")


# Whose client


def test_a_role_is_assumed_and_signs_and_is_assumed_again_before_it_expires(
    aws: Any, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", strict_aws.endpoint)
    role, now = "arn:aws:iam::123456789012:role/reader", [time.time()]
    source = SecretsManager("app", endpoint=strict_aws.endpoint, role=role, clock=lambda: now[0])
    for _ in range(2):
        source.fetch_many(("A",), current_only=True)
    signed = dict(zip((action for action, _ in strict_aws.asked), strict_aws.keys, strict=True))
    assert signed["AssumeRole"] == AWS_ENV["AWS_ACCESS_KEY_ID"]
    assert signed["GetSecretValue"].startswith("ASIA")
    assert strict_aws.calls["AssumeRole"] == 1
    now[0] = 4_070_908_800.0 - 200  # 2099, which is when the stub's keys expire
    source.fetch_many(("A",), current_only=True)
    assert strict_aws.calls["AssumeRole"] == 2


def test_a_role_that_may_not_be_assumed_is_named(strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", strict_aws.endpoint)
    strict_aws.fail("AssumeRole", "AccessDenied")
    role = "arn:aws:iam::123456789012:role/reader"
    told = _raised(SecretsManager("app", endpoint=strict_aws.endpoint, role=role), SecretUnavailable)
    assert told.endswith(f"lacks the right sts:AssumeRole on {role}")


def test_no_credentials_is_unavailable_and_no_region_is_a_mistake(
    strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert "NoCredentialsError" in _raised(SecretsManager("app", endpoint=strict_aws.endpoint), SecretUnavailable)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "NoRegionError" in _raised(SecretsManager("app"), ConfigurationError)
    assert "ProfileNotFound" in _raised(SecretsManager("app", profile="nobody", region="eu-west-1"), ConfigurationError)


def test_a_client_of_the_users_is_used_as_it_is(aws: Any, strict_aws: StrictAws) -> None:
    source = SecretsManager("app", client=aws)
    assert source.fetch("A").current == "one"
    strict_aws.calls.clear()
    strict_aws.fail("GetSecretValue", "ThrottlingException", times=1)
    _raised(source, SecretUnavailable)
    assert strict_aws.calls["GetSecretValue"] == 1  # it makes its own attempts, or none


def test_a_forked_child_makes_a_client_of_its_own(aws: Any, strict_aws: StrictAws) -> None:
    source = SecretsManager("app", endpoint=strict_aws.endpoint)
    source.fetch("A")
    mine = source._aws._made
    assert mine is not None
    answers: Any = multiprocessing.get_context("fork").SimpleQueue()

    def child() -> None:
        answers.put((source.fetch("A").current, source._aws._made is not None and source._aws._made[2] is not mine[2]))

    processes = [multiprocessing.get_context("fork").Process(target=child) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [answers.get() for _ in processes] == [("one", True)] * 3
    assert source.fetch("A").current == "one"


@pytest.mark.parametrize("level", [logging.DEBUG, 1])
def test_no_value_is_in_any_log_and_what_others_ask_is_logged_as_before(
    level: int, aws: Any, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", strict_aws.endpoint)
    _keep(aws, "app", json.dumps({"A": CANARY}))
    _keep(aws, "bin", CANARY.encode())
    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    kept = root.level
    root.addHandler(handler)
    root.setLevel(level)
    try:
        source = SecretsManager("app", "bin", endpoint=strict_aws.endpoint, role="arn:aws:iam::123456789012:role/reader")
        assert source.fetch("A").current == CANARY
        assert source.fetch("bin").current == CANARY.encode()
        strict_aws.fail("*", "AccessDeniedException", CANARY, times=2)
        _raised(source, SecretUnavailable)
        ours = log.getvalue()
        aws.get_secret_value(SecretId="app")
    finally:
        root.removeHandler(handler)
        root.setLevel(kept)
    assert "botocore" in ours or "GetSecretValue" in ours
    for form in (CANARY, base64.b64encode(CANARY.encode()).decode(), 'ASIAASSUMEDROLE00000",', "<SecretAccessKey>"):
        assert form not in ours
    assert CANARY in log.getvalue()[len(ours) :]


# What can be judged at once


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        (["a b"], {}, "name or its ARN"),
        ([""], {}, "name or its ARN"),
        (["arn:aws:s3:::bucket"], {}, "name or its ARN"),
        (["a", "a"], {}, "twice"),
        (["a"], {"region": "Frankfurt"}, "region"),
        (["arn:aws:secretsmanager:eu-west-1:1:secret:a-AbCdEf"], {"region": "us-east-1"}, "one region"),
        (["a"], {"endpoint": "http://secrets.example"}, "endpoint"),
        (["a"], {"endpoint": "https://user:pass@example.com"}, "endpoint"),
        (["a"], {"endpoint": "localhost:4566"}, "endpoint"),
        (["a"], {"role": "reader"}, "ARN"),
        (["a"], {"timeout": 0}, "timeout"),
        (["a"], {"timeout": float("nan")}, "timeout"),
        (["a"], {"client": object(), "region": "eu-west-1"}, "client"),
    ],
)
def test_what_cannot_be_right_is_refused_when_built(ids: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SecretsManager(*ids, **options)


def test_the_region_is_that_of_the_arn() -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app-AbCdEf"
    assert str(SecretsManager(arn)) == f"SecretsManager({arn!r}, region='eu-central-1')"


def test_nothing_of_boto3_is_loaded_before_it_is_asked() -> None:
    program = """
import sys
import authkit.secrets
from authkit.secrets import MountedFiles, ParameterStore, Secrets, SecretsManager
handle = Secrets(SecretsManager("app", region="eu-west-1"), ParameterStore("/app"), MountedFiles("/run/secrets"))["A"]
print([name for name in sys.modules if name.partition(".")[0] in ("boto3", "botocore", "urllib3")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
    assert (done.stdout, done.stderr) == ("[]\n", "")
