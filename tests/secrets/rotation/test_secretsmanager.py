"""Rotation in AWS Secrets Manager: labels that only one can move, and nothing lost whoever else writes or dies."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import SecretVersions
from authkit.secrets.rotation import Busy
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.outcome import StillInGrace
from authkit.secrets.rotation.secretsmanager import SecretsManagerTarget
from authkit.secrets.secretsmanager import SecretsManager
from authkit.secrets.versions import sealed
from tests.secrets.rotation.aws_parts import CANARY, NEW, NEWER, OLD, labelled, shown
from tests.servers.aws import client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.aws import StrictAws

UNTIL = 2_000_000_000
TWO = {"JWT": OLD, "port": 5432, "PEPPER": f"{CANARY}-pepper", "on": True}


def _target(aws: StrictAws, secret_id: str = "app", **ports: Any) -> SecretsManagerTarget:
    return SecretsManagerTarget(
        secret_id, client=aws.client(), **{"sleep": lambda seconds: None, "clock": lambda: 1e9, **ports}
    )


def _values(versions: SecretVersions) -> dict[str, str | bytes]:
    return dict(versions.named())


def _rotate(target: SecretsManagerTarget, name: str, value: str, until: int = UNTIL) -> None:
    with target.locked(name):
        target.stage(name, sealed(value))
        target.promote(name, until)


@pytest.fixture(params=["moto", "strict"])
def endpoint(request: pytest.FixtureRequest) -> str:
    """An AWS, once moto's and once the strict one."""
    if request.param == "moto":
        return str(request.getfixturevalue("moto"))
    return str(request.getfixturevalue("strict_aws").endpoint)


@pytest.fixture
def plain(strict_aws: StrictAws) -> StrictAws:
    strict_aws.client().create_secret(Name="app", SecretString=OLD)
    return strict_aws


@pytest.fixture
def document(strict_aws: StrictAws) -> StrictAws:
    strict_aws.client().create_secret(Name="app", SecretString=json.dumps(TWO))
    return strict_aws


@pytest.mark.parametrize(("name", "first"), [("app", OLD), ("JWT", json.dumps(TWO))])
def test_the_steps_of_a_rotation_move_the_labels(endpoint: str, name: str, first: str) -> None:
    client("secretsmanager", endpoint).create_secret(Name="app", SecretString=first)
    target = SecretsManagerTarget("app", region="us-east-1", endpoint=endpoint)
    with target.locked(name):
        target.promote(name, UNTIL)
        assert _values(target.read(name)) == {"current": OLD}
        target.stage(name, sealed(NEW))
        target.stage(name, sealed(NEWER))
        assert _values(target.read(name)) == {"current": OLD, "pending": NEW}
        target.promote(name, UNTIL + 0.7)
        target.promote(name, UNTIL + 9)
    versions = target.read(name)
    assert (_values(versions), versions.previous_until) == ({"current": NEW, "previous": OLD}, UNTIL)
    target.roll_back(name, UNTIL + 1)
    versions = target.read(name)
    assert (_values(versions), versions.previous_until) == ({"current": OLD, "previous": NEW}, UNTIL + 1)
    target.stage(name, sealed(NEWER))
    target.discard(name)
    target.discard(name)
    target.retire(name)
    target.retire(name)
    assert _values(target.read(name)) == {"current": OLD}
    with pytest.raises(SecretNotFound, match="previous"):
        target.roll_back(name, UNTIL)


def test_the_engine_rotates_rolls_back_and_retires_at_either_aws(endpoint: str, tmp_path: Path) -> None:
    client("secretsmanager", endpoint).create_secret(Name="app", SecretString=json.dumps(TWO))
    target = SecretsManagerTarget("app", region="us-east-1", endpoint=endpoint)
    rotation = Rotation(target, journal=Journal(str(tmp_path / "journal")))
    rotation.rotate("JWT", lambda: sealed(NEW), test=lambda pending: pending() == NEW)
    rotation.rotate("PEPPER", lambda: sealed(NEWER))
    with pytest.raises(StillInGrace):
        rotation.rotate("JWT", lambda: sealed(NEWER))
    rotation.roll_back("PEPPER")
    source = SecretsManager("app", region="us-east-1", endpoint=endpoint)
    assert _values(source.fetch("JWT")) == {"current": NEW, "previous": OLD}
    assert _values(source.fetch("PEPPER")) == {"current": TWO["PEPPER"], "previous": NEWER}
    assert rotation.status("JWT").state == "grace"
    rotation.retire("JWT")
    assert _values(source.fetch("JWT")) == {"current": NEW}
    assert _values(source.fetch("PEPPER")) == {"current": TWO["PEPPER"], "previous": NEWER}
    rotation.create("THIRD", sealed(NEW))
    assert _values(source.fetch("THIRD")) == {"current": NEW}
    assert rotation.status("JWT").state == "steady"
    assert CANARY not in (tmp_path / "journal").read_text()


