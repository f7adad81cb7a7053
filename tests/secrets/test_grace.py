"""How long a previous value without an end of its own is accepted: from when it was replaced, wherever that can be known."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from authkit.errors import ConfigurationError
from authkit.secrets import Dotenv, Environment, MountedFiles, ParameterStore, SecretsManager, SecretVersions

from .counted import Clocks, Source, secrets_of

DAY = 86_400


def test_a_value_that_comes_and_goes_is_given_its_grace_once() -> None:
    source, clocks = Source(A=SecretVersions("n", "o")), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    secret = secrets["A"]
    end = secret.versions().previous_until
    for previous in (None, "o", "x", None, "o"):
        clocks.pass_(DAY / 10)
        source.values["A"] = SecretVersions("n", previous)
        secrets.refresh()
        versions = secret.versions()
        assert versions.previous_until == (end if previous == "o" else clocks.wall + DAY if previous else None)
    clocks.pass_(DAY)
    for previous in ("o", None, "o"):
        source.values["A"] = SecretVersions("n", previous)
        secrets.refresh()
        assert not secret.matches("o")


def test_an_end_that_was_said_once_holds_though_it_is_not_said_again() -> None:
    """DescribeSecret may fail now and then."""
    clocks = Clocks()
    source = Source(A=SecretVersions("n", "o", None, clocks.wall + 100))
    secrets = secrets_of(source, clocks=clocks)
    assert secrets["A"].matches("o")
    source.values["A"] = SecretVersions("n", "o")
    secrets.refresh()
    assert secrets["A"].versions().previous_until == clocks.wall + 100


def test_a_value_that_was_current_again_has_a_grace_of_its_own_again() -> None:
    source, clocks = Source(A=SecretVersions("b", "a")), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    assert secrets["A"].matches("a")
    clocks.pass_(2 * DAY)
    for current, previous in (("a", "b"), ("c", "a")):
        source.values["A"] = SecretVersions(current, previous)
        secrets.refresh()
        assert secrets["A"].versions().previous_until == clocks.wall + DAY
    assert secrets["A"].matches("a")


def test_where_the_source_says_since_when_every_process_gives_the_same_end() -> None:
    clocks = Clocks()
    replaced = clocks.wall - DAY / 2
    for seconds in (0, DAY / 4, DAY / 2 - 1):
        clocks.pass_(seconds - (clocks.wall - replaced - DAY / 2))
        started_now = secrets_of(Source(A=SecretVersions("n", "o").since(replaced)), clocks=clocks)["A"]
        assert started_now.versions().previous_until == replaced + DAY
        assert started_now.matches("o")
    clocks.pass_(1)
    assert not secrets_of(Source(A=SecretVersions("n", "o").since(replaced)), clocks=clocks)["A"].matches("o")


def test_a_time_to_come_does_not_prolong_the_grace() -> None:
    clocks = Clocks()
    source = Source(A=SecretVersions("n", "o").since(clocks.wall + 100 * DAY))
    assert secrets_of(source, clocks=clocks)["A"].versions().previous_until == clocks.wall + DAY


def test_who_saw_the_old_value_in_use_later_than_the_source_says_accepts_it_from_then() -> None:
    """A version that was made long before it was promoted."""
    source, clocks = Source(A="o"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    assert secrets["A"].reveal() == "o"
    seen = clocks.wall
    clocks.pass_(100)
    source.values["A"] = SecretVersions("n", "o").since(clocks.wall - 3 * DAY)
    secrets.refresh()
    assert secrets["A"].versions().previous_until == seen + DAY


@pytest.mark.parametrize("since", [float("nan"), -1, "1", True])
def test_since_is_a_time(since: float) -> None:
    with pytest.raises(ConfigurationError, match="previous_since"):
        SecretVersions("n", "o").since(since)


def files_in(directory: Path, written: float) -> None:
    for name, value in (("A", "n"), ("A__PREVIOUS", "o")):
        (directory / name).write_text(value)
        os.utime(directory / name, (written, written))


@pytest.mark.parametrize(("ago", "accepted"), [(DAY - 60, True), (DAY + 60, False), (90 * DAY, False)])
def test_a_file_tells_by_its_time_when_the_old_value_was_replaced(tmp_path: Path, ago: float, accepted: bool) -> None:
    clocks = Clocks()
    clocks.wall = 1_900_000_000.0
    written = clocks.wall - ago
    files_in(tmp_path, written)
    env = tmp_path / ".env"
    env.write_text("A=n\nA__PREVIOUS=o\n")
    env.chmod(0o600)
    os.utime(env, (written, written))
    for source in (MountedFiles(tmp_path), Dotenv(str(env))):
        secret = secrets_of(source, clocks=clocks)["A"]
        assert secret.matches("o") is accepted, source
        assert secret.matches("n")


def test_of_two_files_the_one_that_was_written_later_counts(tmp_path: Path) -> None:
    clocks = Clocks()
    clocks.wall = 1_900_000_000.0
    files_in(tmp_path, clocks.wall - 90 * DAY)
    os.utime(tmp_path / "A", (clocks.wall - 10, clocks.wall - 10))
    assert secrets_of(MountedFiles(tmp_path), clocks=clocks)["A"].versions().previous_until == clocks.wall - 10 + DAY


@pytest.mark.parametrize("written", [0, 1, 315_532_800])
def test_the_time_that_a_reproducible_build_gives_its_files_says_nothing(tmp_path: Path, written: float) -> None:
    clocks = Clocks()
    clocks.wall = 1_900_000_000.0
    files_in(tmp_path, written)
    assert secrets_of(MountedFiles(tmp_path), clocks=clocks)["A"].versions().previous_until == clocks.wall + DAY


def test_an_environment_knows_of_no_time() -> None:
    clocks = Clocks()
    source = Environment({"A": "n", "A__PREVIOUS": "o"})
    assert secrets_of(source, clocks=clocks)["A"].versions().previous_until == clocks.wall + DAY


# AWS, where AWSPREVIOUS stays for good after a rotation that was not ours


class Aws:
    """A client in front of a secret that was rotated: the times that AWS tells, by their names, in seconds before `now`."""

    def __init__(self, now: float, **ago: float) -> None:
        self.times = {name: datetime.fromtimestamp(now - seconds, UTC) for name, seconds in ago.items()}
        self.refused: str | None = None

    def get_secret_value(self, SecretId: str, VersionStage: str) -> dict[str, Any]:
        found = {"AWSCURRENT": "n", "AWSPREVIOUS": "o"}.get(VersionStage)
        if found is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        dates = {"CreatedDate": self.times["CreatedDate"]} if VersionStage == "AWSCURRENT" else {}
        told = {"ARN": "arn", "Name": SecretId, "VersionId": found * 32, "VersionStages": [VersionStage]}
        return {**told, "SecretString": f'{{"A": "{found}"}}', **dates}

    def describe_secret(self, SecretId: str) -> dict[str, Any]:
        if self.refused is not None:
            raise ClientError({"Error": {"Code": self.refused}}, "DescribeSecret")
        stages = {"n" * 32: ["AWSCURRENT"], "o" * 32: ["AWSPREVIOUS"]}
        return {"ARN": "arn", "Name": SecretId, "VersionIdsToStages": stages, **self.times}

    def get_parameters(self, Names: list[str], WithDecryption: bool) -> dict[str, Any]:
        assert WithDecryption
        values = {"/A": "n", "/A__PREVIOUS": "o"}
        told = [
            {"Name": name, "Value": values[name], "LastModifiedDate": self.times["of" + name.replace("/", "_")]}
            for name in Names
            if name in values
        ]
        return {"Parameters": told, "InvalidParameters": [name for name in Names if name not in values]}


ROTATIONS = {
    "by a rotation": ({"CreatedDate": 5010, "LastRotatedDate": 5000, "LastChangedDate": 100}, 5000),
    "by hand, after a rotation of long ago": (
        {"CreatedDate": 5000, "LastRotatedDate": 90 * DAY, "LastChangedDate": 4900},
        4900,
    ),
    "by hand, when it had been pending for long": ({"CreatedDate": 3 * DAY, "LastChangedDate": 100}, 100),
    "by a rotation 90 days ago": (
        {"CreatedDate": 90 * DAY + 10, "LastRotatedDate": 90 * DAY, "LastChangedDate": 90 * DAY},
        90 * DAY,
    ),
    "at a time that only its making tells": ({"CreatedDate": 5000}, 5000),
}


@pytest.mark.parametrize("how", ROTATIONS)
def test_secrets_manager_tells_when_the_old_value_was_replaced(how: str) -> None:
    ago, since = ROTATIONS[how]
    clocks = Clocks()
    clocks.wall = 1_900_000_000.0
    secret = secrets_of(SecretsManager("app", client=Aws(clocks.wall, **ago)), clocks=clocks)["A"]
    assert secret.versions().previous_until == (clocks.wall - since + DAY if since < DAY else None)
    assert secret.matches("o") is (since < DAY)


def test_without_the_right_to_describe_the_making_of_the_current_version_counts() -> None:
    clocks = Clocks()
    clocks.wall = 1_900_000_000.0
    aws = Aws(clocks.wall, CreatedDate=5000, LastChangedDate=100)
    aws.refused = "AccessDeniedException"
    secret = secrets_of(SecretsManager("app", client=aws), clocks=clocks)["A"]
    assert secret.versions().previous_until == clocks.wall - 5000 + DAY


def test_parameter_store_tells_when_the_old_value_was_replaced() -> None:
    clocks = Clocks()
    clocks.wall = 1_900_000_000.0
    for newest, other in (("of_A", "of_A__PREVIOUS"), ("of_A__PREVIOUS", "of_A")):
        aws = Aws(clocks.wall, **{newest: 5000, other: 90 * DAY})
        secret = secrets_of(ParameterStore("/", client=aws), clocks=clocks)["A"]
        assert secret.versions().previous_until == clocks.wall - 5000 + DAY
    long_ago = ParameterStore("/", client=Aws(clocks.wall, of_A=90 * DAY, of_A__PREVIOUS=90 * DAY))
    assert not secrets_of(long_ago, clocks=clocks)["A"].matches("o")
