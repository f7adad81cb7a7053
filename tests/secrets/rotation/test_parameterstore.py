"""Rotation in Parameter Store: several parameters, in an order that never leaves a reader without a valid value."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import SecretVersions
from authkit.secrets.parameterstore import ParameterStore
from authkit.secrets.rotation import Busy
from authkit.secrets.rotation.parameterstore import ParameterStoreTarget
from authkit.secrets.versions import sealed
from tests.secrets.rotation.aws_parts import CANARY, NEW, NEWER, OLD, shown
from tests.servers.aws import client

if TYPE_CHECKING:
    from tests.servers.aws import StrictAws

UNTIL = 2_000_000_000
ARN = "arn:aws:ssm:us-east-1:123456789012:parameter/app/JWT"


def _target(aws: StrictAws, prefix: str = "/app/", **ports: Any) -> ParameterStoreTarget:
    return ParameterStoreTarget(prefix, client=aws.client("ssm"), **{"sleep": lambda seconds: None, **ports})


def _values(versions: SecretVersions) -> dict[str, str | bytes]:
    return dict(versions.named())


def _kept(aws: StrictAws) -> dict[str, str]:
    return {name.removeprefix("/app/JWT"): told["Value"] for name, told in aws.parameters.values.items()}


def _writes(aws: StrictAws) -> list[str]:
    return [
        f"{action[0]}{asked['Name'].removeprefix('/app/JWT')}"
        for action, asked in aws.asked
        if action in ("PutParameter", "DeleteParameter")
    ]


@pytest.fixture
def kept(strict_aws: StrictAws) -> StrictAws:
    strict_aws.client("ssm").put_parameter(Name="/app/JWT", Value=OLD, Type="SecureString", KeyId="alias/app")
    return strict_aws


@pytest.fixture(params=["moto", "strict"])
def endpoint(request: pytest.FixtureRequest) -> str:
    """An AWS, once moto's and once the strict one."""
    if request.param == "moto":
        return str(request.getfixturevalue("moto"))
    return str(request.getfixturevalue("strict_aws").endpoint)


@pytest.mark.parametrize("prefix", ["/app", "app-"])
def test_the_steps_of_a_rotation_are_what_the_source_reads(endpoint: str, prefix: str) -> None:
    target = ParameterStoreTarget(prefix, region="us-east-1", endpoint=endpoint)
    source = ParameterStore(prefix, region="us-east-1", endpoint=endpoint)
    target.create("JWT", sealed(OLD))
    with target.locked("JWT"):
        target.promote("JWT", UNTIL)
        target.stage("JWT", sealed(NEW))
        target.stage("JWT", sealed(NEWER))
        assert _values(source.fetch("JWT")) == {"current": OLD, "pending": NEW}
        target.promote("JWT", UNTIL + 0.7)
        target.promote("JWT", UNTIL + 9)
    for versions in (source.fetch("JWT"), target.read("JWT")):
        assert (_values(versions), versions.previous_until) == ({"current": NEW, "previous": OLD}, UNTIL)
    target.roll_back("JWT", UNTIL + 1)
    versions = source.fetch("JWT")
    assert (_values(versions), versions.previous_until) == ({"current": OLD, "previous": NEW}, UNTIL + 1)
    target.stage("JWT", sealed(NEWER))
    target.discard("JWT")
    target.discard("JWT")
    target.retire("JWT")
    target.retire("JWT")
    assert _values(source.fetch("JWT")) == {"current": OLD}
    with pytest.raises(SecretNotFound, match="previous"):
        target.roll_back("JWT", UNTIL)
    assert target.names() == ["JWT"]


def test_the_old_value_is_kept_before_the_current_one_changes_and_pending_goes_last(kept: StrictAws) -> None:
    target = _target(kept)
    target.stage("JWT", sealed(NEW))
    kept.asked.clear()
    target.promote("JWT", UNTIL)
    assert _writes(kept) == ["P__PREVIOUS", "P__PREVIOUS_UNTIL", "P", "D__PENDING"]
    assert _kept(kept) == {"": NEW, "__PREVIOUS": OLD, "__PREVIOUS_UNTIL": str(UNTIL)}