def test_the_source_reads_what_the_target_writes(document: StrictAws) -> None:
    """Also of two members rotated within one grace, which one label cannot tell."""
    target, source = _target(document), SecretsManager("app", client=document.client())
    _rotate(target, "JWT", NEW, UNTIL)
    _rotate(target, "PEPPER", NEWER, UNTIL + 5)
    assert sorted(target.names()) == ["JWT", "PEPPER"]
    for name, current, previous, until in (("JWT", NEW, OLD, UNTIL), ("PEPPER", NEWER, TWO["PEPPER"], UNTIL + 5)):
        for versions in (target.read(name), source.fetch(name)):
            assert (_values(versions), versions.previous_until) == ({"current": current, "previous": previous}, until)
    target.retire("JWT")
    assert _values(source.fetch("JWT")) == {"current": NEW}
    assert _values(source.fetch("PEPPER")) == {"current": NEWER, "previous": TWO["PEPPER"]}
    target.retire("PEPPER")
    assert _values(source.fetch("PEPPER")) == {"current": NEWER}
    assert labelled(document)["AWSCURRENT"] == {**TWO, "JWT": NEW, "PEPPER": NEWER}


def test_the_other_members_stay_as_they_are_and_where_they_are(document: StrictAws) -> None:
    _rotate(_target(document), "PEPPER", NEW)
    current = labelled(document)["AWSCURRENT"]
    assert list(current.items()) == list({**TWO, "PEPPER": NEW}.items())


def test_a_previous_value_that_has_expired_is_not_taken_along(document: StrictAws) -> None:
    _rotate(_target(document), "JWT", NEW, until=1_000_000_000)
    _rotate(_target(document, clock=lambda: 1e9 + 1), "PEPPER", NEWER)
    assert labelled(document)["AWSCURRENT"] == {**TWO, "JWT": NEW, "PEPPER": NEWER}


def test_what_somebody_else_changes_between_stage_and_promote_is_kept(document: StrictAws) -> None:
    target = _target(document)
    target.stage("JWT", sealed(NEW))
    document.client().put_secret_value(SecretId="app", SecretString=json.dumps({**TWO, "PEPPER": NEWER}))
    target.promote("JWT", UNTIL)
    found = labelled(document)
    assert found["AWSCURRENT"]["JWT"] == NEW
    assert found["AWSCURRENT"]["PEPPER"] == NEWER
    assert "AWSPENDING" not in found


def test_a_value_retired_while_another_is_pending_does_not_come_back_with_it(document: StrictAws) -> None:
    target = _target(document)
    _rotate(target, "JWT", NEW)
    target.stage("PEPPER", sealed(NEWER))
    target.retire("JWT")
    assert _values(target.read("JWT")) == {"current": NEW}
    target.promote("PEPPER", UNTIL)
    assert _values(target.read("JWT")) == {"current": NEW}
    assert _values(target.read("PEPPER")) == {"current": NEWER, "previous": TWO["PEPPER"]}


def test_the_version_of_a_stage_follows_from_the_current_one_and_a_discarded_one_is_never_taken_again(plain: StrictAws) -> None:
    secret = plain.secrets.secrets["app"]
    _target(plain).stage("app", sealed(NEW))
    first = secret.labels["AWSPENDING"]
    _target(plain, secret.arn).stage("app", sealed(NEWER))
    assert secret.labels["AWSPENDING"] == first
    assert len(secret.versions) == 2
    _target(plain).discard("app")
    _target(plain).stage("app", sealed(NEWER))
    assert labelled(plain)["AWSPENDING"] == NEWER
    assert secret.labels["AWSPENDING"] != first


def test_awspending_left_on_the_current_version_is_taken_away_by_the_next_run(plain: StrictAws) -> None:
    target = _target(plain)
    plain.fail("UpdateSecretVersionStage", "AccessDeniedException", stage="AWSPENDING", times=1)
    with pytest.raises(ConfigurationError):
        _rotate(target, "app", NEW)
    assert set(labelled(plain)) == {"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"}
    assert _values(target.read("app")) == {"current": NEW, "previous": OLD}
    with target.locked("app"):
        assert set(labelled(plain)) == {"AWSCURRENT", "AWSPREVIOUS"}


def test_a_next_value_of_another_member_is_in_the_way_and_named(document: StrictAws) -> None:
    target = _target(document)
    target.stage("JWT", sealed(NEW))
    for step in (lambda: target.stage("PEPPER", sealed(NEWER)), lambda: target.promote("PEPPER", UNTIL)):
        with pytest.raises(Busy, match="JWT"):
            step()
    target.discard("PEPPER")
    assert labelled(document)["AWSPENDING"]["JWT"] == NEW


