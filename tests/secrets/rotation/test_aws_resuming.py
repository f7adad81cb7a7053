"""Two machines, each with its own journal, rotate one secret at AWS: none drops what the other has made, or promotes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretNotFound
from authkit.secrets.rotation import Busy, PendingFound, RotationTarget, StillInGrace
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.parameterstore import ParameterStoreTarget
from authkit.secrets.rotation.secretsmanager import SecretsManagerTarget
from authkit.secrets.versions import sealed
from tests.secrets.rotation.aws_parts import CANARY, NEW, NEWER, OLD, Killed, labelled

if TYPE_CHECKING:
    from pathlib import Path

    from authkit.secrets.versions import Sealed
    from tests.servers.aws import StrictAws

DAY = 86_400.0
THEIRS = f"{CANARY}-theirs"


class Dying:
    """A boto3 client whose process can be killed at any moment: nothing is sent any more."""

    def __init__(self, client: Any) -> None:
        self._client, self.dead = client, False
        self.meta = client.meta

    def __getattr__(self, action: str) -> Any:
        if self.dead:
            raise Killed
        return getattr(self._client, action)


class Machine:
    """One that rotates the member JWT, or the parameter."""

    def __init__(self, kind: str, aws: StrictAws, journal: Path) -> None:
        self.kind, self.aws, self.journal, self.now = kind, aws, journal, 1e9

    def rotation(self, client: Any = None) -> Rotation:
        client = client or self.aws.client("ssm" if self.kind == "parameters" else "secretsmanager")
        return Rotation(self.target(client), journal=Journal(str(self.journal), clock=lambda: self.now), clock=lambda: self.now)

    def target(self, client: Any) -> RotationTarget:
        if self.kind == "parameters":
            return ParameterStoreTarget("/app/", client=client, sleep=lambda seconds: None)
        return SecretsManagerTarget("app", client=client, sleep=lambda seconds: None, clock=lambda: self.now)

    def killed_in_test(self, value: str) -> None:
        client = Dying(self.aws.client("ssm" if self.kind == "parameters" else "secretsmanager"))

        def test(pending: Sealed) -> bool:
            client.dead = True
            raise Killed

        with pytest.raises(Killed):
            self.rotation(client).rotate("JWT", lambda: sealed(value), test=test, grace=DAY)

    def values(self) -> list[object]:
        seen = self.target(self.aws.client("ssm" if self.kind == "parameters" else "secretsmanager")).read("JWT")
        return [seen.current, seen.previous, seen.pending]


@pytest.fixture(params=["document", "parameters"])
def machines(request: pytest.FixtureRequest, strict_aws: StrictAws, tmp_path: Path) -> tuple[Machine, Machine]:
    if request.param == "parameters":
        strict_aws.client("ssm").put_parameter(Name="/app/JWT", Value=OLD, Type="SecureString")
    else:
        strict_aws.client().create_secret(Name="app", SecretString=json.dumps({"JWT": OLD, "PEPPER": "x"}))
    return Machine(request.param, strict_aws, tmp_path / "one"), Machine(request.param, strict_aws, tmp_path / "two")


def _never() -> Sealed:
    raise AssertionError("a second new value was made")


def test_a_rotation_that_ended_busy_does_not_drop_the_others_previous_value_when_it_is_run_again(
    machines: tuple[Machine, Machine],
) -> None:
    ours, theirs = machines

    def test(pending: Sealed) -> bool:
        theirs.now += 60
        theirs.rotation().rotate("JWT", lambda: sealed(THEIRS), grace=DAY, discard=True)
        return True

    with pytest.raises(Busy):
        ours.rotation().rotate("JWT", lambda: sealed(NEW), grace=DAY, test=test)
    ours.now += 120
    assert ours.rotation().plan("JWT", grace=DAY).refused is not None
    with pytest.raises(StillInGrace):
        ours.rotation().rotate("JWT", _never, grace=DAY)
    assert ours.values() == [THEIRS, OLD, None]


def test_a_rotation_that_was_killed_is_given_up_once_the_other_has_rotated(machines: tuple[Machine, Machine]) -> None:
    ours, theirs = machines
    ours.killed_in_test(NEW)
    theirs.now += 60
    theirs.rotation().rotate("JWT", lambda: sealed(THEIRS), grace=DAY, discard=True)
    with pytest.raises(StillInGrace):
        ours.rotation().rotate("JWT", _never, grace=DAY)
    assert ours.values() == [THEIRS, OLD, None]
    assert ours.rotation().history("JWT")[-1]["step"] == "abandoned"


def test_a_value_that_the_other_is_testing_is_not_promoted(machines: tuple[Machine, Machine]) -> None:
    ours, theirs = machines

    def test(pending: Sealed) -> bool:
        with pytest.raises(PendingFound, match="take_pending=True"):
            theirs.rotation().rotate("JWT", _never)
        assert ours.values() == [OLD, None, NEW]
        return True

    ours.rotation().rotate("JWT", lambda: sealed(NEW), test=test)
    assert ours.values() == [NEW, OLD, None]


def test_a_value_that_took_the_place_of_ours_is_not_taken_for_it(machines: tuple[Machine, Machine]) -> None:
    ours, theirs = machines
    ours.killed_in_test(NEW)
    theirs.rotation().stage("JWT", lambda: sealed(THEIRS), discard=True)
    with pytest.raises(PendingFound):
        ours.rotation().rotate("JWT", _never)
    assert ours.values() == [OLD, None, THEIRS]
    ours.rotation().rotate("JWT", _never, take_pending=True)
    assert ours.values() == [THEIRS, OLD, None]


def test_killed_in_its_test_it_is_finished(machines: tuple[Machine, Machine]) -> None:
    ours, _ = machines
    ours.killed_in_test(NEW)
    assert ours.rotation().rotate("JWT", _never).resumed
    assert ours.values() == [NEW, OLD, None]


def test_a_missing_right_to_promote_leaves_nothing_pending(machines: tuple[Machine, Machine]) -> None:
    ours, _ = machines
    action, asked = ("PutParameter", {}) if ours.kind == "parameters" else ("TagResource", {})

    def test(pending: Sealed) -> bool:
        ours.aws.fail(action, "ValidationException", **asked)
        return True

    with pytest.raises(ConfigurationError):
        ours.rotation().rotate("JWT", lambda: sealed(NEW), test=test)
    assert ours.values() == [OLD, None, None]
    assert ours.rotation().history("JWT")[-1]["step"] == "failed"


def test_a_change_beside_it_while_it_is_tested_leaves_nothing_pending(strict_aws: StrictAws, tmp_path: Path) -> None:
    strict_aws.client().create_secret(Name="app", SecretString=json.dumps({"JWT": OLD, "PEPPER": "x"}))
    ours = Machine("document", strict_aws, tmp_path / "one")

    def test(pending: Sealed) -> bool:
        strict_aws.client().put_secret_value(SecretId="app", SecretString=json.dumps({"JWT": OLD, "PEPPER": "y"}))
        return True

    with pytest.raises(Busy):
        ours.rotation().rotate("JWT", lambda: sealed(NEW), test=test)
    assert set(labelled(strict_aws)) == {"AWSCURRENT", "AWSPREVIOUS"}


def test_without_the_right_to_tag_a_promotion_and_a_roll_back_are_still_known_for_what_they_are(
    strict_aws: StrictAws, tmp_path: Path
) -> None:
    strict_aws.client().create_secret(Name="app", SecretString=json.dumps({"JWT": OLD}))
    strict_aws.deny("TagResource")
    ours = Machine("document", strict_aws, tmp_path / "one")
    ours.rotation().rotate("JWT", lambda: sealed(NEW))
    lines = ours.journal.read_bytes().splitlines(keepends=True)
    ours.journal.write_bytes(b"".join(lines[:-2]))  # killed after the promotion, before it was told
    assert ours.rotation().rotate("JWT", _never).steps == ("promoted", "end")
    ours.rotation().roll_back("JWT")
    assert ours.rotation().roll_back("JWT").changed is False
    assert ours.values()[:2] == [OLD, NEW]


@pytest.mark.parametrize("spelled", ["app", "arn"])
def test_the_journal_knows_a_secret_by_its_arn(spelled: str, strict_aws: StrictAws, tmp_path: Path) -> None:
    arn = strict_aws.client().create_secret(Name="app", SecretString=json.dumps({"JWT": OLD}))["ARN"]
    ours = Machine("document", strict_aws, tmp_path / "one")
    ours.rotation().rotate("JWT", lambda: sealed(NEWER))
    target = SecretsManagerTarget("app" if spelled == "app" else arn, client=strict_aws.client())
    history = Rotation(target, journal=Journal(str(ours.journal))).history("JWT")
    assert [entry["target"] for entry in history] == [f"aws:{arn}"] * 4


def test_the_journal_knows_a_secret_that_is_made_by_its_name_until_it_has_an_arn(strict_aws: StrictAws, tmp_path: Path) -> None:
    ours = Machine("document", strict_aws, tmp_path / "one")
    ours.rotation().create("JWT", sealed(OLD))
    assert ours.rotation().status("JWT").since == {"current": 1e9}
    with pytest.raises(SecretNotFound):
        ours.rotation().status("NONE")


def test_two_spellings_of_a_prefix_are_one_place(strict_aws: StrictAws, tmp_path: Path) -> None:
    ssm = strict_aws.client("ssm")
    ssm.put_parameter(Name="/app/JWT", Value=OLD, Type="SecureString")
    ours = Machine("parameters", strict_aws, tmp_path / "one")
    ours.rotation().rotate("JWT", lambda: sealed(NEW))
    journal = Journal(str(ours.journal))
    [place] = {entry["target"] for entry in journal.entries("JWT")}
    assert place.startswith("ssm:arn:aws:ssm:us-east-1:")
    assert len(Rotation(ParameterStoreTarget("/app", client=ssm), journal=journal).history("JWT")) == 4