def test_every_parameter_is_a_securestring_under_the_key_of_the_first(kept: StrictAws) -> None:
    target = _target(kept)
    target.stage("JWT", sealed(NEW))
    target.promote("JWT", UNTIL)
    assert {(told["Type"], told["KeyId"]) for told in kept.parameters.values.values()} == {("SecureString", "alias/app")}
    _target(kept, key="alias/own").create("NEW", sealed(NEW))
    assert kept.parameters.values["/app/NEW"]["KeyId"] == "alias/own"


def test_a_secret_in_clear_is_refused(strict_aws: StrictAws) -> None:
    strict_aws.client("ssm").put_parameter(Name="/app/JWT", Value=OLD, Type="String")
    with pytest.raises(ConfigurationError, match="SecureString"):
        _target(strict_aws).read("JWT")


def test_names_are_listed_over_all_pages_and_without_values(strict_aws: StrictAws) -> None:
    for number in range(23):
        strict_aws.client("ssm").put_parameter(Name=f"/app/K{number:02}", Value=OLD, Type="SecureString")
    strict_aws.client("ssm").put_parameter(Name="/app/K00__PREVIOUS", Value=OLD, Type="SecureString")
    strict_aws.calls.clear()
    assert _target(strict_aws).names() == [f"K{number:02}" for number in range(23)]
    assert set(strict_aws.calls) == {"DescribeParameters"}


def test_a_step_that_was_interrupted_shows_what_it_has_not_done_yet(kept: StrictAws) -> None:
    """Promoted in part: still the old one. Rolled back in part: still the way back. Done but for the last call: done."""

    def put(**values: str) -> None:
        kept.parameters.values.clear()
        for end, value in values.items():
            kept.client("ssm").put_parameter(Name=f"/app/JWT{end.removeprefix('_')}", Value=value, Type="SecureString")

    target = _target(kept)
    put(_=OLD, ___PREVIOUS=OLD, ___PREVIOUS_UNTIL="7", ___PENDING=NEW)
    assert (_values(target.read("JWT")), target.read("JWT").previous_until) == ({"current": OLD, "pending": NEW}, None)
    put(_=OLD, ___PREVIOUS=OLD, ___PREVIOUS_UNTIL="7", ___ROLLBACK=NEW)
    assert (_values(target.read("JWT")), target.read("JWT").previous_until) == ({"current": OLD, "previous": NEW}, None)
    put(_=NEW, ___PREVIOUS=OLD, ___PREVIOUS_UNTIL="7", ___PENDING=NEW)
    assert (_values(target.read("JWT")), target.read("JWT").previous_until) == ({"current": NEW, "previous": OLD}, 7)
    put(_=" ")
    with pytest.raises(ConfigurationError, match="blank"):
        target.read("JWT")
    with pytest.raises(ConfigurationError, match="endings"):
        target.create("JWT__PENDING", sealed(NEW))


def test_whoever_comes_second_is_told_busy(kept: StrictAws) -> None:
    one, two = _target(kept), _target(kept)
    with two.locked("JWT"):
        with one.locked("JWT"):
            one.stage("JWT", sealed(NEW))
            two.stage("JWT", sealed(NEWER))
            one.promote("JWT", UNTIL)
        for step in (lambda: two.stage("JWT", sealed(NEWER)), lambda: two.promote("JWT", UNTIL), lambda: two.retire("JWT")):
            with pytest.raises(Busy):
                step()
    assert _kept(kept) == {"": NEW, "__PREVIOUS": OLD, "__PREVIOUS_UNTIL": str(UNTIL)}