def test_a_rotation_of_aws_own_is_not_taken_over(plain: StrictAws) -> None:
    plain.secrets.start_rotation("app", "9" * 32)
    target = _target(plain)
    with pytest.raises(Busy, match="AWS's own rotation"):
        target.stage("app", sealed(NEW))
    target.discard("app")
    target.stage("app", sealed(NEW))
    assert labelled(plain)["AWSPENDING"] == NEW


def test_bytes_stay_bytes(strict_aws: StrictAws) -> None:
    strict_aws.client().create_secret(Name="app", SecretBinary=b"\xff\x00" * 20)
    target = _target(strict_aws)
    with target.locked("app"):
        target.stage("app", sealed(b"\xfe\x01" * 20))
        target.promote("app", UNTIL)
    assert _values(target.read("app")) == {"current": b"\xfe\x01" * 20, "previous": b"\xff\x00" * 20}


def test_a_secret_is_created_plain_under_its_own_name_and_else_as_a_document(strict_aws: StrictAws) -> None:
    _target(strict_aws).create("app", sealed(OLD))
    _target(strict_aws, "two").create("JWT", sealed(OLD))
    _target(strict_aws, "two").create("PEPPER", sealed(NEW))
    assert labelled(strict_aws)["AWSCURRENT"] == OLD
    assert labelled(strict_aws, "two") == {"AWSCURRENT": {"JWT": OLD, "PEPPER": NEW}}
    _rotate(_target(strict_aws, "two"), "JWT", NEWER)
    _target(strict_aws, "two").create("JWT", sealed(NEW))
    assert _values(_target(strict_aws, "two").read("JWT")) == {"current": NEW}
    with pytest.raises(SecretNotFound):
        _target(strict_aws, "arn:aws:secretsmanager:us-east-1:123456789012:secret:no-AbCdEf").create("a", sealed(OLD))


def test_whoever_comes_second_is_told_busy(plain: StrictAws) -> None:
    one, two = _target(plain), _target(plain)
    with two.locked("app"):
        _rotate(one, "app", NEW)
        for step in (lambda: two.stage("app", sealed(NEWER)), lambda: two.promote("app", UNTIL), lambda: two.retire("app")):
            with pytest.raises(Busy):
                step()
    assert labelled(plain) == {"AWSCURRENT": NEW, "AWSPREVIOUS": OLD}


