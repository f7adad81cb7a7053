"""What a target does is what the source of the same place sees: the same versions and ends, step for step, everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit.secrets import Dotenv, MountedFiles, ParameterStore, SecretsManager, SecretSource, SecretVersions
from authkit.secrets.rotation.directory import FilesTarget
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.rotation.parameterstore import ParameterStoreTarget
from authkit.secrets.rotation.secretsmanager import SecretsManagerTarget
from authkit.secrets.versions import sealed
from authkit.settings import Settings
from tests.servers.aws import keep

if TYPE_CHECKING:
    from pathlib import Path

    from authkit.secrets.rotation import RotationTarget
    from tests.servers.aws import StrictAws

FAR = 4_000_000_000  # epoch seconds


def _files(path: Path, aws: StrictAws) -> tuple[RotationTarget, SecretSource]:
    for name in "AB":
        (path / name).write_text(name.lower() + "\n")
        (path / name).chmod(0o600)
    return FilesTarget(path), MountedFiles(path)


def _dotenv(path: Path, aws: StrictAws) -> tuple[RotationTarget, SecretSource]:
    file = path / ".env"
    file.write_text("A=a\nB=b\n")
    file.chmod(0o600)
    return DotenvTarget(str(file)), Dotenv(str(file), settings=Settings({"AUTHKIT_ENV": "test"}, "/nonexistent"))


def _secrets_manager(path: Path, aws: StrictAws) -> tuple[RotationTarget, SecretSource]:
    keep(aws.client(), "app", '{"A": "a", "B": "b", "port": 5432}')
    return SecretsManagerTarget("app", endpoint=aws.endpoint), SecretsManager("app", endpoint=aws.endpoint)


def _parameter_store(path: Path, aws: StrictAws) -> tuple[RotationTarget, SecretSource]:
    for name in "AB":
        aws.client("ssm").put_parameter(Name=f"/app/{name}", Value=name.lower(), Type="SecureString")
    return ParameterStoreTarget("/app", endpoint=aws.endpoint), ParameterStore("/app", endpoint=aws.endpoint)


@pytest.mark.parametrize("place", [_files, _dotenv, _secrets_manager, _parameter_store])
def test_each_step_of_a_rotation_is_seen_as_it_is(place: Any, tmp_path: Path, strict_aws: StrictAws) -> None:
    target, source = place(tmp_path, strict_aws)

    def seen() -> dict[str, tuple[dict[str, str | bytes], float | None]]:
        found = source.fetch_many(("A", "B"))
        versions = [one for one in found.values() if isinstance(one, SecretVersions)]
        return {name: (dict(one.named()), one.previous_until) for name, one in zip(found, versions, strict=True)}

    assert seen() == {"A": ({"current": "a"}, None), "B": ({"current": "b"}, None)}
    with target.locked("A"):
        target.stage("A", sealed("a2"))
        assert seen() == {"A": ({"current": "a", "pending": "a2"}, None), "B": ({"current": "b"}, None)}
        target.promote("A", FAR)
    rotated = ({"current": "a2", "previous": "a"}, FAR)
    assert seen() == {"A": rotated, "B": ({"current": "b"}, None)}
    with target.locked("B"):  # while the other one's previous value is still accepted
        target.stage("B", sealed("b2"))
        assert seen() == {"A": rotated, "B": ({"current": "b", "pending": "b2"}, None)}
        target.promote("B", FAR + 1)
    other = ({"current": "b2", "previous": "b"}, FAR + 1)
    assert seen() == {"A": rotated, "B": other}
    with target.locked("A"):
        target.roll_back("A", FAR + 2)
        assert seen() == {"A": ({"current": "a", "previous": "a2"}, FAR + 2), "B": other}
        target.retire("A")
    assert seen() == {"A": ({"current": "a"}, None), "B": other}