def test_of_rotators_at_once_one_value_wins_and_the_one_before_is_kept(kept: StrictAws) -> None:
    for turn in range(4):
        before, start = _kept(kept)[""], threading.Barrier(3)

        def rotate(number: int, turn: int = turn, start: threading.Barrier = start) -> None:
            target = _target(kept)
            try:
                with target.locked("JWT"):
                    start.wait(10)
                    target.stage("JWT", sealed(f"{CANARY}-{turn}-{number}"))
                    target.promote("JWT", UNTIL)
            except Busy:
                pass

        threads = [threading.Thread(target=rotate, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        with _target(kept).locked("JWT"):
            found = _kept(kept)
        assert set(found) == {"", "__PREVIOUS", "__PREVIOUS_UNTIL"}
        assert found[""].startswith(f"{CANARY}-{turn}-")
        assert found["__PREVIOUS"] == before


def test_throttling_and_another_writer_are_waited_out(kept: StrictAws) -> None:
    waits: list[float] = []
    target = _target(kept, sleep=waits.append, random=lambda: 0.5)
    kept.fail("PutParameter", "TooManyUpdates", times=2)
    target.stage("JWT", sealed(NEW))
    assert waits == [0.1, 0.2]
    kept.fail("GetParameters", "ThrottlingException")
    with pytest.raises(SecretUnavailable, match="ThrottlingException"):
        target.read("JWT")


def test_a_change_whose_answer_is_lost_is_made_once(kept: StrictAws) -> None:
    target = _target(kept)
    kept.drop("PutParameter", times=1, after=True)
    target.stage("JWT", sealed(NEW))
    assert _kept(kept) == {"": OLD, "__PENDING": NEW}
    with target.locked("JWT"):
        for _ in range(3):
            kept.drop("PutParameter", times=1, after=True)
        target.promote("JWT", UNTIL)
    assert _kept(kept) == {"": NEW, "__PREVIOUS": OLD, "__PREVIOUS_UNTIL": str(UNTIL)}


@pytest.mark.parametrize("action", ["GetParameters", "PutParameter", "DeleteParameter", "DescribeParameters"])
def test_a_right_that_is_missing_is_named_with_its_resource(kept: StrictAws, action: str) -> None:
    kept.deny(action)
    target = _target(kept)
    with pytest.raises(ConfigurationError) as error:
        target.stage("JWT", sealed(NEW))
        target.promote("JWT", UNTIL)
    assert f"ssm:{action} on " in str(error.value)
    assert CANARY not in shown(error.value)
    kept.mend()
    with target.locked("JWT"):
        if target.read("JWT").current == OLD:
            target.stage("JWT", sealed(NEW))
            target.promote("JWT", UNTIL)
    assert set(_kept(kept)) == {"", "__PREVIOUS", "__PREVIOUS_UNTIL"}
    assert _values(target.read("JWT")) == {"current": NEW, "previous": OLD}


def test_a_kms_key_that_cannot_be_used_is_said_without_a_value(kept: StrictAws) -> None:
    kept.fail("PutParameter", "InvalidKeyId", f"AWS repeats {NEW}")
    with pytest.raises(ConfigurationError, match="kms:") as error:
        _target(kept).stage("JWT", sealed(NEW))
    assert CANARY not in shown(error.value)


@pytest.mark.parametrize("name", ["NONE", "a b", "", "JWT__PREVIOUS", "../x"])
def test_a_name_that_is_not_there_is_not_found(kept: StrictAws, name: str) -> None:
    target = _target(kept)
    for step in (target.read, target.retire, target.discard, lambda name: target.stage(name, sealed(NEW))):
        with pytest.raises(SecretNotFound):
            step(name)


@pytest.mark.parametrize("value", ["", "  ", OLD, None, 5])
def test_a_new_value_that_is_none_or_the_current_one_is_refused(kept: StrictAws, value: Any) -> None:
    with pytest.raises(ConfigurationError) as error:
        _target(kept).stage("JWT", sealed(value))
    assert CANARY not in shown(error.value)
    assert _kept(kept) == {"": OLD}


@pytest.mark.parametrize(
    "wrong", [{"prefix": "a/b"}, {"prefix": "/a b"}, {"region": "Mars"}, {"endpoint": "http://aws.example"}]
)
def test_a_literal_that_is_wrong_is_refused_when_the_target_is_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ParameterStoreTarget(**wrong)


def test_the_end_is_read_whoever_wrote_it(moto: str) -> None:
    ssm = client("ssm", moto)
    for end, value in (("", NEW), ("__PREVIOUS", OLD), ("__PREVIOUS_UNTIL", "7")):
        ssm.put_parameter(Name=f"/app/JWT{end}", Value=value, Type="SecureString")
    versions = ParameterStoreTarget("/app/", client=ssm).read("JWT")
    assert (_values(versions), versions.previous_until) == ({"current": NEW, "previous": OLD}, 7)