def _race(aws: StrictAws, racers: int, rounds: int) -> list[int]:
    """How many won in each round; what was current before must be what is previous after."""
    wins = []
    for turn in range(rounds):
        before, start, won = labelled(aws)["AWSCURRENT"], threading.Barrier(racers), []

        def rotate(number: int, turn: int = turn, start: threading.Barrier = start, won: list[str] = won) -> None:
            target, value = _target(aws), f"{CANARY}-{turn}-{number}"
            try:
                with target.locked("app"):
                    start.wait(10)
                    target.stage("app", sealed(value))
                    target.promote("app", UNTIL)
                won.append(value)
            except Busy:
                pass

        threads = [threading.Thread(target=rotate, args=(number,)) for number in range(racers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        after = labelled(aws)
        assert after["AWSPREVIOUS"] == before
        assert after["AWSCURRENT"].startswith(f"{CANARY}-{turn}-")
        assert "AWSPENDING" not in after
        wins.append(len(won))
    return wins


def test_of_rotators_at_once_one_value_wins_and_none_that_was_current_is_lost(plain: StrictAws) -> None:
    assert min(_race(plain, 4, 5)) >= 1


@pytest.mark.soak
def test_of_rotators_at_once_one_value_wins_five_hundred_times(plain: StrictAws) -> None:
    assert min(_race(plain, 4, 500)) >= 1


def test_throttling_is_waited_out_with_jitter_and_not_for_ever(plain: StrictAws) -> None:
    waits: list[float] = []
    target = _target(plain, sleep=waits.append, random=lambda: 1.0)
    plain.fail("PutSecretValue", "ThrottlingException", times=3)
    target.stage("app", sealed(NEW))
    assert waits == [0.2, 0.4, 0.8]
    plain.fail("DescribeSecret", "ThrottlingException")
    waits.clear()
    with pytest.raises(SecretUnavailable, match="ThrottlingException"):
        target.read("app")
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2]


@pytest.mark.parametrize("action", ["PutSecretValue", "UpdateSecretVersionStage", "CreateSecret"])
def test_a_change_whose_answer_is_lost_is_made_once(strict_aws: StrictAws, action: str) -> None:
    strict_aws.drop(action, times=1, after=True)
    target = _target(strict_aws)
    with target.locked("app"):
        target.create("app", sealed(OLD))
    _rotate(target, "app", NEW)
    assert labelled(strict_aws) == {"AWSCURRENT": NEW, "AWSPREVIOUS": OLD}
    assert len(strict_aws.secrets.secrets["app"].versions) == 2


@pytest.mark.parametrize("action", ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"])
def test_a_right_that_is_missing_is_named_with_its_resource(plain: StrictAws, action: str) -> None:
    plain.deny(action)
    with pytest.raises(ConfigurationError) as error:
        _rotate(_target(plain), "app", NEW)
    assert f"secretsmanager:{action} on {plain.secrets.secrets['app'].arn}" in str(error.value)
    plain.mend()
    _rotate(_target(plain), "app", NEWER)
    assert set(labelled(plain)) == {"AWSCURRENT", "AWSPREVIOUS"}


def test_without_the_right_to_tag_a_rotation_succeeds_and_warns_once(
    plain: StrictAws, caplog: pytest.LogCaptureFixture
) -> None:
    plain.deny("TagResource")
    target = _target(plain)
    with caplog.at_level(logging.WARNING, "authkit.secrets"):
        _rotate(target, "app", NEW)
        _rotate(target, "app", NEWER)
    assert [record.getMessage().partition(" on ")[0] for record in caplog.records] == ["the right secretsmanager:TagResource"]
    assert (_values(target.read("app")), target.read("app").previous_until) == ({"current": NEWER, "previous": NEW}, None)


def test_the_end_of_another_previous_version_is_not_believed(plain: StrictAws) -> None:
    target = _target(plain)
    _rotate(target, "app", NEW)
    plain.client().put_secret_value(SecretId="app", SecretString=NEWER)
    assert target.read("app").previous == NEW
    assert target.read("app").previous_until is None


@pytest.mark.parametrize("fault", ["slow_down", "html", "drop"])
def test_nothing_that_is_said_or_kept_on_the_way_shows_a_value(plain: StrictAws, fault: str) -> None:
    target = _target(plain)
    {
        "slow_down": lambda: plain.fail("PutSecretValue", "ThrottlingException", NEW),
        "html": lambda: plain.html("PutSecretValue"),
        "drop": lambda: plain.drop("PutSecretValue"),
    }[fault]()
    with pytest.raises((SecretUnavailable, ConfigurationError)) as error:
        _rotate(target, "app", NEW)
    assert CANARY not in shown(error.value)
    assert CANARY not in f"{target!r} {target} {vars(target)}"


@pytest.mark.parametrize("value", ["", "  ", OLD, None, 5])
def test_a_new_value_that_is_none_or_the_current_one_is_refused(document: StrictAws, value: Any) -> None:
    with pytest.raises(ConfigurationError) as error:
        _target(document).stage("JWT", sealed(value))
    assert CANARY not in shown(error.value)
    assert "AWSPENDING" not in labelled(document)


def test_a_name_that_is_not_there_is_not_found(document: StrictAws) -> None:
    target = _target(document)
    for step in (target.read, target.retire, target.discard, lambda name: target.stage(name, sealed(NEW))):
        for name in ("NONE", "port"):
            with pytest.raises(SecretNotFound, match=name):
                step(name)
    with pytest.raises(SecretNotFound, match="none"):
        _target(document, "none").read("JWT")


def test_history_tells_versions_and_labels_and_no_value(endpoint: str) -> None:
    client("secretsmanager", endpoint).create_secret(Name="app", SecretString=OLD)
    target = SecretsManagerTarget("app", region="us-east-1", endpoint=endpoint)
    _rotate(target, "app", NEW)
    _rotate(target, "app", NEWER)
    history = target.history()
    assert sorted(one["labels"] for one in history) == [(), ("AWSCURRENT",), ("AWSPREVIOUS",)]
    assert all(one["created"] > 1e9 for one in history)
    assert CANARY not in repr(history)


def test_a_secret_marked_for_deletion_is_refused(plain: StrictAws) -> None:
    plain.client().delete_secret(SecretId="app")
    with pytest.raises(ConfigurationError, match="deletion"):
        _target(plain).create("app", sealed(NEW))


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret_id": ""},
        {"secret_id": "a b"},
        {"secret_id": None},
        {"secret_id": "app", "region": "Mars"},
        {"secret_id": "app", "endpoint": "http://aws.example"},
        {"secret_id": "app", "role": "admin"},
        {"secret_id": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf", "region": "us-east-1"},
    ],
)
def test_a_literal_that_is_wrong_is_refused_when_the_target_is_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        SecretsManagerTarget(**wrong)
