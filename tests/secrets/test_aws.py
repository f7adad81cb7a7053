"""Questions to AWS: what goes wrong is told without a value and never passed over, and every wait has a bound."""

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
from tests.secrets.contract import CANARY, shown
from tests.servers.aws import AWS_ENV, keep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.aws import StrictAws


@pytest.fixture
def aws(strict_aws: StrictAws) -> Any:
    """A client of the stub, in which the secret "app" has the members A and B."""
    found = strict_aws.client()
    keep(found, "app", '{"A": "one", "B": "b"}')
    return found


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


def test_a_traceback_with_locals_shows_nothing_of_what_was_read_before(aws: Any, strict_aws: StrictAws) -> None:
    keep(aws, "app", json.dumps({"A": CANARY}))
    keep(aws, "bin", CANARY.encode())
    strict_aws.fail("GetSecretValue", "DecryptionFailure", stage="AWSPREVIOUS")
    for ids, name in ((["app"], "A"), (["app", "bin"], "bin"), ([], "app")):
        with pytest.raises(SecretUnavailable) as raised:
            SecretsManager(*ids, endpoint=strict_aws.endpoint).fetch(name)
        assert CANARY not in shown(raised.value)


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
        (
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/x is not authorized to perform: secretsmanager:GetSecretValue with an explicit deny in "
            "a service control policy",
            "arn:aws:iam::1:user/x is explicitly denied the right secretsmanager:GetSecretValue",
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
    assert time.monotonic() - began < 3  # 1, and a client made on a busy machine


def test_an_answer_that_does_not_come_is_waited_for_in_bounds(aws: Any, strict_aws: StrictAws) -> None:
    strict_aws.slow("GetSecretValue", 30)
    began = time.monotonic()
    assert "ReadTimeoutError" in _raised(SecretsManager("app", endpoint=strict_aws.endpoint, timeout=1), SecretUnavailable)
    assert time.monotonic() - began < 3  # 1, and a client made on a busy machine


def test_no_call_begins_after_the_time_of_one_fetch_is_over(strict_aws: StrictAws) -> None:
    """Ten secrets that are each slow, and no right to ask for all at once."""
    ids = [f"app/{number}" for number in range(10)]
    for secret_id in ids:
        strict_aws.client().create_secret(Name=secret_id, SecretString='{"A": "one"}')
    strict_aws.deny("BatchGetSecretValue")
    strict_aws.slow("GetSecretValue", 0.4)
    began = time.monotonic()
    assert "timed out" in _raised(SecretsManager(*ids, endpoint=strict_aws.endpoint, timeout=1.2), SecretUnavailable)
    assert time.monotonic() - began < 4  # 1.2, the call that was under way, and a client made on a busy machine
    assert strict_aws.calls["GetSecretValue"] <= 4


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
    keep(aws, "one", json.dumps({"X": "x"}))
    keep(aws, "two", json.dumps({"A": "weaker", "B": "b"}))
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
    strict_aws.fail("AssumeRole", "AccessDenied")
    source.fetch_many(("A",), current_only=True)  # the keys that it has are still good for 200 s
    now[0] += 201
    _raised(source, SecretUnavailable)


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
    keep(aws, "app", json.dumps({"A": CANARY}))
    keep(aws, "bin", CANARY.encode())
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
